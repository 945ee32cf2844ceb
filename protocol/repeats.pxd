cimport cython
from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint8_t

from protocol.envelope cimport Envelope

cdef enum:
    VALUES_MAX = 8
    KEPT_AT_MOST = 8  # a connector or two, three types each; a concentrator's many piles go the long way

cdef enum:  # how a frame stands to a remembered one
    IS_OTHER = 0
    IS_REPEAT = 1
    IS_EQUAL = 2  # in every byte, the checksum's too

cdef enum:  # what a repeat is to its taker
    IS_BEAT = 0
    IS_SAMPLE = 1
    IS_REPORT = 2
    IS_SENT = 3


cdef class Taker:
    # Takes one repeat; 1 when it is done with, 0 when the frame must go the long way.
    cdef int take(self, int role, int64_t at_ms, const int64_t* values) except -1


@cython.final
cdef class Shape:
    cdef readonly int role
    cdef readonly bytes mask
    cdef Envelope _envelope
    cdef Py_ssize_t _size
    cdef int _count
    cdef int _offsets[VALUES_MAX]
    cdef int _widths[VALUES_MAX]
    cdef bint _is_scaled[VALUES_MAX]


@cython.final
cdef class Repeat:
    cdef Shape _shape
    cdef bytes _frame
    cdef bytes _answer
    cdef Taker _taker
    cdef int64_t _scale
    cdef bint _is_high_first

    cdef const uint8_t* _known  # the bytes of _frame, and of the shape's mask
    cdef const uint8_t* _mask
    cdef Py_ssize_t _size

    cdef inline int _likeness(self, const uint8_t* frame, Py_ssize_t size) noexcept
    cdef int _take(self, const uint8_t* frame, int likeness, int64_t at_ms, bytearray answers) except -1
    cdef bytes _answered(self, const uint8_t* frame)


@cython.final
cdef class Repeats:
    cdef list _kept
    cdef PyObject* _row[KEPT_AT_MOST]  # the same, without a reference of their own
    cdef int _count
    cdef readonly bytearray answers
    cdef readonly Py_ssize_t taken

    # Takes the frames that stand at the front of ``data`` for as long as they repeat, or are heartbeats that do;
    # returns the bytes done with.
    cdef Py_ssize_t run(self, const uint8_t* data, Py_ssize_t size, int64_t at_ms, bint only_beats) except -1
