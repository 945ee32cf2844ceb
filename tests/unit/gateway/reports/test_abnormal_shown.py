import io
from datetime import datetime

import pytest
from openpyxl import load_workbook

from gateway.reports.abnormal import SLICES, report_abnormal
from gateway.reports.abnormal_shown import as_json, as_workbook
from gateway.site import PileEntry, Site
from gateway.store import Store, StoreConfig
from tests.support.bills import T0_MS, Books, bad, registers

SITE = Site(piles={"p1": PileEntry(id="p1", station="=north", model="M1")})


@pytest.fixture
def make(tmp_path):
    store = Store(StoreConfig(path=str(tmp_path / "pilegate.db")))
    books = Books(store)
    books.firmware("p1", "V1")
    books.session(registers("100.0000", "110.0000"))
    books.session({**registers("112.0000", "122.0000"), **bad(amount_fen=1_000)}, bad(amount_fen=700))
    yield lambda by: report_abnormal(store.reader, SITE, since_ms=T0_MS, until_ms=T0_MS + 7_200_000, by=by)
    store.close()


def test_json_has_decimal_strings_with_their_units(make):
    shown = as_json(make("pile"), SITE.zone)
    assert shown["since"] == "2026-03-03T11:40:00.000+08:00"
    assert shown["total"]["abnormal_per_1000"] == "500.0"
    assert shown["groups"][0] == {
        "key": "p1",
        "sessions": 2,
        "abnormal": 1,
        "abnormal_per_1000": "500.0",
        "decided_by_rule": 1,
        "decided_by_people": 0,
        "waiting_for_people": 0,
        "amount_first": "10.00",
        "amount_newest": "7.00",
        "amount_change": "-3.00",
        "amount_waiting": "0.00",
        "energy_kwh": "20.0000",
        "codes": {"energy_lost": 1},
    }
    assert shown["connectors"][0]["register_moved_kwh"] == "10.0000"
    assert shown["bills"][0]["codes"] == ["energy_lost"]


@pytest.mark.parametrize("by", SLICES)
def test_the_workbook_opens_with_four_sheets(make, by):
    data = as_workbook(make(by), SITE.zone, made_at=datetime(2026, 4, 1))
    book = load_workbook(io.BytesIO(data))
    assert len(book.sheetnames) == 4
    summary, groups, connectors, bills = (book[name] for name in book.sheetnames)
    told = {row[1].value: row[2].value for row in summary.iter_rows(min_row=3)}
    assert told["abnormal bills"] == 1
    assert told["change, yuan"] == -3
    assert groups.max_row == 3
    assert connectors["C3"].value == "=north"
    assert connectors["C3"].data_type == "s"
    assert bills["A3"].value == "t1"
    assert bills["G3"].value == datetime(2026, 3, 3, 12, 40)
