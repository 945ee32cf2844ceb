from libc.stdint cimport int64_t

from billing_core.civil cimport Zone


cdef class Tariff:
    cdef readonly str model_no
    cdef readonly object valid_from_ms
    cdef readonly tuple scope
    cdef readonly dict prices_e5
    cdef readonly tuple slots
    cdef readonly object loss_ratio_e4
    cdef tuple _begins_ms  # of the slots, within a day

    cpdef object rate_at(self, int64_t civil_ms)


cdef class Campaign:
    cdef readonly str id, component
    cdef readonly object factor_e4, valid_from_ms, valid_to_ms
    cdef readonly tuple scope


cdef class TariffBook:
    cdef readonly tuple tariffs, campaigns


cpdef list rate_cuts(Tariff tariff, Zone zone, object from_ms, object to_ms)
