"""Records of a capture, put together, and gathered in memory until a thread writes them.

What a record holds is told in ``capture.py``; this is the one place that writes one.
"""

cimport cython
from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_GET_SIZE, PyByteArray_Resize
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memcpy

cdef enum:
    HEAD = 24  # sixteen bytes of libpcap, eight of our pseudo-header
    PSEUDO = 8
    VERSION_NOW = 1

VERSION = VERSION_NOW
LOST = 4
KINDS = ("up", "down", "open", "close")
PROTOCOLS = {None: 0, "ykc": 1, "aaf5": 2, "iec104": 3}
PAYLOAD_BYTES_MAX = 128 << 10  # Wireshark takes packets up to 256 KiB
_KIND_CODES = {kind: code for code, kind in enumerate(KINDS)}
cdef Py_ssize_t _PART = PAYLOAD_BYTES_MAX


# Four bytes of what is handed in, whatever its size.
@cython.overflowcheck(False)
cdef inline uint8_t* _put_u32(uint8_t* at, int64_t value) noexcept nogil:
    at[0] = value & 0xFF
    at[1] = (value >> 8) & 0xFF
    at[2] = (value >> 16) & 0xFF
    at[3] = (value >> 24) & 0xFF
    return at + 4


# A payload has PAYLOAD_BYTES_MAX bytes at most, and ``millis`` is below a thousand.
@cython.overflowcheck(False)
cdef int _put(
    uint8_t* at, int64_t at_ms, int64_t link_no, int kind, int protocol, bint is_restated,
    const uint8_t* data, Py_ssize_t size,
) except -1:
    at = _put_u32(at, at_ms // 1000)
    at = _put_u32(at, at_ms % 1000 * 1_000_000)
    at = _put_u32(at, PSEUDO + size)
    at = _put_u32(at, PSEUDO + size)
    at[0] = VERSION_NOW
    at[1] = kind
    at[2] = protocol
    at[3] = is_restated
    at = _put_u32(at + 4, link_no)
    memcpy(at, data, size)
    return 0


def pack_record(
    int64_t at_ms, int64_t link_no, int kind, bytes data not None, int protocol=0, *, bint is_restated=False
):
    """One record.

    Args:
        at_ms: Unix milliseconds.
        link_no: the link's number, unique in the daemon's life.
        kind: index in ``KINDS``, or ``LOST``.
        data: at most ``PAYLOAD_BYTES_MAX`` bytes.
        protocol: its number in ``PROTOCOLS``.
        is_restated: for an ``open`` that only repeats one of the file before.
    """
    cdef Py_ssize_t size = PyBytes_GET_SIZE(data)
    cdef bytes record = bytes(HEAD + size)
    _put(
        <uint8_t*>PyBytes_AS_STRING(record), at_ms, link_no, kind, protocol, is_restated,
        <const uint8_t*>PyBytes_AS_STRING(data), size,
    )
    return record


def pack(int64_t at_ms, int64_t link_no, str kind not None, bytes data not None, protocol=None):
    """One read, write, opening or closing as one record, or several when it holds very many bytes.

    Raises ``KeyError`` for a kind or protocol that captures have no number for.
    """
    cdef Block block = Block()
    block.add(
        at_ms, link_no, _KIND_CODES[kind], PROTOCOLS[protocol],
        <const uint8_t*>PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data),
    )
    return block.records


cdef class Block:
    """What gathered between two writes, and which links it opens and closes.

    Attributes:
        links: (number, name) of each that opened and (number, ``None``) of each that closed, in order.
        from_ms, to_ms: when the first and the last record were.
    """

    def __init__(self):
        self._records = bytearray()
        self.links = []
        self.from_ms = self.to_ms = 0

    @property
    def records(self):
        """The records, one behind the other."""
        return bytes(self._records)

    def __len__(self):
        return PyByteArray_GET_SIZE(self._records)

    # Sizes are those of objects in memory.
    @cython.overflowcheck(False)
    cdef int add(
        self, int64_t at_ms, int64_t link_no, int kind, int protocol, const uint8_t* data, Py_ssize_t size
    ) except -1:
        cdef Py_ssize_t held = PyByteArray_GET_SIZE(self._records), at = 0, part
        if held == 0:
            self.from_ms = at_ms
        self.to_ms = at_ms
        while True:
            part = min(size - at, _PART)
            PyByteArray_Resize(self._records, held + HEAD + part)
            _put(
                <uint8_t*>PyByteArray_AS_STRING(self._records) + held, at_ms, link_no, kind, protocol, False,
                data + at, part,
            )
            held += HEAD + part
            at += part
            if at >= size:
                return 0


cdef class Gathering:
    """The block that is being filled. One thread appends, another takes; neither needs a lock.

    Nothing in ``keep`` lets go of the interpreter between finding the block and having filled it.

    Args:
        bytes_max: no block grows beyond this; what would is refused and counted.
        full_bytes: a block that reaches this size is told to ``on_full``.

    Attributes:
        refused_bytes: of records that found no room, ever.
    """

    def __init__(self, Py_ssize_t bytes_max, Py_ssize_t full_bytes):
        self._block = Block()
        self._bytes_max = bytes_max
        self._full_bytes = full_bytes
        self.refused_bytes = 0

    def append(self, int64_t at_ms, int64_t link_no, str kind not None, bytes data not None, protocol=None):
        """Keep one read, write, opening or closing; never waits for the disk.

        Args:
            at_ms: Unix milliseconds.
            link_no: the link's number, unique in the daemon's life.
            kind: ``up``, ``down``, ``open`` or ``close``.
            data: the bytes; for ``open`` the link's name, for ``close`` the reason, UTF-8.
            protocol: what the link speaks, when known.
        """
        cdef int code = _KIND_CODES[kind]
        if code >= IS_OPEN:
            self._block.links.append((link_no, data if code == IS_OPEN else None))
        self.keep(
            at_ms, link_no, code, PROTOCOLS[protocol], <const uint8_t*>PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data)
        )

    # Sizes are those of objects in memory.
    @cython.overflowcheck(False)
    cdef int keep(
        self, int64_t at_ms, int64_t link_no, int kind, int protocol, const uint8_t* data, Py_ssize_t size
    ) except -1:
        cdef Block block = self._block
        cdef Py_ssize_t held = PyByteArray_GET_SIZE(block._records), grown
        if held + HEAD + size > self._bytes_max:
            self.refused_bytes += HEAD + size
            return 0
        block.add(at_ms, link_no, kind, protocol, data, size)
        grown = PyByteArray_GET_SIZE(block._records)
        if held < self._full_bytes <= grown:
            self.on_full()
        return 0

    @property
    def has_waiting(self):
        """Whether there is something to take."""
        return len(self._block) > 0 or len(self._block.links) > 0

    def take(self):
        """The block as far as it is filled; a new one is filled from now on."""
        cdef Block fresh = Block()
        cdef Block block = self._block
        self._block = fresh
        return block

    def on_full(self):
        """The block is large enough to be written."""
