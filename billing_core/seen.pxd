from billing_core.evidence cimport Evidence, Record
from billing_core.fixed cimport share_half_up


cdef class Seen:
    cdef readonly object t_start_ms, t_end_ms
    cdef readonly bint is_end_observed
    cdef readonly object t_idle_ms
    cdef readonly tuple anchors
    cdef readonly bint has_reset, is_stitched
    cdef readonly object frozen_from
    cdef readonly bint has_frozen
    cdef readonly object integral_e4kwh
    cdef readonly tuple charging
