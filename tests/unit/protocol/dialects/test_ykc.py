"""Frames of piles to facts, and each ruling where the sources leave room."""

import pytest

from protocol import events as e
from protocol.dialects.ykc import direction_of, facts_of, gun_number
from protocol.dialects.ykc_frames import DOWN, FRAMES, UP
from tests.support.frames import good_frames
from tests.support.wire import bcd, cp56, frame, record, sample, start_answer, start_request

PILE = "44030512003301"
SERIAL = "44030512003301012603031140160007"
CARD = "00000000A1B2C3D4"
AT_MS = 1_772_509_216_074
FLAT = [(120000, 0, 0), (120000, 0, 0), (120000, 400000, 480000), (120000, 0, 0)]


def event(data, **how):
    return facts_of(how.get("options", frozenset())).read(data, AT_MS, how.get("scale", 1))


def a_record(**how):
    given = {"start": "2026-03-03T11:40:16", "end": "2026-03-03T12:40:16", "tiers": FLAT, "meter": (1000000, 1400000)}
    return event(record(SERIAL, PILE, **given | how))


def answer(kind, tail, pile=PILE):
    return event(frame(kind, bcd(pile) + tail, sequence=0x0501))


@pytest.mark.parametrize("data", good_frames("ykc", "up"), ids=lambda data: f"{data[5]:02x}-{len(data)}")
def test_every_frame_of_a_pile_is_a_fact(data):
    fact = event(data)
    assert isinstance(fact, e.PileEvent)
    assert (fact.at_ms, fact.reply_ref) == (AT_MS, int.from_bytes(data[2:4], "little"))


@pytest.mark.parametrize("data", good_frames("ykc", "down"), ids=lambda data: f"{data[5]:02x}-{len(data)}")
def test_no_frame_of_a_gateway_is_a_fact(data):
    assert event(data) is None


def test_the_direction_of_every_type_is_known():
    assert {direction_of(kind) for kind in FRAMES} == {UP, DOWN}
    assert direction_of(0xEE) is None


@pytest.mark.parametrize(
    ("raw", "number"), [(1, 1), (9, 9), (10, 10), (0x0F, 15), (0x10, 10), (0x19, 19), (0x1A, 26), (0, 0)]
)
def test_connectors_of_big_piles_may_come_in_bcd(raw, number):
    assert gun_number(raw) == number


# -- login and presence ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "current"), [(0, "DC"), (1, "AC"), (2, None)])
def test_a_login_is_told(kind, current):
    tail = bytes((kind, 4, 16)) + b"V1.4.1.5" + b"\x01" + bytes.fromhex("89860421740211C7D9E0") + b"\x04"
    assert answer(0x01, tail) == e.PileLoggedIn(
        AT_MS, PILE, 0x0501, "ykc-1.6", current, 4, "V1.4.1.5", 1, "89860421740211C7D9E0", 4
    )


@pytest.mark.parametrize(("status", "is_faulted"), [(0, False), (1, True), (7, True)])
def test_a_heartbeat_is_told(status, is_faulted):
    assert answer(0x03, bytes((2, status))) == e.HeartbeatReceived(AT_MS, PILE, 0x0501, 2, is_faulted)


def test_tariff_questions_are_told():
    assert answer(0x05, b"\x01\x00") == e.TariffChecked(AT_MS, PILE, 0x0501, "0100")
    assert answer(0x09, b"") == e.TariffRequested(AT_MS, PILE, 0x0501)


# -- samples --------------------------------------------------------------------------------------------


def test_a_sample_is_told_with_units():
    fact = event(sample(SERIAL, PILE, energy=123456, amount=98765, minutes=21, volts=7315, amps=1204, soc=61, faults=3))
    assert fact == e.SampleReceived(
        at_ms=AT_MS,
        pile_id=PILE,
        reply_ref=0,
        connector=1,
        transaction_id=SERIAL,
        status=e.ConnectorStatus.CHARGING,
        is_plugged=True,
        is_homed=None,
        voltage_dv=7315,
        current_da=1204,
        energy_e4kwh=123456,
        loss_energy_e4kwh=123456,
        amount_e4yuan=98765,
        soc_percent=61,
        charge_min=21,
        remain_min=30,
        cable_temp_c=30,
        battery_temp_c=25,
        fault_bits=3,
    )


@pytest.mark.parametrize(
    ("state", "status"),
    [(0, "offline"), (1, "faulted"), (2, "idle"), (3, "charging"), (4, "idle"), (5, "idle"), (9, "faulted")],
)
def test_states_of_dialects_are_mapped(state, status):
    assert event(sample(SERIAL, PILE, state=state)).status.value == status


@pytest.mark.parametrize(
    ("state", "plugged", "is_plugged"), [(2, 0, False), (2, 1, True), (2, 2, None), (4, 0, True), (5, 0, True)]
)
def test_whether_a_car_is_plugged_in(state, plugged, is_plugged):
    assert event(sample(SERIAL, PILE, state=state, plugged=plugged)).is_plugged is is_plugged


def test_a_serial_of_zeros_is_no_transaction():
    assert event(sample("0" * 32, PILE, state=2)).transaction_id is None


def test_a_temperature_of_raw_zero_is_not_there():
    body = bytearray(sample(SERIAL, PILE)[6:-2])
    body[31] = body[41] = 0
    fact = event(frame(0x13, bytes(body)))
    assert (fact.cable_temp_c, fact.battery_temp_c) == (None, None)


def test_fault_bits_may_start_at_the_second():
    assert event(sample(SERIAL, PILE, faults=0x0002)).fault_bits == 0x0002
    assert event(sample(SERIAL, PILE, faults=0x0002), options=frozenset({"fault-bit1-at-2"})).fault_bits == 0x0001


def test_two_decimals_are_scaled_to_four():
    fact = event(sample(SERIAL, PILE, energy=123, amount=45), scale=100)
    assert (fact.energy_e4kwh, fact.loss_energy_e4kwh, fact.amount_e4yuan) == (12300, 12300, 4500)


# -- starting -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "card", "vin", "method", "card_uid", "told"),
    [
        (1, CARD, "", "card", CARD, None),
        (2, CARD, "", "account", CARD, None),
        (3, "0" * 16, "LTESTVN0000412345", "vin", None, "LTESTVN0000412345"),
        (3, "0" * 16, "LTEST", "vin", None, "LTEST"),
        (7, "0" * 16, "", "unknown", None, None),
    ],
)
def test_a_request_to_start_names_card_or_car(mode, card, vin, method, card_uid, told):
    fact = event(start_request(PILE, mode=mode, card=card, vin=vin))
    assert (fact.method, fact.card_uid, fact.vin, fact.password) == (method, card_uid, told, None)
    assert (fact.parallel_no, fact.is_main_connector) == (None, None)


def test_a_password_is_text():
    body = bcd(PILE) + b"\x01\x01\x01" + bcd(CARD) + b"a1b2c3d4e5f60718" + bytes(17)
    assert event(frame(0x31, body)).password == "a1b2c3d4e5f60718"


@pytest.mark.parametrize(("role", "is_main"), [(0, True), (1, False)])
def test_a_parallel_request_tells_its_role(role, is_main):
    body = bcd(PILE) + b"\x01\x01\x00" + bcd(CARD) + bytes(33) + bytes((role,)) + bcd("260303114016")
    fact = event(frame(0xA1, body))
    assert (fact.parallel_no, fact.is_main_connector) == ("260303114016", is_main)


@pytest.mark.parametrize(
    ("ok", "reason", "is_accepted", "may_still_start"), [(1, 0, True, False), (0, 5, False, True), (0, 2, False, False)]
)
def test_refused_for_want_of_a_plug_is_provisional(ok, reason, is_accepted, may_still_start):
    fact = event(start_answer(SERIAL, PILE, ok=ok, reason=reason))
    assert (fact.is_accepted, fact.reason_code, fact.may_still_start) == (is_accepted, reason, may_still_start)


@pytest.mark.parametrize("number", ["260303114016", "20260303114016"])
def test_a_parallel_answer_may_carry_either_number(number):
    body = bcd(SERIAL) + bcd(PILE) + b"\x01\x01\x00\x00" + bcd(number)
    assert event(frame(0xA3, body)).parallel_no == number


# -- answers to orders ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "tail", "order", "connector", "is_accepted", "reason"),
    [
        (0x35, b"\x01\x01\x00", "StopCharging", 1, True, 0),
        (0x35, b"\x01\x00\x02", "StopCharging", 1, False, 2),
        (0x41, bytes(8) + b"\x00", "UpdateBalance", None, True, 0),
        (0x41, bytes(8) + b"\x02", "UpdateBalance", None, False, 2),
        (0x43, b"\x01\x00", "SyncCards", None, True, 0),
        (0x43, b"\x00\x02", "SyncCards", None, False, 2),
        (0x45, bcd(CARD) + b"\x01\x02", "ClearCards", None, True, 0),  # the reason of a success is 0 or 2
        (0x45, bcd(CARD) + b"\x00\x01", "ClearCards", None, False, 0),
        (0x45, b"", "ClearCards", None, True, 0),
        (0x47, bcd(CARD) + b"\x00", "QueryCards", None, True, 0),
        (0x51, b"\x01", "SetWorkParams", None, True, 0),
        (0x51, b"\x00", "SetWorkParams", None, False, 0),
        (0x57, b"\x01", "SetTariff", None, True, 0),
        (0x57, b"\x00", "SetTariff", None, False, 0),
        (0x63, b"\x02\x01" + bytes(4), "ControlParkingLock", 2, True, 0),
        (0x91, b"\x01", "Reboot", None, True, 0),
        (0x93, b"\x00", "UpdateFirmware", None, True, 0),
        (0x93, b"\x03", "UpdateFirmware", None, False, 3),
        (0xF1, b"\x00", "SetQrPrefix", None, True, 0),  # which value means success is disputed
        (0xF1, b"\x01", "SetQrPrefix", None, True, 0),
    ],
)
def test_an_answer_names_its_order_and_its_result(kind, tail, order, connector, is_accepted, reason):
    fact = answer(kind, tail)
    assert (fact.order, fact.connector, fact.is_accepted, fact.reason_code) == (order, connector, is_accepted, reason)
    assert fact.detail["pile_no"] == PILE
    assert fact.clock is None


def test_an_answer_about_the_time_brings_the_clock():
    fact = answer(0x55, cp56("2026-03-03T11:40:16"))
    assert (fact.order, fact.is_accepted) == ("SyncTime", True)
    assert fact.clock.civil_ms == 1_772_538_016_000
    assert answer(0x55, cp56(None)).clock.fault is e.TimeFault.ZERO_DATE


@pytest.mark.parametrize(("raw", "lock"), [(0x00, "between"), (0x55, "raised"), (0xFF, "lowered"), (0x01, "unknown")])
def test_a_parking_lock_tells_where_it_is(raw, lock):
    fact = answer(0x61, bytes((1, raw, 0xFF, 88, 0x55)) + bytes(4))
    assert fact == e.ParkingLockReported(AT_MS, PILE, 0x0501, 1, lock, True, 88, "movement")


@pytest.mark.parametrize(("raw", "alarm"), [(0, None), (0xFF, "forced"), (0x55, "movement"), (1, None)])
def test_a_parking_lock_tells_its_alarm(raw, alarm):
    fact = answer(0x61, bytes((1, 0, 0, 88, raw)) + bytes(4))
    assert (fact.alarm, fact.is_occupied) == (alarm, False)


# -- the battery side -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "size", "name"),
    [
        (0x15, 73, "handshake"),
        (0x17, 45, "config"),
        (0x1B, 32, "bms_error"),
        (0x1D, 28, "bms_abort"),
        (0x21, 28, "charger_abort"),
        (0x23, 44, "demand"),
        (0x25, 31, "status"),
    ],
)
def test_reports_of_the_battery_side_keep_their_fields(kind, size, name):
    fact = event(frame(kind, bcd(SERIAL) + bcd(PILE) + bytes(size - 23)))
    assert (fact.kind, fact.transaction_id, fact.detail["serial"]) == (name, SERIAL, SERIAL)


def test_currents_of_the_battery_side_keep_their_sign():
    body = bcd(SERIAL) + bcd(PILE) + b"\x01" + bytes(2) + (568).to_bytes(2, "little") + bytes(16)
    assert event(frame(0x23, body)).detail["demand_a"] == "-343.2"


def test_the_end_of_charging_is_told():
    body = bcd(SERIAL) + bcd(PILE) + bytes((1, 97)) + bytes(6) + bytes((47, 0, 146, 1)) + bytes(4)
    assert event(frame(0x19, body)) == e.BmsEnded(AT_MS, PILE, 0, 1, SERIAL, 97, 47, 402)


# -- records --------------------------------------------------------------------------------------------


def test_a_record_is_told_with_units():
    fact = a_record(vin="LTESTVN0000412345", card=CARD, flag=2)
    assert fact.tiers[2] == e.RecordTier(120000, 400000, 400000, 480000)
    assert (fact.energy_e4kwh, fact.loss_energy_e4kwh, fact.amount_e4yuan) == (400000, 400000, 480000)
    assert (fact.meter_start_e4kwh, fact.meter_stop_e4kwh) == (1000000, 1400000)
    assert (fact.started.civil_ms, fact.ended.civil_ms) == (1_772_538_016_000, 1_772_541_616_000)
    assert (fact.vin, fact.card_uid, fact.start_flag, fact.start_channel) == ("LTESTVN0000412345", CARD, 2, "card")
    assert (fact.serial, fact.connector, fact.frame_type, fact.layout) == (SERIAL, 1, 0x3B, "standard")
    assert fact.stop_text == ("charging finished: SOC reached 100 %", "充电完成：SOC达到100%")
    assert len(fact.body) == 158


@pytest.mark.parametrize(
    ("how", "layout", "size"),
    [
        ({"meter_bytes": 4}, "meter4", 156),
        ({"meter_bytes": 4, "kind": 0x39}, "meter4", 156),
        ({"meter_bytes": 4, "kind": 0x3F}, "meter4", 156),
        ({"extra": b"\0\0"}, "plus2", 160),
        ({"tiers": [*FLAT, (120000, 0, 0)]}, "five-rate", 174),
        ({"meter_info": bytes(43)}, "v1.7", 201),
        ({"meter_info": bytes(43), "kind": 0x3D}, "v1.7", 201),
    ],
)
def test_every_layout_of_a_record_tells_the_same(how, layout, size):
    fact = a_record(**how)
    assert (fact.layout, len(fact.body)) == (layout, size)
    assert (fact.energy_e4kwh, fact.meter_stop_e4kwh, fact.serial) == (400000, 1400000, SERIAL)


@pytest.mark.parametrize(
    ("flag", "channel"), [(1, "app"), (2, "card"), (4, "offline_card"), (5, "vin"), (0, None), (3, None), (9, None)]
)
def test_a_flag_outside_the_list_is_kept_raw(flag, channel):
    fact = a_record(flag=flag)
    assert (fact.start_flag, fact.start_channel) == (flag, channel)


@pytest.mark.parametrize(
    ("meter", "energy", "told"),
    [
        ((256_000_000, 358_400_000), 400000, (1000000, 1400000)),  # a zero byte before four: 256 times too large
        ((256_000_000, 358_400_000), 400001, (256_000_000, 358_400_000)),
        ((256_000_001, 358_400_001), 400000, (256_000_001, 358_400_001)),
        ((0, 0), 400000, (0, 0)),
        ((256_000_000, 256_400_000), 400000, (256_000_000, 256_400_000)),
    ],
)
def test_registers_256_times_too_large_are_seen_by_the_total(meter, energy, told):
    fact = a_record(meter=meter, energy=energy)
    assert (fact.meter_start_e4kwh, fact.meter_stop_e4kwh) == told


def test_an_old_pile_s_record_is_scaled():
    data = record(SERIAL, PILE, start=None, end=None, tiers=FLAT, meter=(1, 4000), energy=4000, amount=4800)
    fact = facts_of().read(data, AT_MS, 100)
    assert (fact.energy_e4kwh, fact.amount_e4yuan, fact.meter_stop_e4kwh) == (400000, 480000, 400000)
    assert fact.tiers[2] == e.RecordTier(120000, 40_000_000, 40_000_000, 48_000_000)
    assert fact.started.fault is e.TimeFault.ZERO_DATE


@pytest.mark.parametrize("raw", [bytes(17), b"\xff" * 17, b"00000" + bytes(12), b" " * 17, b"0" * 17])
def test_what_names_no_car_is_no_vin(raw):
    body = bcd(PILE) + bytes((1, 3, 0)) + bytes(8 + 16) + raw
    assert event(frame(0x31, body)).vin is None
    assert event(frame(0x31, body[:-17] + b"JH4" + raw[3:])).vin is not None
