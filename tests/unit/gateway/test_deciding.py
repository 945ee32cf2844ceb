import dataclasses

import pytest

from gateway import deciding
from gateway.decisions import Decision, DecisionError, Decisions
from gateway.store import Store, StoreConfig
from tests.support.bills import bill_row
from tests.support.replays import newest, story

SERIAL = "55031412782305012603031030000001"
LATER_MS = 1_772_605_000_000
WAIT_S = 30
SEAL = "a" * 64


@pytest.fixture
def replay():
    return story("record-never-comes")  # 57.65 yuan


@pytest.fixture
def decisions(replay):
    return Decisions(replay.engine.sessions, newest(replay))


def propose(decisions, **changes):
    decision = dataclasses.replace(Decision(SERIAL, "waive", "li", " because "), **changes)
    return deciding.propose(decisions, decision, evidence=[SEAL], at_ms=LATER_MS)


def revisions(replay):
    return [row.revision for row in replay.bills(all_revisions=True)]


def test_above_fifty_yuan_a_decision_is_a_proposal_and_the_bill_stands(replay, decisions):
    saved, outcome = propose(decisions)
    assert (saved.state, saved.stake_fen, saved.base_revision, saved.revision) == ("proposed", 5_765, 1, None)
    assert (saved.reason, saved.evidence) == ("because", (SEAL,))
    assert outcome.rows == [saved]
    assert replay.engine.sessions.find(SERIAL).revision == 1


def test_a_second_person_makes_it_effective(replay, decisions):
    saved, _ = propose(decisions)
    settled, outcome = deciding.confirm(decisions, saved, "wang", evidence=["b" * 64], at_ms=LATER_MS + 1)
    replay.store.keep(outcome.rows)
    assert (settled.state, settled.approver, settled.revision) == ("effective", "wang", 2)
    assert settled.evidence == (SEAL, "b" * 64)
    assert outcome.rows[-1] == settled
    row = newest(replay)(SERIAL)
    assert (row.revision, row.actor, row.status) == (2, "li, wang", "void")


@pytest.mark.parametrize("approver", ["li", " Li ", "LI"])
def test_nobody_agrees_with_himself(decisions, approver):
    saved, _ = propose(decisions)
    with pytest.raises(DecisionError, match="somebody else must agree"):
        deciding.confirm(decisions, saved, approver, at_ms=LATER_MS)


def test_up_to_fifty_yuan_one_person_decides():
    replay = story("never-plugged-in")
    decisions = Decisions(replay.engine.sessions, newest(replay))
    saved, outcome = propose(decisions)
    assert (saved.state, saved.approver, saved.revision) == ("effective", None, 2)
    replay.store.keep(outcome.rows)
    assert newest(replay)(SERIAL).actor == "li"


def test_what_was_posted_before_counts_as_stake(replay, decisions):
    first, _ = propose(decisions)
    _, outcome = deciding.confirm(decisions, first, "wang", at_ms=LATER_MS)
    replay.store.keep(outcome.rows)
    told = {"explanation_en": ("A.",), "explanation_zh": ("甲。",)}
    saved, _ = propose(decisions, kind="amount", amount_fen=100, **told)
    assert (saved.state, saved.stake_fen) == ("effective", 100)


def test_a_proposal_on_a_bill_that_was_revised_since_is_outdated(replay, decisions):
    first, _ = propose(decisions)
    second, _ = propose(decisions, actor="zhao")
    _, outcome = deciding.confirm(decisions, first, "wang", at_ms=LATER_MS)
    replay.store.keep(outcome.rows)
    outdated, outcome = deciding.confirm(decisions, second, "wang", at_ms=LATER_MS)
    assert (outdated.state, outcome.rows) == ("outdated", [outdated])
    assert replay.engine.sessions.find(SERIAL).revision == 2


def test_what_is_settled_stays_settled(decisions):
    saved, _ = propose(decisions)
    rejected, _ = deciding.reject(saved, "li", at_ms=LATER_MS)
    assert (rejected.state, rejected.approver) == ("rejected", "li")
    for settle in (
        lambda: deciding.reject(rejected, "wang", at_ms=LATER_MS),
        lambda: deciding.confirm(decisions, rejected, "wang", at_ms=LATER_MS),
    ):
        with pytest.raises(DecisionError, match="is rejected already"):
            settle()


def test_the_same_proposal_has_the_same_number_and_another_one_another(decisions):
    ids = [propose(decisions)[0].decision_id for _ in range(2)]
    assert ids[0] == ids[1]
    assert propose(decisions, reason="other")[0].decision_id != ids[0]
    assert propose(decisions, actor="zhao")[0].decision_id != ids[0]


@pytest.fixture
def store(tmp_path):
    store = Store(StoreConfig(path=str(tmp_path / "pilegate.db")))
    yield store
    store.close()


def test_decisions_are_kept_and_stay_as_they_were_made(store, decisions):
    saved, _ = propose(decisions)
    other = dataclasses.replace(saved, decision_id="x", proposed_at_ms=LATER_MS + 1)
    rejected, _ = deciding.reject(saved, "wang", at_ms=LATER_MS + 2)
    store.writer.submit([saved, other, rejected]).result(WAIT_S)
    assert deciding.find_decision(store.reader, saved.decision_id) == rejected
    assert deciding.decisions_on(store.reader, SERIAL) == [rejected, other]
    assert deciding.decisions_waiting(store.reader) == [other]
    assert deciding.find_decision(store.reader, "nobody") is None
    for changed in (dataclasses.replace(rejected, state="effective"), dataclasses.replace(other, reason="y")):
        with pytest.raises(Exception, match="a decision stays as it was made"):
            store.writer.call(
                lambda connection, row=changed: connection.execute(
                    "UPDATE decision SET state = ?, reason = ? WHERE decision_id = ?",
                    (row.state, row.reason, row.decision_id),
                )
            ).result(WAIT_S)


def test_a_stored_bill_comes_back_as_the_row_it_was(store):
    row = bill_row("t1", anomalies=("energy_lost",))
    store.writer.submit([bill_row("t1"), dataclasses.replace(row, revision=2)]).result(WAIT_S)
    assert deciding.newest_bill(store.reader, "t1") == dataclasses.replace(row, revision=2)
    assert deciding.newest_bill(store.reader, "t2") is None
