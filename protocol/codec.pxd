cimport cython
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint64_t


# At most seven bytes: 56 bits.
@cython.overflowcheck(False)
cdef inline int64_t unsigned_little(const uint8_t* at, int width) noexcept nogil:
    cdef int64_t value = 0
    cdef int i
    # hot: the widths that nearly all fields have are one load each
    if width == 1:
        return at[0]
    if width == 2:
        return at[0] | <int64_t>at[1] << 8
    if width == 4:
        return at[0] | <int64_t>at[1] << 8 | <int64_t>at[2] << 16 | <int64_t>at[3] << 24
    for i in range(width - 1, -1, -1):
        value = (value << 8) | at[i]
    return value


# At most seven bytes: 56 bits.
@cython.overflowcheck(False)
cdef inline int64_t unsigned_big(const uint8_t* at, int width) noexcept nogil:
    cdef int64_t value = 0
    cdef int i
    for i in range(width):
        value = (value << 8) | at[i]
    return value


# At most seven bytes; the sign bit is the highest of the last one.
@cython.overflowcheck(False)
cdef inline int64_t signed_little(const uint8_t* at, int width) noexcept nogil:
    cdef int64_t value = unsigned_little(at, width)
    return value - (<int64_t>1 << (8 * width)) if at[width - 1] & 0x80 else value


# Eight bytes fill an unsigned slot exactly.
@cython.overflowcheck(False)
cdef inline uint64_t unsigned_wide(const uint8_t* at) noexcept nogil:
    cdef uint64_t value = 0
    cdef int i
    for i in range(7, -1, -1):
        value = (value << 8) | at[i]
    return value


cdef uint16_t crc16(const uint8_t* data, Py_ssize_t size) noexcept nogil
cdef uint8_t sum8(const uint8_t* data, Py_ssize_t size) noexcept nogil
cdef str ascii_text(const uint8_t* at, Py_ssize_t size)
cdef str hex_text(const uint8_t* at, Py_ssize_t size)


cdef class OpTable:
    cdef readonly tuple names
    cdef readonly int count
    cdef tuple _inner
    cdef int _ops[64]
    cdef int _widths[64]

    cpdef dict read(self, bytes body, Py_ssize_t least=*)
    cdef Py_ssize_t _read(
        self, const uint8_t* body, Py_ssize_t size, Py_ssize_t at, dict into, Py_ssize_t least
    ) except -1
    cpdef bytes write(self, object raw, Py_ssize_t least=*)
    cdef int _write(self, object raw, bytearray out, Py_ssize_t least) except -1
    cdef int _write_one(self, int i, object raw, object value, bytearray out) except -1
