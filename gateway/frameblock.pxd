from libc.stdint cimport int64_t, uint8_t


cdef class FrameBlock:
    cdef readonly str link
    cdef readonly int64_t from_ms
    cdef str _about  # of its first frame
    cdef list _abouts  # of all, once there are several
    cdef bytearray _data

    cdef Py_ssize_t _number_of(self, str about) except -2
    # Add a frame; False when it belongs into another block: of another link, or minute, or this one is full.
    cdef bint add(
        self, int64_t at_ms, str link, int kind, str about, const uint8_t* data, Py_ssize_t size
    ) except -1
