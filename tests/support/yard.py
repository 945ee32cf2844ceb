"""One pile in front of the engine, in the words of ``protocol.events``: no frames, no sockets, no waiting.

The usual charge is that of the tales: 48 kW at 0.70 + 0.50 yuan from 08:30:00 to 09:20:00, that is 40 kWh and 48.00
yuan; the meter moves from 1002 to 1042 kWh. ``former`` puts a charge of 2 kWh before it, so that the register is known.
"""

from __future__ import annotations

import json
from dataclasses import fields

from billing_core.timers import Timers
from gateway.engine import Engine
from gateway.outcome import (
    BillIssued,
    ChainKept,
    EventRaised,
    Outcome,
    PileClockChecked,
    PileSeen,
    SamplesLeft,
    SessionSaved,
)
from gateway.site import Site, site_from_file
from gateway.store.memory import MemoryStore
from gateway.tomlfile import TomlFile
from protocol import commands, events
from protocol.events import ConnectorStatus, PileTime

SECOND, MINUTE, HOUR = 1_000, 60_000, 3_600_000
DAY_MS = 1_772_467_200_000  # 2026-03-03T00:00:00+08:00
CIVIL_DAY_MS = DAY_MS + 8 * HOUR
PILE = "55031412782305"
SERIAL = f"{PILE}012603030829000001"
FORMER = f"{PILE}012603030709000001"
NEXT = f"{PILE}012603030929000002"
OTHER = f"{PILE}012603030829000009"
BEGIN, END = 8 * HOUR + 30 * MINUTE, 9 * HOUR + 20 * MINUTE  # of the day
PRICE_E5 = 120_000

SITE = f"""
[site]
timezone = "Asia/Shanghai"
[[tariff]]
model_no = "0100"
valid_from = "2026-01-01T00:00:00+08:00"
[tariff.rates]
flat = {{ energy = "0.70000", service = "0.50000" }}
[[tariff.slot]]
from = "00:00"
to = "24:00"
rate = "flat"
[[pile]]
id = "{PILE}"
station = "demo"
register_decimals = 4
[[pile.connector]]
no = 1
rated_kw = "60"
[[pile.connector]]
no = 2
rated_kw = "60"
"""
OCCUPANCY = """
[[occupancy]]
price_per_min = "0.50"
grace_min = 15
"""


def site_of(text: str = SITE) -> Site:
    return site_from_file(TomlFile(text, "site.toml"))


def e4(kwh: float) -> int:
    return round(kwh * 10_000)


def clock(of_day_ms: int) -> PileTime:
    """What a right clock of the pile shows."""
    return PileTime(
        CIVIL_DAY_MS + of_day_ms, None, of_day_ms.to_bytes(7, "little", signed=True), of_day_ms % (24 * HOUR)
    )


def time_of(hour: int, minute: int = 0, second: int = 0) -> int:
    return (hour * 60 + minute) * MINUTE + second * SECOND


def sample(of_day_ms: int, kwh: float, **changes) -> events.SampleReceived:
    values = {field.name: 0 for field in fields(events.SampleReceived)} | {
        "at_ms": DAY_MS + of_day_ms,
        "pile_id": PILE,
        "connector": 1,
        "transaction_id": SERIAL,
        "status": ConnectorStatus.CHARGING,
        "is_plugged": True,
        "is_homed": None,
        "voltage_dv": 4_800,
        "current_da": 1_000,
        "energy_e4kwh": e4(kwh),
        "loss_energy_e4kwh": e4(kwh),
        "amount_e4yuan": e4(kwh) * PRICE_E5 // 100_000,
        "soc_percent": round(20 + kwh),
        "cable_temp_c": None,
        "battery_temp_c": None,
        "card_uid": None,
        "wants_answer": False,
    }
    return events.SampleReceived(**values | changes)


def resting(of_day_ms: int, *, plugged: bool = True, **changes) -> events.SampleReceived:
    values = {"transaction_id": None, "status": ConnectorStatus.IDLE, "is_plugged": plugged, "voltage_dv": 0}
    return sample(of_day_ms, 0, **values | {"current_da": 0, "soc_percent": 0} | changes)


def record(of_day_ms: int = END + 8 * SECOND, **changes) -> events.RecordReceived:
    """The usual record; ``kwh`` moves total, tier, amount and stop register together, ``m0`` the start register."""
    kwh, m0 = changes.pop("kwh", 40), changes.pop("m0", 1_002)
    begin, end = changes.pop("begin", BEGIN), changes.pop("end", END)
    price_e5 = changes.pop("price_e5", PRICE_E5)
    amount = e4(kwh) * price_e5 // 100_000
    empty = events.RecordTier(0, 0, 0, 0)
    values = {field.name: field.default for field in fields(events.RecordReceived)} | {
        "at_ms": DAY_MS + of_day_ms,
        "pile_id": PILE,
        "reply_ref": 7,
        "connector": 1,
        "frame_type": 0x3B,
        "serial": SERIAL,
        "started": clock(begin),
        "ended": clock(end),
        "traded": clock(end),
        "tiers": (empty, empty, events.RecordTier(price_e5, e4(kwh), e4(kwh), amount), empty),
        "meter_start_e4kwh": e4(m0),
        "meter_stop_e4kwh": e4(m0 + kwh),
        "energy_e4kwh": e4(kwh),
        "loss_energy_e4kwh": e4(kwh),
        "amount_e4yuan": amount,
        "vin": None,
        "start_flag": 1,
        "start_channel": "app",
        "stop_code": 0x45,
        "stop_text": ("stopped by the app", "APP停止"),
        "card_uid": None,
        "layout": "standard",
    } | changes  # fmt: skip
    values.setdefault("body", b"")
    if not isinstance(values["body"], bytes) or not values["body"]:
        told = (values["serial"], values["connector"], begin, end, kwh, m0, price_e5)
        values["body"] = repr(told).encode()
    return events.RecordReceived(**values)


class Yard:
    """The pile, the engine, and everything that came of it.

    Attributes:
        rows, notices, replies: in order of arrival.
    """

    def __init__(self, site: str = SITE, *, timers: Timers | None = None, is_replay: bool = False) -> None:
        self.site = site_of(site)
        self.timers = timers or Timers()
        self.is_replay = is_replay
        self.store = MemoryStore()
        self.rows, self.notices, self.replies = [], [], []
        self.engine = self._engine()

    def _engine(self) -> Engine:
        return Engine(
            self.site, self.timers, silence_ms_max=100 * HOUR, recall=self.store.recall, is_replay=self.is_replay
        )

    # -- inputs ---------------------------------------------------------------------------------------

    def take(self, outcome: Outcome) -> Outcome:
        for rows in (outcome.lazy_rows, outcome.rows):
            self.store.keep(rows)
            self.rows += rows
        self.notices += outcome.notices
        self.replies += outcome.replies
        return outcome

    def tell(self, *facts: events.PileEvent) -> Outcome:
        """Facts at their moments; what is due before comes first. The outcome of the last one."""
        outcome = Outcome()
        for fact in facts:
            self.take(self.engine.on_timer(fact.at_ms))
            outcome = self.take(self.engine.on_event(fact))
        return outcome

    def order(self, of_day_ms: int, command: commands.PileCommand) -> Outcome:
        self.take(self.engine.on_timer(DAY_MS + of_day_ms))
        return self.take(self.engine.on_command(command, DAY_MS + of_day_ms))

    def wait(self, of_day_ms: int) -> Outcome:
        return self.take(self.engine.on_timer(DAY_MS + of_day_ms))

    def lose_link(self, of_day_ms: int) -> Outcome:
        self.wait(of_day_ms)
        return self.take(self.engine.on_link_lost(PILE, DAY_MS + of_day_ms))

    def start(self, of_day_ms: int = BEGIN - 4 * SECOND, serial: str = SERIAL, **changes) -> Outcome:
        values = {"connector": 1, "logic_card": "0" * 16, "card_uid": None, "balance_fen": 20_000, **changes}
        return self.order(of_day_ms, commands.StartCharging(PILE, None, serial, **values))

    def answer(self, of_day_ms: int = BEGIN - 2 * SECOND, serial: str = SERIAL, **changes) -> Outcome:
        values = {"connector": 1, "is_accepted": True, "reason_code": 0, "may_still_start": False, **changes}
        return self.tell(events.StartAnswered(DAY_MS + of_day_ms, PILE, 0, transaction_id=serial, **values))

    # -- usual passages ---------------------------------------------------------------------------------

    def charge(self, begin: int = BEGIN, end: int = END, **changes) -> None:
        """48 kW: a sample every five minutes, and one fifteen seconds before the end."""
        moments = [*range(begin, end - 15 * SECOND, 5 * MINUTE), end - 15 * SECOND]
        for moment in moments:
            self.tell(sample(moment, 48 * (moment - begin) / HOUR, **changes))

    def former(self) -> None:
        """2 kWh from 07:10:00 to 07:12:30: the meter stands at 1002 kWh."""
        begin, end = time_of(7, 10), time_of(7, 12, 30)
        self.start(begin - 4 * SECOND, FORMER)
        self.answer(begin - 2 * SECOND, FORMER)
        self.charge(begin, end, transaction_id=FORMER)
        self.tell(resting(end + 5 * SECOND, plugged=False))
        self.tell(record(end + 8 * SECOND, serial=FORMER, begin=begin, end=end, kwh=2, m0=1_000))

    def following(self, of_day_ms: int = time_of(10, 30), *, serial: str = NEXT, m0: float = 1_042, **changes) -> None:
        """4 kWh in five minutes behind the usual charge."""
        end = of_day_ms + 5 * MINUTE
        self.start(of_day_ms - 4 * SECOND, serial)
        self.answer(of_day_ms - 2 * SECOND, serial)
        self.charge(of_day_ms, end, transaction_id=serial)
        self.tell(resting(end + 5 * SECOND))
        self.tell(record(end + 8 * SECOND, serial=serial, begin=of_day_ms, end=end, kwh=4, m0=m0, **changes))

    def unrecorded(self, end: int = END, **start) -> None:
        """The usual charge up to its state of rest."""
        self.start(**start)
        self.answer()
        self.charge(end=end)
        self.tell(resting(end + 5 * SECOND))

    def usual(self, **changes) -> Outcome:
        self.unrecorded()
        return self.tell(record(**changes))

    # -- results ----------------------------------------------------------------------------------------

    def restart(self) -> None:
        """A new engine takes up what the former one wrote down."""
        newest = {row.transaction_id: row for row in self.rows if isinstance(row, SessionSaved)}
        chains = {}
        for row in self.rows:
            if isinstance(row, ChainKept):
                chains[row.transaction_id] = row
            elif isinstance(row, SamplesLeft):
                chains.pop(row.transaction_id, None)
        self.engine = self._engine()
        kept = sorted(chains.values(), key=lambda each: each.order_ms)
        self.engine.sessions.chains.recall = lambda place: [
            each for each in kept if (each.pile_id, each.connector) == place
        ]
        for row in self.rows:
            if isinstance(row, PileSeen):
                self.engine.sessions.protocols[row.pile_id] = row.protocol
                self.engine.sessions.firmware[row.pile_id] = row.firmware_version
            elif isinstance(row, PileClockChecked):
                self.engine.sessions.pile_clocks[row.pile_id] = (row.at_ms, row.offset_ms)
        for row in sorted(newest.values(), key=lambda row: (row.opened_at_ms, row.transaction_id)):
            if row.state != "billed" or row.due_at_ms is not None:
                found = self.store.recall(row.transaction_id)
                assert found is not None
                session = self.engine.sessions.restore(*found)
                self.engine.arm_session(session.transaction_id)

    @property
    def sessions(self):
        return self.engine.sessions

    def bills(self, serial: str = SERIAL) -> list[BillIssued]:
        """Every revision."""
        return [row for row in self.rows if isinstance(row, BillIssued) and row.transaction_id == serial]

    def bill(self, serial: str = SERIAL) -> BillIssued:
        return self.bills(serial)[-1]

    def document(self, serial: str = SERIAL) -> dict:
        return json.loads(self.bill(serial).body)

    def events(self, kind: str) -> list[EventRaised]:
        return [row for row in self.rows if isinstance(row, EventRaised) and row.type == f"pilegate.{kind}"]

    def noticed(self, kind: str) -> list:
        return [each for each in self.notices if each.type == f"pilegate.{kind}"]


def told(bill: BillIssued) -> tuple[int, str, int, int]:
    """Revision, status, energy, amount of a bill."""
    return bill.revision, bill.status, bill.energy_e4kwh, bill.amount_fen
