"""The rule of two people, around decisions on bills: who proposes, who agrees, and what is written down of it.

Up to 50 yuan one person decides. Above, another person must agree, and only to the revision that was looked at.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.decisions import ALONE_FEN_MAX, Decision, DecisionError, Decisions
from gateway.outcome import BillIssued, DecisionSaved, Outcome
from gateway.store.reader import Reader, Rows

PROPOSED, EFFECTIVE, REJECTED, OUTDATED = "proposed", "effective", "rejected", "outdated"


def newest_bill(reader: Reader, transaction_id: str) -> BillIssued | None:
    """The newest revision of a bill as the row that it came as."""
    row = reader.bill(transaction_id)
    if row is None:
        return None
    names = {field.name for field in dataclasses.fields(BillIssued)}
    values = {name: value for name, value in row.items() if name in names}
    return BillIssued(**{**values, "anomalies": tuple(json.loads(row["anomalies"]))})


def find_decision(reader: Reader, decision_id: str) -> DecisionSaved | None:
    """One decision."""
    row = reader.one("SELECT * FROM decision WHERE decision_id = ?", (decision_id,))
    return None if row is None else _saved(row)


def decisions_on(reader: Reader, transaction_id: str) -> list[DecisionSaved]:
    """Every decision on a bill, oldest first."""
    sql = "SELECT * FROM decision WHERE transaction_id = ? ORDER BY proposed_at_ms, decision_id"
    return [_saved(row) for row in reader.all(sql, (transaction_id,))]


def decisions_behind(reader: Reader, transaction_id: str) -> list[DecisionSaved]:
    """The decisions that a bill's revisions rest on: on itself, a record assigned to it, a charge it was cut from."""
    whole = transaction_id.removesuffix("-2")
    rows = reader.all(
        """SELECT * FROM decision WHERE state = 'effective' AND (transaction_id = ? OR
         (kind = 'assign' AND json_extract(terms, '$.target') = ?) OR (kind = 'split' AND transaction_id = ?))
         ORDER BY decided_at_ms, rowid""",
        (transaction_id, transaction_id, whole),
    )
    return [_saved(row) for row in rows]


def decision_of(saved: DecisionSaved) -> Decision:
    """The decision in force, by whoever made it."""
    actor = f"{saved.proposer}, {saved.approver}" if saved.approver else saved.proposer
    return Decision.of(saved.transaction_id, saved.kind, saved.terms, actor=actor, reason=saved.reason)


def decisions_waiting(reader: Reader, *, limit: int = 1000) -> list[DecisionSaved]:
    """Decisions that need a second person, oldest first."""
    rows: Rows = reader.all(
        "SELECT * FROM decision WHERE state = 'proposed' ORDER BY proposed_at_ms, decision_id LIMIT ?", (limit,)
    )
    return [_saved(row) for row in rows]


def _saved(row: Mapping[str, Any]) -> DecisionSaved:
    return DecisionSaved(
        **{**row, "terms": json.loads(row["terms"]), "evidence": tuple(json.loads(row["evidence"]))},
    )


def propose(
    decisions: Decisions, decision: Decision, *, evidence: Sequence[str], at_ms: int
) -> tuple[DecisionSaved, Outcome]:
    """Decide, or propose it where a second person must agree. Raises ``DecisionError``.

    Args:
        decision: ``actor`` is whoever proposes.
        evidence: hashes of what the person looked at: seals of bundles, records, attachments.
    """
    base_revision, stake_fen = decisions.weigh(decision, at_ms)
    saved = DecisionSaved(
        decision_id=_id_of(decision, base_revision),
        transaction_id=decision.transaction_id,
        kind=decision.kind,
        terms=decision.terms(),
        reason=decision.reason.strip(),
        evidence=tuple(evidence),
        proposer=decision.actor,
        proposed_at_ms=at_ms,
        base_revision=base_revision,
        stake_fen=stake_fen,
        state=PROPOSED,
    )
    if stake_fen > ALONE_FEN_MAX:
        return saved, Outcome(rows=[saved])
    return _take(decisions, decision, saved, None, at_ms)


def confirm(
    decisions: Decisions, saved: DecisionSaved, approver: str, *, evidence: Sequence[str] = (), at_ms: int
) -> tuple[DecisionSaved, Outcome]:
    """A second person agrees. Raises ``DecisionError``."""
    _refuse_settled(saved)
    if _same_person(saved.proposer, approver):
        raise DecisionError("second_person_needed", f"{saved.proposer} proposed this; somebody else must agree to it")
    decision = decision_of(dataclasses.replace(saved, approver=approver))
    base_revision, _ = decisions.weigh(decision, at_ms)
    if base_revision != saved.base_revision:
        outdated = dataclasses.replace(saved, state=OUTDATED, approver=approver, decided_at_ms=at_ms)
        return outdated, Outcome(rows=[outdated])
    saved = dataclasses.replace(saved, evidence=tuple(dict.fromkeys((*saved.evidence, *evidence))))
    return _take(decisions, decision, saved, approver, at_ms)


def reject(saved: DecisionSaved, by: str, *, at_ms: int) -> tuple[DecisionSaved, Outcome]:
    """Somebody, or the proposer himself, puts a proposal aside. Raises ``DecisionError``."""
    _refuse_settled(saved)
    rejected = dataclasses.replace(saved, state=REJECTED, approver=by, decided_at_ms=at_ms)
    return rejected, Outcome(rows=[rejected])


def _take(
    decisions: Decisions, decision: Decision, saved: DecisionSaved, approver: str | None, at_ms: int
) -> tuple[DecisionSaved, Outcome]:
    outcome = decisions.take(decision, at_ms)
    settled = dataclasses.replace(
        saved, state=EFFECTIVE, approver=approver, decided_at_ms=at_ms, revision=saved.base_revision + 1
    )
    outcome.rows.append(settled)
    return settled, outcome


def _refuse_settled(saved: DecisionSaved) -> None:
    if saved.state != PROPOSED:
        raise DecisionError("decision_settled", f"decision {saved.decision_id} is {saved.state} already")


def _same_person(one: str, other: str) -> bool:
    return one.strip().casefold() == other.strip().casefold()


def _id_of(decision: Decision, base_revision: int) -> str:
    """The same decision on the same revision by the same person has the same number, however often it is sent."""
    content = [decision.kind, decision.terms(), decision.reason.strip(), decision.actor]
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return f"{decision.transaction_id}-r{base_revision}-{digest[:8]}"
