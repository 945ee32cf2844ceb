"""``pilegate demo`` keeps its own claims."""

import json
import re
import subprocess
import sys

from gateway.billschema import fault_of
from gateway.demo.cast import PARTS
from tests.support.commandline import ROOT, pilegate


def test_the_demo_ends_well_and_its_bills_fit_the_schema(tmp_path):
    command = [sys.executable, "-m", "gateway", "demo", "--directory", str(tmp_path), "--seed", "3"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout[-3_000:] + done.stderr[-2_000:]
    assert re.search(r"all \d+ claims hold; \d+ s$", done.stdout.strip())
    for text in ("bills", "forwarded: ", "needs a person:", f"database: {tmp_path}", f"capture:  {tmp_path}"):
        assert text in done.stdout
    listed = pilegate("bills", "--db", tmp_path / "pilegate.db", "--json")
    bills = [json.loads(line) for line in listed.out.splitlines()]
    assert len(bills) == len(PARTS)
    assert [fault_of(bill) for bill in bills] == [None] * len(PARTS)
    assert "error" not in done.stderr.lower()
