"""Lines of plain TCP, read and written without an object or a call of Python for each read.

The event loop watches one descriptor, that of an epoll of our own in which all lines stand. When it tells, one
*turn* is taken: of the lines that are ready each is read once, ``EVENTS`` of them with one look at the clock, and so on
until none is left or some milliseconds are over; who is still ready is served in the next turn, behind those who were
not. So the loop does all else between turns as it always did. What only repeats goes from the buffer that all lines
share to ``ShortWay`` and back into the socket; the rest of a read is given to the line's link, which is a protocol of
asyncio in all but its base class.

A line ends as transports of asyncio do: ``connection_lost`` is called by the loop, never within a turn, and only behind
it is the descriptor given back. So no event of a turn can meet another line under the number of one that ended.
"""

cimport cython
from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_GET_SIZE
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.errno cimport EAGAIN, EINTR, errno
from libc.stdint cimport int64_t, uint8_t

import os

from gateway.shortway cimport Carrier, ShortWay

cdef extern from "<sys/epoll.h>" nogil:
    enum: EPOLLIN, EPOLLOUT, EPOLL_CLOEXEC, EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CTL_DEL
    ctypedef union epoll_data_t:
        int fd
    struct epoll_event:
        unsigned int events
        epoll_data_t data
    int epoll_create1(int flags)
    int epoll_ctl(int poll, int what, int file, epoll_event* event)
    int epoll_wait(int poll, epoll_event* events, int most, int timeout_ms)

cdef extern from "<sys/socket.h>" nogil:
    enum: MSG_DONTWAIT, MSG_NOSIGNAL
    ssize_t recv(int file, void* data, size_t size, int flags)
    ssize_t send(int file, const void* data, size_t size, int flags)

cdef enum:
    EVENTS = 256
    TURN_MS = 20
    READ_BYTES = 65_536
    UNSENT_BYTES_MAX = 65_536


cdef object _trouble():
    return OSError(errno, os.strerror(errno))


cdef class Lines:
    """All lines of one listener.

    Args:
        loop: watches them for as long as there is one.
        now_ms: the clock.

    Attributes:
        count: how many there are.
    """

    def __cinit__(self):
        self._poll = -1
        self._read = NULL

    def __init__(self, loop not None, now_ms not None):
        self._loop = loop
        self._now_ms = now_ms
        self._by_file = []
        self.count = 0
        self._read = <uint8_t*>PyMem_Malloc(READ_BYTES)
        if self._read == NULL:
            raise MemoryError
        self._poll = epoll_create1(EPOLL_CLOEXEC)
        if self._poll < 0:
            raise _trouble()

    def __dealloc__(self):
        PyMem_Free(self._read)
        if self._poll >= 0:
            os.close(self._poll)

    cdef int _add(self, Line line) except -1:
        while len(self._by_file) <= line._file:
            self._by_file.append(None)
        self._by_file[line._file] = line
        self.count += 1
        if self.count == 1:
            self._loop.add_reader(self._poll, self.turn)
        return 0

    cdef int _forget(self, Line line) except -1:
        self._by_file[line._file] = None
        self.count -= 1
        if self.count == 0:
            self._loop.remove_reader(self._poll)
        return 0

    def turn(self):
        """Serve the lines that are ready, for some milliseconds at most."""
        cdef int64_t from_ms = self._now_ms(), at_ms = from_ms
        cdef int served = EVENTS
        while served == EVENTS and at_ms - from_ms < TURN_MS:
            served = self._serve(at_ms)
            at_ms = self._now_ms()

    # hot
    cdef int _serve(self, int64_t at_ms) except -1:
        """Serve lines that are ready, each once; returns how many."""
        cdef epoll_event events[EVENTS]
        cdef int i, count = epoll_wait(self._poll, events, EVENTS, 0)
        cdef Line line
        for i in range(count):
            line = self._by_file[events[i].data.fd]
            try:
                at_ms = line.ready(events[i].events, at_ms)
            except Exception as error:  # as an event loop does: one link's trouble is nobody else's
                self._loop.call_exception_handler({"message": "a link failed", "exception": error, "transport": line})
                line.abort()
        return max(count, 0)


@cython.final
cdef class Line(Carrier):
    """One connection, with what a link needs of a transport; it is read from the start.

    Args:
        file: a connected socket's descriptor, which is the line's from now on.
        link: has ``data_received``, ``pause_writing`` and ``connection_lost``.
    """

    def __init__(self, Lines lines not None, int file, link not None):
        self._lines = lines
        self._file = file
        self._link = link
        self._way = None
        self._unsent = None
        self._unsent_max = UNSENT_BYTES_MAX
        self._state = OPEN
        self._is_reading = True
        self._wanted = 0
        lines._add(self)
        self._want()

    def follow(self, way):
        """What repeats goes to ``way`` when that is a ``ShortWay``, instead of to the link."""
        self._way = way if isinstance(way, ShortWay) else None
        if self._way is not None:
            self._way.carried_by(self)

    def fileno(self):
        """The descriptor, for who wants to know the socket's options."""
        return self._file

    # -- reading --------------------------------------------------------------------------------------

    cdef int64_t ready(self, unsigned int events, int64_t at_ms) except -1:
        """Read and write what can be; returns the present moment, which is later when more than repeats was taken."""
        if events & EPOLLOUT and self._unsent is not None:
            self._flush()
        if self._wanted & EPOLLIN and events & ~(<unsigned int>EPOLLOUT):
            return self._take(at_ms)
        if events & ~(<unsigned int>(EPOLLIN | EPOLLOUT)) and self._unsent is not None:
            self._flush()  # the peer is gone, which a write is told
        return at_ms

    cdef int64_t _take(self, int64_t at_ms) except -1:
        cdef uint8_t* data = self._lines._read
        cdef Py_ssize_t used = 0, size = recv(self._file, data, READ_BYTES, MSG_DONTWAIT)
        if size < 0:
            if errno != EAGAIN and errno != EINTR:
                self._end(_trouble())
            return at_ms
        if size == 0:
            self.close()
            return at_ms
        if self._way is not None:
            if self._way.fire(at_ms):
                at_ms = self._lines._now_ms()
            used = self._way.take_read(data, size, at_ms)
            if used == size:
                return at_ms
        self._link.data_received(PyBytes_FromStringAndSize(<const char*>data + used, size - used))
        return self._lines._now_ms()

    def pause_reading(self):
        """Leave what comes in the kernel."""
        self._is_reading = False
        self._want()

    def resume_reading(self):
        """Read on."""
        self._is_reading = True
        self._want()

    def is_reading(self):
        """Whether it is read."""
        return self._is_reading and self._state == OPEN

    cdef int _want(self) except -1:
        """Be told of what can be gone on with; a line that wants nothing stands in no epoll, not even for its end."""
        cdef epoll_event event
        cdef int what
        event.data.fd = self._file
        event.events = 0
        if self._is_reading and self._state == OPEN:
            event.events |= EPOLLIN
        if self._unsent is not None:
            event.events |= EPOLLOUT
        if event.events == self._wanted:
            return 0
        what = EPOLL_CTL_DEL if event.events == 0 else EPOLL_CTL_ADD if self._wanted == 0 else EPOLL_CTL_MOD
        self._wanted = event.events
        if epoll_ctl(self._lines._poll, what, self._file, &event) < 0:
            raise _trouble()
        return 0

    # -- writing --------------------------------------------------------------------------------------

    def set_write_buffer_limits(self, int high):
        """Above so many unsent bytes the link is told that its peer does not read."""
        self._unsent_max = high

    def write(self, bytes data not None):
        """Send bytes, or keep them until they can be sent."""
        self.put(<const uint8_t*>PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))

    cdef int put(self, const uint8_t* data, Py_ssize_t size) except -1:
        cdef Py_ssize_t sent = 0
        if self._state != OPEN:
            return 0
        if self._unsent is None:
            sent = self._send(data, size)
            if sent == size or self._state != OPEN:
                return 0
            self._unsent = bytearray()
            self._want()
        self._unsent += data[sent:size]
        if PyByteArray_GET_SIZE(self._unsent) > self._unsent_max:
            self._link.pause_writing()
        return 0

    cdef Py_ssize_t _send(self, const uint8_t* data, Py_ssize_t size) except -1:
        """What the kernel takes now; a line that it takes nothing of any more ends."""
        cdef Py_ssize_t sent = send(self._file, data, size, MSG_DONTWAIT | MSG_NOSIGNAL)
        if sent >= 0:
            return sent
        if errno != EAGAIN and errno != EINTR:
            self._end(_trouble())
        return 0

    cdef int _flush(self) except -1:
        cdef Py_ssize_t sent = self._send(
            <const uint8_t*>PyByteArray_AS_STRING(self._unsent), PyByteArray_GET_SIZE(self._unsent)
        )
        if self._state == GONE:
            return 0
        del self._unsent[:sent]
        if not self._unsent:
            self._unsent = None
            self._want()
            if self._state == ENDING:
                self._end(None)
        return 0

    # -- its end --------------------------------------------------------------------------------------

    def is_closing(self):
        """Whether nothing is read from it or written to it any more."""
        return self._state != OPEN

    def close(self):
        """End it when what waits is sent."""
        if self._state == OPEN:
            self._state = ENDING
            self._want()
            if self._unsent is None:
                self._end(None)

    def abort(self):
        """End it now."""
        self._end(None)

    cdef int _end(self, error) except -1:
        if self._state != GONE:
            self._state = GONE
            self._unsent = None
            self._want()
            self._lines._loop.call_soon(self._ended, error)
        return 0

    def _ended(self, error):
        link, self._link = self._link, None
        if self._way is not None:  # no circle is left for the collector
            self._way.carried_by(None)
            self._way = None
        try:
            link.connection_lost(error)
        finally:
            self._lines._forget(self)
            os.close(self._file)
