import pytest

from gateway.bundle.frames import broken_at, frames_of, kept_of, scope_of
from gateway.frameblock import pack_frames
from gateway.framelog import read_log
from gateway.outcome import FrameKept, RecordStored, SessionSaved
from gateway.site import Site
from gateway.store import Store, StoreConfig
from tests.support.billed import REPLAYS
from tests.support.bills import T0_MS, bill_row

PILE = "55031412782305"
MINUTE_MS = 60_000
DAY_MS = 86_400_000
WAIT_S = 30


@pytest.fixture
def store(tmp_path):
    store = Store(StoreConfig(path=str(tmp_path / "pilegate.db")))
    yield store
    store.close()


def frame(at_ms, data, about="SampleReceived", pile=PILE):
    return FrameKept(pile, at_ms, "10.0.0.5:4001", "up", about, data)


def session(transaction_id, opened_at_ms, connector=1):
    return [
        SessionSaved(transaction_id, "1", PILE, connector, "billed", None, opened_at_ms, None, 0, {}),
        RecordStored(transaction_id, transaction_id, opened_at_ms, PILE, connector, "ykc", "standard", 0x3B, "h", b"r"),
        bill_row(transaction_id, created_at_ms=opened_at_ms + 1_000, connector=connector),
    ]


def keep(store, *rows):
    frames = [row for row in rows if isinstance(row, FrameKept)]
    others = [row for row in rows if not isinstance(row, FrameKept)]
    store.writer.submit([*pack_frames(frames), *others]).result(WAIT_S)


def kept(store, transaction_id):
    scope = scope_of(store.reader, transaction_id)
    return [row.data for row in frames_of(store.reader, scope)]


def test_a_bill_needs_the_day_before_it_and_what_came_until_its_newest_revision(store):
    keep(store, *session("t1", T0_MS), bill_row("t1", 2, created_at_ms=T0_MS + 600_000))
    keep(
        store,
        frame(T0_MS - DAY_MS - 61_000, b"too early"),
        frame(T0_MS - DAY_MS, b"clock", "OrderAnswered"),
        frame(T0_MS, b"own"),
        frame(T0_MS + 600_000, b"of revision 2"),
        frame(T0_MS + 660_001, b"too late"),
        frame(T0_MS, b"of another pile", pile="p2"),
    )
    assert kept(store, "t1") == [b"clock", b"own", b"of revision 2"]


def test_a_bill_needs_the_sessions_whose_registers_it_continues(store):
    for number, days in (("t1", 50), ("t2", 40), ("t3", 30), ("t4", 0)):
        keep(store, *session(number, T0_MS - days * DAY_MS), frame(T0_MS - days * DAY_MS, number.encode()))
    keep(store, *session("x", T0_MS - 35 * DAY_MS, connector=2), frame(T0_MS - 35 * DAY_MS, b"other connector"))
    assert kept(store, "t4") == [b"t2", b"t3", b"t4"]


def test_a_bill_needs_the_newest_login_and_the_card_lists_however_old(store):
    keep(store, *session("t1", T0_MS))
    keep(
        store,
        frame(T0_MS - 90 * DAY_MS, b"cards", "SyncCards"),
        frame(T0_MS - 90 * DAY_MS + 500, b"cards taken", "OrderAnswered"),
        frame(T0_MS - 80 * DAY_MS, b"older login", "PileLoggedIn"),
        frame(T0_MS - 70 * DAY_MS, b"login", "PileLoggedIn,HeartbeatReceived"),
        frame(T0_MS - 60 * DAY_MS, b"nothing of its", "HeartbeatReceived"),
        frame(T0_MS, b"own"),
    )
    assert kept(store, "t1") == [b"cards", b"cards taken", b"login", b"own"]


def test_no_bill_no_scope(store):
    assert scope_of(store.reader, "t1") is None


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE frame_block SET data = x'00' WHERE id = 3",
        "UPDATE frame_block SET about = 'PileLoggedIn' WHERE id = 3",
        "DELETE FROM frame_block WHERE id = 3",
        "DELETE FROM frame_block WHERE 0",
    ],
)
def test_a_frame_that_was_altered_or_taken_out_is_found(store, sql):
    keep(store, *session("t1", T0_MS), *(frame(T0_MS + n * MINUTE_MS - DAY_MS, bytes([n])) for n in range(6)))

    def tamper(connection):
        connection.execute("DROP TRIGGER frame_block_is_never_edited")
        return connection.execute(sql).rowcount

    changed = store.writer.call(tamper).result(WAIT_S)
    found = broken_at(store.reader, scope_of(store.reader, "t1"))
    assert (found is not None) == (changed > 0)
    assert found in (None, 3, 4)


def test_a_log_yields_what_the_daemon_would_have_kept():
    log = REPLAYS / "app-start-across-two-rates" / "log.jsonl"
    found = list(kept_of(read_log(log), Site(), silence_ms_max=30_000))
    abouts = [row.about for row in found if row.kind == "up"]
    assert "RecordReceived" in abouts
    assert {row.pile_id for row in found} == {PILE}
    assert "StartCharging" in [row.about for row in found if row.kind == "down"]
