from libc.stdint cimport int64_t, uint8_t

from gateway.frameblock cimport FrameBlock


cdef class Gathered:
    cdef list _stories
    cdef object _keep


cdef class Story:
    cdef readonly str pile_id
    cdef readonly int64_t kept_at_ms, busy_until_ms
    cdef public dict said
    cdef Gathered _gathered
    cdef FrameBlock _block  # what is kept and was not handed over yet
    cdef int64_t _gap_ms, _waits_from_ms
    cdef list _rows  # what waits, when it came the long way
    cdef str _link  # the link of the read that waits, when it came the short way
    cdef bytearray _read
    cdef bint _waits, _is_listed

    cdef bint is_thinned(self, int64_t at_ms) noexcept
    # A read that only repeats; what ``take`` does with the row of it. The bytes are copied.
    cdef bint take_read(
        self, int64_t at_ms, Py_ssize_t fed, str address, const uint8_t* data, Py_ssize_t size
    ) except -1
    cdef int _put(
        self, int64_t at_ms, str link, int kind, str about, const uint8_t* data, Py_ssize_t size
    ) except -1
    cdef int _put_rows(self, list rows) except -1
    cdef int _put_waiting(self) except -1
    cdef int _list(self) except -1
