"""What people decide about bills: each decision is a revision of its own, and no former one is touched.

No I/O: a decision and the newest bills come in, ``Outcome`` goes out. The same decision at the same moment makes
the same revision, live and when a bundle of evidence is verified.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from billing_core import decided
from billing_core.bill import Bill
from billing_core.fixed import format_e4, format_fen, parse_scaled
from billing_core.issue import issue_bill
from billing_core.session import ChargingSession
from billing_core.transitions import SessionEvent
from gateway.billing import bill_event, bill_row
from gateway.errors import GatewayError
from gateway.opensession import OpenSession
from gateway.outcome import BillIssued, ChainKept, Outcome
from gateway.sessions import Sessions

KINDS = ("approve", "source", "amount", "waive", "split", "assign", "meter_replaced")
ALONE_FEN_MAX = 5_000  # above 50 yuan a second person must agree
_BY_PEOPLE = ("decided", "waived")
_SENTENCE_END = re.compile(r"[.!?](?:\s|$)|[。!?]")
_SENTENCE_CHARS_MAX = 500
_NAMES = {"amount_fen": "amount", "split_at_ms": "moment"}


class DecisionError(GatewayError):
    """A decision that cannot be taken: stable code, and why."""


@dataclasses.dataclass(frozen=True, slots=True)
class Decision:
    """One decision.

    Attributes:
        kind: one of ``KINDS``.
        actor: who decided; both names when two people did.
        source: of ``source``, where the energy is taken from.
        amount_fen: of ``amount``, what is to be paid.
        split_at_ms: of ``split``, when the charge changed hands, Unix ms.
        target: of ``assign``, the session that the record belongs to.
        explanation_en, explanation_zh: at most two sentences for the customer; empty where the engine writes them.
    """

    transaction_id: str
    kind: str
    actor: str
    reason: str = ""
    source: str | None = None
    amount_fen: int | None = None
    split_at_ms: int | None = None
    target: str | None = None
    explanation_en: tuple[str, ...] = ()
    explanation_zh: tuple[str, ...] = ()

    def terms(self) -> dict[str, object]:
        """What exactly is decided, as JSON: everything but who, why and about which bill."""
        names = ("source", "amount_fen", "split_at_ms", "target")
        told: dict[str, object] = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        return {**told, "explanation": {"en": list(self.explanation_en), "zh": list(self.explanation_zh)}}

    @classmethod
    def of(cls, transaction_id: str, kind: str, terms: Mapping[str, Any], *, actor: str, reason: str) -> Decision:
        """The decision that ``terms`` told of."""
        told = dict(terms)
        explanation = told.pop("explanation")
        return cls(
            transaction_id=transaction_id,
            kind=kind,
            actor=actor,
            reason=reason,
            explanation_en=tuple(explanation["en"]),
            explanation_zh=tuple(explanation["zh"]),
            **told,
        )


def check(decision: Decision) -> None:
    """Whether a decision is complete in itself. Raises ``DecisionError``."""
    if decision.kind not in KINDS:
        raise DecisionError("kind_unknown", f"{decision.kind!r} is no decision; there are: {', '.join(KINDS)}")
    for name, kind in (("source", "source"), ("amount_fen", "amount"), ("split_at_ms", "split"), ("target", "assign")):
        if (getattr(decision, name) is not None) != (decision.kind == kind):
            verb = "needs" if decision.kind == kind else "takes no"
            raise DecisionError("terms_wrong", f"{decision.kind} {verb} {_NAMES.get(name, name)}")
    if not decision.reason.strip():
        raise DecisionError("reason_missing", "say why: a decision needs its reason")
    told = (decision.explanation_en, decision.explanation_zh)
    if bool(told[0]) != bool(told[1]):
        raise DecisionError("explanation_missing", "explain it in English and in Chinese, or in neither")
    if decision.kind == "amount" and not told[0]:
        raise DecisionError("explanation_missing", "an amount of your own needs your own two sentences, en and zh")


def sentences(text: str) -> tuple[str, ...]:
    """A text as its sentences. Raises ``DecisionError`` for more than two."""
    found: list[str] = []
    start = 0
    for end in _SENTENCE_END.finditer(text):
        found.append(text[start : end.end()].strip())
        start = end.end()
    found.append(text[start:].strip())
    kept = tuple(each for each in found if each)
    if len(kept) > 2 or any(len(each) > _SENTENCE_CHARS_MAX for each in kept):
        limit = f"at most two sentences of {_SENTENCE_CHARS_MAX} characters"
        raise DecisionError("explanation_long", f"the customer is told {limit}; these are {len(kept)}")
    return kept


@dataclasses.dataclass(frozen=True, slots=True)
class Made:
    """A revision that a decision leads to, before anything is changed."""

    session: OpenSession
    row: BillIssued
    document: Mapping[str, Any]
    bill: Bill | None = None

    @property
    def payable_fen(self) -> int:
        """What is owed by it."""
        return self.row.payable_fen


class Decisions:
    """Takes decisions on the engine's sessions.

    Args:
        sessions: of the engine.
        newest: the newest revision of a bill, as it is stored.
    """

    def __init__(self, sessions: Sessions, newest: Callable[[str], BillIssued | None]) -> None:
        self._sessions = sessions
        self._newest = newest

    # -- looking --------------------------------------------------------------------------------------

    def weigh(self, decision: Decision, at_ms: int) -> tuple[int, int]:
        """(the bill's newest revision, the highest amount at stake, fen); changes nothing. Raises ``DecisionError``."""
        check(decision)
        session, former = self._bill(decision.transaction_id)
        made = self._made(decision, session, former, at_ms)
        amounts = [former.payable_fen, session.posted_fen or 0, *(each.payable_fen for each in made)]
        return session.revision, max(amounts)

    def sources(self, transaction_id: str, at_ms: int) -> dict[str, int]:
        """Where the energy of a charge may be taken from, name → 0.1 Wh. Raises ``DecisionError``."""
        session, _ = self._bill(transaction_id)
        return decided.sources_of(self._sessions.evidence(session, at_ms))

    def _bill(self, transaction_id: str) -> tuple[OpenSession, BillIssued]:
        session = self._sessions.find(transaction_id)
        former = self._newest(transaction_id)
        if session is None or former is None or not session.revision:
            raise DecisionError("bill_unknown", f"bill {transaction_id} does not exist")
        if former.revision != session.revision:
            raise DecisionError("bill_moving", f"bill {transaction_id} is being revised at this moment; try again")
        return session, former

    # -- taking ---------------------------------------------------------------------------------------

    def take(self, decision: Decision, at_ms: int) -> Outcome:
        """The revisions that a decision makes, and what upstream is told. Raises ``DecisionError``."""
        check(decision)
        session, former = self._bill(decision.transaction_id)
        outcome = Outcome(is_durable=True)
        all_made = self._made(decision, session, former, at_ms)
        for made in all_made:
            one = made.session
            one.revision = made.row.revision
            one.status = made.row.status
            one.bill_digest = ""
            one.is_decided = True
            one.final_at_ms = None
            if made.row.status != "review":
                one.posted_fen = made.row.payable_fen
            outcome.rows.append(made.row)
            outcome.rows.append(bill_event(made.row.transaction_id, made.row.revision, made.document, at_ms))
        self._after(decision, session, at_ms, outcome)
        for made in all_made:
            self._sessions.keep(made.session)
            outcome.rows.append(made.session.saved())
        return outcome

    def _after(self, decision: Decision, session: OpenSession, at_ms: int, outcome: Outcome) -> None:
        """What a decision changes beside the bills."""
        if decision.kind == "meter_replaced":
            session.is_meter_new = True
        elif decision.kind == "assign":
            assert decision.target is not None
            target = self._sessions.find(decision.target)
            assert target is not None
            known = {record.content_hash for record in target.records}
            for record in session.records:
                if record.content_hash not in known:
                    target.records.append(dataclasses.replace(record, serial=target.transaction_id))
            target.has_record_bill = True
            self._rechain(session, target, outcome)

    def _rechain(self, orphan: OpenSession, target: OpenSession, outcome: Outcome) -> None:
        """The register moved in the target's session; the orphan stands behind it as a charge of nothing."""
        record = target.records[-1]
        if not record.has_registers:
            return
        pile_id, connector = target.place
        order_ms = target.begins_at_ms
        for key, start, order in (
            (target.transaction_id, record.meter_start_e4kwh, order_ms),
            (orphan.transaction_id, record.meter_stop_e4kwh, order_ms + 1),
        ):
            link = ChainKept(
                pile_id=pile_id,
                connector=connector,
                transaction_id=key,
                order_ms=order,
                meter_start_e4kwh=start,
                meter_stop_e4kwh=record.meter_stop_e4kwh,
                started_ms=target.core.opened_at_ms,
                stopped_ms=max(target.core.ended_at_ms or record.rx_ms, target.core.opened_at_ms),
                account=target.account,
                was_unplugged=target.unplugged_at_ms is not None,
            )
            self._sessions.chains.put(link)
            outcome.rows.append(link)

    # -- the revisions --------------------------------------------------------------------------------

    def _made(self, decision: Decision, session: OpenSession, former: BillIssued, at_ms: int) -> list[Made]:
        if former.status not in ("review", "provisional") and decision.kind == "approve":
            raise DecisionError("nothing_proposed", f"the bill is {former.status}: there is no proposal to approve")
        match decision.kind:
            case "approve" | "amount" | "waive":
                return [_edited(decision, session, former, at_ms)]
            case _:
                try:
                    return self._reckoned(decision, session, former, at_ms)
                except decided.Undecidable as error:
                    raise DecisionError("not_supported", str(error)) from error

    def _reckoned(self, decision: Decision, session: OpenSession, former: BillIssued, at_ms: int) -> list[Made]:
        evidence = self._sessions.evidence(session, at_ms)
        revision = session.revision + 1
        match decision.kind:
            case "source":
                assert decision.source is not None
                bill = decided.by_source(evidence, decision.source, revision=revision)
                return [_issued(decision, session, bill, at_ms)]
            case "meter_replaced":
                bill = issue_bill(dataclasses.replace(evidence, previous=None), revision=revision)
                return [_issued(decision, session, bill, at_ms)]
            case "split":
                assert decision.split_at_ms is not None
                if self._sessions.find(f"{session.transaction_id}-2") is not None:
                    raise DecisionError("split_twice", "the charge was cut in two already")
                first, rest = decided.split_at(evidence, decision.split_at_ms, revision=revision)
                second = self._second(session, rest, decision.split_at_ms)
                return [_issued(decision, session, first, at_ms), _issued(decision, second, rest, at_ms)]
        return self._assigned(decision, session, at_ms)

    def _assigned(self, decision: Decision, orphan: OpenSession, at_ms: int) -> list[Made]:
        assert decision.target is not None
        if decision.target == orphan.transaction_id:
            raise DecisionError("target_same", "a record cannot be assigned to itself")
        if not orphan.records:
            raise DecisionError("record_missing", "the bill rests on no record that could be assigned")
        target, _ = self._bill(decision.target)
        if target.place[0] != orphan.place[0]:
            raise DecisionError("target_elsewhere", f"session {decision.target} was on another pile")
        evidence = self._sessions.evidence(target, at_ms)
        bill = decided.with_record(evidence, orphan.records, revision=target.revision + 1)
        empty = decided.emptied(issue_bill(self._sessions.evidence(orphan, at_ms), revision=orphan.revision + 1))
        return [_issued(decision, target, bill, at_ms), _issued(decision, orphan, empty, at_ms)]

    def _second(self, session: OpenSession, rest: Bill, at_ms: int) -> OpenSession:
        """The session of the second part; nobody's yet."""
        core = ChargingSession(rest.transaction_id, rest.pile_id, rest.connector, at_ms, self._sessions.timers)
        core.apply(SessionEvent.RECORD_RECEIVED, at_ms)
        second = OpenSession(core=core, order_no=rest.order_no, protocol=session.protocol)
        second.firmware_version = session.firmware_version
        second.is_start_told = second.is_end_told = True
        return second


# -- how a decided bill looks ---------------------------------------------------------------------------


def _issued(decision: Decision, session: OpenSession, bill: Bill, at_ms: int) -> Made:
    """A reckoned bill as a person's revision."""
    is_part = bill.status == "review" and decision.kind == "split" and bill.transaction_id != decision.transaction_id
    is_nothing = bill.energy_e4kwh == 0 and bill.payable_fen == 0
    status = "review" if is_part else "void" if is_nothing else "repaired"
    said_en, said_zh = _said(decision, bill.transaction_id, bill.payable_fen, bill.energy_e4kwh)
    bill = dataclasses.replace(
        bill,
        status=status,
        explanation_en=said_en,
        explanation_zh=said_zh,
        computation={**bill.computation, **_by_person(decision)},
    )
    document = bill.to_json_dict()
    assert bill.revision == session.revision + 1
    reason = f"decision:{decision.kind}"
    row = bill_row(session, bill, document, bill.computation, at_ms=at_ms, reason=reason, actor=decision.actor)
    row = dataclasses.replace(row, revision=bill.revision)
    return Made(session, row, document, bill)


def _edited(decision: Decision, session: OpenSession, former: BillIssued, at_ms: int) -> Made:
    """The newest bill, decided upon: its lines stay as they are."""
    document = json.loads(former.body)
    beside = [each for each in document.get("adjustments", []) if each["kind"] not in _BY_PEOPLE]
    reckoned_fen = former.amount_fen + sum(_fen(each["amount"]) for each in beside)
    payable_fen = reckoned_fen
    if decision.kind != "approve":
        payable_fen = 0 if decision.kind == "waive" else decision.amount_fen or 0
        if not 0 <= payable_fen <= reckoned_fen:
            raise DecisionError(
                "amount_high",
                f"by amount a person may bill from 0.00 to {format_fen(reckoned_fen)} yuan, which is what the evidence "
                "comes to; more only by another source of energy",
            )
        kind = "waived" if decision.kind == "waive" else "decided"
        beside.append(_adjustment(kind, payable_fen - reckoned_fen))
    if beside or "payable" in document:
        document |= {"adjustments": beside, "payable": format_fen(payable_fen)}
    said_en, said_zh = _said(decision, former.transaction_id, payable_fen, former.energy_e4kwh)
    document |= {
        "revision": session.revision + 1,
        "status": "void" if payable_fen == 0 else "repaired",
        "explanation": {"en": list(said_en), "zh": list(said_zh)},
    }
    row = dataclasses.replace(
        former,
        revision=document["revision"],
        status=document["status"],
        created_at_ms=at_ms,
        reason=f"decision:{decision.kind}",
        actor=decision.actor,
        payable_fen=payable_fen,
        body=json.dumps(document, ensure_ascii=False, separators=(",", ":")),
        computation=json.dumps({**json.loads(former.computation), **_by_person(decision)}, ensure_ascii=False),
    )
    return Made(session, row, document)


def _adjustment(kind: str, amount_fen: int) -> dict[str, Any]:
    nothing = dict.fromkeys(("energy_kwh", "minutes", "from", "to"))
    return {"kind": kind, "energy_kwh": None, "amount": format_fen(amount_fen), **nothing}


def _fen(text: str) -> int:
    return -int(parse_scaled(text[1:], 2)) if text.startswith("-") else int(parse_scaled(text, 2))


def _by_person(decision: Decision) -> dict[str, Any]:
    return {"person": {"kind": decision.kind, "actor": decision.actor, "reason": decision.reason, **decision.terms()}}


def _said(decision: Decision, transaction_id: str, payable_fen: int, energy_e4kwh: int) -> tuple[Any, Any]:
    """The person's own sentences, or the engine's."""
    if decision.explanation_en and transaction_id == (decision.target or decision.transaction_id):
        return decision.explanation_en, decision.explanation_zh
    amount, kwh = format_fen(payable_fen), format_e4(energy_e4kwh)
    first = _FIRST[decision.kind]
    if decision.kind == "split" and transaction_id != decision.transaction_id:
        first = ("A part of a charge was found to be somebody else's.", "经人工核对,本单为他人充电的一部分。")
    if decision.kind == "assign" and transaction_id == decision.transaction_id:
        return (
            ("This record belongs to another charge and is billed there.", "Nothing is charged here."),
            ("该账单经人工核对属于另一笔充电,已在该笔结算。", "本单不收费。"),
        )
    second = (f"It comes to {kwh} kWh and {amount} yuan.", f"电量{kwh}度,金额{amount}元。")
    return (first[0], second[0]), (first[1], second[1])


_FIRST = {
    "approve": ("A person checked this bill against the evidence.", "本单已由人工核对凭据。"),
    "source": (
        "A person checked the evidence and chose another reading of the energy.",
        "经人工核对,电量按另一凭据认定。",
    ),
    "amount": ("A person decided on this bill.", "本单已由人工处理。"),
    "waive": ("The operator waives this bill after a person checked it.", "经人工核对,运营商免收本单费用。"),
    "split": ("A person found that two charges were recorded as one.", "经人工核对,两次充电被记为一单,现已拆分。"),
    "assign": ("A person found the charger's record of this charge.", "经人工核对,已找到本次充电的账单。"),
    "meter_replaced": ("The charger's meter was replaced before this charge.", "本次充电前充电桩更换了电表。"),
}
