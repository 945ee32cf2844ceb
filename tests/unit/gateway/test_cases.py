import hashlib

import pytest

from gateway import cases
from gateway.site import zone_of
from gateway.store import Store, StoreConfig
from tests.support.bills import bill_row

WAIT_S = 30
ZONE = zone_of("Asia/Shanghai")
NEW_YEAR_MS = 1_798_732_800_000  # 2027-01-01T00:00:00+08:00


@pytest.fixture
def store(tmp_path):
    store = Store(StoreConfig(path=str(tmp_path / "pilegate.db")))
    store.writer.submit([bill_row("t1"), bill_row("t2")]).result(WAIT_S)
    yield store
    store.close()


@pytest.fixture
def make(store):
    def _make(problem="no amount", *, bills=(), author="li", at_ms=NEW_YEAR_MS):
        work = cases.open_case(store.writer.call, problem, bills=bills, author=author, at_ms=at_ms, zone=ZONE)
        return work.result(WAIT_S)["case_no"]

    return _make


def test_numbers_count_within_the_local_year(make):
    assert make(at_ms=NEW_YEAR_MS - 1) == "C2026-0001"
    assert make(at_ms=NEW_YEAR_MS - 1) == "C2026-0002"
    assert make(at_ms=NEW_YEAR_MS) == "C2027-0001"


def test_a_case_tells_its_story_in_order_with_author_and_time(store, make):
    call = store.writer.call
    case_no = make(" minutes but no amount ", bills=["t1", "t1"])
    cases.add_note(call, case_no, "asked the driver", author="wang", at_ms=NEW_YEAR_MS + 1).result(WAIT_S)
    cases.link_bill(call, case_no, "t2", author="wang", at_ms=NEW_YEAR_MS + 2).result(WAIT_S)
    cases.link_bill(call, case_no, "t2", author="wang", at_ms=NEW_YEAR_MS + 3).result(WAIT_S)
    cases.set_state(call, case_no, "solved", text="told him", author="li", at_ms=NEW_YEAR_MS + 4).result(WAIT_S)
    found = cases.find_case(store.reader, case_no)
    assert (found["problem"], found["state"], found["bills"]) == ("minutes but no amount", "solved", ["t1", "t2"])
    assert [(e["at_ms"] - NEW_YEAR_MS, e["author"], e["kind"], e["text"]) for e in found["entries"]] == [
        (0, "li", "opened", "minutes but no amount"),
        (0, "li", "linked", "t1"),
        (1, "wang", "note", "asked the driver"),
        (2, "wang", "linked", "t2"),
        (4, "li", "state", "solved: told him"),
    ]
    assert found["changed_at_ms"] == NEW_YEAR_MS + 4


def test_an_attachment_is_named_by_its_content_and_kept_once(store, make):
    call = store.writer.call
    first, second = make(), make()
    photo = b"\xff\xd8 the pile's screen"
    for case_no, name in ((first, "C:\\photos\\screen.jpg"), (second, "again.jpg"), (first, "screen.jpg")):
        sha256 = cases.attach(call, case_no, name, photo, author="li", at_ms=NEW_YEAR_MS).result(WAIT_S)
        assert sha256 == hashlib.sha256(photo).hexdigest()
    assert store.reader.one("SELECT count(*) AS n FROM attachment") == {"n": 1}
    assert cases.find_attachment(store.reader, first, sha256) == ("screen.jpg", photo)
    assert len(cases.find_case(store.reader, first)["attachments"]) == 1
    assert cases.find_attachment(store.reader, make(), sha256) is None


def test_cases_are_found_by_state_and_by_bill(store, make):
    older, newer = make(bills=["t1"]), make(bills=["t1", "t2"], at_ms=NEW_YEAR_MS + 1)
    cases.set_state(store.writer.call, older, "on_hold", author="li", at_ms=NEW_YEAR_MS).result(WAIT_S)

    def found(**terms):
        return [row["case_no"] for row in cases.find_cases(store.reader, **terms)]

    assert found() == [newer, older]
    assert found(bill="t1") == [newer, older]
    assert found(bill="t2") == found(state="open") == [newer]
    assert found(state="on_hold", bill="t2") == []
    assert found(before=(NEW_YEAR_MS + 1, newer)) == [older]
    assert cases.cases_of(store.reader, ["t1", "t3"]) == {"t1": [older, newer], "t3": []}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda call, no: cases.add_note(call, "C2026-0099", "x", author="li", at_ms=0), "C2026-0099 does not exist"),
        (lambda call, no: cases.link_bill(call, no, "t9", author="li", at_ms=0), "bill t9 does not exist"),
        (lambda call, no: cases.set_state(call, no, "open", author="li", at_ms=0), "is open already"),
        (lambda call, no: cases.set_state(call, no, "gone", author="li", at_ms=0), "not a state"),
        (lambda call, no: cases.add_note(call, no, "  ", author="li", at_ms=0), "the note has"),
        (lambda call, no: cases.add_note(call, no, "x", author=" ", at_ms=0), "a person must be named"),
        (lambda call, no: cases.attach(call, no, "a.txt", b"", author="li", at_ms=0), "an attachment has 1"),
        (lambda call, no: cases.attach(call, no, "a/", b"x", author="li", at_ms=0), "printable name"),
    ],
)
def test_what_cannot_be_written_down_is_refused_and_changes_nothing(store, make, change, said):
    case_no = make()
    with pytest.raises(Exception, match=said):
        change(store.writer.call, case_no).result(WAIT_S)
    assert len(cases.find_case(store.reader, case_no)["entries"]) == 1


@pytest.mark.parametrize("sql", ["UPDATE case_entry SET text = 'x'", "DELETE FROM case_entry"])
def test_the_story_is_append_only(store, make, sql):
    make()
    with pytest.raises(Exception, match="an entry of a case is never"):
        store.writer.call(lambda connection: connection.execute(sql)).result(WAIT_S)
