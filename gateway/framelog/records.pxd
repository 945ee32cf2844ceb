from libc.stdint cimport int64_t, uint8_t

cdef enum:  # places in KINDS
    IS_UP = 0
    IS_DOWN = 1
    IS_OPEN = 2
    IS_CLOSE = 3


cdef class Block:
    cdef bytearray _records
    cdef readonly list links
    cdef readonly int64_t from_ms, to_ms

    cdef int add(
        self, int64_t at_ms, int64_t link_no, int kind, int protocol, const uint8_t* data, Py_ssize_t size
    ) except -1


cdef class Gathering:
    cdef Block _block
    cdef Py_ssize_t _bytes_max, _full_bytes
    cdef readonly int64_t refused_bytes

    # Keeps what an index in KINDS and a number of PROTOCOLS say it is; never waits for the disk.
    cdef int keep(
        self, int64_t at_ms, int64_t link_no, int kind, int protocol, const uint8_t* data, Py_ssize_t size
    ) except -1
