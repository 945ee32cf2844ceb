"""Reads the daemon's own captures, and spares those lines that only repeat, or are another process's.

What a record holds is told in ``capture.py``. A reader by itself yields every line. Given a ``ShortWay`` it hands the
bytes of watched links to their framers first: reads that consist of repeats go straight to their takers and yield
nothing; of any other read what is left is yielded. Nothing overtakes a line, a deadline, or another file's line.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from cpython.object cimport PyObject
from cpython.ref cimport Py_XDECREF, Py_XINCREF
from libc.stdint cimport int64_t, uint8_t, uint32_t

from gateway.alarms cimport Alarms
from protocol.framer cimport Framer

from gateway.framelog.capture import KINDS, LOST as _LOST, PROTOCOLS, VERSION as _VERSION
from gateway.framelog.lines import LogDamage, LogLine
from gateway.framelog.pcapfile import FILE_HEADER_BYTES, PACKET_BYTES_MAX

cdef enum:
    UP = 0
    DOWN = 1
    OPEN = 2
    CLOSE = 3
    RECORD_HEADER = 16
    PSEUDO = 8
    NEVER = -1
    PLACES = 65_536  # for links, by number; numbers of very long runs share them

cdef int LOST = _LOST
cdef int VERSION = _VERSION
cdef Py_ssize_t MOST = PACKET_BYTES_MAX
cdef Py_ssize_t FILE_HEADER = FILE_HEADER_BYTES
cdef dict _NAMES = {code: name for name, code in PROTOCOLS.items()}
cdef object _make = tuple.__new__
assert KINDS == ("up", "down", "open", "close")


@cython.final
cdef class _Watched:
    """What is spared of one link: repeats that its framers find, or everything."""

    cdef Framer up
    cdef Framer down
    cdef bint is_skipped
    cdef bint is_over  # the link is forgotten: whoever still holds this looks for its name again


@cython.final
cdef class ShortWay:
    """Which links' repeats need not be yielded, nor anything of some links, and until when.

    Args:
        alarms: deadlines that must be seen to before anything later.

    Attributes:
        newest_ms: the latest moment seen, Unix ms; time never steps back.
        horizon_ms: lines later than this are yielded.
    """

    cdef Alarms _alarms
    cdef dict _watched
    cdef public int64_t newest_ms, horizon_ms

    def __init__(self, Alarms alarms not None):
        self._alarms = alarms
        self._watched = {}
        self.newest_ms = NEVER
        self.horizon_ms = <int64_t>1 << 62

    def watch(self, str link not None, Framer up, Framer down):
        """Spare the repeats of this link."""
        cdef _Watched watched = self._of(link)
        watched.up, watched.down, watched.is_skipped = up, down, False

    def skip(self, str link not None):
        """Yield of this link only that it opens and closes."""
        self._of(link).is_skipped = True

    cdef _Watched _of(self, str link):
        cdef _Watched watched = self._watched.get(link)
        if watched is None:
            watched = self._watched[link] = _Watched()
        return watched

    def forget(self, str link not None):
        """Yield everything of this link."""
        cdef _Watched watched = self._watched.pop(link, None)
        if watched is not None:
            watched.is_over = True

    cdef bint _is_due(self, int64_t at_ms) except -1:
        """Whether a deadline comes before what is of this moment, when one may."""
        cdef int64_t due_ms = self._alarms.settled(at_ms)
        return due_ms != NEVER and due_ms <= at_ms


cdef struct _Place:
    uint32_t number
    PyObject* watched  # owned; NULL for nobody


# Four bytes fit.
@cython.overflowcheck(False)
cdef inline uint32_t _u32(const uint8_t* at) noexcept nogil:
    return at[0] | <uint32_t>at[1] << 8 | <uint32_t>at[2] << 16 | <uint32_t>at[3] << 24


@cython.final
cdef class CaptureReader:
    """The lines of one capture, up to its end or its first damaged packet.

    Args:
        source: the file's name.
        chunks: its bytes.
        short: what may be spared; ``None``: nothing.
    """

    cdef str _source
    cdef object _chunks
    cdef ShortWay _short
    cdef bytes _buffer
    cdef Py_ssize_t _at, _base
    cdef bint _is_over
    cdef dict _links  # number -> name
    cdef _Place* _places  # by the low bits of the number

    def __cinit__(self):
        self._places = <_Place*>PyMem_Calloc(PLACES, sizeof(_Place))
        if self._places == NULL:
            raise MemoryError

    def __dealloc__(self):
        cdef int i
        if self._places != NULL:
            for i in range(PLACES):
                Py_XDECREF(self._places[i].watched)
            PyMem_Free(self._places)

    def __init__(self, str source not None, chunks, ShortWay short=None):
        self._source = source
        self._chunks = iter(chunks)
        self._short = short
        self._buffer = b""
        self._at = FILE_HEADER
        self._base = 0
        self._is_over = False
        self._links = {}

    def __iter__(self):
        return self

    cdef bint _refill(self) except -1:
        """Read on; False when nothing came."""
        chunk = next(self._chunks, b"")
        if not chunk:
            return False
        if self._at < PyBytes_GET_SIZE(self._buffer):
            self._buffer = self._buffer[self._at :] + chunk
            self._base += self._at
            self._at = 0
        else:
            self._base += PyBytes_GET_SIZE(self._buffer)
            self._at -= PyBytes_GET_SIZE(self._buffer)
            self._buffer = chunk
        return True

    def __next__(self):
        while not self._is_over:
            line = self._next_in_block()
            if line is not None:
                return line
            if not self._is_over and not self._refill():
                return self._ended()
        raise StopIteration

    # Positions stay within a file, stamps within 32 bits of seconds.
    @cython.overflowcheck(False)
    @cython.cdivision(True)
    cdef object _next_in_block(self):
        """The next line of what was read, ``None`` when the rest of it is no whole record."""
        cdef const uint8_t* block = <const uint8_t*>PyBytes_AS_STRING(self._buffer)
        cdef const uint8_t* data
        cdef Py_ssize_t end = PyBytes_GET_SIZE(self._buffer), at = self._at, held, spared
        cdef int64_t at_ms
        cdef int kind
        while at + RECORD_HEADER <= end:
            data = block + at
            held = _u32(data + 8)
            if held > MOST:
                self._at = at
                self._is_over = True
                return LogDamage(self._source, self._base + at, f"a packet of {held} bytes cannot be")
            if at + RECORD_HEADER + held > end:
                break
            self._at = at + RECORD_HEADER + held
            at_ms = <int64_t>_u32(data) * 1000 + _u32(data + 4) // 1_000_000
            data += RECORD_HEADER
            if held < PSEUDO or data[0] != VERSION or data[1] > LOST or held != <Py_ssize_t>_u32(data - 4):
                return LogDamage(self._source, self._base + at, "not a record of ours: its pseudo-header is wrong")
            kind = data[1]
            spared = self._spare(kind, at_ms, data, held) if kind <= DOWN and self._short is not None else 0
            if spared == 0 or spared < held - PSEUDO:
                line = self._line(kind, at_ms, data, held, spared, self._base + at)
                if line is not None:
                    return line
            at = self._at
        self._at = at
        return None

    # The same bounds.
    @cython.overflowcheck(False)
    cdef Py_ssize_t _spare(self, int kind, int64_t at_ms, const uint8_t* data, Py_ssize_t held) except -1:
        """Let repeats go the short way; returns how many bytes of the payload did."""
        cdef ShortWay short = self._short
        cdef _Watched watched = self._watched_of(_u32(data + 4))
        cdef Framer framer
        if watched is None or at_ms > short.horizon_ms:
            return 0
        if at_ms < short.newest_ms:
            at_ms = short.newest_ms
        if watched.is_skipped:
            short.newest_ms = at_ms
            return held - PSEUDO
        framer = watched.up if kind == UP else watched.down
        if framer is None or (short._alarms.is_due(at_ms) and short._is_due(at_ms)):
            return 0
        short.newest_ms = at_ms
        return framer.run(data + PSEUDO, held - PSEUDO, at_ms)

    cdef object _line(
        self, int kind, int64_t at_ms, const uint8_t* data, Py_ssize_t held, Py_ssize_t spared, Py_ssize_t position
    ):
        cdef bytes payload = PyBytes_FromStringAndSize(<const char*>data + PSEUDO + spared, held - PSEUDO - spared)
        number = _u32(data + 4)
        if kind > DOWN:
            if kind == LOST:
                return LogDamage(self._source, position, payload.decode(errors="replace"))
            if kind == OPEN:
                self._links[number] = payload.decode(errors="replace")
                self._put(number, NULL)  # it is another link's from now on, or nobody's
                if data[3]:
                    return None
            payload = b""
        link = self._links.get(number) or f"link-{number}"
        if kind == CLOSE:  # nothing follows, and a long log has very many links
            self._links.pop(number, None)
            self._put(number, NULL)  # it is another link's from now on, or nobody's
        protocol = _NAMES.get(data[2])
        return _make(LogLine, (at_ms, link, KINDS[kind], payload, protocol, self._source, position, True))

    cdef inline _Watched _watched_of(self, uint32_t number):
        """What is spared of a link, ``None`` when nothing is."""
        cdef _Place* place = &self._places[number % PLACES]
        if place.watched == NULL or place.number != number or (<_Watched>place.watched).is_over:
            return self._looked_up(number)
        return <_Watched>place.watched

    cdef _Watched _looked_up(self, uint32_t number):
        cdef _Watched watched = self._short._watched.get(self._links.get(number))
        if watched is not None:
            self._put(number, <PyObject*>watched)
        return watched

    cdef int _put(self, uint32_t number, PyObject* watched) except -1:
        """Keep what is spared of a link, or nothing, in the place of its number."""
        cdef _Place* place = &self._places[number % PLACES]
        Py_XINCREF(watched)
        Py_XDECREF(place.watched)
        place.number, place.watched = number, watched
        return 0

    cdef object _ended(self):
        cdef Py_ssize_t left = PyBytes_GET_SIZE(self._buffer) - self._at
        self._is_over = True
        if left <= 0:
            raise StopIteration
        position = self._base + self._at
        return LogDamage(self._source, position, f"the last packet is cut off: only {left} bytes of it are there")
