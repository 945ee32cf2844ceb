"""The ``replay`` command from within: bills printed, alone or by several processes, the exit status honest."""

import json

import pytest

from gateway.errors import ReplayError
from gateway.replaying import run_replay
from gateway.site import instant_of
from gateway.store import Store, StoreConfig
from tests.support.tales.telling import PILE, SERIAL, Tale
from tests.support.yard import SITE, site_of

STRANGER = "55031412782399"


def told(name="usual", **record):
    tale = Tale(name, "a day")
    tale.usual(**record)
    return tale


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text(told().log)
    return path


@pytest.fixture
def replayed(capsys):
    """Runs the command; gives its status, what it printed, and what it said beside."""

    def run(*paths, **changes):
        given = {"until_ms": None, "as_json": True, "all_revisions": False, "db_path": None, "site": site_of(SITE)}
        status = run_replay(paths, **given | changes)
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run


def test_a_clean_log_prints_its_bills_and_leaves_with_zero(replayed, path):
    status, out, err = replayed(path)
    (bill,) = [json.loads(line) for line in out.splitlines()]
    assert (status, bill["transaction_id"], bill["status"], bill["amount"]) == (0, SERIAL, "normal", "48.00")
    assert err.splitlines()[-1].endswith("frames, 1 bills, 0 under review, 0 findings")


def test_people_get_a_table(replayed, path):
    _, out, _ = replayed(path, as_json=False)
    head, row = out.splitlines()
    assert head.split() == ["transaction", "rev", "status", "kWh", "yuan", "anomalies"]
    assert row.split() == [SERIAL, "1", "normal", "40.0000", "48.00"]


def test_bills_under_review_and_damage_leave_with_one(replayed, path, tmp_path):
    orphan = tmp_path / "orphan.jsonl"
    tale = Tale("x", "a record of nobody")
    tale.login()
    tale.record()
    orphan.write_text(tale.log)
    assert replayed(orphan)[0] == 1
    path.write_text(told().log + "{broken\n")
    status, out, err = replayed(path)
    assert (status, len(out.splitlines())) == (1, 1)
    assert "1 × log_damaged" in err
    assert f"log.jsonl:{len(told().log)}: log_damaged" in err


def test_an_unlisted_pile_is_told_and_is_no_finding_for_the_status(replayed, path):
    status, _, err = replayed(path, site=site_of(SITE.replace(PILE, STRANGER)))
    assert (status, "1 × pile_unlisted" in err, "0 findings" in err) == (0, True, True)


def test_all_revisions_on_request(replayed, path):
    tale = told()
    tale.record("10:00:00", kwh=41, tiers={2: 41.0}, answered=False)
    path.write_text(tale.log)
    assert [json.loads(line)["revision"] for line in replayed(path)[1].splitlines()] == [2]
    both = replayed(path, all_revisions=True)[1].splitlines()
    assert [json.loads(line)["revision"] for line in both] == [1, 2]


def test_the_clock_stops_where_it_is_told_to(replayed, path):
    assert replayed(path, until_ms=instant_of("2026-03-03T09:00:00+08:00"))[1] == ""


def test_a_database_gets_the_same_bills_and_what_they_rest_on(replayed, path, tmp_path):
    _, out, _ = replayed(path, db_path=tmp_path / "p.db")
    store = Store(StoreConfig(path=str(tmp_path / "p.db")))
    try:
        (row,) = store.reader.all("SELECT transaction_id, body FROM bill")
        kept = len(list(store.reader.frames(PILE, 0, 2**62)))
    finally:
        store.close()
    assert (row["transaction_id"], row["body"]) == (SERIAL, out.strip())
    assert kept > 5


def test_of_very_many_findings_the_first_are_shown_and_all_are_counted(replayed, tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text("{broken\n" * 250)
    status, _, err = replayed(path)
    assert (status, err.count("log_damaged:"), "250 × log_damaged" in err) == (1, 200, True)


def test_several_processes_say_what_one_says(replayed, path, tmp_path):
    other = tmp_path / "other.jsonl"
    other.write_text(told().log.replace(PILE, STRANGER).replace('"link": "', '"link": "x') + "{broken\n")
    for as_json in (True, False):
        one = replayed(path, other, as_json=as_json)
        assert replayed(path, other, as_json=as_json, jobs=2) == one
        assert replayed(other, jobs=3, as_json=as_json) == replayed(other, as_json=as_json)
    assert (one[0], "1 × log_damaged" in one[2], "× frame_refused" in one[2]) == (1, True, True)


def test_a_database_is_written_by_one_process(replayed, path, tmp_path):
    with pytest.raises(ReplayError, match="leave out --jobs"):
        replayed(path, jobs=2, db_path=tmp_path / "p.db")
    assert not (tmp_path / "p.db").exists()
