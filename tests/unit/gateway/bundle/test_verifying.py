import pytest

from gateway.bundle.archive import BundleAltered, opened, pack, seal
from gateway.bundle.making import make_bundle
from gateway.bundle.verifying import verify_bundle
from gateway.config import parse
from gateway.deciding import confirm, newest_bill, propose
from gateway.decisions import Decision, Decisions
from gateway.engine import Engine
from gateway.errors import StoreError
from gateway.restore import restore_engine
from gateway.site import Site, zone_of
from gateway.store import Reader, Store, StoreConfig
from gateway.tomlfile import TomlFile
from tests.support.billed import REPLAYS, SITE, replayed

SERIAL = "55031412782305012603031030000001"
ZONE = zone_of("Asia/Shanghai")


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    """Story → its bundle; each story's database is made once."""
    directory = tmp_path_factory.mktemp("bundles")
    made = {}

    def make(story, *, keep_frames=True):
        if (story, keep_frames) not in made:
            db = directory / f"{story}.db"
            if not db.exists():
                replayed(db, story)
            reader = Reader(db)
            logged = ()
            bundle = make_bundle(
                reader, SERIAL, zone=ZONE, now_ms=0, site_text=SITE.read_text(), computation="x", logged=logged
            )
            reader.close()
            made[story, keep_frames] = bundle
        return made[story, keep_frames]

    return make


@pytest.mark.parametrize(
    ("story", "revisions"),
    [("app-start-across-two-rates", 1), ("record-never-comes", 1), ("record-sent-again-with-other-content", 2)],
)
def test_a_bundle_leads_to_its_bill_again(bundles, story, revisions):
    made = bundles(story)
    verdict = verify_bundle(made.data)
    assert verdict.differences == ()
    assert (verdict.is_equal, verdict.revisions, verdict.transaction_id) == (True, revisions, SERIAL)
    assert verdict.seal == made.seal
    assert made.broken_at is None


def forged(bundle, change):
    """A bundle somebody changed and sealed again with care."""
    files, manifest, _ = opened(bundle.data)
    change(files)
    return pack(seal(files, {key: value for key, value in manifest.items() if key != "files"}))


def edit(name, old, new):
    def change(files):
        assert old in files[name]
        files[name] = files[name].replace(old, new)

    return change


def test_a_forged_amount_is_found_by_recomputing(bundles):
    data = forged(
        bundles("app-start-across-two-rates"), edit("revisions.jsonl", b'"amount":"58.03"', b'"amount":"5.80"')
    )
    verdict = verify_bundle(data)
    assert verdict.differences == ('revision 1: amount: the bundle says "5.80", the frames "58.03"',)


def test_forged_prices_are_found_by_recomputing(bundles):
    data = forged(bundles("app-start-across-two-rates"), edit("site-1.toml", b'"0.70000"', b'"0.10000"'))
    assert any("energy_fee" in text for text in verify_bundle(data).differences)


def test_a_frame_that_was_taken_out_is_found_by_recomputing(bundles):
    def change(files):
        lines = files["frames.jsonl"].splitlines(keepends=True)
        files["frames.jsonl"] = b"".join(line for line in lines if len(line) < 400)  # all but the record

    verdict = verify_bundle(forged(bundles("app-start-across-two-rates"), change))
    assert any("leads to" in text or "lead to" in text or "frames" in text for text in verdict.differences)
    assert not verdict.is_equal


def decided(db, *terms):
    """Take decisions in a stopped daemon's database."""
    store = Store(StoreConfig(path=str(db)))
    config = parse(TomlFile.read(SITE))
    engine = Engine(config.site, config.session, silence_ms_max=30_000, recall=store.reader.recall, is_replay=False)
    restore_engine(engine, store)
    decisions = Decisions(engine.sessions, lambda key: newest_bill(store.reader, key))
    at_ms = store.reader.one("SELECT max(created_at_ms) AS at_ms FROM bill")["at_ms"]
    for kind, key, more in terms:
        at_ms += 5_000
        decision = Decision(key, kind, actor="li", reason="because", **more)
        saved, outcome = propose(decisions, decision, evidence=(), at_ms=at_ms)
        if saved.state == "proposed":
            saved, outcome = confirm(decisions, saved, "wang", at_ms=at_ms)
        store.writer.submit(outcome.rows).result(30)
    store.close()


def bundle_of(db, key=SERIAL):
    reader = Reader(db)
    made = make_bundle(reader, key, zone=ZONE, now_ms=0, site_text="", computation="")
    reader.close()
    return made


@pytest.mark.parametrize(
    ("story", "terms"),
    [
        ("record-never-comes", [("waive", SERIAL, {})]),
        ("record-never-comes", [("source", SERIAL, {"source": "last_sample"}), ("waive", SERIAL, {})]),
        ("app-start-across-two-rates", [("split", SERIAL, {"split_at_ms": 1_772_506_800_000})]),
        ("app-start-across-two-rates", [("meter_replaced", SERIAL, {})]),
    ],
)
def test_what_people_decided_is_recomputed_too(tmp_path, story, terms):
    db = replayed(tmp_path / "a.db", story)
    decided(db, *terms)
    verdict = verify_bundle(bundle_of(db).data)
    assert verdict.differences == ()
    assert verdict.revisions == 1 + len(terms)
    assert [text.split(" at ")[0] for text in verdict.decisions] == [
        f"revision {number}: decision:{kind} by li, wang" for number, (kind, _, _) in enumerate(terms, start=2)
    ]


def test_the_second_part_of_a_split_charge_has_evidence_of_its_own(tmp_path):
    db = replayed(tmp_path / "a.db", "app-start-across-two-rates")
    decided(db, ("split", SERIAL, {"split_at_ms": 1_772_506_800_000}))
    verdict = verify_bundle(bundle_of(db, f"{SERIAL}-2").data)
    assert (verdict.differences, verdict.revisions) == ((), 1)


def test_an_assigned_record_is_recomputed_on_both_bills(tmp_path):
    db = replayed(tmp_path / "a.db", "record-never-comes", "record-of-an-unknown-transaction")
    decided(db, ("assign", "9" * 32, {"target": SERIAL}))
    for key in (SERIAL, "9" * 32):
        verdict = verify_bundle(bundle_of(db, key).data)
        assert verdict.differences == ()
        assert len(verdict.decisions) == 1


def test_a_decision_that_was_forged_is_found(tmp_path):
    db = replayed(tmp_path / "a.db", "record-never-comes")
    told = {"explanation_en": ("A.",), "explanation_zh": ("甲。",)}
    decided(db, ("amount", SERIAL, {"amount_fen": 4_000, **told}))
    data = forged(bundle_of(db), edit("revisions.jsonl", b'"payable":"40.00"', b'"payable":"20.00"'))
    assert [text for text in verify_bundle(data).differences if "payable" in text]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (edit("site-1.toml", b"[site]", b"[sight]"), "the site file cannot be used"),
        (lambda files: files.pop("frames.jsonl"), "frames.jsonl"),
    ],
)
def test_a_bundle_that_cannot_be_recomputed_says_why(bundles, change, said):
    with pytest.raises(BundleAltered, match=said):
        verify_bundle(forged(bundles("app-start-across-two-rates"), change))


def test_without_a_bill_there_is_no_bundle(tmp_path):
    db = replayed(tmp_path / "a.db", "app-start-across-two-rates")
    reader = Reader(db)
    try:
        with pytest.raises(StoreError, match="does not exist"):
            make_bundle(reader, "nobody", zone=ZONE, now_ms=0, site_text="", computation="")
    finally:
        reader.close()


def test_frames_are_cut_from_logs_where_the_database_kept_none(tmp_path):
    import sqlite3

    from gateway.bundle.frames import kept_of
    from gateway.framelog import read_log

    db = replayed(tmp_path / "a.db", "app-start-across-two-rates")
    connection = sqlite3.connect(db)
    connection.execute("DELETE FROM frame_block")
    connection.execute("DELETE FROM site_version")
    connection.commit()
    connection.close()
    log = REPLAYS / "app-start-across-two-rates" / "log.jsonl"
    reader = Reader(db)
    made = make_bundle(
        reader,
        SERIAL,
        zone=ZONE,
        now_ms=0,
        site_text=SITE.read_text(),
        computation="",
        logged=kept_of(read_log(log), Site(), silence_ms_max=30_000),
    )
    bare = make_bundle(reader, SERIAL, zone=ZONE, now_ms=0, site_text=SITE.read_text(), computation="")
    reader.close()
    assert verify_bundle(made.data).is_equal
    assert not verify_bundle(bare.data).is_equal
