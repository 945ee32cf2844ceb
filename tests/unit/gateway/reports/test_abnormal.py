import dataclasses

import pytest

from gateway.reports.abnormal import report_abnormal
from gateway.site import PileEntry, Site
from gateway.store import Store, StoreConfig
from tests.support.bills import HOUR_MS, T0_MS, Books, bad, registers

SITE = Site(piles={
    "p1": PileEntry(id="p1", station="north", model="M1"),
    "p2": PileEntry(id="p2", station="south", model="M2"),
})  # fmt: skip


@pytest.fixture
def books(tmp_path):
    store = Store(StoreConfig(path=str(tmp_path / "pilegate.db")))
    yield Books(store)
    store.close()


def report_of(books, **more):
    return report_abnormal(books.store.reader, SITE, **books.period(**more))


def test_counts_rates_and_money(books):
    for _ in range(6):
        books.session({})
    books.session(bad(amount_fen=1_000, status="provisional"), bad(amount_fen=700))
    books.session(bad(amount_fen=300, status="review"))
    books.session(bad(amount_fen=500, status="review"), {"amount_fen": 0, "reason": "decision: waive", "actor": "li"})
    books.session(state="charging")
    total = report_of(books).total
    assert (total.sessions, total.abnormal, total.per_1000_e1) == (9, 3, 3_333)
    assert (total.by_rule, total.by_person, total.waiting) == (1, 1, 1)
    assert (total.first_fen, total.newest_fen, total.waiting_fen) == (1_800, 1_000, 300)
    assert total.energy_e4kwh == 8 * 100_000
    assert total.codes == {"energy_lost": 3}
    assert report_of(books).without_bill == 1


def test_what_is_only_minor_is_not_abnormal(books):
    minor = {"anomalies": ("late_upload",), "document": {"anomalies": [{"code": "late_upload", "severity": "info"}]}}
    books.session(minor)
    books.session({**minor, "status": "review"})
    report = report_of(books, by="code")
    assert report.total.abnormal == 1
    assert [(tally.key, tally.sessions, tally.abnormal) for tally in report.groups] == [("late_upload", 2, 1)]


def test_slices_have_the_worst_first_and_firmware_is_that_of_the_session(books):
    books.firmware("p1", "V1")
    books.firmware("p2", "V1")
    books.session({}, pile="p2")
    books.session(bad())
    books.firmware("p1", "V2")
    books.session(bad("record_missing"))
    books.session(bad("record_missing"))

    def groups(by):
        return [(tally.key, tally.sessions, tally.abnormal) for tally in report_of(books, by=by).groups]

    assert groups("pile") == [("p1", 3, 3), ("p2", 1, 0)]
    assert groups("firmware") == [("V2", 2, 2), ("V1", 2, 1)]
    assert groups("station") == [("north", 3, 3), ("south", 1, 0)]
    assert groups("model") == [("M1", 3, 3), ("M2", 1, 0)]
    assert groups("code") == [("record_missing", 4, 2), ("energy_lost", 4, 1)]


def test_the_period_is_that_of_the_sessions_openings(books):
    for _ in range(3):
        books.session(bad())
    assert report_of(books, since_ms=T0_MS + 1, until_ms=T0_MS + 2 * HOUR_MS).total.sessions == 1


def test_unbilled_energy_is_what_a_register_counted_and_nobody_was_billed_for(books):
    books.session(registers("100.0000", "110.0000"))
    books.session(registers("113.5000", "123.5000"))  # 3.5 kWh between them
    books.session(registers("123.5000", "133.5000", status="review"), pile="p1")
    books.session(registers("7.0000", "17.0000"), pile="p2", connector=2)
    meters = report_of(books).meters
    assert [(m.pile_id, m.connector, m.moved_e4kwh, m.billed_e4kwh, m.waiting_e4kwh) for m in meters] == [
        ("p1", 1, 335_000, 200_000, 100_000),
        ("p2", 2, 100_000, 100_000, 0),
    ]
    assert [m.unbilled_e4kwh for m in meters] == [135_000, 0]


@pytest.mark.parametrize(
    ("second", "moved"),
    [
        (registers("0.0000", "10.0000"), 200_000),  # a new meter, lower
        (registers("900.0000", "910.0000", **bad("meter_replaced")), 200_000),  # a new meter, higher
        (registers("0.0000", "120.0000", **bad("meter_placeholder_zero")), 200_000),  # no start reading
        (registers("109.9950", "119.9950"), 199_950),  # within the register's half width
        (registers(None, None, **bad("record_missing")), 100_000),
    ],
)  # fmt: skip
def test_registers_across_what_happens_to_meters(books, second, moved):
    books.session(registers("100.0000", "110.0000"))
    books.session(second)
    assert report_of(books).meters[0].moved_e4kwh == moved


def test_an_empty_period_has_no_rate(books):
    report = report_of(books, until_ms=T0_MS + 1)
    assert (report.total.sessions, report.total.per_1000_e1, report.groups, report.meters) == (0, 0, (), ())
    assert dataclasses.asdict(report)["stories"] == ()


def test_money_is_what_is_owed(books):
    books.session(bad(amount_fen=900), bad(amount_fen=900, status="void", document={"payable": "0.00"}))
    total = report_of(books).total
    assert (total.first_fen, total.newest_fen) == (900, 0)


def test_charges_that_no_reading_can_bear_out_are_not_compared(books):
    books.session(registers(None, None, **bad("record_missing")))
    books.session(registers("100.0000", "110.0000"))
    books.session(registers(None, None, **bad("record_missing")))
    books.session(registers("120.0000", "130.0000"))
    books.session(registers(None, None, **bad("record_missing")))
    meter = report_of(books).meters[0]
    assert (meter.sessions, meter.moved_e4kwh, meter.billed_e4kwh) == (5, 300_000, 300_000)


def test_a_connector_without_any_reading_has_nothing_to_compare(books):
    books.session(registers(None, None))
    meter = report_of(books).meters[0]
    assert (meter.moved_e4kwh, meter.billed_e4kwh, meter.unbilled_e4kwh) == (0, 0, 0)
