"""Runs op tables both ways, and the checksums that frames carry.

A table is what ``layout.py`` flattened from a declaration: one row per field. Integers of up to seven bytes fit an
int64 slot; identifiers and text are taken as they stand.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_DATA
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint64_t
from libc.string cimport memcpy

from protocol.errors import FieldError, LocalProtocolError

cdef extern from "Python.h":
    str PyUnicode_New(Py_ssize_t size, Py_UCS4 most)

cdef enum:
    UINT = 0
    UINT_BE = 1
    SINT = 2
    UINT_WIDE = 3
    HEX = 4
    BYTES = 5
    GROUP = 6
    GROUP_COUNTED = 7
    GROUP_GREEDY = 8
    BYTES_COUNTED = 9
    REST_HEX = 10

cdef enum:
    LANE_STEPS = 128

cdef uint64_t EVEN_BYTES = 0x00FF00FF00FF00FF
cdef uint16_t _TABLE[8][256]
cdef const char* _DIGITS = b"0123456789ABCDEF"


cdef void _fill_tables() noexcept:
    """Slicing-by-8: table k advances a byte by k further zero bytes."""
    cdef int i, k
    cdef uint16_t value
    for i in range(256):
        value = <uint16_t>i
        for _ in range(8):
            value = (value >> 1) ^ 0xA001 if value & 1 else value >> 1
        _TABLE[0][i] = value
    for i in range(256):
        for k in range(1, 8):
            value = _TABLE[k - 1][i]
            _TABLE[k][i] = (value >> 8) ^ _TABLE[0][value & 0xFF]


_fill_tables()


# Indexes stay below size, the checksum in 16 bits.
@cython.overflowcheck(False)
cdef uint16_t crc16(const uint8_t* data, Py_ssize_t size) noexcept nogil:
    """CRC-16/MODBUS: polynomial 0x8005 reflected, initial 0xFFFF, no final XOR."""
    cdef uint16_t crc = 0xFFFF
    cdef Py_ssize_t i = 0
    # hot: eight bytes a step; i + 8 <= size bounds every read
    while i + 8 <= size:
        crc = (
            _TABLE[7][(data[i] ^ crc) & 0xFF]
            ^ _TABLE[6][(data[i + 1] ^ (crc >> 8)) & 0xFF]
            ^ _TABLE[5][data[i + 2]]
            ^ _TABLE[4][data[i + 3]]
            ^ _TABLE[3][data[i + 4]]
            ^ _TABLE[2][data[i + 5]]
            ^ _TABLE[1][data[i + 6]]
            ^ _TABLE[0][data[i + 7]]
        )
        i += 8
    if i + 4 <= size:
        crc = (
            _TABLE[3][(data[i] ^ crc) & 0xFF]
            ^ _TABLE[2][(data[i + 1] ^ (crc >> 8)) & 0xFF]
            ^ _TABLE[1][data[i + 2]]
            ^ _TABLE[0][data[i + 3]]
        )
        i += 4
    while i < size:
        crc = (crc >> 8) ^ _TABLE[0][(crc ^ data[i]) & 0xFF]
        i += 1
    return crc


def checksum(bytes data not None):
    """CRC-16/MODBUS of ``data``, 0…65535."""
    return crc16(<const uint8_t*>PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))


# The sum is kept in one byte on purpose.
@cython.overflowcheck(False)
cdef uint8_t sum8(const uint8_t* data, Py_ssize_t size) noexcept nogil:
    """The low eight bits of the sum of all bytes."""
    cdef uint64_t eight, lanes
    cdef uint8_t total = 0
    cdef Py_ssize_t i, steps
    # hot: eight bytes a step, summed in four lanes of sixteen bits, which 128 steps cannot fill
    while size >= 8:
        lanes = 0
        steps = min(size >> 3, LANE_STEPS)
        for _ in range(steps):
            memcpy(&eight, data, 8)
            lanes += (eight & EVEN_BYTES) + ((eight >> 8) & EVEN_BYTES)
            data += 8
        size -= 8 * steps
        total += <uint8_t>(lanes + (lanes >> 16) + (lanes >> 32) + (lanes >> 48))
    for i in range(size):
        total += data[i]
    return total


def byte_sum(bytes data not None):
    """The low eight bits of the sum of ``data``."""
    return sum8(<const uint8_t*>PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))


cdef str hex_text(const uint8_t* at, Py_ssize_t size):
    """Bytes as upper-case hex text."""
    cdef str text = PyUnicode_New(2 * size, 127)
    cdef char* out = <char*>PyUnicode_DATA(text)
    cdef Py_ssize_t i
    for i in range(size):
        out[2 * i] = _DIGITS[at[i] >> 4]
        out[2 * i + 1] = _DIGITS[at[i] & 15]
    return text


cdef str ascii_text(const uint8_t* at, Py_ssize_t size):
    """Bytes as text; those that are not ASCII are escaped."""
    cdef uint8_t all_bits = 0
    cdef Py_ssize_t i
    for i in range(size):
        all_bits |= at[i]
    if all_bits & 0x80:
        return PyBytes_FromStringAndSize(<const char*>at, size).decode("ascii", "backslashreplace")
    cdef str text = PyUnicode_New(size, 127)
    memcpy(PyUnicode_DATA(text), at, size)
    return text


cdef bint _ends_at(tuple names, int first, object raw) except -1:
    """Whether no field from ``first`` on is given."""
    cdef int i
    for i in range(first, len(names)):
        if names[i] in raw:
            return False
    return True


cdef class OpTable:
    """The op table of one body.

    Args:
        rows: (name, op, width, inner table or None) per field; at most 64.
    """

    def __init__(self, rows):
        assert len(rows) <= 64
        cdef int i
        self.count = len(rows)
        self.names = tuple(row[0] for row in rows)
        self._inner = tuple(row[3] for row in rows)
        for i in range(self.count):
            self._ops[i] = rows[i][1]
            self._widths[i] = rows[i][2]
            assert self._ops[i] > SINT or 1 <= self._widths[i] <= 7, "an int64 slot holds seven bytes"
            assert self._ops[i] != UINT_WIDE or self._widths[i] == 8
            assert UINT <= self._ops[i] <= REST_HEX
            if self._ops[i] == GROUP_COUNTED or self._ops[i] == BYTES_COUNTED:
                assert i > 0 and self._ops[i - 1] <= UINT_BE, "the counter stands just before"
            if GROUP <= self._ops[i] <= GROUP_GREEDY:
                assert isinstance(rows[i][3], OpTable) and rows[i][3].fixed_size() > 0

    cpdef dict read(self, bytes body, Py_ssize_t least=-1):
        """Raw values of a body, in the order of its fields; surplus bytes under ``trailing_hex``.

        Args:
            least: fields that begin behind this byte may be missing, for layouts that grew from version to version:
                the body is read as far as whole fields go. -1: none may.

        Raises ``FieldError`` naming the first field that the body is too short for.
        """
        cdef dict into = {}
        cdef const uint8_t* data = <const uint8_t*>PyBytes_AS_STRING(body)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(body)
        cdef Py_ssize_t at = self._read(data, size, 0, into, least)
        if at < size:
            into["trailing_hex"] = hex_text(data + at, size - at)
        return into

    cdef Py_ssize_t _read(
        self, const uint8_t* body, Py_ssize_t size, Py_ssize_t at, dict into, Py_ssize_t least
    ) except -1:
        cdef int i, op, width
        cdef int64_t last = 0
        cdef Py_ssize_t count
        cdef OpTable inner
        cdef list items
        for i in range(self.count):
            op = self._ops[i]
            width = self._widths[i]
            name = self.names[i]
            if op <= BYTES:
                if at + width > size:
                    if 0 <= least <= at:
                        return at
                    raise FieldError(
                        "length",
                        f"the body ends at byte {size}, the field {name} needs bytes {at} to {at + width}",
                        field=name,
                        offset=at,
                    )
                if op == UINT:
                    last = unsigned_little(body + at, width)
                    into[name] = last
                elif op == UINT_BE:
                    last = unsigned_big(body + at, width)
                    into[name] = last
                elif op == SINT:
                    last = signed_little(body + at, width)
                    into[name] = last
                elif op == UINT_WIDE:
                    into[name] = unsigned_wide(body + at)
                elif op == HEX:
                    into[name] = hex_text(body + at, width)
                else:
                    into[name] = PyBytes_FromStringAndSize(<const char*>(body + at), width)
                at += width
            elif op == BYTES_COUNTED:
                if at + last > size:
                    raise FieldError(
                        "length", f"the field {name} needs {last} bytes, {size - at} are left", field=name, offset=at
                    )
                into[name] = PyBytes_FromStringAndSize(<const char*>(body + at), last)
                at += last
            elif op == REST_HEX:
                into[name] = hex_text(body + at, size - at)
                at = size
            else:
                inner = <OpTable>self._inner[i]
                if op == GROUP and 0 <= least <= at and at + width * inner.fixed_size() > size:
                    return at
                items = []
                count = width if op == GROUP else last
                while (op == GROUP_GREEDY and at + inner.fixed_size() <= size) or (
                    op != GROUP_GREEDY and len(items) < count
                ):
                    item = {}
                    at = inner._read(body, size, at, item, -1)
                    items.append(item)
                into[name] = items
        return at

    def fixed_size(self):
        """Bytes of the fields of fixed width."""
        cdef int i
        cdef Py_ssize_t total = 0
        for i in range(self.count):
            if self._ops[i] <= BYTES:
                total += self._widths[i]
        return total

    cpdef bytes write(self, object raw, Py_ssize_t least=-1):
        """The body of raw values, ``trailing_hex`` behind it when given.

        Args:
            least: the body may end before any field that begins behind this byte and is not given. -1: it may not.

        Raises ``LocalProtocolError`` naming the field that is missing or does not fit.
        """
        cdef bytearray out = bytearray()
        self._write(raw, out, least)
        trailing = raw.get("trailing_hex", "")
        try:
            out += bytes.fromhex(trailing)
        except (ValueError, TypeError) as error:
            text = f"the field trailing_hex: {trailing!r} does not fit: {error}"
            raise LocalProtocolError("field_unfit", text, field="trailing_hex", offset=len(out)) from error
        return bytes(out)

    cdef int _write(self, object raw, bytearray out, Py_ssize_t least) except -1:
        cdef int i
        for i in range(self.count):
            name = self.names[i]
            if name not in raw:
                if 0 <= least <= len(out) and _ends_at(self.names, i, raw):
                    return 0
                raise LocalProtocolError("field_missing", f"the field {name} is missing", field=name, offset=len(out))
            try:
                self._write_one(i, raw, raw[name], out)
            except (AttributeError, OverflowError, ValueError, TypeError) as error:
                raise LocalProtocolError(
                    "field_unfit", f"the field {name}: {raw[name]!r} does not fit: {error}", field=name, offset=len(out)
                ) from error
        return 0

    cdef int _write_one(self, int i, object raw, object value, bytearray out) except -1:
        cdef int op = self._ops[i]
        cdef int width = self._widths[i]
        cdef OpTable inner
        if op == UINT:
            out += (<object>value).to_bytes(width, "little")
        elif op == SINT:
            out += (<object>value).to_bytes(width, "little", signed=True)
        elif op == UINT_WIDE:
            out += (<object>value).to_bytes(width, "little")
        elif op == UINT_BE:
            out += (<object>value).to_bytes(width, "big")
        elif op == HEX:
            data = bytes.fromhex(value)
            if len(data) != width:
                raise ValueError(f"{width} bytes are needed")
            out += data
        elif op == BYTES:
            if len(value) > width:
                raise ValueError(f"at most {width} bytes fit")
            out += bytes(value).ljust(width, b"\0")
        elif op == BYTES_COUNTED:
            if len(value) != raw[self.names[i - 1]]:
                raise ValueError(f"its counter {self.names[i - 1]} says {raw[self.names[i - 1]]}")
            out += value
        elif op == REST_HEX:
            out += bytes.fromhex(value)
        else:
            inner = <OpTable>self._inner[i]
            if op == GROUP and len(value) != width:
                raise ValueError(f"{width} entries are needed")
            if op == GROUP_COUNTED and len(value) != raw[self.names[i - 1]]:
                raise ValueError(f"its counter {self.names[i - 1]} says {raw[self.names[i - 1]]}")
            for item in value:
                inner._write(item, out, -1)
        return 0
