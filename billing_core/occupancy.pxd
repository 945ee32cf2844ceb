cdef class OccupancyTerms:
    cdef readonly object grace_min
    cdef readonly bint is_threshold
    cdef readonly object price_per_min_e5, cap_fen
    cdef readonly tuple free_windows_min
    cdef readonly object max_hours


cdef class OccupancyFee:
    cdef readonly object from_ms, to_ms, minutes, fee_fen
