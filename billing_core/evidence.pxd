from billing_core.occupancy cimport OccupancyTerms


cdef class PileFacts:
    cdef readonly str pile_id
    cdef readonly object connector
    cdef readonly str station, protocol
    cdef readonly object rated_w, commissioned_ms, register_decimals, price_decimals
    cdef readonly str model, firmware_version


cdef class Authorisation:
    cdef readonly object at_ms
    cdef readonly str channel
    cdef readonly object balance_fen
    cdef readonly str card_uid, vin, account_id


cdef class BmsEnd:
    cdef readonly object at_ms, soc_percent, energy_e4kwh


cdef class Tier:
    cdef readonly object price_e5, energy_e4kwh, loss_energy_e4kwh, amount_e4yuan


cdef class Record:
    cdef readonly object rx_ms
    cdef readonly str serial, pile_id
    cdef readonly object connector, started_ms
    cdef readonly str started_fault
    cdef readonly object started_time_of_day_ms, ended_ms
    cdef readonly str ended_fault
    cdef readonly object ended_time_of_day_ms, traded_ms
    cdef readonly tuple tiers
    cdef readonly object meter_start_e4kwh, meter_stop_e4kwh, energy_e4kwh, loss_energy_e4kwh, amount_e4yuan
    cdef readonly str vin, card_uid, start_channel
    cdef readonly object stop_code
    cdef readonly str stop_text_en, stop_text_zh, content_hash, stop_kind, stop_label


cdef class ChainLink:
    cdef readonly str transaction_id
    cdef readonly object meter_start_e4kwh, meter_stop_e4kwh, started_ms, stopped_ms
    cdef readonly str account
    cdef readonly bint was_unplugged, has_orders_since


cdef class Former:
    cdef readonly object posted_fen
    cdef readonly bint is_substitute, is_decided


cdef class Evidence:
    cdef readonly str transaction_id, order_no
    cdef readonly PileFacts pile
    cdef readonly Authorisation authorisation
    cdef readonly str start_channel
    cdef readonly object opened_at_ms, start_accepted_at_ms, refusal_code
    cdef readonly tuple samples, records
    cdef readonly object tariffs
    cdef readonly str tariff_binding
    cdef readonly object zone, at_ms, tolerances
    cdef readonly str stream_serial
    cdef readonly object sample_connector, login_at_ms, next_start_at_ms, link_lost_at_ms
    cdef readonly BmsEnd bms_end
    cdef readonly object nominal_e4kwh
    cdef readonly tuple vins
    cdef readonly ChainLink previous
    cdef readonly object meter_start_next_e4kwh, clock_offset_ms
    cdef readonly bint is_offline_card_known, was_closed_early
    cdef readonly object stop_ordered_at_ms, stop_accepted_at_ms
    cdef readonly bint is_serial_reused, has_parallel, has_concurrent
    cdef readonly OccupancyTerms occupancy
    cdef readonly object unplugged_at_ms
    cdef readonly bint is_occupancy_over
    cdef readonly object claimed_leave_ms
    cdef readonly Former former
    cdef readonly bint is_final
