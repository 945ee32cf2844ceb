"""A simulated pile against a gateway in miniature: what it says, when, and that its figures add up."""

import dataclasses
import itertools

import pytest

from gateway.simulator.pile import SimulatedPile
from gateway.simulator.plan import ClockFault, Gap, PilePlan, RecordFate, Visit
from protocol import commands as c
from protocol import events as e
from tests.support.deskgateway import START_MS, TARIFF, ZONE_MS, DeskGateway

PILE = "99000000000001"
CARD = "00000000D14B0A54"
VIN = "LSIM1234567890123"
CARD_VISIT = Visit(start="card", wait_ms=10_000, charge_ms=1_500_000, power_w=60_000, vin=VIN, card_uid=CARD)


def desk(*visits: Visit, **changes) -> DeskGateway:
    plan = PilePlan(PILE, "DC", tuple((visit,) for visit in visits), registers_e4kwh=(12_000_000,) * len(visits))
    return DeskGateway(SimulatedPile(dataclasses.replace(plan, **changes), 7, START_MS))


def test_power_up_follows_the_protocol():
    one = desk(CARD_VISIT)
    one.run(1_000)
    names = [type(event).__name__ for event in one.events]
    assert names[0] == "PileLoggedIn"
    assert set(names[1:]) == {
        "TariffChecked",
        "OrderAnswered",
        "TariffRequested",
        "HeartbeatReceived",
        "SampleReceived",
    }
    assert one.pile.is_ready
    assert one.of(e.OrderAnswered)[0].clock.civil_ms == START_MS + ZONE_MS


def test_a_login_is_repeated_until_it_is_answered():
    one = desk(CARD_VISIT)
    pile = one.pile
    pile.on_link_opened(START_MS)
    (first,) = pile.take_outgoing()
    pile.on_timer(START_MS + 9_999)
    assert first[5] == 0x01
    assert 0x01 not in {frame[5] for frame in pile.take_outgoing()}
    pile.on_timer(START_MS + 10_000)
    assert [frame[5] for frame in pile.take_outgoing()].count(0x01) == 1
    pile.on_link_closed(START_MS + 10_001)
    one.run(60_000)
    assert len(one.of(e.PileLoggedIn)) == 1


def test_heartbeats_every_ten_seconds_per_connector():
    one = desk(CARD_VISIT, CARD_VISIT)
    one.run(9_000)
    assert [event.connector for event in one.of(e.HeartbeatReceived)] == [1, 2]
    one.run(30_000)
    assert len(one.of(e.HeartbeatReceived)) == 8


def test_card_charge_across_a_rate_boundary_reconciles():
    one = desk(CARD_VISIT)
    one.run(1_800_000)
    [record] = one.of(e.RecordReceived)
    [story] = one.pile.stories
    assert record.energy_e4kwh == 250_000 == story.energy_e4kwh  # 60 kW for 25 min
    assert sum(tier.energy_e4kwh for tier in record.tiers) == record.energy_e4kwh
    assert record.meter_stop_e4kwh - record.meter_start_e4kwh == record.energy_e4kwh
    assert record.meter_start_e4kwh == 12_000_000
    peak, flat = record.tiers[1], record.tiers[2]
    began_ms = story.started_at_ms
    assert peak.energy_e4kwh == (START_MS + 1_200_000 - began_ms) * 60_000 // 360_000
    assert (peak.price_e5, flat.price_e5) == (190_000, 150_000)
    assert peak.amount_e4yuan == (peak.energy_e4kwh * 190_000 + 50_000) // 100_000
    assert record.amount_e4yuan == peak.amount_e4yuan + flat.amount_e4yuan
    assert (record.ended.civil_ms, record.started.civil_ms) == (
        began_ms + 1_500_000 + ZONE_MS,
        began_ms + ZONE_MS,
    )
    assert (record.start_channel, record.card_uid, record.vin) == ("card", CARD, VIN)
    assert story.is_acknowledged
    assert story.is_clean
    assert one.pile.is_finished


def test_samples_every_fifteen_seconds_grow_and_end_idle():
    one = desk(CARD_VISIT)
    one.run(1_800_000)
    charging = [s for s in one.of(e.SampleReceived) if s.status is e.ConnectorStatus.CHARGING]
    assert len(charging) == 100
    energies = [s.energy_e4kwh for s in charging]
    assert energies == sorted(energies)
    assert energies[0] == 0
    assert {s.transaction_id for s in charging} == {one.pile.stories[0].transaction_id}
    assert one.of(e.SampleReceived)[-1].is_plugged is False
    assert [event.kind for event in one.of(e.BmsReported)[:4]] == ["handshake", "config", "demand", "status"]
    assert len(one.of(e.BmsEnded)) == 1


def test_vin_start_sends_the_vin_reversed_on_the_wire():
    one = desk(dataclasses.replace(CARD_VISIT, start="vin", card_uid=None))
    one.run(60_000)
    [asked] = one.of(e.StartRequested)
    assert (asked.method, asked.vin, asked.card_uid) == ("vin", VIN, None)
    one.run(1_800_000)
    assert one.of(e.RecordReceived)[0].start_channel == "vin"


def test_refused_car_leaves_without_a_record():
    one = desk(CARD_VISIT)
    one.starts_accepted = lambda event: False
    one.run(120_000)
    assert one.pile.refused == 1
    assert one.pile.is_finished
    assert not one.of(e.RecordReceived)


def test_unanswered_record_is_sent_five_times_then_rests():
    one = desk(dataclasses.replace(CARD_VISIT, charge_ms=60_000))
    one.acknowledges = False
    one.run(900_000)
    times = [record.at_ms for record in one.of(e.RecordReceived)]
    assert [later - earlier for earlier, later in itertools.pairwise(times)] == [
        30_000,
        30_000,
        30_000,
        300_000,
    ]
    assert one.pile.is_finished
    assert len(one.pile.records) == 1
    one.cut()
    one.acknowledges = True
    one.run(10_000)
    assert len(one.of(e.RecordReceived)) == 6
    assert len(one.pile.records) == 0
    assert one.pile.stories[0].records_sent == 6


@pytest.mark.parametrize(("fate", "is_same"), [(RecordFate.TWICE, True), (RecordFate.CONFLICTING, False)])
def test_record_sent_again_after_its_acknowledgement(fate, is_same):
    one = desk(dataclasses.replace(CARD_VISIT, charge_ms=60_000, record=fate))
    one.run(300_000)
    first, second = one.of(e.RecordReceived)
    assert first.serial == second.serial
    assert (first.body == second.body) is is_same
    assert one.pile.is_finished
    assert one.pile.stories[0].is_clean is is_same


def test_record_that_is_never_written():
    one = desk(dataclasses.replace(CARD_VISIT, charge_ms=60_000, record=RecordFate.NONE))
    one.run(300_000)
    assert not one.of(e.RecordReceived)
    assert one.pile.is_finished
    assert one.pile.stories[0].has_ended


def test_offline_charge_has_a_serial_of_its_own_and_comes_late():
    visit = dataclasses.replace(CARD_VISIT, start="offline", charge_ms=120_000)
    one = desk(visit, offline_cards=frozenset({CARD}), link_losses=(Gap(30_000, 300_000),))
    one.run(600_000)
    assert one.logins == 2
    [record] = one.of(e.RecordReceived)
    assert record.start_channel == "offline_card"
    assert record.serial.startswith(PILE + "01" + "260303")
    assert record.at_ms - START_MS >= 330_000
    assert one.pile.stories[0].transaction_id == record.serial


def test_parallel_connectors_ask_and_start_together():
    visit = dataclasses.replace(CARD_VISIT, start="parallel", charge_ms=120_000)
    one = desk(visit, dataclasses.replace(visit, wait_ms=12_000))
    one.run(600_000)
    asked = one.of(e.StartRequested)
    assert [(event.connector, event.is_main_connector) for event in asked] == [(1, True), (2, False)]
    assert len({event.parallel_no for event in asked}) == 1
    records = one.of(e.RecordReceived)
    assert len({record.serial for record in records}) == 2


def test_parallel_start_needs_every_connector():
    visit = dataclasses.replace(CARD_VISIT, start="parallel", charge_ms=120_000)
    one = desk(visit, visit)
    one.starts_accepted = lambda event: event.connector == 1
    one.run(600_000)
    assert one.pile.refused == 2
    assert not one.of(e.RecordReceived)


def test_power_loss_ends_the_charge_and_the_record_comes_after():
    one = desk(CARD_VISIT, power_losses=(Gap(120_000, 60_000),))
    one.run(600_000)
    [record] = one.of(e.RecordReceived)
    assert record.stop_code == 0x83
    assert record.ended.civil_ms == START_MS + 120_000 + ZONE_MS
    assert record.at_ms >= START_MS + 180_000
    assert one.logins == 2


def test_remote_start_and_stop():
    one = desk(dataclasses.replace(CARD_VISIT, start="app"))
    one.run(60_000)
    serial = PILE + "01" + "260303114100" + "0001"
    order = c.StartCharging(PILE, None, serial, 1, "0" * 16, None, 10_000)
    answered = one.order(order)[0]
    assert (answered.is_accepted, answered.transaction_id) == (True, serial)
    one.run(60_000)
    assert one.order(order)[0].reason_code == 2
    stopped = one.order(c.StopCharging(PILE, None, 1))
    assert stopped[0].is_accepted
    assert one.of(e.RecordReceived)[0].stop_code == 0x40
    assert one.order(c.StopCharging(PILE, None, 1))[0].reason_code == 2


def test_remote_start_before_the_plug_is_answered_twice():
    one = desk(dataclasses.replace(CARD_VISIT, start="app", wait_ms=40_000))
    one.run(10_000)
    order = c.StartCharging(PILE, None, PILE + "01" + "260303114100" + "0001", 1, "0" * 16, None, 10_000)
    assert one.order(order)[0].may_still_start
    one.run(60_000)
    assert [answer.is_accepted for answer in one.of(e.StartAnswered)] == [False, True]


def test_balance_used_up_stops_the_charge_and_an_update_prolongs_it():
    one = desk(CARD_VISIT)
    one.balance_fen = 500
    one.run(60_000)
    answer = one.order(c.UpdateBalance(PILE, None, 1, None, 1_000))[0]
    assert answer.is_accepted
    one.run(1_500_000)
    [record] = one.of(e.RecordReceived)
    assert record.stop_code == 0x6E
    assert 100_000 <= record.amount_e4yuan < 110_000


@pytest.mark.parametrize(
    "command",
    [
        c.SyncTime(PILE, None, START_MS + ZONE_MS),
        c.SetTariff(PILE, None, TARIFF),
        c.SyncCards(PILE, None, (c.OfflineCard("0" * 16, CARD),)),
        c.ClearCards(PILE, None, (CARD,)),
        c.QueryCards(PILE, None, (CARD,)),
        c.SetWorkParams(PILE, None, False, 80),
        c.ControlParkingLock(PILE, None, 1, True),
        c.Reboot(PILE, None, True),
        c.UpdateFirmware(PILE, None, "DC", 60, "ftp.example", 21, "u", "p", "/f", True, 10),
        c.SetQrPrefix(PILE, None, "https://example.invalid/", True),
    ],
    ids=lambda command: type(command).__name__,
)
def test_every_order_has_its_answer(command):
    one = desk(CARD_VISIT)
    one.run(1_000)
    answer = one.order(command)[0]
    assert isinstance(answer, e.OrderAnswered)
    assert answer.order == type(command).__name__
    assert answer.is_accepted


def test_read_sample_is_answered():
    one = desk(CARD_VISIT)
    one.run(1_000)
    assert isinstance(one.order(c.ReadSample(PILE, None, 1))[0], e.SampleReceived)


def test_tariff_is_not_changed_while_charging():
    one = desk(CARD_VISIT)
    one.run(120_000)
    assert not one.order(c.SetTariff(PILE, None, dataclasses.replace(TARIFF, model_no="0200")))[0].is_accepted
    assert one.pile.rates.model_no == "0100"


def test_three_unanswered_heartbeats_mean_a_new_login():
    one = desk(CARD_VISIT)
    one.answers_heartbeats = False
    one.run(60_000)
    assert one.logins == 2


def test_refused_login_ends_the_story():
    one = desk(CARD_VISIT)
    one.accepts_login = False
    one.run(60_000)
    assert one.pile.is_refused
    assert one.pile.is_finished
    assert one.logins == 1


@pytest.mark.parametrize(
    ("fault", "year"),
    [(ClockFault.EPOCH_2000, 2000), (ClockFault.ZERO_DATE, None), (ClockFault.AHEAD_1H, 2026)],
)
def test_wrong_clocks_show_in_the_record(fault, year):
    one = desk(dataclasses.replace(CARD_VISIT, charge_ms=60_000), clock=fault)
    one.run(300_000)
    [record] = one.of(e.RecordReceived)
    if year is None:
        assert record.started.fault is e.TimeFault.ZERO_DATE
        assert record.started.time_of_day_ms is not None
    else:
        assert (record.started.civil_ms + 86_400_000) // 31_557_600_000 + 1970 == year
    assert not one.pile.stories[0].is_clean


def test_a_meter_reset_happens_under_a_charge_and_registers_go_on():
    plan = PilePlan(PILE, "AC", ((CARD_VISIT, dataclasses.replace(CARD_VISIT, is_meter_reset=True), CARD_VISIT),))
    one = DeskGateway(SimulatedPile(plan, 7, START_MS))
    one.run(6_000_000)
    first, second, third = one.of(e.RecordReceived)
    assert first.meter_start_e4kwh > 0
    assert second.meter_start_e4kwh == first.meter_stop_e4kwh
    assert second.meter_stop_e4kwh == second.energy_e4kwh // 2
    assert third.meter_start_e4kwh == second.meter_stop_e4kwh
    assert not one.of(e.BmsReported)


def test_equal_seeds_tell_equal_stories():
    stories = []
    for _ in range(2):
        plan = PilePlan(PILE, "DC", ((CARD_VISIT,),))
        one = DeskGateway(SimulatedPile(plan, 3, START_MS))
        one.run(1_800_000)
        stories.append([record.body for record in one.of(e.RecordReceived)])
    assert stories[0] == stories[1]


def test_high_first_checksums():
    one = desk(CARD_VISIT, is_high_first=True)
    one.run(1_000)
    assert one._link.crc_order == "modbus-hi-lo"
    assert one.pile.is_ready
