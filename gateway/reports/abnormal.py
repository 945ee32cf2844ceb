"""Abnormal bills of a period: how many, by what, decided by whom, and what money and energy hung on them.

A bill counts as abnormal when any of its revisions held an anomaly of severity major or critical, or was provisional
or under review. The period is that of the sessions, by the moment the gateway saw them open: the one time of a session
that no broken clock can move.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from billing_core.fixed import parse_scaled
from gateway.bundle.verifying import is_decision
from gateway.site import Site
from gateway.store.reader import Reader

SLICES = ("pile", "model", "firmware", "station", "code")
_HALF_WIDTH_E4KWH = 100  # of a register that shows two decimals
_NEW_METER = frozenset(("meter_replaced", "meter_rollback", "meter_rollover"))


@dataclass(frozen=True, slots=True)
class Story:
    """One session's bill over all its revisions."""

    transaction_id: str
    pile_id: str
    connector: int
    station: str
    model: str
    firmware: str
    opened_at_ms: int
    status: str
    codes: tuple[str, ...]
    is_abnormal: bool
    decided: str  # "rule", "person", or "waiting" for one
    first_fen: int
    newest_fen: int
    energy_e4kwh: int
    meter_start_e4kwh: int | None
    meter_stop_e4kwh: int | None

    @property
    def is_posted(self) -> bool:
        """Whether money stands behind the newest revision."""
        return self.status != "review"


@dataclass(slots=True)
class Tally:
    """Sums over some sessions."""

    key: str
    sessions: int = 0
    abnormal: int = 0
    by_rule: int = 0
    by_person: int = 0
    waiting: int = 0
    first_fen: int = 0
    newest_fen: int = 0
    waiting_fen: int = 0
    energy_e4kwh: int = 0
    codes: Counter[str] = field(default_factory=Counter)

    @property
    def per_1000_e1(self) -> int:
        """Abnormal bills per 1,000 sessions, in tenths, half up."""
        return 0 if self.sessions == 0 else (self.abnormal * 20_000 + self.sessions) // (2 * self.sessions)

    def add(self, story: Story) -> None:
        """Count one session."""
        self.sessions += 1
        if story.is_posted:
            self.energy_e4kwh += story.energy_e4kwh
        if not story.is_abnormal:
            return
        self.abnormal += 1
        self.by_rule += story.decided == "rule"
        self.by_person += story.decided == "person"
        self.waiting += story.decided == "waiting"
        self.first_fen += story.first_fen
        self.newest_fen += story.newest_fen
        self.waiting_fen += 0 if story.is_posted else story.newest_fen
        self.codes.update(story.codes)


@dataclass(frozen=True, slots=True)
class Meter:
    """What a connector's register counted, against what was billed there. All 0.1 Wh.

    Charges without readings before the first or behind the last known one are left out of the comparison.
    """

    pile_id: str
    connector: int
    station: str
    model: str
    firmware: str
    sessions: int
    moved_e4kwh: int
    billed_e4kwh: int
    waiting_e4kwh: int

    @property
    def unbilled_e4kwh(self) -> int:
        """Counted and not billed; negative when more was billed than counted."""
        return self.moved_e4kwh - self.billed_e4kwh


@dataclass(frozen=True, slots=True)
class AbnormalReport:
    """Everything the report says; ``groups`` and ``meters`` have the worst first."""

    since_ms: int
    until_ms: int
    by: str
    total: Tally
    groups: tuple[Tally, ...]
    meters: tuple[Meter, ...]
    stories: tuple[Story, ...]  # abnormal ones
    without_bill: int


def report_abnormal(reader: Reader, site: Site, *, since_ms: int, until_ms: int, by: str = "pile") -> AbnormalReport:
    """The report of the sessions opened in [``since_ms``, ``until_ms``).

    Args:
        by: one of ``SLICES``; by code a bill counts once under each of its codes.
    """
    assert by in SLICES
    total = Tally("")
    groups: dict[str, Tally] = {}
    by_connector: dict[tuple[str, int], list[Story]] = defaultdict(list)
    abnormal = []
    for story in stories(reader, site, since_ms=since_ms, until_ms=until_ms):
        total.add(story)
        for key in _keys(story, by):
            groups.setdefault(key, Tally(key)).add(story)
        by_connector[story.pile_id, story.connector].append(story)
        if story.is_abnormal:
            abnormal.append(story)
    if by == "code":
        for tally in groups.values():
            tally.sessions = total.sessions
    open_sql = "SELECT count(*) AS n FROM session WHERE state <> 'billed' AND opened_at_ms >= ? AND opened_at_ms < ?"
    unfinished = reader.one(open_sql, (since_ms, until_ms))
    assert unfinished is not None
    return AbnormalReport(
        since_ms,
        until_ms,
        by,
        total,
        tuple(sorted(groups.values(), key=lambda t: (-t.abnormal, -t.per_1000_e1, t.key))),
        tuple(sorted((_meter(each) for each in by_connector.values()), key=_worst_meter)),
        tuple(abnormal),
        unfinished["n"],
    )


def stories(reader: Reader, site: Site, *, since_ms: int, until_ms: int) -> Iterator[Story]:
    """Every billed session of a period, in order of opening."""
    rows = reader.each(
        """SELECT s.opened_at_ms, s.pile_id AS session_pile, s.connector AS session_connector,
         coalesce(f.firmware_version, '') AS firmware, b.*
         FROM session s JOIN bill b USING (transaction_id) LEFT JOIN session_firmware f USING (transaction_id)
         WHERE s.opened_at_ms >= ? AND s.opened_at_ms < ?
         ORDER BY s.opened_at_ms, s.transaction_id, b.revision""",
        (since_ms, until_ms),
    )
    for _, revisions in groupby(rows, key=lambda row: row["transaction_id"]):
        yield _story(list(revisions), site)


def _story(revisions: Sequence[Mapping[str, Any]], site: Site) -> Story:
    newest = revisions[-1]
    bodies = [json.loads(row["body"]) for row in revisions]
    held = [each for body in bodies for each in body["anomalies"]]
    grave = tuple(dict.fromkeys(each["code"] for each in held if each["severity"] in ("major", "critical")))
    is_doubtful = any(row["status"] in ("provisional", "review") for row in revisions)
    entry = site.piles.get(newest["session_pile"])
    return Story(
        transaction_id=newest["transaction_id"],
        pile_id=newest["session_pile"],
        connector=newest["session_connector"],
        station=entry.station if entry else "",
        model=(entry.model or "") if entry else "",
        firmware=newest["firmware"],
        opened_at_ms=newest["opened_at_ms"],
        status=newest["status"],
        codes=grave or tuple(dict.fromkeys(each["code"] for each in held if is_doubtful)),
        is_abnormal=bool(grave) or is_doubtful,
        decided=_decided(newest),
        first_fen=payable_fen(revisions[0], bodies[0]),
        newest_fen=payable_fen(newest, bodies[-1]),
        energy_e4kwh=newest["energy_e4kwh"],
        meter_start_e4kwh=_e4(bodies[-1]["meter_start_kwh"]),
        meter_stop_e4kwh=_e4(bodies[-1]["meter_stop_kwh"]),
    )


def payable_fen(row: Mapping[str, Any], body: Mapping[str, Any]) -> int:
    """What a revision says is owed: its charging total, and what stands beside it."""
    text = body.get("payable")
    return int(row["amount_fen"]) if text is None else int(parse_scaled(text, 2))


def _decided(newest: Mapping[str, Any]) -> str:
    if newest["status"] == "review":
        return "waiting"
    return "person" if is_decision(newest) else "rule"


def _e4(text: str | None) -> int | None:
    return None if text is None else parse_scaled(text, 4)


def _keys(story: Story, by: str) -> Iterable[str]:
    match by:
        case "pile":
            return (story.pile_id,)
        case "model":
            return (story.model,)
        case "firmware":
            return (story.firmware,)
        case "station":
            return (story.station,)
    return story.codes if story.is_abnormal else ()


def _worst_meter(meter: Meter) -> tuple[int, str, int]:
    return -abs(meter.unbilled_e4kwh), meter.pile_id, meter.connector


def _meter(found: Sequence[Story]) -> Meter:
    newest = found[-1]
    metered = _metered(found)
    return Meter(
        pile_id=newest.pile_id,
        connector=newest.connector,
        station=newest.station,
        model=newest.model,
        firmware=newest.firmware,
        sessions=len(found),
        moved_e4kwh=moved_e4kwh(found),
        billed_e4kwh=sum(each.energy_e4kwh for each in metered if each.is_posted),
        waiting_e4kwh=sum(each.energy_e4kwh for each in metered if not each.is_posted),
    )


def _metered(found: Sequence[Story]) -> Sequence[Story]:
    """The sessions from the first to the last reading of a register: what lies outside no reading can bear out."""
    read = [at for at, each in enumerate(found) if each.meter_start_e4kwh is not None]
    return found[read[0] : read[-1] + 1] if read else ()


def moved_e4kwh(found: Iterable[Story]) -> int:
    """How far a register moved, gaps between sessions included, across meters that were exchanged or ran over.

    A register that stands lower than before, or a bill that says its meter was replaced, begins a new run. A
    start reading of zero under a register that has counted is no reading: the run goes on.
    """
    moved = 0
    from_e4kwh = upto_e4kwh = None
    for story in found:
        start, stop = story.meter_start_e4kwh, story.meter_stop_e4kwh
        if start is None or stop is None:
            continue
        if from_e4kwh is None or upto_e4kwh is None:
            from_e4kwh, upto_e4kwh = start, start
        is_placeholder = start <= _HALF_WIDTH_E4KWH < upto_e4kwh <= stop + _HALF_WIDTH_E4KWH
        is_lower = start < upto_e4kwh - _HALF_WIDTH_E4KWH and not is_placeholder
        if is_lower or "meter_replaced" in story.codes:
            moved += upto_e4kwh - from_e4kwh
            from_e4kwh = upto_e4kwh = start
        if stop >= start:
            upto_e4kwh = max(upto_e4kwh, stop)
        elif _NEW_METER & set(story.codes):
            moved += upto_e4kwh - from_e4kwh + story.energy_e4kwh
            from_e4kwh = upto_e4kwh = stop
    return moved + (upto_e4kwh - from_e4kwh if from_e4kwh is not None and upto_e4kwh is not None else 0)
