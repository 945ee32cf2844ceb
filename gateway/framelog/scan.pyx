"""Reads the daemon's own captures, and spares those lines that only repeat, or are another process's.

What a record holds is told in ``capture.py``. A reader by itself yields every line. Given a ``ShortWay`` it hands the
bytes of watched links to their framers first: reads that consist of repeats go straight to their takers and yield
nothing; of any other read what is left is yielded. Nothing overtakes a line, a deadline, or another file's line.
"""

cimport cython
from cpython.bytearray cimport PyByteArray_AS_STRING
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.string cimport memset

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
    SKIPS = 65_536  # link numbers that are known without a dict; all but those of very long runs

cdef int LOST = _LOST
cdef int VERSION = _VERSION
cdef Py_ssize_t MOST = PACKET_BYTES_MAX
cdef Py_ssize_t FILE_HEADER = FILE_HEADER_BYTES
cdef dict _NAMES = {code: name for name, code in PROTOCOLS.items()}
cdef object _make = tuple.__new__
assert KINDS == ("up", "down", "open", "close")


cdef class _Watched:
    cdef Framer up
    cdef Framer down


cdef _Watched _SKIPPED = _Watched()


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
    cdef int64_t _version
    cdef public int64_t newest_ms, horizon_ms

    def __init__(self, Alarms alarms not None):
        self._alarms = alarms
        self._watched = {}
        self._version = 0
        self.newest_ms = NEVER
        self.horizon_ms = <int64_t>1 << 62

    def watch(self, str link not None, Framer up, Framer down):
        """Spare the repeats of this link."""
        cdef _Watched watched = self._watched.get(link)
        if watched is None or watched is _SKIPPED:
            watched = self._watched[link] = _Watched()
            self._version += 1
        watched.up, watched.down = up, down

    def skip(self, str link not None):
        """Yield of this link only that it opens and closes."""
        self._watched[link] = _SKIPPED
        self._version += 1

    def forget(self, str link not None):
        """Yield everything of this link."""
        if self._watched.pop(link, None) is not None:
            self._version += 1


# Four bytes fit.
@cython.overflowcheck(False)
cdef inline uint32_t _u32(const uint8_t* at) noexcept nogil:
    return at[0] | <uint32_t>at[1] << 8 | <uint32_t>at[2] << 16 | <uint32_t>at[3] << 24


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
    cdef dict _by_no  # number -> _Watched or None, of the version below
    cdef bytearray _skipped  # by number, of the same version: whether it is known to be skipped
    cdef int64_t _version

    def __init__(self, str source not None, chunks, ShortWay short=None):
        self._source = source
        self._chunks = iter(chunks)
        self._short = short
        self._buffer = b""
        self._at = FILE_HEADER
        self._base = 0
        self._is_over = False
        self._links = {}
        self._by_no = {}
        self._skipped = bytearray(SKIPS)
        self._version = NEVER

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

    # Positions stay within a file, stamps within 32 bits of seconds.
    @cython.overflowcheck(False)
    @cython.cdivision(True)
    def __next__(self):
        cdef const uint8_t* data
        cdef Py_ssize_t end, held, spared, position
        cdef int64_t at_ms
        cdef int kind
        if self._is_over:
            raise StopIteration
        while True:
            end = PyBytes_GET_SIZE(self._buffer)
            if self._at + RECORD_HEADER > end:
                if not self._refill():
                    return self._ended()
                continue
            data = <const uint8_t*>PyBytes_AS_STRING(self._buffer) + self._at
            held = _u32(data + 8)
            position = self._base + self._at
            if held > MOST:
                self._is_over = True
                return LogDamage(self._source, position, f"a packet of {held} bytes cannot be")
            if self._at + RECORD_HEADER + held > end:
                if not self._refill():
                    return self._ended()
                continue
            self._at += RECORD_HEADER + held
            at_ms = <int64_t>_u32(data) * 1000 + _u32(data + 4) // 1_000_000
            data += RECORD_HEADER
            if held < PSEUDO or data[0] != VERSION or data[1] > LOST or held != <Py_ssize_t>_u32(data - 4):
                return LogDamage(self._source, position, "not a record of ours: its pseudo-header is wrong")
            kind = data[1]
            spared = 0
            if kind <= DOWN and self._short is not None:
                spared = self._spare(kind, at_ms, data, held)
                if spared == held - PSEUDO:
                    continue
            line = self._line(kind, at_ms, data, held, spared, position)
            if line is not None:
                return line

    # The same bounds.
    @cython.overflowcheck(False)
    cdef Py_ssize_t _spare(self, int kind, int64_t at_ms, const uint8_t* data, Py_ssize_t held) except -1:
        """Let repeats go the short way; returns how many bytes of the payload did."""
        cdef ShortWay short = self._short
        cdef _Watched watched
        cdef Framer framer
        cdef int64_t due_ms
        cdef uint32_t number
        if at_ms > short.horizon_ms:
            return 0
        if self._version != short._version:
            self._by_no.clear()
            memset(PyByteArray_AS_STRING(self._skipped), 0, SKIPS)
            self._version = short._version
        number = _u32(data + 4)
        if number < SKIPS and PyByteArray_AS_STRING(self._skipped)[number]:
            if at_ms > short.newest_ms:
                short.newest_ms = at_ms
            return held - PSEUDO
        found = self._by_no.get(number, False)
        if found is False:
            found = self._by_no[number] = short._watched.get(self._links.get(number))
        if found is None:
            return 0
        if found is _SKIPPED:
            if number < SKIPS:
                PyByteArray_AS_STRING(self._skipped)[number] = 1
            if at_ms > short.newest_ms:
                short.newest_ms = at_ms
            return held - PSEUDO
        watched = <_Watched>found
        framer = watched.up if kind == UP else watched.down
        if framer is None:
            return 0
        at_ms = max(at_ms, short.newest_ms)
        due_ms = short._alarms.settled(at_ms)
        if due_ms != NEVER and due_ms <= at_ms:
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
                self._unknow(number)
                if data[3]:
                    return None
            payload = b""
        link = self._links.get(number) or f"link-{number}"
        if kind == CLOSE:  # nothing follows, and a long log has very many links
            self._links.pop(number, None)
            self._unknow(number)
        protocol = _NAMES.get(data[2])
        return _make(LogLine, (at_ms, link, KINDS[kind], payload, protocol, self._source, position, True))

    cdef int _unknow(self, uint32_t number) except -1:
        """The number is another link's from now on, or nobody's."""
        self._by_no.pop(number, None)
        if number < SKIPS:
            PyByteArray_AS_STRING(self._skipped)[number] = 0
        return 0

    cdef object _ended(self):
        cdef Py_ssize_t left = PyBytes_GET_SIZE(self._buffer) - self._at
        self._is_over = True
        if left <= 0:
            raise StopIteration
        position = self._base + self._at
        return LogDamage(self._source, position, f"the last packet is cut off: only {left} bytes of it are there")
