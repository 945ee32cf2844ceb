from datetime import datetime
from decimal import Decimal

import pytest
from openpyxl import Workbook

from gateway.reports.partner_list import ListError, ReconcileConfig, places, read_list

CONFIG = ReconcileConfig()
TEXT = "流水号,充电电量,金额\n0001,10.50,12.30\n\n0002,1.2345,￥1234.5元\n"


def listed(tmp_path, content, config=CONFIG, name="list.csv"):
    path = tmp_path / name
    path.write_bytes(content)
    return read_list(path, config)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030"])
def test_encodings_are_told_apart(tmp_path, encoding):
    entries = listed(tmp_path, TEXT.encode(encoding))
    assert [(e.row, e.key, e.energy, e.amount) for e in entries] == [
        (2, "0001", Decimal("10.50"), Decimal("12.30")),
        (4, "0002", Decimal("1.2345"), Decimal("1234.5")),
    ]


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_other_delimiters(tmp_path, delimiter):
    assert listed(tmp_path, TEXT.replace(",", delimiter).encode())[0].energy == Decimal("10.50")


def test_titles_may_stand_above_the_headers_and_numbers_may_be_guarded(tmp_path):
    text = '某某充电对账单\n2026年3月\n序号,流水号,充电电量,金额,备注\n1,"=""0001""","1,000.5",-2.00,x\n2,\'0002,1,1\n'
    entries = listed(tmp_path, text.encode())
    assert [(e.key, e.energy, e.amount) for e in entries] == [
        ("0001", Decimal("1000.5"), Decimal("-2.00")),
        ("0002", Decimal("1"), Decimal("1")),
    ]


def test_rows_that_cannot_be_read_say_why_and_lose_no_other(tmp_path):
    text = "流水号,充电电量,金额\n0001,ten,1\n,1,1\n0003,1\n0004,NaN,1\n0005,1,1\n"
    entries = listed(tmp_path, text.encode())
    assert [bool(e.trouble) for e in entries] == [True, True, True, True, False]
    assert "'ten' is not a number" in entries[0].trouble
    assert "names no charge" in entries[1].trouble


def workbook(path, rows, title="Sheet"):
    book = Workbook()
    book.active.title = title
    for row in rows:
        book.active.append(row)
    book.save(path)


def test_a_workbook_with_numbers_and_texts(tmp_path):
    path = tmp_path / "list.xlsx"
    started = datetime(2026, 3, 3, 11, 40)
    workbook(
        path, [["流水号", "充电电量", "金额", "开始"], ["0001", 0.1, 12.3, started], [7, "1.25", 3, started]], "三月"
    )
    config = ReconcileConfig(column_started="开始", sheet="三月")
    first, second = read_list(path, config)
    assert (first.key, first.energy, first.amount, first.started) == ("0001", Decimal("0.1"), Decimal("12.3"), started)
    assert (second.key, second.energy, second.amount) == ("7", Decimal("1.25"), Decimal("3"))
    with pytest.raises(ListError, match="no sheet '四月'; it has 三月"):
        read_list(path, ReconcileConfig(sheet="四月"))


def test_a_serial_that_a_spreadsheet_took_for_a_number_is_not_believed(tmp_path):
    path = tmp_path / "list.xlsx"
    workbook(path, [["流水号", "充电电量", "金额"], [55031412782305012603031140160001, 1, 1]])
    assert "lost digits" in read_list(path, CONFIG)[0].trouble


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("list.csv", b"a,b\n1,2\n", "no header '流水号'"),
        ("list.csv", "流水号,电量\n".encode(), "no column 充电电量, 金额; row 1 has 流水号, 电量"),
        ("list.csv", b"\xff\xfe\xff", "not text in"),
        ("list.csv", b"", "no header"),
        ("list.xlsx", b"not a workbook", "not a workbook"),
    ],
)
def test_lists_that_cannot_be_used_say_what_to_do(tmp_path, name, content, said):
    with pytest.raises(ListError, match=said):
        listed(tmp_path, content, name=name)


def test_a_configured_encoding_must_exist_and_fit(tmp_path):
    with pytest.raises(ListError, match="not known"):
        listed(tmp_path, b"x", ReconcileConfig(encoding="klingon"))
    with pytest.raises(ListError, match="not text in utf-8"):
        listed(tmp_path, TEXT.encode("gbk"), ReconcileConfig(encoding="utf-8"))


def test_start_times_follow_the_format(tmp_path):
    config = ReconcileConfig(column_started="开始", date_format="%d.%m.%Y %H:%M")
    text = "流水号,充电电量,金额,开始\n1,1,1,03.03.2026 11:40\n2,1,1,2026-03-03\n"
    first, second = listed(tmp_path, text.encode(), config)
    assert first.started == datetime(2026, 3, 3, 11, 40)
    assert "is not a time as" in second.trouble


def test_a_column_is_as_precise_as_its_most_precise_value():
    assert places([Decimal("1"), Decimal("1.20"), None, Decimal("3.1")]) == 2
    assert places([]) == 0


@pytest.mark.parametrize("values", [{"key": "vin"}])
def test_wrong_configuration_is_refused(values):
    with pytest.raises(ValueError, match="transaction_id or order_no"):
        ReconcileConfig(**values)
