"""What a person decides about a bill, reckoned: another source of energy, a charge cut in two, a record assigned.

People choose between pieces of evidence; the amounts are reckoned from what they chose, by the same rules as ever.
Source: docs/adr/0053-decisions-are-revisions.md.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from billing_core.apportion import Segment
from billing_core.bill import Bill
from billing_core.evidence import Evidence, Record
from billing_core.findings import Findings, derive, energy_until, sampled_segments
from billing_core.issue import issue_bill, order_no
from billing_core.pricing import billed, lines_of, undiscounted_fen
from billing_core.split import Split, split


class Undecidable(ValueError):
    """A decision that the evidence does not support; the text says why."""


def sources_of(evidence: Evidence) -> dict[str, int]:
    """Where the energy of a charge may be taken from: name → 0.1 Wh, the better ones first."""
    return {source.name: source.energy_e4kwh for source in derive(evidence).sources if source.energy_e4kwh >= 0}


def by_source(evidence: Evidence, name: str, *, revision: int) -> Bill:
    """The bill with the energy of another source. Raises ``Undecidable``."""
    known = sources_of(evidence)
    if name not in known:
        told = ", ".join(known) or "none"
        raise Undecidable(f"there is no source {name!r} for this charge; there are: {told}")
    findings = _with_energy(evidence, derive(evidence), known[name], name)
    whole = split(evidence, findings, billed_e4kwh=known[name])
    return _priced(issue_bill(evidence, revision=revision), whole, known[name], basis=name)


def split_at(evidence: Evidence, at_ms: int, *, revision: int) -> tuple[Bill, Bill]:
    """The bill until a moment, and the rest as a bill of nobody yet. Raises ``Undecidable``."""
    bill = issue_bill(evidence, revision=revision)
    findings = derive(evidence)
    start_ms, end_ms = findings.seen.t_start_ms, findings.seen.t_end_ms
    if not findings.sampled or start_ms is None or end_ms is None:
        raise Undecidable("no live data tell when the energy flowed, so the charge cannot be cut by time")
    if not start_ms < at_ms < end_ms:
        raise Undecidable("the moment is not within the charge")
    whole = split(evidence, findings, billed_e4kwh=findings.energy_e4kwh)
    seen_e4kwh = energy_until(findings.seen, findings.energy_e4kwh, at_ms)
    before, behind = _cut(whole.segments or findings.sampled, at_ms, seen_e4kwh)
    first_e4kwh = sum(each.energy_e4kwh for each in before)
    first = _priced(bill, _split_of(before), first_e4kwh, basis=bill.energy_basis)
    rest = _priced(bill, _split_of(behind), findings.energy_e4kwh - first_e4kwh, basis=bill.energy_basis)
    number = f"{evidence.transaction_id}-2"
    return (
        dataclasses.replace(first, ended_at_ms=at_ms, meter_stop_e4kwh=None),
        dataclasses.replace(
            rest,
            transaction_id=number,
            order_no=order_no(number, at_ms, evidence.zone),
            revision=1,
            status="review",
            started_at_ms=at_ms,
            meter_start_e4kwh=None,
            pile_amount_e4yuan=None,
            start_channel=None,
            vin=None,
            card_uid=None,
        ),
    )


def with_record(evidence: Evidence, records: Sequence[Record], *, revision: int) -> Bill:
    """The bill of a session that a record of an unknown number was assigned to."""
    known = {record.content_hash for record in evidence.records}
    assigned = [
        dataclasses.replace(record, serial=evidence.transaction_id)
        for record in records
        if record.content_hash not in known
    ]
    if not assigned:
        raise Undecidable("the session holds that record already")
    return issue_bill(dataclasses.replace(evidence, records=(*evidence.records, *assigned)), revision=revision)


def emptied(bill: Bill) -> Bill:
    """The bill of a record that belongs to another session: nothing is owed on it."""
    whole = Split((), None, None, ())
    return _priced(bill, whole, 0, basis="assigned_elsewhere")


def _with_energy(evidence: Evidence, findings: Findings, energy_e4kwh: int, basis: str) -> Findings:
    sampled = tuple(sampled_segments(evidence, findings.seen, findings.tariff, energy_e4kwh))
    return dataclasses.replace(findings, energy_e4kwh=energy_e4kwh, energy_basis=basis, sampled=sampled)


def _priced(bill: Bill, whole: Split, energy_e4kwh: int, *, basis: str) -> Bill:
    """``bill`` with other energy; only the occupancy fee stays beside it."""
    total = billed(whole.lines)
    return dataclasses.replace(
        bill,
        energy_e4kwh=energy_e4kwh,
        lines=whole.lines,
        segments=whole.segments,
        total=total,
        discount_fen=undiscounted_fen(whole.lines) - total.amount_fen,
        campaigns=whole.campaigns,
        energy_basis=basis,
        split_basis=whole.basis,
        adjustments=tuple(each for each in bill.adjustments if each.kind == "occupancy"),
    )


def _split_of(segments: Sequence[Segment]) -> Split:
    campaigns = tuple(sorted({name for each in segments if each.energy_e4kwh for name in each.campaigns}))
    return Split(tuple(lines_of(segments)), tuple(segments), "samples", campaigns)


def _cut(segments: Sequence[Segment], at_ms: int, seen_e4kwh: int) -> tuple[list[Segment], list[Segment]]:
    """Segments before and behind a moment; the one across it is cut so that the first part comes to what was seen."""
    before: list[Segment] = []
    behind: list[Segment] = []
    sum_e4kwh = 0
    for each in segments:
        if each.to_ms <= at_ms:
            before.append(each)
        elif each.from_ms >= at_ms:
            behind.append(each)
        else:
            mine = min(max(seen_e4kwh - sum_e4kwh, 0), each.energy_e4kwh)
            before.append(_piece(each, each.from_ms, at_ms, mine))
            behind.append(_piece(each, at_ms, each.to_ms, each.energy_e4kwh - mine))
        sum_e4kwh += each.energy_e4kwh
    return before, behind


def _piece(each: Segment, from_ms: int, to_ms: int, energy_e4kwh: int) -> Segment:
    return Segment(
        from_ms,
        to_ms,
        each.tariff,
        each.rate,
        each.service_factor_e4,
        each.energy_factor_e4,
        each.campaigns,
        energy_e4kwh,
    )
