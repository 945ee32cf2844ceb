from libc.stdint cimport uint8_t


cdef class Envelope:
    cdef uint8_t _start
    cdef int _second  # the second start byte, -1 without one
    cdef Py_ssize_t _length_at, _around, _least, _check_from, _type_at, _flag_at, _smallest
    cdef bint _is_wide_length, _is_wide_type
    cdef int _check, _tail, _flag_most, _secret, _uncounted
    cdef readonly Py_ssize_t most

    cdef Py_ssize_t head(self) noexcept nogil
    cdef Py_ssize_t size_of(self, const uint8_t* frame) noexcept nogil
    cdef int order(self, const uint8_t* frame, Py_ssize_t size) noexcept nogil
    cdef str expected(self, const uint8_t* frame, Py_ssize_t size)
    cdef int type_of(self, const uint8_t* frame) noexcept nogil
