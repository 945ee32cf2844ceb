"""What holds of bills whatever happened, over simulated days of several piles with the faults of the field."""

import dataclasses
import itertools
import json
import random
from collections import defaultdict
from datetime import datetime

import pytest

from billing_core.anomalies import BY_CODE, MAJOR, RANK
from billing_core.issue import issue_bill
from billing_core.steps import steps
from gateway.restore import restore_engine
from gateway.store import Store
from gateway.store.writer import StoreConfig
from tests.support.billed import REPLAYS
from tests.support.histories import History, Player
from tests.support.replays import story

REGISTER_E4KWH = 100  # what one reading hides on either side
SEEDS = tuple(random.SystemRandom().randrange(10**6) for _ in range(2))


@pytest.fixture(scope="module", params=range(len(SEEDS)))
def history(request):
    seed = SEEDS[request.param]
    print(f"seed {seed}")
    return History(range(1, 9), 3, seed)


@pytest.fixture(scope="module")
def played(history):
    return history.player().play(history.inputs, history.end_ms)


def rng_of(history):
    return random.Random(f"{len(history.inputs)}:{history.inputs[-1].at_ms}")


def newest(player):
    return {row.transaction_id: row for row in player.revisions}


def test_playing_again_makes_the_same_revisions(history, played):
    assert [row.body for row in played.revisions] == [row.body for row in history.revisions]
    assert len(played.effective) > 20


def test_revisions_count_up_without_a_gap(played):
    numbers = defaultdict(list)
    for row in played.revisions:
        numbers[row.transaction_id].append(row.revision)
    assert all(found == list(range(1, len(found) + 1)) for found in numbers.values())


def test_records_sent_again_change_nothing(history, played):
    rng = rng_of(history)
    inputs = []
    behind = []  # what is sent again, and when
    for each in history.inputs:
        while behind and behind[0].at_ms <= each.at_ms:
            inputs.append(behind.pop(0))
        inputs.append(each)
        if each.record is not None:
            for _ in range(rng.randrange(3)):
                behind.append(each.later(each.at_ms + rng.choice((0, 1, 30_000, 900_000, 5_000_000))))
            behind.sort(key=lambda again: again.at_ms)
    assert len(inputs) > len(history.inputs) + 5
    again = history.player().play([*inputs, *behind], history.end_ms)
    assert again.effective == played.effective
    assert len(again.revisions) == len(played.revisions)


def test_a_pile_alone_makes_the_bills_that_it_makes_among_others(history, played):
    found = {}
    for pile_id in sorted({each.pile_id for each in history.inputs}):
        own = [each for each in history.inputs if each.pile_id == pile_id]
        found |= history.player().play(own, history.end_ms).effective
    assert found == played.effective


def test_the_order_between_links_is_nobody_s_business(history, played):
    """Inputs of one moment may come in any order between piles, and within half a second too, as links are slow."""
    rng = rng_of(history)
    delays = {pile_id: rng.randrange(500) for pile_id in {each.pile_id for each in history.inputs}}
    ordered = sorted(history.inputs, key=lambda each: each.at_ms // 1_000 * 1_000 + delays[each.pile_id])
    assert [each.pile_id for each in ordered] != [each.pile_id for each in history.inputs]
    player = history.player()
    for each in ordered:  # deadlines fire by the second, so that no pile waits for another
        player.keep(player.engine.on_timer(each.at_ms // 1_000 * 1_000))
        player.keep(getattr(player.engine, each.name)(*each.arguments))
    player.play([], history.end_ms)
    assert player.effective == played.effective


def test_a_restart_at_any_point_changes_nothing(history, played, tmp_path):
    rng = rng_of(history)
    moments = [i for i in range(1, len(history.inputs)) if history.inputs[i].at_ms > history.inputs[i - 1].at_ms]
    cuts = sorted(rng.sample(moments, 8))
    config = StoreConfig(path=str(tmp_path / "bills.db"))
    revisions = []
    for begin, end in zip([0, *cuts], [*cuts, None], strict=True):
        store = Store(config)
        player = Player(history.site, _Kept(store))
        player.keep(restore_engine(player.engine, store))
        player.play(history.inputs[begin:end], history.end_ms if end is None else None)
        revisions += player.revisions
        store.close()
    assert {row.transaction_id: row.body for row in revisions} == played.effective
    assert len(revisions) == len(played.revisions)


class _Kept:
    """A store on the disk, used as replay uses its own."""

    def __init__(self, store):
        self.store = store
        self.recall = store.reader.recall

    def keep(self, rows):
        rows = list(rows)
        if rows:
            self.store.writer.submit(rows).result(30)


# -- money and energy -------------------------------------------------------------------------------------


def test_what_waits_for_a_person_posts_nothing(played):
    sessions = played.engine.sessions
    for key, row in newest(played).items():
        session = sessions.find(key)
        before = [each for each in played.revisions if each.transaction_id == key and each.status != "review"]
        assert session.posted_fen == (before[-1].payable_fen if before else None), key
        if row.status == "review" and not before:
            assert session.posted_fen is None
        if row.status == "void":
            assert row.payable_fen == 0


def test_billed_waiting_and_lost_energy_is_what_the_register_moved(history, played):
    stories = {story.transaction_id: story for story in history.stories}
    sums = defaultdict(lambda: [0, 0, 0, 0])  # moved, billed, waiting, lost
    for key, row in newest(played).items():
        story, basis = stories[key], json.loads(row.body)["basis"]["energy"]
        place = sums[story.pile_id, story.connector]
        place[0] += story.energy_e4kwh
        if row.status == "review":
            place[2] += story.energy_e4kwh
            continue
        assert row.energy_e4kwh <= story.energy_e4kwh + REGISTER_E4KWH, "nobody pays for more than flowed"
        place[1] += row.energy_e4kwh
        if basis in ("register_pair", "record_total", "register_chain"):
            assert abs(row.energy_e4kwh - story.energy_e4kwh) <= REGISTER_E4KWH, key
        else:
            place[3] += story.energy_e4kwh - row.energy_e4kwh
    assert sum(moved for moved, *_ in sums.values()) > 0
    counts = defaultdict(int)
    for key in played.effective:
        counts[stories[key].pile_id, stories[key].connector] += 1
    for place, (moved, billed, waiting, lost) in sums.items():
        assert abs(billed + waiting + lost - moved) <= REGISTER_E4KWH * counts[place], place


def test_the_registers_of_a_connector_close_with_its_bills(history, played):
    """Between two records of one connector the register moves by what the bills say, and by what lies between."""
    by_place = defaultdict(list)
    for row in newest(played).values():
        by_place[row.pile_id, row.connector].append((row, json.loads(row.body)))
    checked = 0
    for rows in by_place.values():
        rows.sort(key=lambda pair: pair[0].started_at_ms or pair[0].created_at_ms)
        for (_, one), (row, two) in itertools.pairwise(rows):
            if None in (one["meter_stop_kwh"], two["meter_start_kwh"]) or row.anomalies:
                continue
            gap = e4(two["meter_start_kwh"]) - e4(one["meter_stop_kwh"])
            assert abs(gap) <= REGISTER_E4KWH, (one["transaction_id"], two["transaction_id"])
            assert abs(e4(two["meter_stop_kwh"]) - e4(two["meter_start_kwh"]) - row.energy_e4kwh) <= REGISTER_E4KWH
            checked += 1
    assert checked > 10


def e4(text):
    return int(text.replace(".", ""))


# -- explanations -----------------------------------------------------------------------------------------


def grave_codes(row):
    """The grave codes of a revision, each of which its steps must tell in both languages."""
    told = steps(json.loads(row.body), json.loads(row.computation))
    assert all(en and zh for en, zh in told)
    codes = [code for code in row.anomalies if RANK[BY_CODE[code].severity] >= RANK[MAJOR]]
    for code in codes:
        assert any(en.startswith(code) for en, _ in told), code
        assert any(zh.startswith(code) for _, zh in told), code
    return set(codes)


def test_every_grave_code_is_told_in_the_steps(played):
    for row in played.revisions:
        grave_codes(row)


def test_every_grave_code_of_every_story_is_told_in_its_steps():
    found = set()
    for folder in sorted(REPLAYS.glob("*/expected.json")):
        until = json.loads(folder.read_text()).get("until")
        until_ms = None if until is None else round(datetime.fromisoformat(until).timestamp() * 1000)
        for row in story(folder.parent.name, until_ms=until_ms).bills():
            found |= grave_codes(row)
    assert len(found) > 30


def test_every_bill_keeps_what_it_was_judged_with(played):
    for row in played.revisions:
        kept = json.loads(row.computation)
        assert kept["engine"]
        assert kept["tolerances"]["clock_ms"] == 180_000
        assert len(kept["evidence"]["context"]) == len(kept["evidence"]["samples"]) == 64
        assert min(kept["confidence_percent"].values()) == json.loads(row.body)["confidence_percent"]


def test_judging_twice_makes_no_new_revision(history, played):
    sessions = played.engine.sessions
    for key, row in newest(played).items():
        session = sessions.find(key)
        evidence = dataclasses.replace(sessions.evidence(session, history.end_ms), is_final=True)
        first, second = (issue_bill(evidence, revision=row.revision).to_json_dict() for _ in range(2))
        assert first == second
    before = len(played.revisions)
    for days in (1, 2, 30):
        played.keep(played.engine.on_timer(history.end_ms + days * 86_400_000))
    assert len(played.revisions) == before


def test_nothing_that_leaves_is_a_float(played):
    def numbers(value):
        if isinstance(value, dict):
            return [found for each in value.values() for found in numbers(each)]
        if isinstance(value, list):
            return [found for each in value for found in numbers(each)]
        return [value]

    for row in played.revisions:
        for text in (row.body, row.computation):
            assert not [value for value in numbers(json.loads(text)) if isinstance(value, float)]
