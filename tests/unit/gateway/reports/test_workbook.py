import io
import zipfile
from datetime import datetime
from decimal import Decimal

from openpyxl import load_workbook

from gateway.reports.workbook import Column, Sheet, kwh, local, share, write_workbook, yuan
from gateway.site import zone_of

COLUMNS = (
    Column("文本", "text"),
    Column("次数", "count", "count"),
    Column("金额", "money", "money"),
    Column("电量", "energy", "energy"),
    Column("占比", "share", "percent"),
    Column("时间", "time", "time"),
    Column("数值", "number", "number"),
)
MADE_AT = datetime(2026, 3, 3, 12, 0)


def made(rows, note=""):
    data = write_workbook([Sheet("汇总 summary", COLUMNS, rows, note)], made_at=MADE_AT)
    return data, load_workbook(io.BytesIO(data)).active


def test_headers_are_in_both_languages_and_cells_have_formats():
    row = ["a", 1234, yuan(123_456), kwh(123_456), Decimal("0.1234"), MADE_AT, kwh(5)]
    _, sheet = made([row])
    assert [cell.value for cell in sheet[1]][:3] == ["文本\ntext", "次数\ncount", "金额\nmoney"]
    assert [cell.number_format for cell in sheet[2]] == [
        "@", "#,##0", "#,##0.00", "#,##0.0000", "0.0%", "yyyy-mm-dd hh:mm:ss", "#,##0.0000",
    ]  # fmt: skip
    assert [cell.value for cell in sheet[2]][1:4] == [1234, 1234.56, 12.3456]
    assert sheet.freeze_panes == "A2"
    assert sheet.auto_filter.ref == "A1:G2"


def test_amounts_stand_in_the_file_as_they_are():
    data, _ = made([["a", 0, yuan(10), yuan(0), None, None, yuan(-5)]])
    xml = zipfile.ZipFile(io.BytesIO(data)).read("xl/worksheets/sheet1.xml").decode()
    for text in ("<v>0.1</v>", "<v>-0.05</v>"):
        assert text in xml


def test_a_text_that_looks_like_a_formula_stays_a_text():
    _, sheet = made([["=1+1", 0, None, None, None, None, 0]])
    assert (sheet["A2"].value, sheet["A2"].data_type) == ("=1+1", "s")


def test_a_note_stands_above_the_headers():
    _, sheet = made([], note="2026-03-01 – 2026-04-01")
    assert sheet["A1"].value == "2026-03-01 – 2026-04-01"
    assert sheet["A2"].value == "文本\ntext"
    assert sheet.freeze_panes == "A3"


def test_numbers_keep_their_places():
    assert (str(yuan(-105)), str(kwh(1)), yuan(None), kwh(None)) == ("-1.05", "0.0001", None, None)
    assert (str(share(1, 3)), str(share(2, 3)), share(1, 0)) == ("0.3333", "0.6667", None)


def test_times_are_the_site_s():
    zone = zone_of("Asia/Shanghai")
    assert local(1_772_509_216_999, zone) == datetime(2026, 3, 3, 11, 40, 16)
    assert local(None, zone) is None
