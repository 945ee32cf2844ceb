"""The short way of a read: what only repeats, from the bytes to answer, capture and evidence.

All rules of a link meet in ``pipeline.py``, which derives from ``ShortWay`` and takes whatever is new. Here is the part
that nearly every read of a day needs, in the same order and with the same rules: deadlines that were due, the capture,
the count that stops a flood, the evidence, the answers. What only repeats is a read of its own, and so is each new
frame between: they are captured and kept one behind the other, with one moment.
"""

from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_GET_SIZE
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t

from gateway.alarms cimport Alarms
from gateway.framelog.records cimport IS_DOWN, IS_UP, Gathering
from gateway.lanes cimport Traffic
from gateway.story cimport Story
from protocol.framer cimport Framer

from gateway.framelog.records import KINDS, PROTOCOLS

cdef enum:
    WINDOW_MS = 10_000
    WINDOW_S = 10


cdef class Volume:
    """Bytes of all links, received and sent, ever."""


cdef class Carrier:
    """Takes bytes to a peer without an object for them; a line of plain TCP is one."""

    cdef int put(self, const uint8_t* data, Py_ssize_t size) except -1:
        raise AssertionError("a carrier knows how")


cdef class ShortWay:
    """One connection, as far as its reads only repeat.

    Args:
        board: fires the deadlines that are due before a read.
        alarms, traffic: of the engine behind it.
        volume: counts bytes.
        capture: keeps reads and writes.
        send: sends bytes; never blocks.
        frames_max: a link that sends more within ten seconds is closed.

    Attributes:
        opened_at_ms, heard_at_ms: when it opened, and when bytes came last.
        closed_because: why it is closed, ``None`` while it is open.
        refused_in_a_row: unusable frames since the last good one.
        pace_ms: what must lie between two writes, each in a segment of its own.
        has_news: some of its bytes wait for ``take_news``. Meanwhile nothing of the link overtakes them but heartbeats,
            which say no more than that it is there.
    """

    def __init__(
        self, board not None, Alarms alarms not None, Traffic traffic not None, Volume volume not None,
        capture not None, send not None, *, int64_t link_no, str address not None, int64_t at_ms, int64_t frames_max,
    ):
        self.opened_at_ms = self.heard_at_ms = self._window_from_ms = at_ms
        self.address = address
        self.closed_because = None
        self.refused_in_a_row = 0
        self._board = board
        self._alarms = alarms
        self._traffic = traffic
        self._volume = volume
        self._capture = capture
        self._gathering = capture if isinstance(capture, Gathering) else None
        self._send = send
        self._carrier = None
        self.pace_ms = 0
        self.has_news = False
        self._link_no = link_no
        self._window_frames = 0
        self._window_frames_max = frames_max
        self._framer = None
        self._story = None
        self._spoken = None
        self._spoken_no = 0

    def received(self, bytes data not None, int64_t at_ms):
        """Bytes came in, or had their turn; all they lead to happens before this returns, but what waits for a commit.

        What is new is taken a frame at a time once anything repeats on the link, as what follows may repeat it: the
        samples behind the first of a charge often stand in one read with it. Behind a closing nothing is taken any
        more, and nothing captured: what the capture holds was all acted upon.
        """
        cdef const uint8_t* bytes_in = <const uint8_t*>PyBytes_AS_STRING(data)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(data), at = 0, whole
        while True:
            at += self.take_read(bytes_in + at, size - at, at_ms)
            if at == size:
                return
            whole = 0 if self._framer is None else self._framer.whole(bytes_in + at, size - at)
            if whole == 0:
                self.take_news(data[at:], at_ms)
                return
            self.take_news(data[at:at + whole], at_ms)
            at += whole

    def take_repeats(self, bytes data not None, int64_t at_ms):
        """Take what only repeats at the front of a read; returns the news behind it, which are for ``take_news``.

        They may be taken later, with the moment that it is then.
        """
        cdef Py_ssize_t used = self.take_read(
            <const uint8_t*>PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), at_ms
        )
        return data if used == 0 else data[used:]

    def take_beats(self, bytes news not None, int64_t at_ms):
        """Take the heartbeats among news that have to wait (``has_news``); returns the others.

        Whole frames are stepped over; behind anything else nothing is looked for.
        """
        cdef const uint8_t* data = <const uint8_t*>PyBytes_AS_STRING(news)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(news), at = 0, left_from = 0, used, whole
        cdef bytes left = b""
        if self._framer is None:
            return news
        while at < size:
            whole = self._framer.whole(data + at, size - at)
            if whole == 0:
                break
            at += whole
            used = self.take_read(data + at, size - at, at_ms)
            if used:
                left += news[left_from:at]
                at += used
                left_from = at
        return news if left_from == 0 else left + news[left_from:]

    def take_news(self, bytes data not None, int64_t at_ms):
        """Take bytes that do not only repeat; nothing of a closed link."""
        if self._begin(at_ms):
            self._volume.received += PyBytes_GET_SIZE(data)
            self.on_news(data, at_ms)

    cdef bint fire(self, int64_t at_ms) except -1:
        if not self._alarms.is_due(at_ms):
            return False
        self._board.advance(at_ms)
        return True

    cdef bint _begin(self, int64_t at_ms) except -1:
        """Whether the link is open; the deadlines due before a read are fired then."""
        if self.closed_because is not None:
            return False
        self.fire(at_ms)
        self.heard_at_ms = at_ms
        return True

    cdef Py_ssize_t take_read(self, const uint8_t* data, Py_ssize_t size, int64_t at_ms) except -1:
        cdef int64_t frames, fed
        cdef Py_ssize_t used
        if self._framer is None or not self._begin(at_ms):
            return 0
        frames, fed = self._traffic.taken(), self._traffic.fed
        used = self._framer.run(data, size, at_ms, self.has_news)
        if used == 0:
            return 0
        self._volume.received += used
        self._record(IS_UP, data, used, at_ms)
        self.refused_in_a_row = 0
        self._count(at_ms, self._traffic.taken() - frames)
        self._story.take_read(at_ms, self._traffic.fed - fed, self.address, data, used)
        if self._framer.owes():
            self._answer(at_ms)
        return used

    cdef int _record(self, int kind, const uint8_t* data, Py_ssize_t size, int64_t at_ms) except -1:
        """Into the capture."""
        if self._gathering is not None:
            return self._gathering.keep(at_ms, self._link_no, kind, self._spoken_no, data, size)
        self._capture.append(at_ms, self._link_no, KINDS[kind], data[:size], self._spoken)
        return 0

    cdef int _answer(self, int64_t at_ms) except -1:
        """Send what repeats are owed."""
        cdef bytearray owed = self._framer.repeats.answers
        cdef const uint8_t* data = <const uint8_t*>PyByteArray_AS_STRING(owed)
        cdef Py_ssize_t size = PyByteArray_GET_SIZE(owed)
        self._record(IS_DOWN, data, size, at_ms)
        self._volume.sent += size
        if self._carrier is not None and self.pace_ms == 0:
            self._carrier.put(data, size)
        else:
            self._send(PyBytes_FromStringAndSize(<const char*>data, size))
        owed.clear()
        return 0

    def carried_by(self, Carrier carrier):
        """Answers to repeats go straight to ``carrier`` while no pause must lie between them; ``None``: to ``send``."""
        self._carrier = carrier

    def follow(self, Framer framer not None, Story story not None, str spoken not None):
        """Repeats that ``framer`` finds go the short way from now on.

        Args:
            story: of the one pile that speaks here.
            spoken: the dialect's name, for the capture.
        """
        self._framer, self._story, self._spoken = framer, story, spoken
        self._spoken_no = PROTOCOLS[spoken]

    def count(self, int64_t at_ms, int64_t frames=1):
        """Count frames over ten seconds; a flood closes the link."""
        self._count(at_ms, frames)

    cdef int _count(self, int64_t at_ms, int64_t frames) except -1:
        if at_ms - self._window_from_ms >= WINDOW_MS:
            self._window_from_ms = at_ms
            self._window_frames = 0
        self._window_frames += frames
        if self._window_frames > self._window_frames_max:
            self.close("more frames than a pile may send")
        return 0

    def on_news(self, bytes data, int64_t at_ms):
        """Bytes that do not only repeat; the pipeline knows what to do."""
        raise AssertionError("the pipeline takes what is new")

    def close(self, str reason not None):
        """Close the connection for a stated reason; the pipeline knows how."""
        raise AssertionError("the pipeline closes the link")
