"""What a month comes to: each charge beside its bill, money and energy beside the truth."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction

from billing_core.anomalies import BY_CODE
from billing_core.fixed import format_fen
from tests.truth.month import BAD_FIRMWARE, Month

BY_RULE = ("normal", "repaired", "provisional", "void")
_FEN_SLACK = 2  # the pile's split is whole 0.1 Wh, the truth is exact
_HOUR_MS = 3_600_000
_SLOTS = ((0, 8, 30_000), (8, 10, 70_000), (10, 12, 110_000), (12, 24, 70_000))  # energy price by true local hours
_SERVICE_E5 = 80_000


def true_fen(story) -> int:
    """What the energy costs by the hours in which it truly flowed, evenly, exactly, rounded once."""
    start_ms, end_ms = (moment + 8 * _HOUR_MS for moment in (story.started_at_ms, story.ended_at_ms))
    total = Fraction(0)
    day = start_ms // (24 * _HOUR_MS)
    while day * 24 * _HOUR_MS < end_ms:
        for begin, stop, energy_e5 in _SLOTS:
            low, high = ((day * 24 + hour) * _HOUR_MS for hour in (begin, stop))
            inside_ms = min(end_ms, high) - max(start_ms, low)
            if inside_ms > 0:
                energy = Fraction(story.energy_e4kwh * inside_ms, end_ms - start_ms)
                total += energy * (energy_e5 + _SERVICE_E5)
        day += 1
    return int(total / 10_000_000 + Fraction(1, 2))


@dataclass
class Account:
    """Sums over charges; two of them add up."""

    sessions: int = 0
    frames: int = 0
    without_trace: int = 0
    without_bill: int = 0
    bills_alone: int = 0
    unexplained: int = 0
    overcharged: int = 0
    statuses: Counter = field(default_factory=Counter)
    codes: Counter = field(default_factory=Counter)
    lost: Counter = field(default_factory=Counter)  # (firmware, is lost)
    true_fen: int = 0
    posted_fen: int = 0
    waiting_fen: int = 0
    forgone_fen: int = 0
    regained_fen: int = 0
    moved_e4kwh: int = 0
    billed_e4kwh: int = 0
    proposed_e4kwh: int = 0
    spoiled: Counter = field(default_factory=Counter)
    faults: list = field(default_factory=list)

    def __add__(self, other: Account) -> Account:
        names = self.__dataclass_fields__
        return Account(**{name: getattr(self, name) + getattr(other, name) for name in names})

    @property
    def by_rule(self) -> int:
        return sum(self.statuses[status] for status in BY_RULE)


def account_of(month: Month) -> Account:
    """Hold every charge against its newest bill."""
    newest = {row.transaction_id: row for row in month.revisions}
    stories = {story.transaction_id: story for story in month.stories}
    firmware = {pile.plan.pile_id: pile.plan.firmware for pile in month.piles}
    found = Account(sessions=len(stories), frames=month.frames, spoiled=Counter(month.spoiled.values()))
    missing = [stories[key] for key in sorted(stories.keys() - newest.keys())]
    traceless = [story for story in missing if _is_traceless(story)]
    found.without_trace = len(traceless)
    found.without_bill = len(missing) - len(traceless)
    found.faults += [("no bill", story) for story in missing if story not in traceless]
    for key, row in newest.items():
        story = stories.get(key)
        if story is None:
            found.bills_alone += row.payable_fen > 0
            continue
        _one(found, story, row)
        found.lost[(firmware[story.pile_id] == BAD_FIRMWARE, "record_missing" in row.anomalies)] += 1
    return found


def _is_traceless(story) -> bool:
    """A charge begun without the link whose record never came: not a byte of it reached the gateway."""
    return story.channel == "offline" and not story.records_sent


def _one(found: Account, story, row) -> None:
    bill = json.loads(row.body)
    found.statuses[row.status] += 1
    found.codes.update(row.anomalies)
    truth_fen = true_fen(story)
    found.true_fen += truth_fen
    found.moved_e4kwh += story.energy_e4kwh
    said = bill["explanation"]
    steps = json.loads(row.computation)
    grave = [code for code in row.anomalies if BY_CODE[code].severity in ("major", "critical")]
    if not (said["en"] and said["zh"] and steps) or (grave and row.primary_anomaly is None):
        found.unexplained += 1
    if row.status == "review":
        found.waiting_fen += truth_fen
        found.proposed_e4kwh += story.energy_e4kwh
        return
    found.posted_fen += row.payable_fen
    found.billed_e4kwh += row.energy_e4kwh
    difference = row.payable_fen - truth_fen
    found.forgone_fen += max(-difference, 0)
    found.regained_fen += max(difference, 0)
    if difference > _FEN_SLACK:
        found.overcharged += 1
        found.faults.append((story.transaction_id, row.status, row.anomalies, row.payable_fen, truth_fen))


def check(found: Account) -> list[str]:
    """What does not hold of what must."""
    wrong = []
    if found.without_bill or found.bills_alone:
        wrong.append(f"{found.without_bill} charges without a bill, {found.bills_alone} bills without a charge")
    if found.unexplained:
        wrong.append(f"{found.unexplained} bills without explanation")
    kept_fen = found.posted_fen + found.waiting_fen + found.forgone_fen - found.regained_fen
    if kept_fen != found.true_fen:
        wrong.append(f"money is not conserved: {kept_fen} against {found.true_fen} fen")
    if sum(found.statuses.values()) + found.without_trace != found.sessions:
        wrong.append("not every charge has exactly one effective bill")
    return wrong


def table(found: Account) -> list[tuple[str, str]]:
    """The figures, as they are printed."""
    sessions = max(found.sessions, 1)
    bad, good = (
        (found.lost[(is_bad, True)], found.lost[(is_bad, True)] + found.lost[(is_bad, False)])
        for is_bad in (True, False)
    )
    decided, people = found.by_rule, found.statuses["review"]
    return [
        ("charges", f"{found.sessions:,}"),
        ("frames", f"{found.frames:,}"),
        ("charges with exactly one effective bill", f"{sum(found.statuses.values()):,}"),
        ("charges that left no trace (begun without the link, no record ever sent)", str(found.without_trace)),
        ("bills without explanation", str(found.unexplained)),
        ("records that never came, usual firmware", f"{good[0]} of {good[1]:,} ({_percent(good[0], good[1])} %)"),
        ("records that never came, one bad firmware", f"{bad[0]} of {bad[1]:,} ({_percent(bad[0], bad[1])} %)"),
        *((f"bills {status}", f"{found.statuses[status]:,}") for status in (*BY_RULE, "review")),
        ("decided by rule", f"{_percent(decided, sessions, 3)} %"),
        ("left to people", f"{people} ({_percent(people, sessions, 3)} %)"),
        ("true fees, yuan", format_fen(found.true_fen)),
        ("posted, yuan", format_fen(found.posted_fen)),
        ("waiting for people, yuan", format_fen(found.waiting_fen)),
        ("forgone in the customers' favour, yuan", format_fen(found.forgone_fen)),
        ("charged above the truth, yuan", format_fen(found.regained_fen)),
        ("bills more than 2 fen above the truth", str(found.overcharged)),
        ("energy billed of energy delivered", f"{_percent(found.billed_e4kwh, found.moved_e4kwh, 3)} %"),
    ]


def _percent(part: int, whole: int, places: int = 2) -> str:
    return f"{100 * part / max(whole, 1):.{places}f}"
