from libc.stdint cimport int64_t


cdef class Sample:
    cdef readonly int64_t at_ms, energy_e4kwh, amount_e4yuan, voltage_dv, current_da, soc_percent
    cdef readonly bint is_charging
    cdef readonly object is_plugged
