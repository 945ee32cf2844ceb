"""How frames of one protocol stand in a stream: where they begin, how long they are, how they are checked."""

cimport cython
from libc.stdint cimport uint8_t, uint16_t

from protocol.codec cimport crc16, sum8

cdef enum:
    BY_CRC = 0
    BY_SUM = 1

CRC_MODBUS, SUM_8 = BY_CRC, BY_SUM


cdef class Envelope:
    """How frames of one protocol stand in a stream.

    Args:
        start: one or two bytes that every frame begins with.
        length_at, length_width: where the length stands, one or two bytes, little-endian.
        around: what a frame holds besides the bytes that its length counts.
        least: the smallest length that can be.
        most: bytes of the longest frame.
        check: ``CRC_MODBUS`` (the last two bytes) or ``SUM_8`` (the last byte).
        check_from: the first byte under the checksum.
        type_at, type_width: where the type stands.
        flag_at: a byte that is at most ``flag_most`` in every frame of this protocol.
        secret: bits of that byte that say that the body is not in clear.
        uncounted: bytes that a length leaves out when it counts the body alone; 0 when nobody writes that.
    """

    def __init__(
        self, bytes start not None, *, length_at, length_width, around, least, most, check, check_from,
        type_at, type_width, flag_at, flag_most, secret=0xFF, uncounted=0,
    ):
        assert 1 <= len(start) <= 2
        assert 1 <= length_width <= 2
        assert 1 <= type_width <= 2
        self._start = start[0]
        self._second = start[1] if len(start) == 2 else -1
        self._length_at, self._is_wide_length = length_at, length_width == 2
        self._around, self._least, self.most = around, least, most
        self._check, self._check_from = check, check_from
        self._tail = 2 if check == BY_CRC else 1
        self._type_at, self._is_wide_type = type_at, type_width == 2
        self._flag_at, self._flag_most, self._secret, self._uncounted = flag_at, flag_most, secret, uncounted
        self._smallest = least + around
        assert self._smallest >= max(type_at + type_width, check_from + self._tail), "a frame holds its own head"

    @property
    def head_bytes(self):
        """Bytes before the body."""
        return self._type_at + (2 if self._is_wide_type else 1)

    @property
    def tail_bytes(self):
        """Bytes behind the body."""
        return self._tail

    cdef Py_ssize_t head(self) noexcept nogil:
        """Bytes from which the length can be read."""
        return self._length_at + 1 + self._is_wide_length

    # Two bytes of length: no sum leaves 32 bits.
    @cython.overflowcheck(False)
    cdef Py_ssize_t size_of(self, const uint8_t* frame) noexcept nogil:
        """Size of the frame that begins here, -1 when none can."""
        cdef Py_ssize_t length = frame[self._length_at]
        if self._second >= 0 and frame[1] != self._second:
            return -1
        if self._is_wide_length:
            length |= <Py_ssize_t>frame[self._length_at + 1] << 8
        return length + self._around if length >= self._least and length + self._around <= self.most else -1

    cdef int order(self, const uint8_t* frame, Py_ssize_t size) noexcept nogil:
        """0 when the checksum holds (of a CRC: low byte first), 1 when it stands high byte first, -1 when wrong."""
        cdef uint16_t crc
        cdef uint8_t low, high
        if self._check == BY_SUM:
            return 0 if sum8(frame + self._check_from, size - self._check_from - 1) == frame[size - 1] else -1
        crc = crc16(frame + self._check_from, size - self._check_from - 2)
        low = crc & 0xFF
        high = crc >> 8
        if frame[size - 2] == low and frame[size - 1] == high:
            return 0
        if frame[size - 2] == high and frame[size - 1] == low:
            return 1
        return -1

    cdef str expected(self, const uint8_t* frame, Py_ssize_t size):
        """The right checksum as it would stand on the wire, low byte first, hex."""
        cdef uint16_t crc
        if self._check == BY_SUM:
            return f"{sum8(frame + self._check_from, size - self._check_from - 1):02X}"
        crc = crc16(frame + self._check_from, size - self._check_from - 2)
        return f"{crc & 0xFF:02X}{crc >> 8:02X}"

    cdef int type_of(self, const uint8_t* frame) noexcept nogil:
        return frame[self._type_at] | (<int>frame[self._type_at + 1] << 8 if self._is_wide_type else 0)


YKC_ENVELOPE = Envelope(
    b"\x68", length_at=1, length_width=1, around=4, least=4, most=259, check=CRC_MODBUS, check_from=2,
    type_at=5, type_width=1, flag_at=4, flag_most=1, uncounted=4,
)
