import io
from datetime import datetime
from decimal import Decimal

import pytest
from openpyxl import load_workbook

from gateway.reports.partner_list import Entry, ReconcileConfig
from gateway.reports.reconcile import KINDS, as_workbook, difference_json, reconcile
from gateway.site import zone_of
from gateway.store import Store, StoreConfig
from tests.support.bills import T0_MS, bill_row

ZONE = zone_of("Asia/Shanghai")
WAIT_S = 30


@pytest.fixture
def store(tmp_path):
    store = Store(StoreConfig(path=str(tmp_path / "pilegate.db")))
    yield store
    store.close()


def bills(store, *rows):
    store.writer.submit(rows).result(WAIT_S)


def entry(key, energy="10.0000", amount="15.00", row=2, **more):
    return Entry(row, key, Decimal(energy), Decimal(amount), **more)


def kinds(store, *entries, config=None, **more):
    found = reconcile(store.reader, entries, config or ReconcileConfig(), zone=ZONE, **more)
    return [(each.kind, each.key) for each in found.differences]


def test_equal_lists_have_no_differences(store):
    bills(store, bill_row("t1"), bill_row("t2", energy_e4kwh=5))
    found = reconcile(store.reader, [entry("t1"), entry("t2", "0.0005")], ReconcileConfig(), zone=ZONE)
    assert (found.differences, found.listed, found.matched, found.equal) == ((), 2, 2, 2)


@pytest.mark.parametrize(
    ("ours", "theirs", "differs"),
    [
        ((123_456, 1_605), ("12.35", "16.05"), []),  # two decimals there: 12.3456 is 12.35
        ((123_456, 1_605), ("12.34", "16.05"), ["energy"]),
        ((123_456, 1_605), ("12.3456", "16.0500"), []),
        ((123_456, 1_605), ("12.3457", "16.0549"), ["energy"]),  # two decimals here: 16.0549 is 16.05
        ((123_456, 1_605), ("12.3456", "16.0550"), ["amount"]),
        ((123_456, 1_605), ("12", "16"), []),
        ((125_000, 1_650), ("13", "17"), []),  # half up on both sides
        ((123_456, 1_605), ("13.3456", "-16.05"), ["energy", "amount"]),
    ],
)
def test_values_are_compared_at_the_coarser_precision(store, ours, theirs, differs):
    bills(store, bill_row("t1", energy_e4kwh=ours[0], amount_fen=ours[1]))
    assert [kind for kind, _ in kinds(store, entry("t1", *theirs))] == differs


def test_a_trailing_zero_that_a_spreadsheet_dropped_does_not_blur_the_column(store):
    bills(store, bill_row("t1", energy_e4kwh=123_000), bill_row("t2", energy_e4kwh=123_400))
    rows = [entry("t1", "12.3"), entry("t2", "12.34", row=3)]
    assert kinds(store, *rows) == []
    bills(store, bill_row("t3", energy_e4kwh=123_400))
    assert kinds(store, *rows, entry("t3", "12.3", row=4)) == [("energy", "t3")]


def test_both_numbers_are_kept_as_they_were_told(store):
    bills(store, bill_row("t1", energy_e4kwh=123_456))
    found = reconcile(store.reader, [entry("t1", "12.30")], ReconcileConfig(), zone=ZONE)
    shown = difference_json(found.differences[0], ZONE)
    assert (shown["our_energy_kwh"], shown["their_energy_kwh"], shown["dispute_reason"]) == ("12.3456", "12.30", 3)


def test_the_newest_revision_is_compared(store):
    bills(store, bill_row("t1", amount_fen=9_999), bill_row("t1", 2, amount_fen=1_500))
    assert kinds(store, entry("t1")) == []


def test_what_either_side_does_not_know(store):
    hour_ms = 3_600_000
    bills(
        store,
        bill_row("t1", ended_at_ms=T0_MS),
        bill_row("t2", ended_at_ms=T0_MS + hour_ms),
        bill_row("t3", ended_at_ms=T0_MS + 2 * hour_ms),
        bill_row("t4", ended_at_ms=T0_MS + 9 * hour_ms),  # after the list's last
        bill_row("t5", ended_at_ms=T0_MS + hour_ms, amount_fen=0, energy_e4kwh=0, status="void"),
        bill_row("t6", ended_at_ms=T0_MS + hour_ms, status="review"),
    )
    rows = [entry("t1"), entry("t3", row=3), entry("x9", row=4)]
    assert kinds(store, *rows) == [("unknown_here", "x9"), ("unknown_there", "t2")]
    assert ("unknown_there", "t4") in kinds(store, *rows, until_ms=T0_MS + 10 * hour_ms)
    assert ("unknown_there", "t2") not in kinds(store, *rows, since_ms=T0_MS + 2 * hour_ms)


def test_start_times_of_the_list_widen_its_period(store):
    bills(store, bill_row("t1", ended_at_ms=T0_MS))
    rows = [entry("x", started=datetime(2026, 3, 3, 11, 0)), entry("y", row=3, started=datetime(2026, 3, 3, 12, 0))]
    assert ("unknown_there", "t1") in kinds(store, *rows)


def test_a_bill_that_waits_for_a_person_is_not_settled(store):
    bills(store, bill_row("t1", status="review", amount_fen=1))
    assert kinds(store, entry("t1")) == [("not_settled_here", "t1")]


def test_rows_told_twice_and_rows_that_cannot_be_read(store):
    bills(store, bill_row("t1"))
    rows = [entry("t1"), entry("t1", row=3), Entry(4, "t2", trouble="'x' is not a number")]
    assert kinds(store, *rows) == [("unreadable", "t2"), ("listed_twice", "t1")]


def test_order_numbers_and_tolerances(store):
    bills(store, bill_row("t1", order_no="20260303114016000001"))
    config = ReconcileConfig(key="order_no", amount_tolerance_fen=1, energy_tolerance_e4kwh=5)
    rows = [entry("20260303114016000001", "10.0005", "15.01")]
    assert kinds(store, *rows, config=config) == []
    assert kinds(store, entry("20260303114016000001", "10.0006", "15.02"), config=config) == [
        ("energy", "20260303114016000001"),
        ("amount", "20260303114016000001"),
    ]


def test_the_workbook_holds_each_difference_with_its_reason(store):
    bills(store, bill_row("t1", amount_fen=1_600))
    found = reconcile(store.reader, [entry("t1"), entry("x", row=3)], ReconcileConfig(), zone=ZONE)
    book = load_workbook(io.BytesIO(as_workbook(found, ZONE, made_at=datetime(2026, 4, 1))))
    summary, differences = (book[name] for name in book.sheetnames)
    told = {row[1].value: row[2].value for row in summary.iter_rows(min_row=3)}
    assert told[KINDS["unknown_here"][2]] == 1
    rows = [[cell.value for cell in row] for row in differences.iter_rows(min_row=2)]
    assert [row[1:3] for row in rows] == [[2, "t1"], [1, "x"]]
    assert rows[0][13:16] == [16, 15, -1]


def test_nothing_listed_compares_nothing(store):
    bills(store, bill_row("t1"))
    assert kinds(store) == []


def test_what_is_owed_is_compared_not_what_was_reckoned(store):
    waived = bill_row("t1", status="void", document={"payable": "0.00"})
    bills(store, waived, bill_row("t2", document={"payable": "14.00"}))
    assert kinds(store, entry("t1", amount="0.00"), entry("t2", amount="14.00", row=3)) == []
    assert kinds(store, entry("t2", amount="14.00")) == []
    assert ("amount", "t1") in kinds(store, entry("t1"))
