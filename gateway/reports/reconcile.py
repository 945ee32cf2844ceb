"""Our bills against a partner's list: what is unknown on either side, and which energies or amounts differ.

Two values are compared at the coarser of their precisions, and both are kept as they were told.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from billing_core.civil import Zone, iso_local
from gateway.reports.abnormal import payable_fen
from gateway.reports.partner_list import Entry, ReconcileConfig, places
from gateway.reports.workbook import Column, Sheet, kwh, local, write_workbook, yuan
from gateway.store.reader import Reader

# kind → (reason of a dispute, zh, en); reasons 1 to 3 are those of the interconnection standard, 4 is ours
KINDS = {
    "unknown_here": (1, "本方无此单", "the partner lists it, we have no such bill"),
    "unknown_there": (1, "对方无此单", "we have a bill, the partner does not list it"),
    "amount": (2, "金额不符", "the amounts differ"),
    "not_settled_here": (2, "本方未结算", "the partner lists it, our bill waits for a person"),
    "energy": (3, "电量不符", "the energies differ"),
    "listed_twice": (4, "对方重复列出", "the partner lists it more than once"),
    "unreadable": (None, "无法读取", "the partner's row cannot be read"),
}
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Difference:
    """One finding; several may be about one charge."""

    kind: str
    key: str
    row: int | None = None
    bill: Mapping[str, Any] | None = None
    their_energy: Decimal | None = None
    their_amount: Decimal | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What came of it."""

    listed: int
    matched: int
    equal: int
    since_ms: int | None
    until_ms: int | None
    differences: tuple[Difference, ...]
    energy_places: int
    amount_places: int


def reconcile(
    reader: Reader,
    entries: Sequence[Entry],
    config: ReconcileConfig,
    *,
    zone: Zone,
    since_ms: int | None = None,
    until_ms: int | None = None,
) -> Reconciliation:
    """Compare a partner's list with our bills.

    Args:
        since_ms, until_ms: the charges that the list should hold, by their end (Unix ms); told by the list itself
            when not given.
    """
    readable = [each for each in entries if not each.trouble]
    bills = _bills_by_key(reader, config.key, [each.key for each in readable])
    at_energy = min(4, places(each.energy for each in readable))
    at_amount = min(2, places(each.amount for each in readable))
    found = [Difference("unreadable", each.key, each.row, text=each.trouble) for each in entries if each.trouble]
    seen: set[str] = set()
    equal = 0
    for entry in readable:
        differences = list(_compare(entry, bills.get(entry.key), entry.key in seen, config, at_energy, at_amount))
        seen.add(entry.key)
        equal += not differences
        found += differences
    if since_ms is None or until_ms is None:
        told_since, told_until = _period(readable, bills.values(), zone)
        since_ms = told_since if since_ms is None else since_ms
        until_ms = told_until if until_ms is None else until_ms
    if since_ms is not None and until_ms is not None:
        missing = _bills_between(reader, since_ms, until_ms)
        found += [
            Difference("unknown_there", row[config.key], bill=row) for row in missing if row[config.key] not in seen
        ]
    return Reconciliation(
        listed=len(entries),
        matched=len(bills),
        equal=equal,
        since_ms=since_ms,
        until_ms=until_ms,
        differences=tuple(found),
        energy_places=at_energy,
        amount_places=at_amount,
    )


def _compare(
    entry: Entry,
    bill: Mapping[str, Any] | None,
    is_again: bool,
    config: ReconcileConfig,
    at_energy: int,
    at_amount: int,
) -> Iterator[Difference]:
    def finding(kind: str) -> Difference:
        return Difference(kind, entry.key, entry.row, bill, entry.energy, entry.amount)

    if is_again:
        yield finding("listed_twice")
        return
    if bill is None:
        yield finding("unknown_here")
        return
    if bill["status"] == "review":
        yield finding("not_settled_here")
    assert entry.energy is not None
    assert entry.amount is not None
    if _differ(kwh(bill["energy_e4kwh"]), entry.energy, at_energy, Decimal(config.energy_tolerance_e4kwh).scaleb(-4)):
        yield finding("energy")
    if bill["status"] != "review" and _differ(
        yuan(bill["amount_fen"]), entry.amount, at_amount, Decimal(config.amount_tolerance_fen).scaleb(-2)
    ):
        yield finding("amount")


def _differ(ours: Decimal | None, theirs: Decimal, at_places: int, tolerance: Decimal) -> bool:
    assert ours is not None
    step = Decimal(1).scaleb(-at_places)
    mine, other = (value.quantize(step, ROUND_HALF_UP) for value in (ours, theirs))
    return abs(mine - other) > tolerance


_NEWEST = "SELECT b.* FROM bill b JOIN bill_newest n ON n.transaction_id = b.transaction_id AND n.revision = b.revision"

_ENDED = "coalesce(b.ended_at_ms, b.created_at_ms)"


def _bills_by_key(reader: Reader, key: str, keys: Sequence[str]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    wanted = sorted(set(keys))
    for at in range(0, len(wanted), _CHUNK):
        part = wanted[at : at + _CHUNK]
        marks = ",".join("?" * len(part))
        for row in reader.all(f"{_NEWEST} WHERE b.{key} IN ({marks})", part):
            found[row[key]] = _with_payable(row)
    return found


def _with_payable(row: dict[str, Any]) -> dict[str, Any]:
    """A bill's row whose amount is what is owed by it."""
    return {**row, "amount_fen": payable_fen(row, json.loads(row["body"]))}


def _bills_between(reader: Reader, since_ms: int, until_ms: int) -> list[dict[str, Any]]:
    """Bills that a partner should know: posted, and not of nothing."""
    rows = reader.all(
        f"""{_NEWEST} WHERE {_ENDED} >= ? AND {_ENDED} < ? AND b.status <> 'review'
         AND (b.amount_fen <> 0 OR b.energy_e4kwh <> 0) ORDER BY {_ENDED}, b.transaction_id""",
        (since_ms, until_ms),
    )
    return [row for row in map(_with_payable, rows) if row["amount_fen"] or row["status"] != "void"]


def _period(entries: Iterable[Entry], bills: Iterable[Mapping[str, Any]], zone: Zone) -> tuple[int | None, int | None]:
    """From the first to the last charge that the list tells of."""
    moments = [row["ended_at_ms"] or row["created_at_ms"] for row in bills]
    starts = [each.started for each in entries if each.started is not None]
    for moment in starts:
        civil_ms = round((moment - datetime(1970, 1, 1)).total_seconds()) * 1000
        moments.append(zone.instants(civil_ms)[0])
    return (min(moments), max(moments) + 1) if moments else (None, None)


# -- shown ----------------------------------------------------------------------------------------------


def difference_json(each: Difference, zone: Zone) -> dict[str, Any]:
    """One finding as a line of ``--json``."""
    reason, zh, en = KINDS[each.kind]
    bill = each.bill or {}
    return {
        "kind": each.kind,
        "dispute_reason": reason,
        "text": {"en": each.text or en, "zh": zh},
        "key": each.key,
        "row": each.row,
        "transaction_id": bill.get("transaction_id"),
        "order_no": bill.get("order_no"),
        "pile_id": bill.get("pile_id"),
        "status": bill.get("status"),
        "revision": bill.get("revision"),
        "ended_at": None if not bill.get("ended_at_ms") else iso_local(bill["ended_at_ms"], zone),
        "our_energy_kwh": _told(kwh(bill.get("energy_e4kwh"))),
        "their_energy_kwh": _told(each.their_energy),
        "our_amount": _told(yuan(bill.get("amount_fen"))),
        "their_amount": _told(each.their_amount),
    }


def _told(value: Decimal | None) -> str | None:
    return None if value is None else f"{value:f}"


_COLUMNS = (
    Column("差异", "difference", width=40),
    Column("争议原因", "dispute reason", "count"),
    Column("对方编号", "the partner's number", width=36),
    Column("对方行号", "row", "count"),
    Column("流水号", "transaction", width=36),
    Column("订单号", "order", width=24),
    Column("桩编号", "pile"),
    Column("结束时间", "ended", "time"),
    Column("状态", "status"),
    Column("版本", "revision", "count"),
    Column("本方电量(度)", "our energy, kWh", "energy"),
    Column("对方电量(度)", "their energy, kWh", "energy"),
    Column("电量差", "energy difference", "energy"),
    Column("本方金额(元)", "our amount, yuan", "money"),
    Column("对方金额(元)", "their amount, yuan", "money"),
    Column("金额差", "amount difference", "money"),
    Column("说明", "remark", width=50),
)


def as_workbook(found: Reconciliation, zone: Zone, *, made_at: datetime) -> bytes:
    """The differences as an .xlsx file, with a summary before them."""
    counts = {kind: sum(each.kind == kind for each in found.differences) for kind in KINDS}
    rows: list[tuple[str, str, Any, Any]] = [
        ("对方行数", "rows in the partner's list", found.listed, None),
        ("一致", "equal", found.equal, None),
        *((zh, en, counts[kind], reason) for kind, (reason, zh, en) in KINDS.items()),
        ("电量比较位数", "energies compared at decimals", found.energy_places, None),
        ("金额比较位数", "amounts compared at decimals", found.amount_places, None),
    ]
    columns = (Column("项目", "item"), Column("", "in English", width=48),
               Column("数量", "number", "count"), Column("争议原因", "dispute reason", "count"))  # fmt: skip
    since, until = ("?" if at_ms is None else iso_local(at_ms, zone)[:16] for at_ms in (found.since_ms, found.until_ms))
    return write_workbook(
        (
            Sheet("汇总 summary", columns, rows, f"{since} – {until}"),
            Sheet("差异 differences", _COLUMNS, (_cells(each, zone) for each in found.differences)),
        ),
        made_at=made_at,
    )


def _cells(each: Difference, zone: Zone) -> list[Any]:
    reason, zh, en = KINDS[each.kind]
    bill = each.bill or {}
    our_energy, our_amount = kwh(bill.get("energy_e4kwh")), yuan(bill.get("amount_fen"))
    return [
        f"{zh} {each.kind}",
        reason,
        each.key,
        each.row,
        bill.get("transaction_id"),
        bill.get("order_no"),
        bill.get("pile_id"),
        local(bill.get("ended_at_ms"), zone),
        bill.get("status"),
        bill.get("revision"),
        our_energy,
        each.their_energy,
        None if our_energy is None or each.their_energy is None else each.their_energy - our_energy,
        our_amount,
        each.their_amount,
        None if our_amount is None or each.their_amount is None else each.their_amount - our_amount,
        each.text or en,
    ]


def lines(found: Reconciliation, zone: Zone) -> Iterator[str]:
    """Each finding as a JSON line."""
    for each in found.differences:
        yield json.dumps(difference_json(each, zone), ensure_ascii=False)
