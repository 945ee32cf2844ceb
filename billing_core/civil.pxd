from libc.stdint cimport int64_t


cdef class Zone:
    cdef readonly tuple transitions
    cdef readonly int64_t most_ms, least_ms  # offsets
    cdef list _starts, _offsets
    cdef int64_t _from_ms, _to_ms, _offset_ms  # the stretch that was looked up last

    cdef int64_t offset(self, int64_t at_ms) except? -1
    cpdef int64_t civil_ms(self, int64_t at_ms) except? -1
    cpdef tuple instants(self, int64_t civil_ms)
    cpdef list changes(self, int64_t from_ms, int64_t to_ms)


cpdef str iso_local(object at_ms, Zone zone)
