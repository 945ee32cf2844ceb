from billing_core.session import pack_states, unpack_states
from gateway.outcome import BillIssued, SamplesLeft, SamplesTaken, SessionSaved
from gateway.store import Store, StoreConfig
from gateway.store.memory import MemoryStore


def bill(transaction_id, revision):
    return BillIssued(transaction_id, revision, "normal", "o", "p1", 1, 1, 1, 2, 1, 1, None, (), "r", "a", "{}")


def state(at_ms, energy):
    return (at_ms, energy, 0, 0, 0, 0, True, False)


def recalled(store, transaction_id):
    frozen, states = store.recall(transaction_id)
    return frozen, unpack_states(states)


ROWS = [
    SessionSaved("t1", "o", "p1", 1, "charging", None, 1, None, 0, {"seen": (1, 2)}),
    SamplesTaken("t1", *pack_states([state(5, 50)])),
    SamplesTaken("t1", *pack_states([state(6, 60)])),
    bill("t2", 1),
    bill("t2", 2),
    bill("t1", 1),
]


def test_it_recalls_what_a_database_would(tmp_path):
    store = Store(StoreConfig(path=str(tmp_path / "x.db")))
    memory = MemoryStore(store)
    memory.keep(iter(ROWS))
    store.writer.call(lambda _: None).result(30)
    assert recalled(memory, "t1") == recalled(store.reader, "t1") == ({"seen": [1, 2]}, [state(5, 50), state(6, 60)])
    assert memory.recall("t9") is None
    memory.keep([SamplesLeft("t1")])
    store.writer.call(lambda _: None).result(30)
    assert memory.recall("t1") == store.reader.recall("t1") == ({"seen": [1, 2]}, b"")
    assert len(store.reader.revisions("t2")) == 2
    store.close()


def test_bills_are_the_newest_unless_all_are_wanted():
    memory = MemoryStore()
    memory.keep(ROWS)
    assert [(each.transaction_id, each.revision) for each in memory.bills()] == [("t1", 1), ("t2", 2)]
    assert len(memory.bills(all_revisions=True)) == 3


def test_what_left_memory_is_found_and_goes_on():
    memory = MemoryStore()
    for number in range(600):
        key = f"t{number}"
        memory.keep([SamplesTaken(key, *pack_states([state(number, 50)]))])
        memory.keep([SessionSaved(key, "o", "p1", 1, "billed", None, 1, None, 0, {"n": number})])
    assert recalled(memory, "t3") == ({"n": 3}, [state(3, 50)])
    assert recalled(memory, "t599") == ({"n": 599}, [state(599, 50)])
    memory.keep([SamplesTaken("t3", *pack_states([state(9, 60)]))])
    memory.keep([SessionSaved("t3", "o", "p1", 1, "charging", None, 1, None, 0, {"n": 33})])
    wanted = ({"n": 33}, [state(3, 50), state(9, 60)])
    assert recalled(memory, "t3") == wanted
    memory.keep([SessionSaved(f"u{n}", "o", "p1", 1, "billed", None, 1, None, 0, {}) for n in range(600)])
    assert recalled(memory, "t3") == wanted
    memory.keep([SessionSaved("t3", "o", "p1", 1, "billed", None, 1, None, 0, {"n": 34})])
    memory.keep([SessionSaved(f"v{n}", "o", "p1", 1, "billed", None, 1, None, 0, {}) for n in range(600)])
    assert recalled(memory, "t3") == ({"n": 34}, wanted[1])
