from libc.stdint cimport int64_t, uint8_t

from gateway.alarms cimport Alarms
from gateway.framelog.records cimport Gathering
from gateway.lanes cimport Traffic
from gateway.story cimport Story
from protocol.framer cimport Framer


cdef class Volume:
    cdef public int64_t received, sent


cdef class Carrier:
    # Sends bytes, or keeps them until they can be sent; never blocks.
    cdef int put(self, const uint8_t* data, Py_ssize_t size) except -1


cdef class ShortWay:
    cdef readonly int64_t opened_at_ms, heard_at_ms
    cdef readonly str address
    cdef public str closed_because
    cdef public Py_ssize_t refused_in_a_row
    cdef public int64_t pace_ms
    cdef public bint has_news
    cdef readonly object _capture, _send
    cdef object _board
    cdef Carrier _carrier
    cdef Gathering _gathering
    cdef Alarms _alarms
    cdef Traffic _traffic
    cdef Volume _volume
    cdef int64_t _link_no, _window_from_ms, _window_frames, _window_frames_max
    cdef Framer _framer
    cdef Story _story
    cdef str _spoken
    cdef int _spoken_no

    # Fires the deadlines that are due by now; whether there were any, so that it is later when they are done with.
    cdef bint fire(self, int64_t at_ms) except -1
    # Takes what only repeats at the front of a read; returns its bytes.
    cdef Py_ssize_t take_read(self, const uint8_t* data, Py_ssize_t size, int64_t at_ms) except -1
    cdef bint _begin(self, int64_t at_ms) except -1
    cdef int _count(self, int64_t at_ms, int64_t frames) except -1
    cdef int _record(self, int kind, const uint8_t* data, Py_ssize_t size, int64_t at_ms) except -1
    cdef int _answer(self, int64_t at_ms) except -1
