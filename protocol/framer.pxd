cimport cython
from libc.stdint cimport int64_t, uint8_t

from protocol.envelope cimport Envelope
from protocol.repeats cimport Repeats


cdef class Known:
    cdef readonly Envelope envelope

    cdef bint has(self, int kind, Py_ssize_t size) noexcept


@cython.final
cdef class Cut:
    cdef readonly bytes data
    cdef readonly Py_ssize_t offset
    cdef readonly str reason
    cdef readonly bint is_high_first
    cdef readonly str expected


cdef class Framer:
    cdef Known _known
    cdef Envelope _envelope
    cdef Py_ssize_t _max
    cdef Repeats _repeats
    cdef bytes _rest
    # positions below are absolute: bytes since the start of the stream
    cdef Py_ssize_t _base  # of the first kept byte
    cdef Py_ssize_t _due  # where a frame is due: behind the last one, or at the start
    cdef Py_ssize_t _told  # bytes before this one were told as noise or refused
    cdef Py_ssize_t _handed  # end of the last frame handed on from behind a waiting candidate

    # Takes repeats at the front of ``data``, or heartbeats alone, when nothing waits; returns the bytes done with.
    cdef Py_ssize_t run(self, const uint8_t* data, Py_ssize_t size, int64_t at_ms, bint only_beats=*) except -1
    # The size of the whole frame with a right checksum at the front of ``data``, when nothing waits; 0: there is none.
    cdef Py_ssize_t whole(self, const uint8_t* data, Py_ssize_t size) noexcept
    # Whether repeats that were taken are still to be answered.
    cdef bint owes(self) noexcept
    cdef Py_ssize_t _walk(self, bytes stream, list cuts) except -1
    cdef Py_ssize_t _wait(
        self, bytes stream, const uint8_t* data, Py_ssize_t size, Py_ssize_t at, list cuts
    ) except -1
    cdef bint _may_count_body_alone(self, const uint8_t* frame, Py_ssize_t length) noexcept
    cdef Py_ssize_t _lengthen(
        self, bytes stream, const uint8_t* data, Py_ssize_t at, Py_ssize_t length, list cuts
    ) except -1
    cdef int _hand_on(self, bytes stream, Py_ssize_t at, Py_ssize_t length, int order, list cuts) except -1
    cdef Py_ssize_t _fail(
        self, bytes stream, const uint8_t* data, Py_ssize_t at, Py_ssize_t length, list cuts
    ) except -1
    cdef bint _is_due(self, const uint8_t* data, Py_ssize_t at) noexcept
    cdef int _look_behind(
        self, bytes stream, const uint8_t* data, Py_ssize_t size, Py_ssize_t at, list cuts
    ) except -1
    cdef int _tell(self, bytes stream, Py_ssize_t upto, list cuts) except -1
