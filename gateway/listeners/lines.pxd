from libc.stdint cimport int64_t, uint8_t

from gateway.shortway cimport Carrier, ShortWay

cdef enum State:
    OPEN
    ENDING  # written out what waits, it is gone
    GONE


cdef class Lines:
    cdef readonly Py_ssize_t count
    cdef int _poll
    cdef uint8_t* _read
    cdef list _by_file
    cdef object _loop, _now_ms

    cdef int _add(self, Line line) except -1
    cdef int _forget(self, Line line) except -1
    cdef int _serve(self, int64_t at_ms) except -1


cdef class Line(Carrier):
    cdef int _file
    cdef unsigned int _wanted
    cdef State _state
    cdef bint _is_reading
    cdef int _unsent_max
    cdef bytearray _unsent
    cdef Lines _lines
    cdef ShortWay _way
    cdef object _link

    cdef int64_t ready(self, unsigned int events, int64_t at_ms) except -1
    cdef int64_t _take(self, int64_t at_ms) except -1
    cdef int _want(self) except -1
    cdef Py_ssize_t _send(self, const uint8_t* data, Py_ssize_t size) except -1
    cdef int _flush(self) except -1
    cdef int _end(self, error) except -1
