"""Deadlines in order of time: a binary heap of integers.

A deadline that moves later is left standing: when its old time comes, it finds nothing due and takes its new place. A
pile's presence moves with every frame that it sends, so that this is what nearly all of them do, thousands of times a
minute, and without a Python object for any.
"""

cimport cython
from cpython.mem cimport PyMem_Free, PyMem_Realloc
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdint cimport int64_t

from gateway.lanes cimport Presence

cdef enum:
    NEVER = -1


cdef inline bint _is_before(const Entry* one, const Entry* other) noexcept nogil:
    return one.due_ms < other.due_ms or (one.due_ms == other.due_ms and one.tie < other.tie)


cdef class Alarms:
    """Deadlines of piles (``Presence``) and of whatever has a key.

    Attributes:
        fired_ms: when that which ``fire`` returned last was due.
    """

    def __cinit__(self):
        self._heap = NULL
        self._count = self._room = 0
        self._tie = 0
        self._armed = {}
        self.fired_ms = NEVER

    def __dealloc__(self):
        cdef Py_ssize_t i
        for i in range(self._count):
            Py_DECREF(<object>self._heap[i].what)
        PyMem_Free(self._heap)

    def __len__(self):
        return self._count

    # -- arming ---------------------------------------------------------------------------------------

    def arm(self, str key not None, due_ms):
        """Fire ``key`` at ``due_ms``, or not at all when it is ``None``; an earlier alarm is left standing."""
        if due_ms is None:
            self._armed.pop(key, None)
            return
        standing = self._armed.get(key)
        if standing is None or due_ms < standing:
            self._armed[key] = due_ms
            self._push(due_ms, key)

    def watch(self, Presence presence not None):
        """Fire ``presence`` when its silence has lasted too long."""
        cdef int64_t due_ms = presence.due_ms()
        if due_ms != NEVER and (presence.armed_ms == NEVER or due_ms < presence.armed_ms):
            presence.armed_ms = due_ms
            self._push(due_ms, presence)

    # -- firing ---------------------------------------------------------------------------------------

    @property
    def due_ms(self):
        """No deadline is earlier than this; ``None`` when there is none."""
        cdef int64_t due_ms = self.settled(NEVER)
        return None if due_ms == NEVER else due_ms

    def fire(self, int64_t at_ms):
        """The earliest of those due by ``at_ms``, once; ``None`` when nothing is."""
        cdef int64_t due_ms = self.settled(at_ms)
        if due_ms == NEVER or due_ms > at_ms:
            return None
        self.fired_ms = due_ms
        what = self._pop()
        if isinstance(what, Presence):
            (<Presence>what).armed_ms = NEVER
        else:
            del self._armed[what]
        return what

    cdef int64_t settled(self, int64_t at_ms) except? -2:
        cdef Entry* top
        cdef Presence presence
        cdef int64_t due_ms
        while self._count:
            top = &self._heap[0]
            what = <object>top.what
            if isinstance(what, Presence):
                if top.due_ms > at_ms:
                    return top.due_ms
                presence = <Presence>what
                if presence.armed_ms != top.due_ms:
                    self._pop()
                    continue
                due_ms = presence.due_ms()
                if due_ms == top.due_ms:
                    return due_ms
                if due_ms == NEVER:
                    self._pop()
                else:
                    self._tie += 1
                    top.due_ms, top.tie = due_ms, self._tie
                    self._sink(top[0])
                presence.armed_ms = due_ms
            elif self._armed.get(what) == top.due_ms:
                return top.due_ms
            else:
                self._pop()
        return NEVER

    # -- the heap -------------------------------------------------------------------------------------

    # Places stay below count, and count below what memory holds.
    @cython.overflowcheck(False)
    @cython.cdivision(True)
    cdef int _push(self, int64_t due_ms, object what) except -1:
        cdef Entry* grown
        cdef Entry entry
        cdef Py_ssize_t at = self._count, above
        if self._count == self._room:
            room = 64 if self._room == 0 else 2 * self._room
            grown = <Entry*>PyMem_Realloc(self._heap, <size_t>room * sizeof(Entry))
            if grown == NULL:
                raise MemoryError
            self._heap = grown
            self._room = room
        self._tie += 1
        entry.due_ms, entry.tie, entry.what = due_ms, self._tie, <void*>what
        Py_INCREF(what)
        self._count += 1
        while at > 0:
            above = (at - 1) // 2
            if not _is_before(&entry, &self._heap[above]):
                break
            self._heap[at] = self._heap[above]
            at = above
        self._heap[at] = entry
        return 0

    # The same.
    @cython.overflowcheck(False)
    cdef object _pop(self):
        cdef object what = <object>self._heap[0].what
        self._count -= 1
        if self._count:
            self._sink(self._heap[self._count])
        Py_DECREF(what)
        return what

    # The same.
    @cython.overflowcheck(False)
    cdef void _sink(self, Entry entry) noexcept:
        """Put an entry in the place of the first, and set the order right."""
        cdef Py_ssize_t at = 0, below
        while True:
            below = 2 * at + 1
            if below >= self._count:
                break
            if below + 1 < self._count and _is_before(&self._heap[below + 1], &self._heap[below]):
                below += 1
            if not _is_before(&self._heap[below], &entry):
                break
            self._heap[at] = self._heap[below]
            at = below
        self._heap[at] = entry
