"""What the demo claims, each checked against what the simulated piles know to be true."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from billing_core.fixed import format_fen
from gateway.demo.cast import APP, PARTS, Part
from gateway.demo.upstream import DemoUpstream
from gateway.simulator.charge import Story


@dataclass(frozen=True, slots=True)
class Claim:
    """One statement, and whether it holds; ``detail`` says what is wrong when it does not."""

    text: str
    detail: str = ""

    @property
    def holds(self) -> bool:
        """Nothing speaks against it."""
        return not self.detail


def part_of(pile_id: str, connector: int) -> Part | None:
    """The part that a pile's connector plays."""
    return next((part for part in PARTS if (part.pile_id, part.connector) == (pile_id, connector)), None)


def check_bills(stories: Sequence[Story], revisions: Sequence[Mapping[str, Any]]) -> Iterator[Claim]:
    """Bills against stories: one for each, to the fen where nothing went wrong.

    Args:
        stories: what truly happened.
        revisions: every row of bills, ``body`` as JSON text.
    """
    counts = Counter(row["transaction_id"] for row in revisions)
    newest = {row["transaction_id"]: json.loads(row["body"]) for row in revisions}
    told = {story.transaction_id for story in stories}
    places = {(story.pile_id, story.connector) for story in stories}
    missing = [part.text for part in PARTS if (part.pile_id, part.connector) not in places]
    yield Claim(f"all {len(PARTS)} charges took place", f"missing: {', '.join(missing)}" if missing else "")
    wrong = sorted(told ^ set(newest))
    yield Claim("every session has its bill, and no bill stands alone", f"differ: {wrong}" if wrong else "")
    often = [key for key, count in counts.items() if count > 1]
    yield Claim("every session was billed once, the record sent twice included", f"revised: {often}" if often else "")
    yield Claim("clean sessions are billed normally, to the fen", "; ".join(_money_faults(stories, newest)))
    yield Claim("a lost, a late and an unknown record are named and decided", "; ".join(_rule_faults(stories, newest)))
    yield Claim("the charge across the boundary has a line for each rate", _boundary_fault(stories, newest))


def _money_faults(stories: Sequence[Story], newest: Mapping[str, Any]) -> Iterator[str]:
    for story in stories:
        bill = newest.get(story.transaction_id)
        part = part_of(story.pile_id, story.connector)
        if bill is None or part is None or part.status != "normal":
            continue
        told = (bill["status"], bill["energy_kwh"], bill["amount"])
        true = ("normal", _kwh(story.energy_e4kwh), format_fen(story.expected_fen))
        if told != true:
            yield f"{part.text}: {told}, should be {true}"


def _rule_faults(stories: Sequence[Story], newest: Mapping[str, Any]) -> Iterator[str]:
    for story in stories:
        part = part_of(story.pile_id, story.connector)
        bill = newest.get(story.transaction_id)
        if part is None or part.status == "normal" or bill is None:
            continue
        codes = [anomaly["code"] for anomaly in bill["anomalies"]]
        if bill["status"] != part.status or part.anomaly not in codes:
            yield f"{part.text}: {bill['status']}, {', '.join(codes)}"


def _boundary_fault(stories: Sequence[Story], newest: Mapping[str, Any]) -> str:
    for story in stories:
        if (story.pile_id, story.connector) == (APP, 1):
            rates = [line["rate"] for line in newest.get(story.transaction_id, {}).get("lines", [])]
            return "" if rates == ["peak", "flat"] else f"rates {rates}"
    return "it did not take place"


def check_upstream(upstream: DemoUpstream, revisions: Sequence[Mapping[str, Any]], waiting: int) -> Iterator[Claim]:
    """The receiver against the bills: it failed for a while, and has everything now."""
    refused, forged = upstream.refused, upstream.forged
    yield Claim(f"the receiver failed {refused} times at first", "" if refused else "it never did")
    yield Claim("every signature was right", f"{forged} were wrong" if forged else "")
    received = Counter(
        event["data"]["transaction_id"] for event in upstream.taken if event["type"] == "pilegate.bill.created"
    )
    missing = {row["transaction_id"] for row in revisions} - set(received)
    yield Claim("it has every bill now", f"missing: {sorted(missing)}" if missing else "")
    yield Claim("nothing waits in the outbox", f"{waiting} entries wait" if waiting else "")
    yield Claim("it learnt no amount of the bill under review", _leak(upstream))


def _leak(upstream: DemoUpstream) -> str:
    bills = [event["data"] for event in upstream.taken if event["type"].startswith("pilegate.bill.")]
    leaks = [bill["transaction_id"] for bill in bills if bill["status"] == "review" and bill["amount"] is not None]
    return f"amounts of {leaks}" if leaks else ""


def _kwh(energy_e4kwh: int) -> str:
    return f"{energy_e4kwh // 10_000}.{energy_e4kwh % 10_000:04d}"
