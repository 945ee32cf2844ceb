from billing_core.evidence cimport Authorisation, BmsEnd
from billing_core.session cimport ChargingSession


cdef class OpenSession:
    cdef public ChargingSession core
    cdef public str order_no
    cdef public str protocol
    cdef public str firmware_version
    cdef public str channel
    cdef public Authorisation authorisation
    cdef public list records
    cdef public object revision
    cdef public str bill_digest
    cdef public str status
    cdef public object posted_fen
    cdef public object final_at_ms
    cdef public bint is_decided
    cdef public bint is_meter_new
    cdef public bint has_record_bill
    cdef public bint is_start_told
    cdef public bint is_end_told
    cdef public bint is_overdue
    cdef public bint is_card_known
    cdef public bint was_closed_early
    cdef public object refusal_code
    cdef public str parallel_no
    cdef public bint has_parallel
    cdef public bint has_concurrent
    cdef public bint is_serial_reused
    cdef public object order_ms
    cdef public str stream_serial
    cdef public object sample_connector
    cdef public object link_lost_at_ms
    cdef public object next_start_at_ms
    cdef public BmsEnd bms_end
    cdef public object nominal_e4kwh
    cdef public list vins
    cdef public object stop_ordered_at_ms
    cdef public object stop_accepted_at_ms
    cdef public object clock_offset_ms
    cdef public object balance_fen
    cdef public bint is_stop_due_told
    cdef public bint is_stop_ignored_told
    cdef public object unplugged_at_ms
    cdef public bint is_occupancy_over
    cdef public object lane
