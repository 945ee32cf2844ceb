import dataclasses
import json

import pytest

from billing_core.session import pack_states
from billing_core.steps import steps
from gateway.billschema import fault_of
from gateway.decisions import Decision, DecisionError, Decisions, sentences
from gateway.outcome import BillIssued, EventRaised, SessionSaved
from tests.support.replays import document, newest, story

SERIAL = "55031412782305012603031030000001"
ORPHAN = "9" * 32
T0_MS = 1_772_505_000_000  # 2026-03-03T10:30:00+08:00
HOUR_MS = 3_600_000
LATER_MS = T0_MS + 30 * HOUR_MS
TOLD = {"explanation_en": ("One.", "Two."), "explanation_zh": ("一。", "二。")}


class Desk:
    """A replayed story, and decisions on its bills."""

    def __init__(self, *names):
        self.replay = story(*names)
        self.decisions = Decisions(self.replay.engine.sessions, newest(self.replay))

    def take(self, kind, key=SERIAL, at_ms=LATER_MS, **terms):
        decision = Decision(key, kind, actor="li", reason="because", **terms)
        outcome = self.decisions.take(decision, at_ms)
        self.replay.store.keep(outcome.rows)
        for row in outcome.rows:
            if isinstance(row, BillIssued):
                assert fault_of(json.loads(row.body)) is None
        return outcome

    def bill(self, key=SERIAL):
        return document(self.replay, key)

    def row(self, key=SERIAL):
        return newest(self.replay)(key)


@pytest.fixture
def late():
    """A record without its energy's samples: provisional, 51.85 yuan, or a substitute."""
    return Desk("record-never-comes")


def test_a_waived_bill_keeps_its_lines_and_owes_nothing(late):
    before = late.bill()
    late.take("waive")
    bill = late.bill()
    assert (bill["status"], bill["revision"], bill["payable"]) == ("void", 2, "0.00")
    assert (bill["lines"], bill["amount"]) == (before["lines"], before["amount"])
    assert bill["adjustments"] == [
        {
            "kind": "waived",
            "energy_kwh": None,
            "amount": f"-{before['amount']}",
            "minutes": None,
            "from": None,
            "to": None,
        }
    ]
    assert bill["explanation"]["zh"][0] == "经人工核对,运营商免收本单费用。"
    assert (late.row().reason, late.row().actor, late.row().payable_fen) == ("decision:waive", "li", 0)


def test_an_amount_of_ones_own_is_told_beside_what_the_evidence_comes_to(late):
    late.take("amount", amount_fen=4_000, **TOLD)
    bill = late.bill()
    assert (bill["status"], bill["payable"], bill["amount"]) == ("repaired", "40.00", "57.65")
    assert [(each["kind"], each["amount"]) for each in bill["adjustments"]] == [("decided", "-17.65")]
    assert bill["explanation"] == {"en": ["One.", "Two."], "zh": ["一。", "二。"]}


def test_a_second_decision_takes_the_place_of_the_first_and_leaves_it_standing(late):
    late.take("amount", amount_fen=4_000, **TOLD)
    late.take("waive", at_ms=LATER_MS + 1)
    assert [each["kind"] for each in late.bill()["adjustments"]] == ["waived"]
    rows = [row for row in late.replay.bills(all_revisions=True) if row.transaction_id == SERIAL]
    assert [(row.revision, row.payable_fen) for row in rows] == [(1, 5_765), (2, 4_000), (3, 0)]


@pytest.mark.parametrize("amount_fen", [5_766, 100_000])
def test_by_amount_nobody_is_billed_more_than_the_evidence_comes_to(late, amount_fen):
    with pytest.raises(DecisionError, match=r"from 0.00 to 57.65 yuan"):
        late.take("amount", amount_fen=amount_fen, **TOLD)
    assert late.bill()["revision"] == 1


def test_an_approved_proposal_is_the_bill_as_it_was_proposed():
    desk = Desk("record-of-an-unknown-transaction")
    before = desk.bill(ORPHAN)
    assert before["status"] == "review"
    outcome = desk.take("approve", ORPHAN)
    bill = desk.bill(ORPHAN)
    assert bill["status"] == "repaired"
    changed = {key for key in bill if bill[key] != before[key]}
    assert changed == {"status", "revision", "explanation"}
    told = next(row for row in outcome.rows if isinstance(row, EventRaised))
    assert (told.type, told.event_id) == ("pilegate.bill.revised", f"bill-{ORPHAN}-r2")
    assert told.data["amount"] == before["amount"]


def test_only_a_proposal_can_be_approved():
    with pytest.raises(DecisionError, match="the bill is normal: there is no proposal"):
        Desk("app-start-across-two-rates").take("approve")


def test_another_source_of_energy_is_priced_by_the_rules(late):
    sources = late.decisions.sources(SERIAL, LATER_MS)
    assert "last_sample" in sources
    late.take("source", source="last_sample")
    bill = late.bill()
    assert bill["basis"]["energy"] == "last_sample"
    assert bill["energy_kwh"] == f"{sources['last_sample'] // 10_000}.{sources['last_sample'] % 10_000:04d}"
    assert sum(round(float(line["energy_kwh"]) * 10_000) for line in bill["lines"]) == sources["last_sample"]


def test_a_source_that_is_not_there_is_refused_and_the_others_are_named(late):
    with pytest.raises(DecisionError, match=r"no source 'moon'.*there are: .*last_sample"):
        late.take("source", source="moon")


def test_a_split_charge_loses_no_unit_and_the_second_part_is_nobody_s():
    desk = Desk("app-start-across-two-rates")
    whole = desk.bill()
    middle_ms = desk.row().started_at_ms + (desk.row().ended_at_ms - desk.row().started_at_ms) // 2
    desk.take("split", split_at_ms=middle_ms)
    first, second = desk.bill(), desk.bill(f"{SERIAL}-2")
    assert (first["status"], second["status"]) == ("repaired", "review")
    assert (second["revision"], second["vin"], second["card_uid"]) == (1, None, None)
    assert first["ended_at"] == second["started_at"]
    energies = [desk.row(key).energy_e4kwh for key in (SERIAL, f"{SERIAL}-2")]
    assert sum(energies) == round(float(whole["energy_kwh"]) * 10_000)
    assert min(energies) > 0
    for bill, energy in zip((first, second), energies, strict=True):
        assert sum(round(float(line["energy_kwh"]) * 10_000) for line in bill["lines"]) == energy
    desk.take("approve", f"{SERIAL}-2", at_ms=LATER_MS + 1)
    assert desk.bill(f"{SERIAL}-2")["status"] == "repaired"
    with pytest.raises(DecisionError, match="cut in two already"):
        desk.take("split", split_at_ms=middle_ms)


def test_a_charge_without_live_data_cannot_be_split():
    with pytest.raises(DecisionError, match="no live data"):
        Desk("record-of-an-unknown-transaction").take("split", ORPHAN, split_at_ms=LATER_MS)


def test_a_moment_outside_the_charge_cannot_split_it():
    with pytest.raises(DecisionError, match="not within the charge"):
        Desk("app-start-across-two-rates").take("split", split_at_ms=LATER_MS)


def test_an_orphan_s_record_is_billed_where_it_belongs_and_owes_nothing_itself():
    desk = Desk("record-never-comes", "record-of-an-unknown-transaction")
    desk.take("assign", ORPHAN, target=SERIAL)
    mended, empty = desk.bill(), desk.bill(ORPHAN)
    assert (empty["status"], empty["energy_kwh"], empty["amount"], empty["lines"]) == ("void", "0.0000", "0.00", [])
    assert mended["status"] == "repaired"
    assert mended["pile_amount"] is not None
    session = desk.replay.engine.sessions.find(SERIAL)
    assert [record.serial for record in session.records] == [SERIAL]
    with pytest.raises(DecisionError, match="holds that record already"):
        desk.take("assign", ORPHAN, target=SERIAL)


@pytest.mark.parametrize(
    ("key", "target", "said"),
    [(ORPHAN, ORPHAN, "to itself"), (SERIAL, ORPHAN, "no record"), (ORPHAN, "1", "bill 1 does not exist")],
)
def test_what_cannot_be_assigned(key, target, said):
    desk = Desk("record-never-comes", "record-of-an-unknown-transaction")
    with pytest.raises(DecisionError, match=said):
        desk.take("assign", key, target=target)


def test_behind_a_replaced_meter_the_chain_begins_anew():
    desk = Desk("app-start-across-two-rates")
    outcome = desk.take("meter_replaced")
    session = desk.replay.engine.sessions.find(SERIAL)
    assert session.is_meter_new
    assert desk.replay.engine.sessions.evidence(session, LATER_MS).previous is None
    saved = next(row for row in outcome.rows if isinstance(row, SessionSaved))
    assert saved.frozen["is_meter_new"] is True


def test_what_comes_behind_a_decision_goes_to_a_person_again(late):
    late.take("waive")
    session = late.replay.engine.sessions.find(SERIAL)
    assert (session.is_decided, session.final_at_ms) == (True, None)
    thawed = type(session).thaw(json.loads(json.dumps(session.saved().frozen)), pack_states(session.core.rows())[2])
    assert (thawed.is_decided, thawed.revision) == (True, 2)
    late.replay.run([], until_ms=LATER_MS + 100 * HOUR_MS)
    assert late.bill()["revision"] == 2


def test_the_same_decision_at_the_same_moment_makes_the_same_revision():
    made = []
    for _ in range(2):
        desk = Desk("record-never-comes")
        desk.take("amount", amount_fen=1, **TOLD)
        made.append(desk.row())
    assert made[0] == made[1]


def test_a_bill_that_moves_is_not_decided_upon(late):
    stale = late.row()
    late.take("amount", amount_fen=4_000, **TOLD)
    decisions = Decisions(late.replay.engine.sessions, lambda key: stale)
    with pytest.raises(DecisionError, match="being revised"):
        decisions.take(Decision(SERIAL, "waive", actor="li", reason="x"), LATER_MS)


def test_weighing_changes_nothing_and_tells_the_highest_amount_at_stake(late):
    before = late.replay.engine.sessions.find(SERIAL).saved()
    assert late.decisions.weigh(Decision(SERIAL, "waive", "li", "x"), LATER_MS) == (1, 5_765)
    assert late.replay.engine.sessions.find(SERIAL).saved() == before
    with pytest.raises(DecisionError, match="bill x does not exist"):
        late.decisions.weigh(Decision("x", "waive", "li", "x"), LATER_MS)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kind": "forget"}, "is no decision"),
        ({"kind": "split"}, "split needs moment"),
        ({"amount_fen": 1}, "waive takes no amount"),
        ({"reason": " "}, "say why"),
        ({"explanation_en": ("One.",)}, "in English and in Chinese"),
        ({"kind": "amount", "amount_fen": 1}, "your own two sentences"),
    ],
)
def test_incomplete_decisions_are_refused(late, changes, said):
    decision = dataclasses.replace(Decision(SERIAL, "waive", "li", "x"), **changes)
    with pytest.raises(DecisionError, match=said):
        late.decisions.take(decision, LATER_MS)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ()),
        ("You pay 1.50 yuan. Sorry!", ("You pay 1.50 yuan.", "Sorry!")),
        ("金额1.50元。抱歉!", ("金额1.50元。", "抱歉!")),
        ("no full stop", ("no full stop",)),
    ],
)
def test_texts_are_taken_apart_by_sentences(text, found):
    assert sentences(text) == found


@pytest.mark.parametrize("text", ["One. Two. Three.", "一。二。三。", "x" * 501])
def test_more_than_two_sentences_are_refused(text):
    with pytest.raises(DecisionError, match="at most two sentences"):
        sentences(text)


def test_a_decision_comes_back_from_its_terms():
    decision = Decision(SERIAL, "split", "li", "why", split_at_ms=5, **TOLD)
    terms = json.loads(json.dumps(decision.terms()))
    assert Decision.of(SERIAL, "split", terms, actor="li", reason="why") == decision


@pytest.mark.parametrize(
    ("names", "kind", "key", "terms", "said"),
    [
        (["record-never-comes"], "waive", SERIAL, {}, "waived the bill: -57.65 yuan"),
        (["record-never-comes"], "amount", SERIAL, {"amount_fen": 1, **TOLD}, "another amount: -57.64 yuan"),
        (["record-never-comes"], "source", SERIAL, {"source": "last_sample"}, "(source), because: because."),
        (
            ["record-never-comes", "record-of-an-unknown-transaction"],
            "assign",
            ORPHAN,
            {"target": SERIAL},
            "belongs to another charge",
        ),
        (["app-start-across-two-rates"], "split", SERIAL, {"split_at_ms": 1_772_506_800_000}, "Decided by li (split)"),
        (["app-start-across-two-rates"], "meter_replaced", SERIAL, {}, "Decided by li (meter replaced)"),
    ],
)
def test_every_decided_bill_can_be_told_step_by_step(names, kind, key, terms, said):
    desk = Desk(*names)
    outcome = desk.take(kind, key, **terms)
    for row in outcome.rows:
        if isinstance(row, BillIssued):
            told = steps(json.loads(row.body), json.loads(row.computation))
            assert all(en and zh for en, zh in told)
    told = " ".join(en for en, _ in steps(desk.bill(key), json.loads(desk.row(key).computation)))
    assert said in told
