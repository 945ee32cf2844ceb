"""Byte stream to whole, checked frames; after noise the next good frame is found again.

Rules, and why they are so:

* A candidate begins at a start byte with a possible length. When it is complete and its checksum holds in
  either byte order, it is a frame.
* While a candidate waits for more bytes, complete frames behind it are looked for and handed on at once: a stray
  start byte with a false length must not hold back what follows. Such a frame must look like one (plain or encrypted
  flag, a type and a length that occur together) besides carrying a right checksum.
* The waiting candidate is kept all the same. Should it be completed after all, it is a frame too: no coincidence in
  its body may cost it. Should its checksum fail, the search goes on behind what was handed on, or inside it.
* A failed candidate is told as a refused frame when it stood where a frame was due and nothing was found inside;
  otherwise its bytes are noise. Noise is told once a stretch; CR and LF between frames are silent.

Between reads the buffer holds one waiting candidate and what stands behind it: less than 259 bytes.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint16_t
from libc.string cimport memchr, memset

from protocol.codec cimport crc16

cdef enum:
    START = 0x68
    AROUND = 4  # start byte, length byte and checksum: what the length byte does not count
    LEAST = 4  # sequence, flag, type: a length below cannot be


cdef class KnownFrames:
    """Which types occur with which length byte.

    Args:
        pairs: (type, length byte).
    """

    cdef uint8_t _bits[8192]

    def __init__(self, pairs):
        cdef int key
        memset(self._bits, 0, 8192)
        for kind, length in pairs:
            key = kind * 256 + length
            self._bits[key >> 3] |= 1 << (key & 7)

    cdef inline bint has(self, int kind, int length) noexcept:
        cdef int key = kind * 256 + length
        return (self._bits[key >> 3] >> (key & 7)) & 1


cdef class Cut:
    """A whole frame, or a stretch of bytes that is none.

    Attributes:
        data: the bytes.
        offset: of the first of them within the stream.
        reason: empty for a good frame, else ``checksum`` or ``noise``.
        is_high_first: byte order of the checksum.
        expected: for ``checksum``, the right one as it would stand on the wire, low byte first, hex.
    """

    cdef readonly bytes data
    cdef readonly Py_ssize_t offset
    cdef readonly str reason
    cdef readonly bint is_high_first
    cdef readonly str expected

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


cdef inline int _order(const uint8_t* frame, Py_ssize_t size) noexcept nogil:
    """0 when the checksum stands low byte first, 1 when high byte first, -1 when it is wrong."""
    cdef uint16_t crc = crc16(frame + 2, size - AROUND)
    cdef uint8_t low = crc & 0xFF
    cdef uint8_t high = crc >> 8
    if frame[size - 2] == low and frame[size - 1] == high:
        return 0
    if frame[size - 2] == high and frame[size - 1] == low:
        return 1
    return -1


# A difference of two pointers into one buffer cannot overflow.
@cython.overflowcheck(False)
cdef inline Py_ssize_t _next_start(const uint8_t* data, Py_ssize_t size, Py_ssize_t at) noexcept nogil:
    """The next start byte at or behind ``at``, ``size`` when there is none."""
    cdef const uint8_t* found
    if at >= size:
        return size
    found = <const uint8_t*>memchr(data + at, START, size - at)
    return found - data if found != NULL else size


cdef class Framer:
    """Cuts one direction of one link.

    Args:
        known: what a frame behind a waiting candidate must look like.
        max_buffer_bytes: never more than this is kept between reads; at least 259.
    """

    cdef KnownFrames _known
    cdef Py_ssize_t _max
    cdef bytes _rest
    # positions below are absolute: bytes since the start of the stream
    cdef Py_ssize_t _base  # of the first kept byte
    cdef Py_ssize_t _due  # where a frame is due: behind the last one, or at the start
    cdef Py_ssize_t _told  # bytes before this one were told as noise or refused
    cdef Py_ssize_t _handed  # end of the last frame handed on from behind a waiting candidate

    def __init__(self, KnownFrames known not None, Py_ssize_t max_buffer_bytes=4096):
        assert max_buffer_bytes >= 259
        self._known = known
        self._max = max_buffer_bytes
        self._rest = b""
        self._base = 0
        self._due = 0
        self._told = 0
        self._handed = 0

    @property
    def buffered_bytes(self):
        """Bytes that wait for more."""
        return len(self._rest)

    def feed(self, bytes data not None):
        """Take bytes of the stream; returns the frames and refusals that they complete, in order."""
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
        cdef Py_ssize_t at = 0
        cdef Py_ssize_t length
        cdef int order
        while True:
            at = _next_start(data, size, at)
            if at >= size:
                self._tell(stream, size, cuts)
                return size
            if at + 1 >= size:
                self._tell(stream, at, cuts)
                return at
            if data[at + 1] < LEAST:
                at += 1
                continue
            length = data[at + 1] + AROUND
            order = _order(data + at, length) if at + length <= size else -1
            if order >= 0:
                self._hand_on(stream, at, length, order, cuts)
                at = max(at + length, self._handed - self._base)
                self._due = self._told = self._base + at
            elif at + length > size:
                self._tell(stream, at, cuts)
                self._look_behind(stream, data, size, at, cuts)
                return at
            else:
                at = self._fail(stream, data, at, length, cuts)

    cdef int _hand_on(self, bytes stream, Py_ssize_t at, Py_ssize_t length, int order, list cuts) except -1:
        self._tell(stream, at, cuts)
        cuts.append(_cut(stream[at : at + length], self._base + at, "", order, ""))
        return 0

    cdef Py_ssize_t _fail(
        self, bytes stream, const uint8_t* data, Py_ssize_t at, Py_ssize_t length, list cuts
    ) except -1:
        """A complete candidate with a wrong checksum; returns where the search goes on."""
        cdef uint16_t crc
        self._tell(stream, at, cuts)
        self._look_behind(stream, data, at + length, at, cuts)
        if self._handed > self._base + at:
            return self._handed - self._base
        if self._is_due(data, at):
            crc = crc16(data + at + 2, length - AROUND)
            expected = f"{crc & 0xFF:02X}{crc >> 8:02X}"
            cuts.append(_cut(stream[at : at + length], self._base + at, "checksum", False, expected))
            self._due = self._told = self._base + at + length
        return at + 1

    cdef bint _is_due(self, const uint8_t* data, Py_ssize_t at) noexcept:
        """Whether a frame is due here: right behind the last one, but for CR and LF."""
        cdef Py_ssize_t i = max(self._due - self._base, 0)
        if self._due > self._base + at:
            return False
        while i < at and (data[i] == 0x0D or data[i] == 0x0A):
            i += 1
        return i == at

    cdef int _look_behind(
        self, bytes stream, const uint8_t* data, Py_ssize_t size, Py_ssize_t at, list cuts
    ) except -1:
        """Hand on complete frames that stand behind the candidate at ``at`` and end within ``size``."""
        cdef Py_ssize_t inner = max(at + 1, self._handed - self._base)
        cdef Py_ssize_t length
        cdef int order
        while True:
            inner = _next_start(data, size, inner)
            if inner + 8 > size:
                return 0
            length = data[inner + 1] + AROUND
            if inner + length <= size and data[inner + 4] <= 1 and self._known.has(data[inner + 5], data[inner + 1]):
                order = _order(data + inner, length)
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
