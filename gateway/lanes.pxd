from libc.stdint cimport int64_t

from billing_core.session cimport ChargingSession
from protocol.repeats cimport Taker


cdef class Presence:
    cdef readonly str pile_id
    cdef public int64_t heard_ms  # -1: never
    cdef public bint is_online
    cdef public int64_t silence_ms  # not heard for this long it counts as offline
    cdef int64_t armed_ms

    cdef int64_t due_ms(self) noexcept


cdef class Traffic:
    cdef readonly int64_t beats, samples, reports, sent, fed
    cdef list _fed

    cdef int64_t taken(self) noexcept


cdef class Lane(Taker):
    cdef readonly Presence presence
    cdef readonly int64_t sampled_ms, voltage_dv, current_da, soc_percent
    cdef Traffic _traffic
    cdef ChargingSession _session
    cdef int64_t _flags, _energy_most_e4kwh
    cdef bint _has_beats, _is_idle
