"""Rows of bills for tests that need some, and no session behind them."""

import json

from gateway.outcome import BillIssued

T0_MS = 1_772_509_200_000  # 2026-03-03T11:40:00+08:00


def bill_row(transaction_id, revision=1, **changes):
    """A revision of a bill; ``document`` is merged into its JSON."""
    document = changes.pop("document", {})
    values = {
        "status": "normal",
        "order_no": "20260303114016000001",
        "pile_id": "55031412782305",
        "connector": 1,
        "created_at_ms": T0_MS,
        "started_at_ms": T0_MS - 3_600_000,
        "ended_at_ms": T0_MS,
        "energy_e4kwh": 100_000,
        "amount_fen": 1_500,
        "primary_anomaly": None,
        "anomalies": (),
        "reason": "record",
        "actor": "engine",
        **changes,
    }
    body = {
        "transaction_id": transaction_id,
        "order_no": values["order_no"],
        "revision": revision,
        "meter_start_kwh": None,
        "meter_stop_kwh": None,
        "anomalies": [{"code": code, "severity": "major"} for code in values["anomalies"]],
        "primary_anomaly": values["primary_anomaly"],
        **document,
    }
    return BillIssued(transaction_id=transaction_id, revision=revision, body=json.dumps(body), **values)
