from libc.stdint cimport int64_t, uint8_t, uint16_t

cdef uint16_t crc16(const uint8_t* data, Py_ssize_t size) noexcept nogil
cdef uint8_t sum8(const uint8_t* data, Py_ssize_t size) noexcept nogil


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
