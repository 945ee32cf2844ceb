"""Byte stream to whole, checked frames; after noise the next good frame is found again.

Rules, and why they are so:

* A candidate begins at the start bytes with a possible length. When it is complete and its checksum holds (a CRC in
  either byte order), it is a frame.
* While a candidate waits for more bytes, complete frames behind it are looked for and handed on at once: a stray
  start byte with a false length must not hold back what follows. Such a frame must look like one (plain or encrypted
  flag, a type and a length that occur together) besides carrying a right checksum.
* The waiting candidate is kept all the same. Should it be completed after all, it is a frame too: no coincidence in
  its body may cost it. Should its checksum fail, the search goes on behind what was handed on, or inside it.
* A length too small for its type may have counted the body alone, as some writers have it: if the bytes that such a
  length leaves out make it large enough, and its checksum then holds, it is a frame.
* A failed candidate is told as a refused frame when it stood where a frame was due and nothing was found inside;
  otherwise its bytes are noise. Noise is told once a stretch; CR and LF between frames are silent.

Between reads the buffer holds one waiting candidate and what stands behind it: less than the longest frame.
What a frame of a protocol begins with, where its length stands and how it is checked is told by an ``Envelope``.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memchr, memset

from protocol.envelope cimport Envelope
from protocol.repeats cimport Repeats

from protocol.envelope import YKC_ENVELOPE

cdef class Known:
    """What a frame behind a waiting candidate must look like: which types occur, and with which lengths."""

    cdef bint has(self, int kind, Py_ssize_t size) noexcept:
        """Whether a frame of this type and whole size occurs."""
        return False


cdef class KnownFrames(Known):
    """Which types occur with which length byte, for an envelope of a single byte each.

    Args:
        pairs: (type, length byte).
    """

    cdef uint8_t _bits[8192]

    def __init__(self, pairs, Envelope envelope not None=YKC_ENVELOPE):
        cdef int key
        self.envelope = envelope
        memset(self._bits, 0, 8192)
        for kind, length in pairs:
            key = kind * 256 + length
            self._bits[key >> 3] |= 1 << (key & 7)

    cdef bint has(self, int kind, Py_ssize_t size) noexcept:
        cdef int key = kind * 256 + <int>(size - self.envelope._around)
        return (self._bits[key >> 3] >> (key & 7)) & 1


cdef class KnownSpans(Known):
    """Which types occur with which sizes, for protocols whose frames may be longer than their layouts.

    Args:
        spans: type → (smallest, largest) size of the whole frame.
    """

    cdef dict _spans

    def __init__(self, dict spans not None, Envelope envelope not None):
        self.envelope = envelope
        self._spans = spans

    cdef bint has(self, int kind, Py_ssize_t size) noexcept:
        cdef object span = self._spans.get(kind)
        return span is not None and span[0] <= size <= span[1]


@cython.final
@cython.freelist(32)
cdef class Cut:
    """A whole frame, or a stretch of bytes that is none.

    Attributes:
        data: the bytes.
        offset: of the first of them within the stream.
        reason: empty for a good frame, else ``checksum`` or ``noise``.
        is_high_first: byte order of the checksum.
        expected: for ``checksum``, the right one as it would stand on the wire, low byte first, hex.
    """

    def __repr__(self):
        return f"Cut({self.data.hex()}, offset={self.offset}, reason={self.reason!r})"


cdef Cut _cut(bytes data, Py_ssize_t offset, str reason, bint is_high_first, str expected):
    cdef Cut cut = Cut.__new__(Cut)
    cut.data = data
    cut.offset = offset
    cut.reason = reason
    cut.is_high_first = is_high_first
    cut.expected = expected
    return cut


def cut_of(bytes data not None, Py_ssize_t offset, str reason not None):
    """A cut that another framer than ``Framer`` made: of protocols that are not cut by length and checksum."""
    return _cut(data, offset, reason, False, "")


# A difference of two pointers into one buffer cannot overflow.
@cython.overflowcheck(False)
cdef inline Py_ssize_t _next_start(const uint8_t* data, Py_ssize_t size, Py_ssize_t at, uint8_t start) noexcept nogil:
    """The next start byte at or behind ``at``, ``size`` when there is none."""
    cdef const uint8_t* found
    if at >= size:
        return size
    if data[at] == start:
        return at
    found = <const uint8_t*>memchr(data + at, start, size - at)
    return found - data if found != NULL else size


cdef class Framer:
    """Cuts one direction of one link.

    Args:
        known: what a frame behind a waiting candidate must look like.
        max_buffer_bytes: never more than this is kept between reads, and no longer frame is waited for; at least 259.
    """

    def __init__(self, Known known not None, Py_ssize_t max_buffer_bytes=4096):
        assert max_buffer_bytes >= 259
        self._known = known
        self._envelope = known.envelope
        self._max = max_buffer_bytes
        self._repeats = None
        self._rest = b""
        self._base = 0
        self._due = 0
        self._told = 0
        self._handed = 0

    @property
    def repeats(self):
        """What takes repeats, or ``None``."""
        return self._repeats

    @repeats.setter
    def repeats(self, Repeats repeats):
        self._repeats = repeats

    @property
    def buffered_bytes(self):
        """Bytes that wait for more."""
        return len(self._rest)

    cdef Py_ssize_t run(self, const uint8_t* data, Py_ssize_t size, int64_t at_ms, bint only_beats=False) except -1:
        cdef Py_ssize_t used
        if self._repeats is None or self._rest:
            return 0
        used = self._repeats.run(data, size, at_ms, only_beats)
        if used:
            self._base += used
            self._due = self._told = self._base
        return used

    cdef Py_ssize_t whole(self, const uint8_t* data, Py_ssize_t size) noexcept:
        cdef Envelope envelope = self._envelope
        cdef Py_ssize_t length
        if self._rest or size < envelope.head() or data[0] != envelope._start:
            return 0
        length = envelope.size_of(data)
        return length if 0 < length <= size and envelope.order(data, length) >= 0 else 0

    cdef bint owes(self) noexcept:
        return self._repeats is not None and len(self._repeats.answers) > 0

    def feed(self, bytes data not None, int64_t at_ms=0):
        """Take bytes of the stream; returns the frames and refusals that they complete, in order.

        Repeats at the front of ``data`` are taken and not returned. Behind the first frame that is none all are
        returned, so that nothing overtakes it.

        Args:
            at_ms: when they came, for whoever takes repeats.
        """
        cdef Py_ssize_t ahead = self.run(<const uint8_t*>PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), at_ms)
        if ahead:
            if ahead == PyBytes_GET_SIZE(data):
                return []
            data = data[ahead:]
        cdef bytes stream = self._rest + data if self._rest else data
        cdef list cuts = []
        cdef Py_ssize_t used = self._walk(stream, cuts)
        self._rest = stream[used:]
        self._base += used
        assert len(self._rest) <= self._max, "one waiting candidate is all that is kept"
        return cuts

    cdef Py_ssize_t _walk(self, bytes stream, list cuts) except -1:
        """Cut what can be cut; returns how many bytes are done with."""
        cdef const uint8_t* data = <const uint8_t*>PyBytes_AS_STRING(stream)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(stream)
        cdef Envelope envelope = self._envelope
        cdef Py_ssize_t head = envelope.head()
        cdef Py_ssize_t at = 0
        cdef Py_ssize_t length
        cdef int order
        while True:
            at = _next_start(data, size, at, envelope._start)
            if at >= size:
                self._tell(stream, size, cuts)
                return size
            if at + head > size:
                if envelope._second >= 0 and at + 1 < size and data[at + 1] != envelope._second:
                    at += 1
                    continue
                self._tell(stream, at, cuts)
                return at
            length = envelope.size_of(data + at)
            if length < 0 or length > self._max:
                at += 1
                continue
            order = envelope.order(data + at, length) if at + length <= size else -1
            if order >= 0:
                self._hand_on(stream, at, length, order, cuts)
                at = max(at + length, self._handed - self._base)
                self._due = self._told = self._base + at
            elif at + length > size:
                return self._wait(stream, data, size, at, cuts)
            elif self._may_count_body_alone(data + at, length):
                if at + length + envelope._uncounted > size:
                    return self._wait(stream, data, size, at, cuts)
                at = self._lengthen(stream, data, at, length, cuts)
            else:
                at = self._fail(stream, data, at, length, cuts)

    cdef Py_ssize_t _wait(
        self, bytes stream, const uint8_t* data, Py_ssize_t size, Py_ssize_t at, list cuts
    ) except -1:
        """An incomplete candidate: what stands behind it is handed on, it is kept."""
        self._tell(stream, at, cuts)
        self._look_behind(stream, data, size, at, cuts)
        return at

    cdef bint _may_count_body_alone(self, const uint8_t* frame, Py_ssize_t length) noexcept:
        """Whether the type asks for more than there is, and the bytes that such a length leaves out would do."""
        cdef Envelope envelope = self._envelope
        cdef Py_ssize_t whole = length + envelope._uncounted
        return (
            envelope._uncounted > 0
            and whole <= min(envelope.most, self._max)
            and frame[envelope._flag_at] <= envelope._flag_most
            and not self._known.has(envelope.type_of(frame), length)
            and self._known.has(envelope.type_of(frame), whole)
        )

    cdef Py_ssize_t _lengthen(
        self, bytes stream, const uint8_t* data, Py_ssize_t at, Py_ssize_t length, list cuts
    ) except -1:
        """A failed candidate, read with the bytes that its length leaves out; returns where the search goes on."""
        cdef Py_ssize_t whole = length + self._envelope._uncounted
        cdef int order = self._envelope.order(data + at, whole)
        if order < 0:
            return self._fail(stream, data, at, length, cuts)
        self._hand_on(stream, at, whole, order, cuts)
        at = max(at + whole, self._handed - self._base)
        self._due = self._told = self._base + at
        return at

    # The frame lies within the stream.
    @cython.overflowcheck(False)
    cdef int _hand_on(self, bytes stream, Py_ssize_t at, Py_ssize_t length, int order, list cuts) except -1:
        cdef bytes frame = PyBytes_FromStringAndSize(PyBytes_AS_STRING(stream) + at, length)
        if self._told < self._base + at:
            self._tell(stream, at, cuts)
        cuts.append(_cut(frame, self._base + at, "", order, ""))
        return 0

    cdef Py_ssize_t _fail(
        self, bytes stream, const uint8_t* data, Py_ssize_t at, Py_ssize_t length, list cuts
    ) except -1:
        """A complete candidate with a wrong checksum; returns where the search goes on."""
        self._tell(stream, at, cuts)
        self._look_behind(stream, data, at + length, at, cuts)
        if self._handed > self._base + at:
            return self._handed - self._base
        if self._is_due(data, at):
            expected = self._envelope.expected(data + at, length)
            cuts.append(_cut(stream[at : at + length], self._base + at, "checksum", False, expected))
            self._due = self._told = self._base + at + length
        return at + 1

    cdef bint _is_due(self, const uint8_t* data, Py_ssize_t at) noexcept:
        """Whether a frame is due here: right behind the last one, but for CR and LF."""
        cdef Py_ssize_t i = max(self._due - self._base, 0)
        while i < at and (data[i] == 0x0D or data[i] == 0x0A):
            i += 1
        return i == at

    cdef int _look_behind(
        self, bytes stream, const uint8_t* data, Py_ssize_t size, Py_ssize_t at, list cuts
    ) except -1:
        """Hand on complete frames that stand behind the candidate at ``at`` and end within ``size``."""
        cdef Envelope envelope = self._envelope
        cdef Py_ssize_t inner = max(at + 1, self._handed - self._base)
        cdef Py_ssize_t length
        cdef const uint8_t* frame
        cdef int order
        while True:
            inner = _next_start(data, size, inner, envelope._start)
            if inner + envelope._smallest > size:
                return 0
            frame = data + inner
            length = envelope.size_of(frame)
            if length >= 0 and self._may_count_body_alone(frame, length):
                length += envelope._uncounted
            if (
                0 <= length <= size - inner
                and frame[envelope._flag_at] <= envelope._flag_most
                and self._known.has(envelope.type_of(frame), length)
            ):
                order = envelope.order(frame, length)
                if order >= 0:
                    self._hand_on(stream, inner, length, order, cuts)
                    inner += length
                    self._handed = self._due = self._told = self._base + inner
                    continue
            inner += 1

    cdef int _tell(self, bytes stream, Py_ssize_t upto, list cuts) except -1:
        """Tell the stretch of bytes before ``upto`` that belongs to nothing; CR and LF alone are silent."""
        cdef Py_ssize_t start = max(self._told - self._base, 0)
        if start >= upto:
            return 0
        stretch = stream[start:upto]
        if stretch.strip(b"\r\n"):
            cuts.append(_cut(stretch, self._base + start, "noise", False, ""))
        self._told = self._base + upto
        return 0
