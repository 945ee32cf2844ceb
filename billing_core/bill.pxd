from billing_core.adjust cimport Adjustment
from billing_core.anomalies cimport Anomaly
from billing_core.civil cimport iso_local
from billing_core.fixed cimport format_e4, format_e5, format_factor, format_fen


cdef class Bill:
    cdef readonly str transaction_id, order_no, pile_id
    cdef readonly object connector
    cdef readonly str protocol
    cdef readonly object revision
    cdef readonly str status
    cdef readonly object started_at_ms, ended_at_ms, energy_e4kwh, meter_start_e4kwh, meter_stop_e4kwh
    cdef readonly tuple lines, segments
    cdef readonly object total, discount_fen, pile_amount_e4yuan, tariff
    cdef readonly tuple campaigns
    cdef readonly str start_channel, stop_name, stop_text_en, vin, card_uid
    cdef readonly tuple anomalies
    cdef readonly str primary_anomaly
    cdef readonly tuple explanation_en, explanation_zh
    cdef readonly str energy_basis, time_basis, split_basis
    cdef readonly object confidence_percent, zone
    cdef readonly tuple adjustments
    cdef readonly bint has_occupancy
    cdef readonly object computation
