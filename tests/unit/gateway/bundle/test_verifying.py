import json

import pytest

from gateway.bundle.archive import BundleAltered, opened, pack, seal
from gateway.bundle.making import make_bundle
from gateway.bundle.verifying import verify_bundle
from gateway.errors import StoreError
from gateway.site import Site, zone_of
from gateway.store import Reader
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


def test_a_decision_of_a_person_is_carried_as_data(bundles):
    def change(files):
        row = json.loads(files["revisions.jsonl"].splitlines()[-1])
        row |= {"revision": 2, "reason": "decision: waive", "actor": "li"}
        files["revisions.jsonl"] += json.dumps(row).encode() + b"\n"

    verdict = verify_bundle(forged(bundles("app-start-across-two-rates"), change))
    assert verdict.is_equal
    assert [text[:34] for text in verdict.decisions] == ["revision 2: decision: waive by li "]


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
    connection.execute("DELETE FROM frame")
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
