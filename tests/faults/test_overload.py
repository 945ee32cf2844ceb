"""Three times what the daemon can carry: it falls behind, loses no bill, and is itself again at once."""

import sqlite3
from contextlib import closing

import pytest

from bench.daemon import Gateway
from bench.limit import Load
from bench.piles import FIRST_PILE

PILES = 60
RECORDS = 40


@pytest.fixture
def gateway(tmp_path):
    gateway = Gateway(tmp_path, PILES)
    try:
        yield gateway
    finally:
        gateway.close()


def test_three_times_the_capacity_costs_no_bill(gateway, tmp_path):
    load = Load(gateway.port, PILES, FIRST_PILE)
    try:
        calm = load.run("closed 1 1 500")
        capacity = calm["frames"] / calm["seconds"]
        flood = load.run(f"open {3 * capacity:.0f} 1500 {RECORDS}")
        assert flood["lost_links"] == 0
        assert flood["acknowledged"] == RECORDS
        assert flood["answered"] > 0
        after = load.run("closed 1 1 500")
        assert after["lost_links"] == 0
        assert after["least_answers"] > 0, "no link is left behind"
        assert after["heartbeats"]["p50_us"] < 20 * calm["heartbeats"]["p50_us"] + 100_000
    finally:
        load.close()
    gateway.close()
    with closing(sqlite3.connect(tmp_path / "pilegate.db")) as connection:
        assert connection.execute("SELECT count(*) FROM record").fetchone() == (RECORDS,)
        billed = "SELECT count(DISTINCT transaction_id) FROM bill JOIN record USING (transaction_id)"
        assert connection.execute(billed).fetchone() == (RECORDS,)
