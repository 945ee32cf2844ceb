import dataclasses
import threading

import pytest

from billing_core.session import pack_states, unpack_states
from gateway.outcome import (
    BillIssued,
    ChainKept,
    EventRaised,
    OfflineCardsKnown,
    OrderSaved,
    PileClockChecked,
    PileSeen,
    PileTariffKnown,
    RecordStored,
    SamplesTaken,
    SessionSaved,
    TariffPriced,
    UnknownPileSeen,
)
from gateway.store import Store, StoreConfig

WAIT_S = 30
RECORD = RecordStored("t1", "T1", 70, "p1", 1, "ykc-1.6", "v16", 0x3B, "hash", b"\x01")


@pytest.fixture
def store(tmp_path):
    config = StoreConfig(path=str(tmp_path / "pilegate.db"))
    store = Store(config, endpoints=("a", "b"), envelope=lambda endpoint, event, n: (f"{endpoint}{n}".encode(), 900))
    yield store
    store.close()


def put(store, *rows):
    store.writer.submit(rows).result(WAIT_S)


def bill(transaction_id, at_ms, *, revision=1, status="normal", pile="p1", anomalies=()):
    primary = anomalies[0] if anomalies else None
    return BillIssued(
        transaction_id, revision, status, "o", pile, 1, at_ms, 1, 2, 10, 20, primary, anomalies, "record", "r", "{}"
    )


def session(transaction_id, at_ms, state="charging", pile="p1"):
    return SessionSaved(transaction_id, "o", pile, 1, state, "app", at_ms, None, 7, {"k": transaction_id})


def order(order_id, at_ms, state="sent", kind="StartCharging", transaction_id=None):
    return OrderSaved(order_id, "p1", 1, kind, transaction_id, at_ms, at_ms + 5, state, "me", {"x": 1}, None)


def event(event_id, partition, at_ms=100):
    return EventRaised(event_id, "pilegate.bill.created", "s", partition, at_ms, {})


def samples(transaction_id, *moments):
    return SamplesTaken(
        transaction_id, *pack_states([(at_ms, energy, 0, 0, 0, 0, True, None) for at_ms, energy in moments])
    )


def test_a_session_is_replaced_and_recalled_with_its_samples(store):
    put(store, session("t1", 5), samples("t1", (6, 10), (7, 20)))
    put(store, dataclasses.replace(session("t1", 5), energy_e4kwh=20, frozen={"k": "newer"}))
    frozen, states = store.reader.recall("t1")
    assert frozen == {"k": "newer"}
    assert unpack_states(states) == [(6, 10, 0, 0, 0, 0, True, None), (7, 20, 0, 0, 0, 0, True, None)]
    assert store.reader.recall("t2") is None
    assert store.reader.session("t1")["energy_e4kwh"] == 20
    assert list(store.reader.open_sessions()) == [(frozen, states)]
    put(store, dataclasses.replace(session("t1", 5), state="billed"))
    assert list(store.reader.open_sessions()) == []


def test_sessions_come_newest_first_and_page(store):
    put(store, *[session(f"t{n}", n // 2, pile=f"p{n % 2}") for n in range(6)])
    first = store.reader.sessions(before=None, limit=4)
    assert [row["transaction_id"] for row in first] == ["t5", "t4", "t3", "t2"]
    cursor = (first[-1]["opened_at_ms"], first[-1]["transaction_id"])
    assert [row["transaction_id"] for row in store.reader.sessions(before=cursor, limit=4)] == ["t1", "t0"]
    assert [r["transaction_id"] for r in store.reader.sessions(pile_id="p1", before=None, limit=9)] == [
        "t5",
        "t3",
        "t1",
    ]


def test_samples_page_by_row(store):
    put(store, samples("t1", (0, 0), (1, 1)), samples("t2", (9, 9)), samples("t1", (2, 2), (3, 3), (4, 4)))
    first = store.reader.samples("t1", limit=3)
    rest = store.reader.samples("t1", after_row=first[-1]["row"])
    assert [row["at_ms"] for row in first + rest] == [0, 1, 2, 3, 4]
    assert store.reader.samples("t1", after_row=rest[-1]["row"]) == []


def test_bills_are_filtered_by_their_newest_revision(store):
    put(store, bill("t1", 10, status="review", anomalies=("A", "B")), bill("t2", 20, pile="p2"), bill("t3", 30))
    put(store, bill("t1", 10, revision=2, status="repaired", anomalies=("B",)))

    def found(**keys):
        return [(row["transaction_id"], row["revision"]) for row in store.reader.bills(**keys)]

    assert found() == [("t3", 1), ("t2", 1), ("t1", 2)]
    assert found(status="review") == []
    assert found(status="repaired") == found(anomaly="B") == [("t1", 2)]
    assert found(anomaly="A") == []
    assert found(pile_id="p2") == [("t2", 1)]
    assert found(since_ms=20, until_ms=30) == [("t2", 1)]
    assert found(anomaly="B", since_ms=11) == []
    assert found(before=(30, "t3"), limit=1) == [("t2", 1)]
    assert [row["status"] for row in store.reader.revisions("t1")] == ["review", "repaired"]
    assert store.reader.bill("t1")["revision"] == 2
    assert store.reader.bill("t9") is None


def test_a_record_is_kept_once_and_another_content_beside_it(store):
    put(store, RECORD, RECORD, dataclasses.replace(RECORD, content_hash="other", rx_ms=80))
    assert [row["content_hash"] for row in store.reader.records("t1")] == ["hash", "other"]


def test_what_a_restart_takes_up(store):
    put(
        store,
        ChainKept("p1", 1, "t1", 6, 100, 200, 6, 7, None),
        ChainKept("p1", 1, "t0", 5, 0, 90, 5, 6, "c"),
        ChainKept("p1", 1, "t0", 5, 0, 100, 5, 6, "c", was_unplugged=True),
        PileSeen("p1", 1, "ykc-1.6", "V1", 2, "DC"),
        PileClockChecked("p1", 9, -30),
        PileTariffKnown("p1", 9, "0100"),
        OfflineCardsKnown("p1", 1, (("c1", "l1"), ("c2", "l2")), True),
        OfflineCardsKnown("p1", 2, (("c1", ""),), False),
        TariffPriced("0100", 1, "*", "{}"),
        TariffPriced("0100", 1, "*", "other"),
    )
    reader = store.reader
    assert reader.register_chain(("p1", 1)) == [
        ChainKept("p1", 1, "t0", 5, 0, 100, 5, 6, "c", was_unplugged=True),
        ChainKept("p1", 1, "t1", 6, 100, 200, 6, 7, None),
    ]
    assert reader.register_chain(("p1", 2)) == []
    assert reader.pile_clocks() == {"p1": (9, -30)}
    assert reader.offline_cards() == {"p1": ["c2"]}
    assert [row["terms"] for row in reader.priced_tariffs()] == ["{}"]
    (pile,) = reader.piles()
    assert (pile["firmware_version"], pile["tariff_model_no"]) == ("V1", "0100")
    assert reader.find_pile("p1") is None, "seen, but never adopted"


def test_starts_without_a_session_are_found(store):
    put(
        store,
        order("o1", 1, transaction_id="t1"),
        order("o2", 2, transaction_id="t2"),
        order("o3", 3, state="failed", transaction_id="t3"),
        order("o4", 4, kind="Reboot"),
        session("t2", 2),
    )
    (found,) = store.reader.start_orders_without_session()
    assert (found["order_id"], found["request"]) == ("o1", {"x": 1})
    assert store.reader.has_order("t3")
    assert not store.reader.has_order("t9")
    assert store.reader.order_of("t2")["order_id"] == "o2"
    assert store.reader.order("o9") is None


def test_orders_come_newest_first_and_change_their_state(store):
    put(store, *[order(f"o{n}", n) for n in range(4)])
    put(store, dataclasses.replace(order("o3", 3), state="accepted", result={"y": 2}))
    rows = store.reader.orders(before=None, limit=2)
    assert [(row["order_id"], row["state"], row["result"]) for row in rows] == [
        ("o3", "accepted", {"y": 2}),
        ("o2", "sent", None),
    ]
    assert [row["order_id"] for row in store.reader.orders(before=(2, "o2"), limit=9)] == ["o1", "o0"]
    assert [row["order_id"] for row in store.reader.open_orders()] == ["o0", "o1", "o2"]


def test_an_unknown_pile_is_counted(store):
    for at_ms in (5, 6, 7):
        put(store, UnknownPileSeen("p9", at_ms, f"a:{at_ms}", "ykc", "V1", 2))
    (row,) = store.reader.unknown_piles()
    assert (row["attempts"], row["first_seen_at_ms"], row["last_seen_at_ms"], row["address"]) == (3, 5, 7, "a:7")


def test_the_outbox_keeps_order_within_a_partition(store):
    put(store, event("e1", "t1"), event("e2", "t1"), event("e3", "t2"), event("e1", "t1"))
    due = store.reader.due("a", 100, 10**15, 10)
    assert [(row["event_id"], row["sequence"]) for row in due] == [("e1", 1), ("e3", 1)]
    assert [row["body"] for row in due] == [b"a1", b"a1"]
    assert len(store.reader.outbox(endpoint="b")) == 3
    assert store.reader.due("a", 99, 10**15, 10) == []
    assert len(store.reader.due("a", 0, 50, 10)) == 2, "behind every schedule: the clock was set back"
    assert store.reader.next_due_ms("a") == 100
    assert store.reader.next_due_ms("c") is None
    assert store.reader.failing_since_ms("a") is None  # nothing was tried
    assert store.reader.outbox_entry(due[0]["id"])["event_id"] == "e1"
    summary = {(row["endpoint"], row["state"]): row["entries"] for row in store.reader.outbox_summary()}
    assert summary == {("a", "pending"): 3, ("b", "pending"): 3}


def test_an_upstream_that_does_not_want_an_event_gets_none(tmp_path):
    wants = {"a": (b"x", 1), "b": None}
    config = StoreConfig(path=str(tmp_path / "other.db"))
    store = Store(config, endpoints=("a", "b"), envelope=lambda endpoint, *_: wants[endpoint])
    put(store, event("e1", "t1"))
    assert [row["endpoint"] for row in store.reader.outbox()] == ["a"]
    store.close()


def test_the_newest_moment_is_found_wherever_it_stands(store):
    assert store.reader.newest_ms() == 0
    rows = [
        bill("t1", 10),
        session("t1", 20),
        samples("t1", (30, 0)),
        dataclasses.replace(RECORD, rx_ms=40),
    ]
    for row, newest_ms in zip(rows, (10, 20, 30, 40), strict=True):
        put(store, row)
        assert store.reader.newest_ms() == newest_ms


def test_every_thread_reads_on_a_connection_of_its_own(store):
    put(store, session("t1", 5))
    found = []
    threads = [threading.Thread(target=lambda: found.append(store.reader.session("t1"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
    assert len(found) == 4
    assert all(row["transaction_id"] == "t1" for row in found)


def test_a_long_result_comes_row_by_row(tmp_path):
    store = Store(StoreConfig(path=str(tmp_path / "pilegate.db")))
    rows = store.reader.each("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n LIMIT 9")
    assert [row["i"] for row in rows] == list(range(1, 10))
    store.close()
