cimport cython
from libc.stdint cimport int64_t

from gateway.lanes cimport Presence


cdef struct Entry:
    int64_t due_ms
    int64_t tie
    void* what  # a Presence or a key, owned


@cython.final
cdef class Alarms:
    cdef Entry* _heap
    cdef Py_ssize_t _count, _room
    cdef int64_t _tie
    cdef dict _armed
    cdef readonly int64_t fired_ms

    # Whether anything may be due by now; what stands first may have moved later.
    cdef inline bint is_due(self, int64_t at_ms) noexcept:
        return self._count > 0 and self._heap[0].due_ms <= at_ms

    cdef int _push(self, int64_t due_ms, object what) except -1
    cdef object _pop(self)
    cdef void _sink(self, Entry entry) noexcept
    # Moves what is not due after all to its new time; returns the earliest real deadline, -1 when there is none.
    cdef int64_t settled(self, int64_t at_ms) except? -2
