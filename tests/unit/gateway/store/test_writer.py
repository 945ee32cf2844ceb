import dataclasses
import sqlite3
import threading

import pytest
from structlog.testing import capture_logs

from billing_core.session import pack_states
from gateway.errors import StoreError
from gateway.frameblock import pack_frames
from gateway.outcome import BillIssued, ChainKept, FrameKept, SamplesTaken, SessionSaved
from gateway.store import Reader, StoreConfig, Writer

WAIT_S = 30
BILL = BillIssued(
    "t1", 1, "normal", "o1", "p1", 1, 5_000, 1_000, 2_000, 300_000, 4_900, None, (), "record", "rule", "{}"
)


def meter(connector, stop_e4kwh=10):
    return ChainKept("p1", connector, f"t{connector}", 1_000, 0, stop_e4kwh, 1_000, stop_e4kwh, None)


def stops(reader):
    rows = reader.all("SELECT pile_id, connector, meter_stop_e4kwh FROM register_chain")
    return {(row["pile_id"], row["connector"]): row["meter_stop_e4kwh"] for row in rows}


def sample(at_ms):
    return SamplesTaken("t1", *pack_states([(at_ms, 1, 1, 1, 1, 1, True, None)]))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "d" / "pilegate.db"


@pytest.fixture
def make(path):
    writers = []

    def _make(before_commit=None, **keys):
        writer = Writer(StoreConfig(path=str(path), **keys), (), lambda *_: None, before_commit)
        writers.append(writer)
        return writer

    yield _make
    for writer in writers:
        if not writer.is_failing:
            writer.close()


@pytest.fixture
def reader(path):
    reader = Reader(path)
    yield reader
    reader.close()


@pytest.fixture
def other(path):
    """Another process's connection."""
    opened = []

    def connect():
        connection = sqlite3.connect(path, isolation_level=None, timeout=0, check_same_thread=False)
        opened.append(connection)
        return connection

    yield connect
    for connection in opened:
        connection.close()


class Gate:
    """Holds the writer before its commit until it may go on."""

    def __init__(self):
        self.reached = threading.Semaphore(0)
        self.go = threading.Semaphore(0)

    def __call__(self):
        self.reached.release()
        assert self.go.acquire(timeout=WAIT_S)


def test_rows_are_there_when_the_promise_is_kept(make, reader):
    writer = make()
    writer.submit([meter(1), BILL]).result(WAIT_S)
    assert stops(reader) == {("p1", 1): 10}
    assert reader.revisions("t1")[0]["amount_fen"] == 4_900


def test_what_a_commit_rests_on_is_kept_before_it(make, reader):
    seen = []
    writer = make(lambda: seen.append(stops(reader)))
    writer.submit([meter(1)]).result(WAIT_S)
    writer.submit([meter(2)]).result(WAIT_S)
    assert seen == [{}, {("p1", 1): 10}]
    assert stops(reader) == {("p1", 1): 10, ("p1", 2): 10}


@pytest.mark.parametrize(("pragma", "value"), [("synchronous", 2), ("journal_mode", "wal"), ("foreign_keys", 1)])
def test_the_connection_waits_for_the_disk(make, pragma, value):
    assert make().call(lambda c: c.execute(f"PRAGMA {pragma}").fetchall()).result(WAIT_S) == [(value,)]


def test_what_gathers_during_a_commit_shares_the_next(make):
    gate = Gate()
    writer = make(gate)
    first = writer.submit([meter(1)])
    assert gate.reached.acquire(timeout=WAIT_S)
    rest = [writer.submit([meter(number)]) for number in range(2, 30)]
    assert writer.queued_rows == 29 * 2
    for _ in range(2):
        gate.go.release()
    for done in (first, *rest):
        done.result(WAIT_S)
    assert (writer.commits, writer.queued_rows) == (2, 0)


def test_a_batch_has_a_bound(make):
    gate = Gate()
    writer = make(gate, batch_rows_max=4)
    first = writer.submit([meter(1)])
    assert gate.reached.acquire(timeout=WAIT_S)
    rest = [writer.submit([meter(number)]) for number in range(2, 8)]
    for _ in range(4):
        gate.go.release()
    for done in (first, *rest):
        done.result(WAIT_S)
    assert writer.commits == 4


def test_telemetry_comes_along_with_the_next_commit(make, reader):
    writer = make(telemetry_flush_ms=60_000)
    writer.submit_telemetry([sample(1), sample(2)])
    writer.submit([meter(1)]).result(WAIT_S)
    assert [row["at_ms"] for row in reader.samples("t1")] == [1, 2]


def test_telemetry_needs_no_company(make, reader):
    committed = threading.Event()
    writer = make(committed.set, telemetry_flush_ms=1)
    writer.submit_telemetry([sample(1)])
    assert committed.wait(WAIT_S)
    writer.call(lambda _: None).result(WAIT_S)
    assert len(reader.samples("t1")) == 1


def test_work_runs_within_the_transaction_and_gives_its_result(make):
    writer = make()
    assert writer.call(lambda connection: connection.in_transaction).result(WAIT_S) is True


@pytest.mark.parametrize("poison", [2**63, "x", None, 1.5], ids=["too-large", "text", "null", "float"])
def test_a_row_that_cannot_be_written_costs_nobody_else(make, reader, poison):
    gate = Gate()
    writer = make(gate)
    first = writer.submit([meter(1)])
    assert gate.reached.acquire(timeout=WAIT_S)
    writer.submit_telemetry([sample(1), SamplesTaken("t1", poison, 1, sample(2).states), sample(3)])
    good, bad, later = (writer.submit([meter(n, v)]) for n, v in ((2, 20), (3, poison), (4, 40)))
    for _ in range(10):
        gate.go.release()
    with capture_logs() as logs:
        with pytest.raises(StoreError) as refused:
            bad.result(WAIT_S)
        for done in (first, good, later):
            done.result(WAIT_S)
    assert refused.value.code == "row_refused"
    assert stops(reader) == {("p1", 1): 10, ("p1", 2): 20, ("p1", 4): 40}
    assert [row["at_ms"] for row in reader.samples("t1")] == [1, 3]
    assert {"batch_refused", "row_refused"} <= {line["event"] for line in logs}
    assert not writer.is_failing


@pytest.mark.parametrize("error", [KeyError("k"), AssertionError("a"), sqlite3.OperationalError("no such column: x")])
def test_work_that_fails_fails_alone(make, error):
    def work(_):
        raise error

    writer = make()
    with pytest.raises(StoreError):
        writer.call(work).result(WAIT_S)
    writer.submit([meter(1)]).result(WAIT_S)


def test_a_bill_is_never_edited(make):
    writer = make()
    writer.submit([BILL]).result(WAIT_S)
    with pytest.raises(StoreError, match="never edited"):
        writer.call(lambda connection: connection.execute("UPDATE bill SET amount_fen = 0")).result(WAIT_S)
    with pytest.raises(StoreError, match="UNIQUE"):
        writer.submit([dataclasses.replace(BILL, amount_fen=1)]).result(WAIT_S)


def test_a_locked_database_is_waited_for(make, reader, other):
    writer = make(busy_timeout_ms=1)
    locker = other()
    locker.execute("BEGIN IMMEDIATE")
    failed = threading.Event()
    writer._stop.wait = lambda _: failed.set()  # do not wait between attempts, but say that there was one
    with capture_logs() as logs:
        done = writer.submit([meter(1)])
        assert failed.wait(WAIT_S)
        assert not done.done()
        assert writer.is_failing
        locker.execute("ROLLBACK")
        done.result(WAIT_S)
    assert stops(reader) == {("p1", 1): 10}
    assert not writer.is_failing
    assert writer.failures >= 1
    assert "locked" in next(line for line in logs if line["event"] == "store_failed")["reason"]


def test_a_failing_store_keeps_order_and_promises(make, reader, other):
    writer = make(busy_timeout_ms=1)
    locker = other()
    locker.execute("BEGIN IMMEDIATE")
    order = []
    for number in range(20):
        done = writer.submit([meter(1, number)])
        done.add_done_callback(lambda _, number=number: order.append(number))
    assert order == []
    locker.execute("ROLLBACK")
    done.result(WAIT_S)
    writer.call(lambda _: None).result(WAIT_S)
    assert order == list(range(20))
    assert stops(reader) == {("p1", 1): 19}


def test_closing_writes_what_waits(make, reader, path):
    writer = make()
    promises = [writer.submit([meter(number)]) for number in range(50)]
    writer.submit_telemetry([sample(1)])
    writer.close()
    writer.close()
    assert all(each.done() for each in promises)
    assert len(stops(reader)) == 50
    assert len(reader.samples("t1")) == 1


def test_closing_gives_up_a_store_that_fails(make, other):
    writer = make(busy_timeout_ms=1)
    other().execute("BEGIN IMMEDIATE")
    promises = [writer.submit([meter(1)]), writer.submit([meter(2)])]
    with pytest.raises(StoreError, match="newest rows"):
        writer.close(wait_s=0.05)
    for each in promises:
        assert each.exception(WAIT_S).code == "store_closed"


def test_a_place_that_cannot_be_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be used as a database"):
        Writer(StoreConfig(path=str(tmp_path / "file" / "x.db")), (), lambda *_: None)
    (tmp_path / "no.db").write_bytes(b"no database at all, but long enough to be looked at" * 50)
    with pytest.raises(StoreError, match="not a database"):
        Writer(StoreConfig(path=str(tmp_path / "no.db")), (), lambda *_: None)


def saved(state, transaction_id="t1"):
    return SessionSaved(transaction_id, "o1", "p1", 1, state, None, 1, None, 0, {})


@pytest.mark.parametrize("rows_max", [1, 5_000])
def test_rows_are_written_in_the_order_in_which_they_were_handed_over(make, reader, rows_max):
    writer = make(batch_rows_max=rows_max, telemetry_flush_ms=60_000)
    begun, go_on = threading.Event(), threading.Event()
    writer.call(lambda _: begun.set() or go_on.wait(WAIT_S))
    assert begun.wait(WAIT_S)  # whatever follows waits for one and the same transaction, or for its turn
    writer.submit_telemetry([saved("first")])
    writer.submit([saved("opened")])
    writer.submit_telemetry([saved("charging")])
    writer.submit([saved("opened", "t2")])
    writer.submit_telemetry([saved("charging", "t2")])
    go_on.set()
    writer.submit([]).result(WAIT_S)
    rows = reader.all("SELECT transaction_id, state FROM session ORDER BY transaction_id")
    assert [(row["transaction_id"], row["state"]) for row in rows] == [("t1", "charging"), ("t2", "charging")]
    assert writer.queued_rows == 0


def test_the_last_word_before_the_end_is_the_newest(make, reader):
    writer = make(telemetry_flush_ms=60_000)
    writer.submit([saved("opened")])
    writer.submit_telemetry([saved("charging")])
    writer.close()
    assert reader.one("SELECT state FROM session")["state"] == "charging"


def test_at_three_times_what_it_can_write_no_record_is_lost_and_old_samples_go_first(make, reader, path):
    """The gate lets one batch through while three are handed over; how fast the machine is does not matter."""
    gate = Gate()
    writer = make(gate, batch_rows_max=20, thin_above_rows=60, telemetry_flush_ms=1)
    sessions, promises, handed_over = 10, [], 0
    for step in range(30):
        for number in range(sessions):
            row = SamplesTaken(f"t{number}", *pack_states([(step * 1_000, step, 0, 0, 0, 0, True, True)]))
            kept = pack_frames([FrameKept("p1", step, "l", "up", "SampleReceived", b"%d" % number)])
            writer.submit_telemetry([row, *kept])
            handed_over += 1
        promises.append(writer.submit([meter(step)]))
        if step % 3 == 0:
            gate.go.release()
    waiting = writer.queued_rows
    with capture_logs() as logs:
        for _ in range(1_000):
            gate.go.release()
        for done in promises:
            done.result(WAIT_S)
        assert len(stops(reader)) == 30
        assert writer.queued_rows == 0
        assert waiting > 60
        writer.submit([]).result(WAIT_S)
        fresh = [SamplesTaken("t1", *pack_states([(at_ms, 99, 0, 0, 0, 0, True, True) for at_ms in (40_000, 40_001)]))]
        writer.submit_telemetry(fresh)
        writer.submit([]).result(WAIT_S)
    written = sum(row["energy_e4kwh"] < 99 for number in range(sessions) for row in reader.samples(f"t{number}"))
    assert written + writer.left_out == handed_over
    assert writer.left_out > handed_over // 3
    assert reader.one("SELECT count(*) AS n FROM frame_block")["n"] == handed_over, "evidence is never thinned"
    assert [row["at_ms"] for row in reader.samples("t1")][-2:] == [40_000, 40_001], "itself again at once"
    assert "samples_kept_again" in {line["event"] for line in logs}
