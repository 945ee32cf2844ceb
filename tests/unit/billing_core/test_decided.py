import dataclasses

import pytest

from billing_core.decided import Undecidable, by_source, emptied, sources_of, split_at, with_record
from billing_core.issue import issue_bill
from tests.support.replays import story

SERIAL = "55031412782305012603031030000001"
ELEVEN_MS = 1_772_506_800_000  # 2026-03-03T11:00:00+08:00, where flat ends and peak begins
LATER_MS = ELEVEN_MS + 86_400_000


def evidence_of(*names, key=SERIAL):
    sessions = story(*names).engine.sessions
    return sessions.evidence(sessions.find(key), LATER_MS)


@pytest.fixture(scope="module")
def whole():
    return evidence_of("app-start-across-two-rates")


def lines(bill):
    return [(int(line.rate), line.energy_e4kwh, line.energy_fee_e4yuan, line.service_fee_e4yuan) for line in bill.lines]


def test_a_charge_cut_where_the_rate_changes_has_one_rate_on_either_side(whole):
    first, rest = split_at(whole, ELEVEN_MS, revision=2)
    both = issue_bill(whole, revision=1)
    peak, flat = lines(both)
    assert lines(first) == [flat]
    assert lines(rest) == [peak]
    assert (first.ended_at_ms, rest.started_at_ms) == (ELEVEN_MS, ELEVEN_MS)
    assert (first.energy_e4kwh, rest.energy_e4kwh) == (flat[1], peak[1])
    assert (rest.transaction_id, rest.revision, rest.status) == (f"{SERIAL}-2", 1, "review")
    assert first.sums_hold()
    assert rest.sums_hold()


@pytest.mark.parametrize("minutes", range(-29, 29, 7))
def test_wherever_a_charge_is_cut_no_unit_is_lost(whole, minutes):
    first, rest = split_at(whole, ELEVEN_MS + minutes * 60_000, revision=2)
    both = issue_bill(whole, revision=1)
    assert first.energy_e4kwh + rest.energy_e4kwh == both.energy_e4kwh
    by_rate = {}
    for bill in (first, rest):
        for rate, energy, _, _ in lines(bill):
            by_rate[rate] = by_rate.get(rate, 0) + energy
    assert by_rate == {rate: energy for rate, energy, _, _ in lines(both)}
    assert abs(first.amount_fen + rest.amount_fen - both.amount_fen) <= 1


@pytest.mark.parametrize("at_ms", [0, LATER_MS])
def test_a_charge_is_cut_only_while_it_lasts(whole, at_ms):
    with pytest.raises(Undecidable, match="not within"):
        split_at(whole, at_ms, revision=2)


def test_a_charge_without_live_data_is_not_cut_by_time(whole):
    with pytest.raises(Undecidable, match="no live data"):
        split_at(dataclasses.replace(whole, samples=()), ELEVEN_MS, revision=2)


def test_every_source_can_be_billed_at_exactly_its_energy(whole):
    sources = sources_of(whole)
    assert sources["record_total"] == 400_000
    for name, energy in sources.items():
        bill = by_source(whole, name, revision=2)
        assert (bill.energy_e4kwh, bill.energy_basis) == (energy, name)
        assert sum(line.energy_e4kwh for line in bill.lines) == energy
    with pytest.raises(Undecidable, match="there is no source 'moon'"):
        by_source(whole, "moon", revision=2)


def test_the_record_s_own_energy_costs_what_the_bill_costs(whole):
    assert by_source(whole, "record_total", revision=2).amount_fen == issue_bill(whole, revision=1).amount_fen == 5_803


def test_a_record_assigned_to_a_session_is_billed_there_and_once():
    bare = evidence_of("record-never-comes")
    full = evidence_of("app-start-across-two-rates")
    bill = with_record(bare, full.records, revision=2)
    assert (bill.energy_e4kwh, bill.amount_fen, bill.pile_amount_e4yuan) == (
        400_000,
        5_803,
        full.records[0].amount_e4yuan,
    )
    with pytest.raises(Undecidable, match="already"):
        with_record(full, full.records, revision=2)


def test_a_bill_whose_record_belongs_elsewhere_is_empty(whole):
    bill = emptied(issue_bill(whole, revision=2))
    assert (bill.energy_e4kwh, bill.amount_fen, bill.lines, bill.segments) == (0, 0, (), None)
