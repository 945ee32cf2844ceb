"""What the witness remembers of one pile, and where gathers what is kept of it until the store gets it.

Each read of a charge is kept, thousands a second, and none may cost a Python object, let alone a row of its own: they
gather in a block, which is handed over when rows are written that rest on it, when it is full, and within a second.
"""

from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_GET_SIZE, PyByteArray_Resize
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memcpy

from gateway.frameblock cimport FrameBlock
from gateway.framelog.records cimport IS_UP

from gateway.framelog.records import KINDS

cdef enum:
    NAMES = 64

cdef int64_t _BUSY_MS = 45 * 60_000  # a record that has not come half an hour after the end comes by itself or never
_ABOUT = [",".join(["SampleReceived"] * count) for count in range(NAMES)]
_KIND_CODES = {kind: code for code, kind in enumerate(KINDS)}


cdef class Gathered:
    """The stories that hold something for the store, or for what may follow.

    Args:
        keep: takes rows of blocks.
    """

    def __init__(self, keep not None):
        self._stories = []
        self._keep = keep

    def __len__(self):
        return len(self._stories)

    def hand_over(self, int64_t now_ms, Py_ssize_t count=-1):
        """Hand over what gathered in so many stories, in all when not told, and keep what waited before a silence."""
        cdef list stories = self._stories, later = []
        cdef Story story
        if count < 0 or count >= len(stories):
            self._stories = later
        else:
            self._stories = stories[count:]
            del stories[count:]
        rows = []
        for story in stories:
            story.tick(now_ms)
            block = story.take_block()
            if block is not None:
                rows.append(block)
            story._is_listed = story._waits
            if story._waits:
                later.append(story)
        if later is not self._stories:
            self._stories += later
        if rows:
            self._keep(rows)


cdef class Story:
    """One pile: what was kept of it last, and what waits to be kept.

    Args:
        gathered: knows which stories hold something.
        gap_ms: what is thinned is kept at least this often while a session may be open.

    Attributes:
        kept_at_ms: when the newest row was that is kept.
        busy_until_ms: until then a session may be open.
        said: what the pile said last, by connector and kind; see ``Witness``.
    """

    def __init__(self, str pile_id not None, Gathered gathered not None, int64_t gap_ms):
        self.pile_id = pile_id
        self.kept_at_ms = self.busy_until_ms = self._waits_from_ms = 0
        self.said = {}
        self._gathered = gathered
        self._gap_ms = gap_ms
        self._block = self._rows = self._link = self._read = None
        self._waits = self._is_listed = False

    def busy(self, int64_t at_ms):
        """A session of the pile may begin."""
        self.busy_until_ms = at_ms + _BUSY_MS

    cdef bint is_thinned(self, int64_t at_ms) noexcept:
        """Whether what repeats itself needs no witness now."""
        return not self._waits and at_ms > self.busy_until_ms

    def take(self, list rows not None, bint is_news):
        """Keep rows of one read, let them wait, or drop them; returns whether they are kept.

        Args:
            is_news: they say something that the pile did not say just before.
        """
        cdef int64_t at_ms = rows[len(rows) - 1].at_ms
        if self._waits and is_news and at_ms - self._waits_from_ms > self._gap_ms:
            self._put_waiting()
        self._waits = False
        self._rows = None
        if is_news or (at_ms <= self.busy_until_ms and at_ms - self.kept_at_ms >= self._gap_ms):
            self._put_rows(rows)
            return True
        if at_ms <= self.busy_until_ms:
            self._rows, self._link, self._waits_from_ms, self._waits = rows, None, at_ms, True
            self._list()
        return False

    cdef bint take_read(
        self, int64_t at_ms, Py_ssize_t fed, str address, const uint8_t* data, Py_ssize_t size
    ) except -1:
        """Take a read of frames that only repeat, as ``take`` does.

        Args:
            fed: how many of them are samples of a charge, and news.
            address: of the link.
        """
        if fed:
            self.busy_until_ms = at_ms + _BUSY_MS
        elif self.is_thinned(at_ms):
            return False
        if self._waits and fed and at_ms - self._waits_from_ms > self._gap_ms:
            self._put_waiting()
        self._waits = False
        self._rows = None
        if fed or (at_ms <= self.busy_until_ms and at_ms - self.kept_at_ms >= self._gap_ms):
            about = _ABOUT[fed] if fed < NAMES else ",".join(["SampleReceived"] * fed)
            self._put(at_ms, address, IS_UP, about, data, size)
            return True
        if at_ms <= self.busy_until_ms:
            if self._read is None:
                self._read = bytearray()
            PyByteArray_Resize(self._read, size)
            memcpy(PyByteArray_AS_STRING(self._read), data, size)
            self._link, self._waits_from_ms, self._waits = address, at_ms, True
            self._list()
        return False

    cdef int _put(
        self, int64_t at_ms, str link, int kind, str about, const uint8_t* data, Py_ssize_t size
    ) except -1:
        self.kept_at_ms = at_ms
        if self._block is not None:
            if self._block.add(at_ms, link, kind, about, data, size):
                return 0
            self.hand_over()
        self._block = FrameBlock(link, at_ms)
        self._block.add(at_ms, link, kind, about, data, size)
        return self._list()

    cdef int _put_rows(self, list rows) except -1:
        cdef bytes data
        for _, at_ms, link, kind, about, data in rows:
            self._put(
                at_ms, link, _KIND_CODES[kind], about, <const uint8_t*>PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data)
            )
        return 0

    cdef int _put_waiting(self) except -1:
        if self._rows is not None:
            return self._put_rows(self._rows)
        return self._put(
            self._waits_from_ms, self._link, IS_UP, "", <const uint8_t*>PyByteArray_AS_STRING(self._read),
            PyByteArray_GET_SIZE(self._read),
        )

    cdef int _list(self) except -1:
        if not self._is_listed:
            self._is_listed = True
            self._gathered._stories.append(self)
        return 0

    def keep(self, list rows not None):
        """Keep rows as they are."""
        self._put_rows(rows)

    def flush(self):
        """Keep what waits."""
        if self._waits:
            self._put_waiting()
            self._waits = False
            self._rows = None

    def tick(self, int64_t now_ms):
        """Keep what waits when nothing followed: the last word before a silence."""
        if self._waits and now_ms - self._waits_from_ms > self._gap_ms:
            self.flush()

    def take_block(self):
        """What gathered, as a row for the store; ``None`` when nothing did."""
        cdef FrameBlock block = self._block
        self._block = None
        return None if block is None else block.kept(self.pile_id)

    def hand_over(self):
        """Hand what gathered to the store."""
        block = self.take_block()
        if block is not None:
            self._gathered._keep([block])
