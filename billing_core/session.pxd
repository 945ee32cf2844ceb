from libc.stdint cimport int64_t


cdef class ChargingSession:
    cdef readonly str transaction_id
    cdef readonly str pile_id
    cdef readonly int connector
    cdef readonly object timers
    cdef int _state
    cdef int64_t _opened_ms, _accepted_ms, _not_started_ms, _ended_ms, _proof_ms, _overdue_told_ms
    cdef int64_t _first_ms, _last_ms, _rest_ms, _login_ms
    cdef bint _is_end_observed, _has_record, _is_stuck
    cdef int64_t _energy_e4kwh, _amount_e4yuan
    cdef int64_t* _rows
    cdef Py_ssize_t _count, _charging, _rests, _room, _kept

    cdef int _move(self, int event) except -1
    # One charging sample, from whoever has its integers at hand; what ``take_sample`` does.
    cdef int feed(
        self, int64_t at_ms, int64_t energy_e4kwh, int64_t amount_e4yuan, int64_t voltage_dv, int64_t current_da,
        int64_t soc_percent, int64_t flags,
    ) except -1
    # Whether a further sample would change nothing but the accumulators.
    cdef bint is_steady(self) noexcept
    # Whether every live state was taken by ``take_unkept``.
    cdef bint is_kept(self) noexcept
    # The word of flags of a charging sample.
    cdef int64_t flags_of(self, is_plugged) except -1
    cdef int _push(
        self, int64_t at_ms, int64_t energy_e4kwh, int64_t amount_e4yuan, int64_t voltage_dv, int64_t current_da,
        int64_t soc_percent, int64_t flags,
    ) except -1
    cdef int64_t _lost_at(self) except? -2
    cdef int64_t _due(self, int* event) except? -2
    cdef int _fire(self, int event, int64_t due_ms) except -1
