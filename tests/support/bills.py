"""Rows of bills for tests that need some, and no session behind them."""

import json

from gateway.outcome import BillIssued, PileSeen, SessionSaved

T0_MS = 1_772_509_200_000  # 2026-03-03T11:40:00+08:00
HOUR_MS = 3_600_000
WAIT_S = 30


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


class Books:
    """A database with sessions and bills, an hour apart."""

    def __init__(self, store):
        self.store = store
        self.count = 0

    def firmware(self, pile, version):
        self.store.writer.submit([PileSeen(pile, 1, "ykc-1.6", version, 1, None)]).result(WAIT_S)

    def session(self, *revisions, pile="p1", connector=1, state="billed"):
        number = f"t{self.count}"
        at_ms = T0_MS + self.count * HOUR_MS
        self.count += 1
        rows = [SessionSaved(number, number, pile, connector, state, None, at_ms, None, 0, {})]
        for no, each in enumerate(revisions, start=1):
            values = {"pile_id": pile, "connector": connector, "created_at_ms": at_ms, **each}
            rows.append(bill_row(number, no, **values))
        self.store.writer.submit(rows).result(WAIT_S)
        return number

    def period(self, **more):
        """All of it, unless told otherwise."""
        return {"since_ms": T0_MS, "until_ms": T0_MS + self.count * HOUR_MS, **more}


def bad(code="energy_lost", **more):
    return {"anomalies": (code,), "primary_anomaly": code, "status": "repaired", **more}


def registers(start, stop, **more):
    return {"document": {"meter_start_kwh": start, "meter_stop_kwh": stop}, **more}
