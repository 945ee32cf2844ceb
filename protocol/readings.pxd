from libc.stdint cimport uint8_t


# Seven bytes of binary local time; the other bits of its bytes say nothing of it.
cdef object cp56(const uint8_t* at)
# Eight bytes of digits, year first; the last byte says nothing.
cdef object bcd_time(const uint8_t* at)
