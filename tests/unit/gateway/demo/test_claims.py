"""A claim fails when what it claims is not so."""

import json

import pytest

from gateway.demo.cast import PARTS
from gateway.demo.claims import Claim, check_bills, check_upstream, part_of
from gateway.demo.upstream import Delivery, DemoUpstream
from gateway.simulator.charge import Story

SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"


def world():
    """Stories and bills of a day on which all went as planned."""
    stories, rows = [], []
    for number, part in enumerate(PARTS):
        key = f"{number:032d}"
        stories.append(
            Story(key, part.pile_id, part.connector, "card", 0, energy_e4kwh=10_000, expected_fen=190, has_ended=True)
        )
        body = {
            "transaction_id": key,
            "status": part.status,
            "energy_kwh": "1.0000",
            "amount": "1.90",
            "lines": [{"rate": "peak"}, {"rate": "flat"}],
            "primary_anomaly": part.anomaly,
            "anomalies": [{"code": part.anomaly}] if part.anomaly else [],
        }
        rows.append({"transaction_id": key, "revision": 1, "body": json.dumps(body)})
    return stories, rows


def failing(stories, rows):
    return [claim.text for claim in check_bills(stories, rows) if not claim.holds]


def changed(rows, number, **change):
    row = rows[number]
    return [*rows[:number], {**row, "body": json.dumps({**json.loads(row["body"]), **change})}, *rows[number + 1 :]]


def test_a_good_day():
    assert failing(*world()) == []


def test_what_is_wrong_fails_one_claim():
    stories, rows = world()
    abnormal = next(n for n, part in enumerate(PARTS) if part.status != "normal")
    assert failing(stories, rows[1:]), "a bill is missing"
    assert failing(stories[1:], rows), "a bill without a story"
    assert failing(stories, [*rows, {**rows[0], "revision": 2}]), "billed twice"
    assert failing(stories, changed(rows, 0, amount="1.91")), "a fen too much"
    assert failing(stories, changed(rows, 0, status="review")), "not normal"
    assert failing(stories, changed(rows, 0, lines=[{"rate": "peak"}])), "one line only"
    assert failing(stories, changed(rows, abnormal, status="normal")), "nobody would look"
    assert failing(stories, changed(rows, abnormal, anomalies=[])), "no name for it"


def test_the_receiver_is_believed_only_when_it_has_everything():
    _, rows = world()
    upstream = DemoUpstream(SECRET)

    def event(row):
        bill = json.loads(row["body"])
        amount = None if bill["status"] == "review" else bill["amount"]
        data = {"transaction_id": row["transaction_id"], "status": bill["status"], "amount": amount}
        return {"type": "pilegate.bill.created", "data": data}

    upstream.deliveries = [Delivery(503, event(rows[0])), *(Delivery(204, event(row)) for row in rows)]
    assert all(claim.holds for claim in check_upstream(upstream, rows, 0))
    assert not all(claim.holds for claim in check_upstream(upstream, rows, 1)), "something waits"
    upstream.deliveries.pop()
    assert not all(claim.holds for claim in check_upstream(upstream, rows, 0)), "a bill did not arrive"
    upstream.deliveries.append(Delivery(401, {}))
    assert sum(not claim.holds for claim in check_upstream(upstream, rows, 0)) == 2, "and one was forged"


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.text)
def test_parts_are_found_by_their_place(part):
    assert part_of(part.pile_id, part.connector) is part


def test_nobody_plays_elsewhere():
    assert part_of("0" * 14, 1) is None
    assert Claim("x").holds
    assert not Claim("x", "y").holds
