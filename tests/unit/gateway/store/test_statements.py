import sqlite3
import typing

import pytest

from billing_core.session import pack_states, unpack_states
from gateway import outcome
from gateway.store.schema import prepare
from gateway.store.statements import RowWriter


@pytest.fixture
def connection(tmp_path):
    connection = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
    prepare(connection)
    yield connection
    connection.close()


def test_every_kind_of_row_can_be_written(connection):
    writers = RowWriter(connection, (), lambda *_: None)._writers
    assert set(writers) == set(typing.get_args(outcome.Row))


def test_a_row_of_no_kind_is_an_error(connection):
    with pytest.raises(KeyError):
        RowWriter(connection, (), lambda *_: None).write("a row")


def test_the_sequence_of_a_partition_counts_per_endpoint(connection):
    seen = []

    def envelope(endpoint, event, sequence):
        seen.append((endpoint, event.partition, sequence))
        return b"", 1

    rows = RowWriter(connection, ("a", "b"), envelope)
    for number, partition in enumerate(("t1", "t2", "t1")):
        rows.write(outcome.EventRaised(f"e{number}", "x", "s", partition, 1, {}))
    assert [each for each in seen if each[0] == "a"] == [("a", "t1", 1), ("a", "t2", 1), ("a", "t1", 2)]
    assert [each[1:] for each in seen if each[0] == "b"] == [each[1:] for each in seen if each[0] == "a"]


def test_samples_of_another_charge_leave_with_their_place_in_the_chain(connection):
    rows = RowWriter(connection, (), lambda *_: None)
    for transaction_id in ("t1", "t2"):
        rows.write(outcome.SamplesTaken(transaction_id, *pack_states([(1, 1, 1, 1, 1, 1, True, None)])))
        rows.write(outcome.ChainKept("p", 1, transaction_id, 1, None, None, 1, 1, None))
    rows.write(outcome.SamplesLeft("t1"))
    for table in ("sample_block", "register_chain"):
        assert connection.execute(f"SELECT transaction_id FROM {table}").fetchall() == [("t2",)], table


def test_text_beyond_ascii_stays_readable_in_the_database(connection):
    rows = RowWriter(connection, (), lambda *_: None)
    rows.write(outcome.OrderSaved("o", "p", 1, "k", None, 1, 2, "sent", "me", {"why": "充电"}))
    assert connection.execute("SELECT request FROM order_log").fetchone() == ('{"why":"充电"}',)


def saved(state, energy_e4kwh=0):
    return outcome.SessionSaved("t1", "o", "p1", 1, state, None, 1, None, energy_e4kwh, {"state": state})


def test_a_session_is_written_once_a_transaction_as_it_was_last(connection):
    rows = RowWriter(connection, (), lambda *_: None)
    told = []
    connection.set_trace_callback(told.append)
    for row in (saved("opened"), saved("charging", 5), saved("ended", 9)):
        rows.write(row)
    rows.finish()
    rows.finish()
    assert len({sql for sql in told if sql.startswith("INSERT INTO session ")}) == 1
    assert connection.execute("SELECT state, energy_e4kwh, frozen FROM session").fetchall() == [
        ("ended", 9, '{"state":"ended"}')
    ]


def test_a_session_that_began_before_its_pile_was_updated_remembers_that(connection):
    rows = RowWriter(connection, (), lambda *_: None)
    for row in (
        outcome.PileSeen("p1", 1, "ykc-1.6", "V1.0", 1, None),
        saved("opened"),
        outcome.PileSeen("p1", 2, "ykc-1.6", "V2.0", 1, None),
        saved("charging"),
    ):
        rows.write(row)
    rows.finish()
    assert connection.execute("SELECT firmware_version FROM session_firmware").fetchall() == [("V1.0",)]
    assert connection.execute("SELECT state FROM session").fetchall() == [("charging",)]


def test_samples_of_a_session_share_a_row_within_a_transaction(connection):
    rows = RowWriter(connection, (), lambda *_: None)
    states = [(at_ms, 10 * at_ms, 0, 0, 0, 0, at_ms < 3, None) for at_ms in range(1, 5)]
    for state in states:
        rows.write(outcome.SamplesTaken("t1", *pack_states([state])))
    rows.finish()
    ((at_ms, energy_e4kwh, packed),) = connection.execute("SELECT at_ms, energy_e4kwh, states FROM sample_block")
    assert (at_ms, energy_e4kwh, unpack_states(packed)) == (1, 20, states)


def test_what_was_undone_is_forgotten(connection):
    rows = RowWriter(connection, (), lambda *_: None)
    for row in (saved("opened"), outcome.SamplesTaken("t1", *pack_states([(1, 1, 1, 1, 1, 1, True, None)]))):
        rows.write(row)
    rows.undone()
    rows.finish()
    for table in ("session", "sample_block"):
        assert connection.execute(f"SELECT * FROM {table}").fetchall() == [], table
