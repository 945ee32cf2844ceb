"""Samples that went to a start which the pile never heard move to the charge whose record shows their number."""

import contextlib
import sqlite3

from tests.support.billed import REPLAYS
from tests.support.commandline import pilegate

STORY = REPLAYS / "start_never_heard"
ORDERED, OWN = "55031412782305012603030829000001", "55031412782305012603030829000009"


def test_the_database_holds_them_under_the_charge_alone(tmp_path):
    db = tmp_path / "x.db"
    done = pilegate("replay", "--site", REPLAYS / "site.toml", "--db", db, STORY / "log.jsonl")
    assert "1 under review" in done.err
    with contextlib.closing(sqlite3.connect(db)) as connection:
        samples = dict(connection.execute("SELECT transaction_id, count(*) FROM sample_block GROUP BY transaction_id"))
        energies = dict(connection.execute("SELECT transaction_id, energy_e4kwh FROM session"))
    assert set(samples) == {OWN}
    assert energies == {ORDERED: 0, OWN: 398_000}
