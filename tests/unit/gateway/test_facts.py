import dataclasses
import hashlib
import json

import pytest

from gateway.facts import (
    content_hash,
    frozen_flat,
    frozen_record,
    instant_ms,
    pile_facts,
    record_of,
    thaw_authorisation,
    thaw_record,
)
from gateway.site import zone_of
from protocol.events import PileTime, TimeFault
from tests.support.yard import BEGIN, DAY_MS, END, HOUR, PILE, SERIAL, SITE, Yard, record, site_of

CHINA = zone_of("Asia/Shanghai")
BERLIN = zone_of("Europe/Berlin")


def through_json(value):
    return json.loads(json.dumps(value))


def test_a_reading_of_the_piles_clock_is_an_instant_of_the_site():
    assert instant_ms(PileTime(DAY_MS + 8 * HOUR, None, b""), CHINA) == DAY_MS
    assert instant_ms(PileTime(None, TimeFault.ZERO_DATE, b"", 5), CHINA) is None


def test_a_wall_time_that_happens_twice_is_its_first_instant():
    at_ms = 1_792_886_400_000  # 2026-10-25T02:00+02:00
    civil_ms = BERLIN.civil_ms(at_ms)
    assert BERLIN.civil_ms(at_ms + HOUR) == civil_ms
    assert instant_ms(PileTime(civil_ms, None, b""), BERLIN) == at_ms


def test_every_field_of_a_record_arrives_as_evidence():
    event = record(vin="LHB12345678901234", card_uid="C1", stop_kind="soc_full", stop_label="E1")
    found = record_of(event, CHINA)
    assert (found.serial, found.pile_id, found.connector, found.rx_ms) == (SERIAL, PILE, 1, event.at_ms)
    assert (found.started_ms, found.ended_ms, found.traded_ms) == (DAY_MS + BEGIN, DAY_MS + END, DAY_MS + END)
    assert (found.meter_start_e4kwh, found.meter_stop_e4kwh) == (10_020_000, 10_420_000)
    assert (found.energy_e4kwh, found.amount_e4yuan, found.loss_energy_e4kwh) == (400_000, 480_000, 400_000)
    assert [(tier.price_e5, tier.energy_e4kwh, tier.amount_e4yuan) for tier in found.tiers][2] == (
        120_000,
        400_000,
        480_000,
    )
    assert (found.vin, found.card_uid, found.start_channel) == ("LHB12345678901234", "C1", "app")
    assert (found.stop_code, found.stop_kind, found.stop_label) == (0x45, "soc_full", "E1")
    assert (found.stop_text_en, found.stop_text_zh) == ("stopped by the app", "APP停止")
    assert found.content_hash == hashlib.sha256(event.body).hexdigest() == content_hash(event.body)


def test_a_date_that_cannot_be_read_keeps_its_fault_and_its_time_of_day():
    found = record_of(record(started=PileTime(None, TimeFault.ZERO_DATE, b"\0", 30_600_000)), CHINA)
    assert (found.started_ms, found.started_fault, found.started_time_of_day_ms) == (None, "zero_date", 30_600_000)
    assert (found.ended_fault, found.ended_time_of_day_ms) == (None, END)


def test_where_repeats_differ_in_counters_their_identity_is_what_counts():
    first, again = (record_of(record(body=body, identity=b"same"), CHINA) for body in (b"1", b"2"))
    assert first.content_hash == again.content_hash == content_hash(b"same")


def test_a_record_comes_back_from_json_as_it_was():
    for event in (record(), record(vin="V", tiers=()), record(started=PileTime(None, TimeFault.INVALID_FIELD, b""))):
        found = record_of(event, CHINA)
        assert thaw_record(through_json(frozen_record(found))) == found


def test_an_authorisation_comes_back_too():
    yard = Yard()
    yard.start(card_uid="C1")
    authorisation = yard.sessions.find(SERIAL).authorisation
    assert thaw_authorisation(through_json(frozen_flat(authorisation))) == authorisation
    assert thaw_authorisation(None) is None


def facts(site, protocol="ykc-1.6", place=(PILE, 1)):
    return pile_facts(site, place, protocol, "V4", 1)


def test_master_data_of_the_connector_that_was_charged_on():
    text = SITE.replace('rated_kw = "60"', 'rated_kw = "7.2"', 1)
    found = facts(site_of(text))
    assert (found.rated_w, found.station, found.firmware_version, found.connector) == (7_200, "demo", "V4", 1)
    assert (found.register_decimals, found.price_decimals, found.model) == (4, None, None)
    assert facts(site_of(text), place=(PILE, 2)).rated_w == 60_000


def test_a_pile_that_nobody_listed_has_no_master_data():
    found = facts(site_of(), place=("other", 1))
    assert (found.rated_w, found.station, found.model, found.commissioned_ms) == (None, "", None, None)
    assert found.register_decimals is None


@pytest.mark.parametrize(
    ("listed", "protocol", "decimals"),
    [("register_decimals = 4", "aaf5-sh52", 4), ("", "aaf5-sh52", 2), ("", "ykc-1.6", None)],
)
def test_places_of_a_register_are_as_listed_else_as_the_protocol_carries_them(listed, protocol, decimals):
    site = site_of(SITE.replace("register_decimals = 4", listed))
    assert facts(site, protocol).register_decimals == decimals


def test_places_of_prices_likewise():
    site = site_of(SITE.replace("register_decimals = 4", "price_decimals = 2"))
    assert facts(site).price_decimals == 2
    assert dataclasses.replace(facts(site_of())).price_decimals is None
