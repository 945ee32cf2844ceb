"""The capture against the bills: a difference is found."""

from gateway.config import Config
from gateway.demo.replayed import check_replay


def test_a_bill_that_no_capture_explains(tmp_path):
    row = {"transaction_id": "1" * 32, "revision": 1, "body": "{}"}
    same, garbage = check_replay(Config(), tmp_path, [row], 1_000)
    assert "1" * 32 in same.detail
    assert garbage.detail == "no garbage was found"
    same, _ = check_replay(Config(), tmp_path, [], 1_000)
    assert same.holds
