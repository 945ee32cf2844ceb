"""Kept frames of one pile, many in one row of the store: a block is put together here, and here it is taken apart.

In a block each frame is its size, its moment counted from the block's, its kind and the number of its ``about`` among
those of the block (4, 2, 1 and 1 bytes, the lowest first), then its bytes. One link and one minute are in a block, so
that its row tells where and when, and it stays below the size from which the digest over it would let go of the
interpreter.
"""

cimport cython
from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_GET_SIZE, PyByteArray_Resize
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memcpy

from gateway.framelog.records import KINDS
from gateway.outcome import FrameKept, FramesKept

cdef enum:
    HEAD = 8
    SPAN_MS = 60_000
    BLOCK_BYTES_MAX = 1_920
    ABOUTS_MAX = 256

BLOCK_SPAN_MS = SPAN_MS  # no frame is further behind the moment of its block
cdef object _new = tuple.__new__
_KIND_CODES = {kind: code for code, kind in enumerate(KINDS)}


# Nothing that it holds can lead back to it, and ten thousand of them would be looked through again and again.
@cython.no_gc
cdef class FrameBlock:
    """What gathers of one pile until it is handed to the store.

    Args:
        link: address of the link on which everything in it passed.
        from_ms: moment of the first frame.
    """

    def __init__(self, str link not None, int64_t from_ms):
        self.link = link
        self.from_ms = from_ms
        self._about = self._abouts = None
        self._data = bytearray()

    # Sizes are those of objects in memory; the moment lies within the span.
    @cython.overflowcheck(False)
    cdef bint add(
        self, int64_t at_ms, str link, int kind, str about, const uint8_t* data, Py_ssize_t size
    ) except -1:
        """Add a frame; False when it belongs into another block: of another link, or minute, or this one is full."""
        cdef Py_ssize_t held = PyByteArray_GET_SIZE(self._data)
        cdef int64_t behind_ms = at_ms - self.from_ms
        cdef Py_ssize_t number
        cdef uint8_t* at
        if behind_ms < 0 or behind_ms >= SPAN_MS or (link is not self.link and link != self.link):
            return False
        if held and held + HEAD + size > BLOCK_BYTES_MAX:
            return False
        number = self._number_of(about)
        if number < 0:
            return False
        PyByteArray_Resize(self._data, held + HEAD + size)
        at = <uint8_t*>PyByteArray_AS_STRING(self._data) + held
        at[0], at[1], at[2], at[3] = size & 0xFF, (size >> 8) & 0xFF, (size >> 16) & 0xFF, (size >> 24) & 0xFF
        at[4], at[5], at[6], at[7] = behind_ms & 0xFF, behind_ms >> 8, kind, number
        memcpy(at + HEAD, data, size)
        return True

    cdef Py_ssize_t _number_of(self, str about) except -2:
        """Its number among what the frames here are about; -1 when there is no room for another."""
        cdef Py_ssize_t number
        if self._about is None:
            self._about = about
        if about is self._about or about == self._about:
            return 0
        if self._abouts is None:
            self._abouts = [self._about]
        for number in range(1, len(self._abouts)):
            if self._abouts[number] is about or self._abouts[number] == about:
                return number
        if len(self._abouts) == ABOUTS_MAX:
            return -1
        self._abouts.append(about)
        return len(self._abouts) - 1

    def kept(self, str pile_id not None):
        """The row that holds it; nothing is added afterwards."""
        about = self._about or "" if self._abouts is None else ";".join(self._abouts)
        return _new(FramesKept, (pile_id, self.link, self.from_ms, about, self._data))


def pack_frames(frames):
    """Frames in their order as rows of blocks."""
    cdef FrameBlock block = None
    cdef bytes data
    cdef int kind
    found, pile = [], None
    for pile_id, at_ms, link, word, about, data in frames:
        kind = _KIND_CODES[word]
        if block is None or pile_id != pile or not block.add(
            at_ms, link, kind, about, <const uint8_t*>PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data)
        ):
            if block is not None:
                found.append(block.kept(pile))
            block, pile = FrameBlock(link, at_ms), pile_id
            block.add(at_ms, link, kind, about, <const uint8_t*>PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))
    if block is not None:
        found.append(block.kept(pile))
    return found


def unpack_frames(block not None):
    """The frames of a row, in order.

    Raises ``ValueError`` for what no block was ever: then somebody altered it.
    """
    pile_id, link, from_ms, about = block[:4]
    abouts = about.split(";")
    cdef bytes data = bytes(block[4])
    cdef Py_ssize_t size, held = PyBytes_GET_SIZE(data), behind = 0
    cdef const uint8_t* at
    found = []
    while behind < held:
        if held - behind < HEAD:
            raise ValueError("a block of frames ends within a frame's head")
        at = <const uint8_t*>PyBytes_AS_STRING(data) + behind
        size = at[0] | at[1] << 8 | at[2] << 16 | <Py_ssize_t>at[3] << 24
        behind += HEAD
        if size > held - behind or at[6] >= len(KINDS) or at[7] >= len(abouts):
            raise ValueError("a block of frames ends within a frame")
        found.append(FrameKept(
            pile_id, from_ms + (at[4] | at[5] << 8), link, KINDS[at[6]], abouts[at[7]],
            PyBytes_FromStringAndSize(<const char*>at + HEAD, size),
        ))
        behind += size
    return found
