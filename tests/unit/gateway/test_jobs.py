"""A crew of processes: what it makes of a log, how often it must look, and that it leaves nobody behind."""

import multiprocessing
import os
import signal

import pytest

from gateway.errors import ReplayError
from gateway.jobs import FINDINGS_KEPT_MAX, Crew, Findings, Task
from gateway.listeners.topics import USUAL
from gateway.replay import Finding
from tests.support import wire
from tests.support.yard import HOUR, SITE, site_of

PILES = [f"550314127823{no}5" for no in range(4)]  # two of each share


def line(at_ms, link, way, data):
    moment = f"2026-03-03T{at_ms // HOUR:02d}:{at_ms % HOUR // 60_000:02d}:{at_ms % 60_000 // 1000:02d}+08:00"
    return f'{{"at": "{moment}", "link": "{link}", "dir": "{way}", "hex": "{data.hex()}"}}\n'


def charge(pile, serial, *, at_ms=HOUR, card="0" * 16, link=None):
    link = link or pile
    told = [
        line(at_ms, link, "up", wire.login(pile)),
        line(at_ms, link, "down", wire.start_order(serial, pile, card=card)),
    ]
    told += [line(at_ms + 15_000 * n, link, "up", wire.sample(serial, pile, energy=600 * n)) for n in range(1, 4)]
    tiers = [(120_000, 2_000, 2_400), *((120_000, 0, 0),) * 3]
    start, end = (f"2026-03-03T{at_ms // HOUR:02d}:0{minute}:00" for minute in (0, 1))
    record = wire.record(serial, pile, start=start, end=end, tiers=tiers, meter=(10_000, 12_000))
    return [*told, line(at_ms + 60_000, link, "up", record)]


@pytest.fixture
def crew_of(tmp_path):
    """A crew of two for a log of these lines, before it was asked for anything."""

    def make(*lines, path=None):
        log = tmp_path / "log.jsonl"
        log.write_text("".join(sorted(lines)))
        task = Task((path or log,), site_of(SITE), 30_000, None, False, USUAL, lambda bill: bill)
        return Crew(task, 2, lambda read, frames: None)

    yield make
    assert multiprocessing.active_children() == []


def bills_of(crew):
    with crew:
        crew.replay()
        return {bill.transaction_id: bill for bill in crew.bills()}


def test_piles_that_know_nothing_of_each_other_are_looked_at_once(crew_of):
    crew = crew_of(*(text for pile in PILES for text in charge(pile, pile + "01260303010000" + "0001")))
    with crew:
        crew.replay()
        assert crew.tally() == (4, sum(bill.status == "review" for bill in crew.bills()))
    assert (crew.runs, crew.frames) == (2, 24)
    assert crew.counts == {"pile_unlisted": sum(pile not in SITE for pile in PILES)}


def test_a_transaction_of_two_piles_needs_another_pass(crew_of):
    serial = "7".zfill(32)
    lines = [text for pile in PILES for text in charge(pile, serial)]
    crew = crew_of(*lines)
    assert set(bills_of(crew)) >= {serial}
    assert crew.runs == 3, "one more run, by one process: all piles are one group"


def test_company_elsewhere_is_told_to_the_piles_concerned(crew_of):
    lines = [text for pile in PILES for text in charge(pile, pile + "012603030100000001", card=f"{7:016d}")]
    crew = crew_of(*lines)
    bills = bills_of(crew)
    assert all("concurrent_account" in bill.anomalies for bill in bills.values())
    assert len(bills) == 4
    assert crew.runs == 4


def test_a_log_of_no_pile_has_no_bills_and_its_damage_is_told_once(crew_of):
    crew = crew_of("{broken\n")
    assert bills_of(crew) == {}
    assert [finding.code for finding in crew.findings] == ["log_damaged"]
    assert crew.counts == {"log_damaged": 1}


def test_a_log_that_cannot_be_read_ends_it_with_a_word(crew_of, tmp_path):
    crew = crew_of(path=tmp_path / "gone.jsonl")
    with pytest.raises(ReplayError, match=r"gone\.jsonl"), crew:
        crew.replay()


@pytest.mark.parametrize("number", [0, 1])
def test_a_process_that_dies_is_named(crew_of, number):
    with crew_of() as crew:
        victim = multiprocessing.active_children()[number]
        os.kill(victim.pid, signal.SIGKILL)
        victim.join()
        with pytest.raises(ReplayError, match="ended by signal 9"):
            crew.replay()


def test_whoever_leaves_early_leaves_nobody_behind(crew_of):
    crew = crew_of()
    crew.__enter__()
    assert len(multiprocessing.active_children()) == 2
    crew.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)


def test_of_very_many_findings_the_first_of_each_pile_are_kept_and_all_counted():
    findings = Findings()
    for number in range(FINDINGS_KEPT_MAX + 5):
        findings.take(Finding("frame_refused", "log", number, "x", lead="a"))
        findings.take(Finding("frame_refused", "log", number, "x"))
    assert {lead: len(kept) for lead, kept in findings.kept.items()} == {"a": 200, None: 200}
    assert findings.counts["a", "frame_refused"] == findings.counts[None, "frame_refused"] == 205
