import json

import pytest

from billing_core.computation import ENGINE
from billing_core.issue import issue_bill
from tests.support.evidence import END, charging, evidence


def computation(**changes):
    found = issue_bill(evidence(**changes), revision=1).computation
    assert json.loads(json.dumps(found)) == found, "plain data"
    return found


def test_what_is_kept_beside_the_clean_bill():
    found = computation()
    assert found["engine"] == ENGINE
    assert found["seen"] == {
        "start": "2026-03-03T09:59:55.000+08:00",
        "end": "2026-03-03T10:40:00.000+08:00",
        "is_end_observed": True,
        "idle": "2026-03-03T10:40:00.000+08:00",
        "samples": 40,
        "last_kwh": "19.5000",
    }
    assert found["registers"] == {"before": "1000.0000", "after": None, "half_width_kwh": "0.0100"}
    assert found["window_kwh"] == ["19.4900", "20.5100"]
    assert found["sources"][0] == {"rank": 1, "name": "register_pair", "kwh": "20.0000", "percent": 99}
    assert (found["energy_kwh"], found["has_trusted_clock"]) == ("20.0000", True)
    assert found["confidence_percent"] == {"energy": 99, "time": 99, "tariff": 99, "identity": 99}
    assert found["gate"] == {"shown": "30.2737", "limit": "30.8791", "total": "31.05", "is_passed": False}
    assert (found["decision"], found["reasons"]) == ("auto", [])
    assert [each["code"] for each in found["expected"]] == ["service_split_missing", "cross_period"]
    assert found["tolerances"] == evidence().tolerances.as_dict()
    assert found["judged_at"] == "2026-03-03T10:40:10.000+08:00"


@pytest.mark.parametrize(
    ("changes", "path", "value"),
    [
        ({"samples": ()}, ("window_kwh",), None),
        ({"samples": ()}, ("seen", "last_kwh"), None),
        ({"samples": ()}, ("seen", "end"), None),
        ({"pile": {"rated_w": None}}, ("window_kwh",), ["19.4900", None]),
        ({"samples": charging(last=0), "record": {"energy": 0}}, ("window_kwh",), ["0.0000", "40.1766"]),
        ({"previous": None}, ("registers", "before"), None),
        ({"meter_start_next_e4kwh": 10_200_000}, ("registers", "after"), "1020.0000"),
        ({"samples": (), "record": None}, ("gate", "shown"), None),
        (
            {"authorisation": None},
            ("reasons",),
            ["record_orphan_serial", "charge_without_order", "gate", "confidence_low"],
        ),
        ({"at_ms": END}, ("judged_at",), "2026-03-03T10:40:00.000+08:00"),
    ],
)
def test_what_is_not_known_is_null(changes, path, value):
    found = computation(**changes)
    for name in path:
        found = found[name]
    assert found == value
