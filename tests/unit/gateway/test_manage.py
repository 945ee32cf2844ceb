import pytest

from billing_core.session import pack_states
from gateway import manage
from gateway.errors import StoreError
from gateway.outcome import (
    BillIssued,
    EventRaised,
    FramesKept,
    OrderSaved,
    RecordStored,
    SamplesTaken,
    SessionSaved,
    UnknownPileSeen,
)
from gateway.site import PileEntry, Site
from gateway.store import Store, StoreConfig

WAIT_S = 30
DAY_MS = 86_400_000
NOW_MS = 1_772_509_216_074


@pytest.fixture
def store(tmp_path):
    config = StoreConfig(
        path=str(tmp_path / "pilegate.db"),
        keep_samples_days=10,
        keep_frames_days=20,
        keep_delivered_days=30,
        keep_orders_days=40,
    )
    store = Store(config, endpoints=("a",), envelope=lambda *_: (b"{}", NOW_MS * 2))
    yield store
    store.close()


def days_ago(days):
    return NOW_MS - days * DAY_MS


def session(transaction_id, at_ms, state="billed"):
    return SessionSaved(transaction_id, "o" + transaction_id, "p1", 1, state, None, at_ms, None, 0, {})


def sample(transaction_id, at_ms):
    return SamplesTaken(transaction_id, *pack_states([(at_ms, 1, 1, 1, 1, 1, True, None)]))


def event(number, at_ms):
    return EventRaised(f"e{number}", "pilegate.bill.created", "t", f"t{number}", at_ms, {})


def order(number, at_ms):
    return OrderSaved(f"o{number}", "p1", 1, "Reboot", None, at_ms, at_ms, "accepted", "me", {})


def unknown(pile_id, at_ms):
    return UnknownPileSeen(pile_id, at_ms, "1.2.3.4:5", "ykc", "", 1)


def fill(store, *rows):
    store.writer.submit(rows).result(WAIT_S)


def forget(store):
    return manage.forget_old(store.writer.call, store, at_ms=NOW_MS).result(WAIT_S)


def count(store, table):
    return store.reader.one(f"SELECT count(*) AS n FROM {table}")["n"]


def test_each_kind_is_kept_for_its_own_time(store):
    for days in (9, 11, 19, 21, 29, 31, 39, 41):
        at_ms = days_ago(days)
        fill(
            store,
            session(f"t{days}", at_ms),
            sample(f"t{days}", at_ms),
            FramesKept("p1", "l", at_ms, "x", b"x"),
            event(days, at_ms),
            order(days, at_ms),
        )
    store.writer.call(lambda c: c.execute("UPDATE outbox SET state = 'delivered'").rowcount).result(WAIT_S)
    assert forget(store) is False
    assert [count(store, table) for table in ("sample_block", "frame_block", "outbox", "order_log")] == [1, 3, 5, 7]
    assert count(store, "session") == 8


def test_bills_records_and_what_waits_are_never_forgotten(store):
    at_ms = days_ago(5_000)
    bill = BillIssued("t", 1, "normal", "o", "p1", 1, at_ms, None, None, 0, 0, None, (), "record", "rule", "{}")
    record = RecordStored("t", "t", at_ms, "p1", 1, "ykc", "v16", 0x3B, "h", b"r")
    fill(store, bill, record, event(1, at_ms), session("t", at_ms), session("open", at_ms, "charging"))
    fill(store, sample("open", at_ms))
    forget(store)
    assert [count(store, table) for table in ("bill", "record", "outbox", "session", "sample_block")] == [1, 1, 1, 2, 1]


def test_what_was_set_aside_is_forgotten_like_what_was_delivered(store):
    fill(store, event(1, days_ago(31)), event(2, days_ago(29)))
    store.writer.call(lambda c: c.execute("UPDATE outbox SET state = 'dead'").rowcount).result(WAIT_S)
    forget(store)
    assert [row["event_id"] for row in store.reader.outbox()] == ["e2"]


def test_much_is_forgotten_in_short_steps_that_all_get_there(store, monkeypatch):
    monkeypatch.setattr(manage, "FORGET_ROWS_MAX", 10)
    for number in range(25):  # more sessions than a step looks at: those that have no samples left hold up nobody
        fill(store, session(f"t{number}", days_ago(50)), sample(f"t{number}", days_ago(50)))
    fill(store, session("new", NOW_MS), sample("new", NOW_MS))
    steps = 1
    while forget(store):
        steps += 1
    assert steps == 3
    assert [row["transaction_id"] for row in store.reader.all("SELECT * FROM sample_block")] == ["new"]


def test_made_up_piles_fill_no_disk(store, monkeypatch):
    monkeypatch.setattr(manage, "_UNKNOWN_PILES_MAX", 5)
    fill(store, unknown("old", days_ago(31)), *[unknown(f"u{n}", NOW_MS + n) for n in range(9)])
    forget(store)
    assert [row["pile_id"] for row in store.reader.unknown_piles()] == ["u8", "u7", "u6", "u5", "u4"]


def test_an_adopted_pile_is_in_and_a_dismissed_one_out(store):
    fill(store, unknown("p9", NOW_MS))
    manage.adopt_pile(store.writer.call, "p9", station="s", at_ms=NOW_MS).result(WAIT_S)
    site = manage.merged_site(Site(), store)
    assert site.piles["p9"] == PileEntry(id="p9", station="s")
    assert store.reader.unknown_piles() == []
    manage.dismiss_pile(store.writer.call, "p9").result(WAIT_S)
    assert manage.merged_site(Site(), store).piles == {}
    with pytest.raises(StoreError, match="does not exist"):
        manage.dismiss_pile(store.writer.call, "p8").result(WAIT_S)


def test_the_file_wins_over_the_database(store):
    manage.adopt_pile(store.writer.call, "p9", station="database", at_ms=NOW_MS).result(WAIT_S)
    listed = Site(piles={"p9": PileEntry(id="p9", station="file")})
    assert manage.merged_site(listed, store).station_of("p9") == "file"


def test_cards_and_vins_need_an_account(store):
    call = store.writer.call
    with pytest.raises(StoreError, match="FOREIGN KEY"):
        manage.save_card(call, "ab", logic_card="1", account_id="a1", is_frozen=False).result(WAIT_S)
    manage.save_account(call, "a1", name="n", balance_fen=5, is_frozen=False).result(WAIT_S)
    manage.save_card(call, "ab", logic_card="1", account_id="a1", is_frozen=False).result(WAIT_S)
    manage.save_vin(call, "lhb1", account_id="a1", is_frozen=True).result(WAIT_S)
    assert store.reader.find_card("00000000000000AB")["logic_card"] == "0000000000000001"
    assert store.reader.find_vin("LHB1")["is_frozen"] == 1
    with pytest.raises(StoreError, match="FOREIGN KEY"):
        manage.remove(call, "account", "a1").result(WAIT_S)
    for what, key in (("card", "00000000000000AB"), ("vin", "LHB1"), ("account", "a1")):
        manage.remove(call, what, key).result(WAIT_S)
    with pytest.raises(StoreError, match="does not exist"):
        manage.remove(call, "vin", "LHB1").result(WAIT_S)


def test_a_balance_beyond_all_bounds_is_refused_and_hurts_nobody(store):
    call = store.writer.call
    with pytest.raises(StoreError):
        manage.save_account(call, "rich", name="", balance_fen=10**30, is_frozen=False).result(WAIT_S)
    manage.save_account(call, "a1", name="", balance_fen=1, is_frozen=False).result(WAIT_S)


def test_a_token_is_stored_hashed_and_can_be_revoked(store):
    token, stored = manage.create_token(store.writer.call, "me", at_ms=NOW_MS)
    stored.result(WAIT_S)
    assert token not in str(store.reader.all("SELECT * FROM token"))
    assert store.reader.token_of(manage.token_hash(token))["name"] == "me"
    manage.revoke_token(store.writer.call, "me", at_ms=NOW_MS).result(WAIT_S)
    assert store.reader.token_of(manage.token_hash(token)) is None
    with pytest.raises(StoreError, match="does not exist"):
        manage.revoke_token(store.writer.call, "me", at_ms=NOW_MS).result(WAIT_S)
