import json

import pytest

from gateway.bundle.archive import opened
from gateway.bundle.making import make_bundle
from gateway.outcome import SiteKnown
from gateway.site import zone_of
from gateway.store import Reader, Store, StoreConfig
from tests.support.billed import replayed

SERIAL = "55031412782305012603031030000001"
ZONE = zone_of("Asia/Shanghai")


@pytest.fixture(scope="module")
def db(tmp_path_factory):
    return replayed(tmp_path_factory.mktemp("making") / "a.db", "app-start-across-two-rates")


@pytest.fixture
def make(db):
    reader = Reader(db)

    def _make(**more):
        values = {"zone": ZONE, "now_ms": 0, "site_text": "", "computation": "step by step\n", **more}
        return make_bundle(reader, SERIAL, **values)

    yield _make
    reader.close()


def test_a_bundle_holds_everything_a_bill_rests_on(make):
    made = make(cases=[{"case_no": "C2026-0001"}])
    files, manifest, _ = opened(made.data)
    assert manifest["transaction_id"] == SERIAL
    assert files["computation.txt"] == b"step by step\n"
    assert json.loads(files["cases.json"])[0]["case_no"] == "C2026-0001"
    bill = json.loads(files["bill.json"])
    assert (bill["transaction_id"], bill["amount"]) == (SERIAL, "58.03")
    revision = json.loads(files["revisions.jsonl"])
    assert (revision["revision"], revision["reason"], revision["bill"]) == (1, "record", bill)
    record = json.loads(files["records.jsonl"])
    frames = files["frames.jsonl"].decode()
    assert record["body_hex"] in frames
    assert '+08:00"' in frames
    decoded = [json.loads(line) for line in files["frames.decoded.jsonl"].splitlines()]
    assert {"0x3B", "0x34", "0x13", "0x01"} <= {each["type"] for each in decoded}
    assert not [each for each in decoded if each["error"]]
    assert b"[[tariff]]" in files["site-1.toml"]
    context = json.loads(files["context.json"])
    assert context["sites"][0]["file"] == "site-1.toml"
    assert (context["frames_from"], context["broken_at_frame"]) == ("database", None)


def test_the_computation_is_told_in_both_languages_with_every_revision(make):
    text = opened(make(computation=None).data)[0]["computation.txt"].decode()
    assert "You charged 40.0000 kWh" in text
    assert "充电40.0000度" in text
    assert text.count("  1. ") == 2
    assert text.endswith("revision 1: normal, record, by engine\n")


def test_the_same_bundle_twice_is_the_same_bytes(make):
    assert make().data == make().data


def test_a_site_that_changed_under_way_comes_in_both_forms(tmp_path):
    path = replayed(tmp_path / "b.db", "app-start-across-two-rates")
    store = Store(StoreConfig(path=str(path)))
    bill = store.reader.bill(SERIAL)
    store.writer.submit([SiteKnown(bill["started_at_ms"] + 1_000, "changed"), SiteKnown(2**52, "later")]).result(30)
    made = make_bundle(store.reader, SERIAL, zone=ZONE, now_ms=0, site_text="", computation="")
    store.close()
    files, _, _ = opened(made.data)
    assert files["site-2.toml"] == b"changed"
    assert "site-3.toml" not in files
