"""Every tale: one for each anomaly that frames can show, and tales in which several meet.

Amounts are reckoned by hand: flat costs 0.70 + 0.50 yuan a kWh, so the usual 40 kWh are 28.00 + 20.00 = 48.00 yuan, and
the last live reading of 39.8 kWh is 47.76 yuan. Rated power lets 0.33 kWh more flow until the state of rest at 09:20:05.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from protocol.dialects.ykc_times import raw_time
from tests.support.tales.telling import CARD, FLAT, PILE, SERIAL, Tale, civil_ms, wire_time

SECOND = f"{PILE}012603030929000002"
OTHER = f"{PILE}022603030829000003"
_TELLERS: list[Callable[[], Tale]] = []


def tale(teller: Callable[[], Tale]) -> Callable[[], Tale]:
    """Add a tale to the book."""
    _TELLERS.append(teller)
    return teller


def tales() -> Iterator[Tale]:
    """All of them."""
    for teller in _TELLERS:
        yield teller()


def usual(
    name: str,
    why: str,
    status: str,
    money: str,
    codes: list[str],
    *,
    energy: str = "40.0000",
    primary: str | None = None,
    balance: int = 20_000,
    site: str = "",
    revisions: int = 1,
    more: dict | None = None,
    **record,
) -> Tale:
    """The usual tale with another record."""
    told = Tale(name, why, balance=balance, site=site)
    told.usual(**record)
    told.expect(SERIAL, status, energy, money, codes, primary=primary, revisions=revisions, **(more or {}))
    return told


def without_record(name: str, why: str, until: str, *, upto: str = "09:20:00", rests: bool = True) -> Tale:
    """The usual tale up to its end, and no record."""
    told = Tale(name, why)
    told.login()
    told.start()
    told.charge(upto=upto)
    if rests:
        told.rest("09:20:05")
    told.until = until
    return told


def second(
    told: Tale,
    *,
    serial: str = SECOND,
    begin: str = "10:30",
    minutes: int = 5,
    m0: float = 1042,
    card: str | None = None,
    **record,
) -> None:
    """A short charge behind the usual one: 4 kWh in five minutes, 4.80 yuan."""
    hour, minute = (int(part) for part in begin.split(":"))
    before = f"{hour:02d}:{minute - 1:02d}:56" if minute else f"{hour - 1:02d}:59:56"
    told.start(before, serial, answer=before[:-2] + "58", **({"card": card} if card else {}))
    told.sample(f"{begin}:00", 0, serial=serial, soc=60)
    told.sample(f"{hour:02d}:{minute + minutes - 1:02d}:45", 3.8, serial=serial, soc=64)
    told.rest(f"{hour:02d}:{minute + minutes:02d}:05")
    values = {"start": f"{begin}:00", "end": f"{hour:02d}:{minute + minutes:02d}:00", "tiers": {FLAT: 4.0}, "m0": m0}
    told.record(f"{hour:02d}:{minute + minutes:02d}:08", serial=serial, **(values | record))


def empty_date(text: str) -> int:
    """A time whose day, month and year were never filled."""
    return wire_time(text) & 0xFFFFFFFF


# -- time -----------------------------------------------------------------------------------------------


@tale
def time_zero_date() -> Tale:
    return usual(
        "time_zero_date",
        """The record's dates are empty, its times of day are right. The gateway's date stands, the pile's time of day is within
        180 s of the gateway's and is kept; energy 97 % (total borne out by the register), time 97 %.""",
        "repaired", "48.00", ["time_zero_date"], start=empty_date("08:30:00"), end=empty_date("09:20:00"),
        more={"started_at": "2026-03-03T08:30:00.000+08:00", "ended_at": "2026-03-03T09:20:00.000+08:00",
              "confidence_percent": 97},
    )  # fmt: skip


@tale
def time_epoch_reset() -> Tale:
    new_year = raw_time(946_684_800_000 + 10_000)  # 2000-01-01T00:00:10
    return usual(
        "time_epoch_reset",
        """The pile's clock began at the year 2000 after a power cut: its times lie before it was put into service. Both ends are the
        gateway's: the start answer and the state of rest.""",
        "repaired", "48.00", ["time_epoch_reset"], start=new_year, end=raw_time(946_684_800_000 + 3_010_000),
        more={"started_at": "2026-03-03T08:29:58.000+08:00", "ended_at": "2026-03-03T09:20:05.000+08:00"},
    )  # fmt: skip


@tale
def time_invalid_field() -> Tale:
    broken = wire_time("08:30:00") & ~(0x1F << 24) | (25 << 24)
    return usual(
        "time_invalid_field",
        "The start says hour 25. The gateway's times stand.",
        "repaired", "48.00", ["time_invalid_field"], start=broken,
        more={"started_at": "2026-03-03T08:29:58.000+08:00"},
    )  # fmt: skip


@tale
def time_future() -> Tale:
    return usual(
        "time_future",
        "The pile's clock is an hour ahead, so that the record ends 59 minutes behind its own arrival. The gateway's times stand.",
        "repaired", "48.00", ["time_future"], start="09:30:00", end="10:20:00",
        more={"started_at": "2026-03-03T08:29:58.000+08:00", "ended_at": "2026-03-03T09:20:05.000+08:00"},
    )  # fmt: skip


@tale
def time_reversed() -> Tale:
    return usual(
        "time_reversed",
        """The clock was set back by an hour while charging: the record ends before it starts. Its end is then an hour off too, and its
        length is no length; both follow from the clock.""",
        "repaired", "48.00", ["time_reversed", "time_step_mid_session", "duration_mismatch"], end="08:20:00",
    )  # fmt: skip


@tale
def time_clock_skew() -> Tale:
    return usual(
        "time_clock_skew",
        """Both ends are twenty minutes early: 1198 s at the start (08:10:00 against 08:29:58), 1205 s at the end, which agree within a
        minute. Both are shifted by the offset at the start: 09:00:00 + 1198 s = 09:19:58. Minor, so the bill is normal.""",
        "normal", "48.00", ["time_clock_skew"], start="08:10:00", end="09:00:00",
        more={"started_at": "2026-03-03T08:29:58.000+08:00", "ended_at": "2026-03-03T09:19:58.000+08:00",
              "confidence_percent": 97},
    )  # fmt: skip


@tale
def time_step_mid_session() -> Tale:
    return usual(
        "time_step_mid_session",
        """The clock was set during the charge: the start is right, the end is 485 s early. The gateway's end replaces it; the
        length is off by the same and follows from it.""",
        "normal", "48.00", ["time_step_mid_session", "duration_mismatch"], end="09:12:00",
        more={"started_at": "2026-03-03T08:30:00.000+08:00", "ended_at": "2026-03-03T09:20:05.000+08:00"},
    )  # fmt: skip


@tale
def duration_mismatch() -> Tale:
    return usual(
        "duration_mismatch",
        """The record begins 108 s early and ends 45 s late: each end is within 180 s, but 52 min 40 s are 153 s more than the gateway's
        50 min 7 s, and 120 s are allowed. The gateway's length stands, the amount is untouched.""",
        "normal", "48.00", ["duration_mismatch"], start="08:28:10", end="09:20:50",
        more={"started_at": "2026-03-03T08:29:58.000+08:00", "ended_at": "2026-03-03T09:20:05.000+08:00"},
    )  # fmt: skip


@tale
def zero_duration_with_energy() -> Tale:
    return usual(
        "zero_duration_with_energy",
        "The end time is a copy of the start: 40 kWh in no time. The gateway's times stand.",
        "normal", "48.00", ["time_step_mid_session", "duration_mismatch", "zero_duration_with_energy"], end="08:30:00",
        more={"ended_at": "2026-03-03T09:20:05.000+08:00"},
    )  # fmt: skip


@tale
def late_upload() -> Tale:
    told = Tale(
        "late_upload",
        """A car starts without a link by a card that the pile holds; the record comes an hour after the end, when the link is back.
        The register joins the former charge (99 %), a time sync vouches for the clock, but nobody saw the charge (85 %): a provisional
        bill.""",
    )
    told.login()
    told.down("07:00:00", 0x44, pile_no=PILE, count=1, cards=[{"logic_card": "0" * 16, "card": CARD}])
    told.up("07:00:01", 0x43, pile_no=PILE, ok=1, fail_reason=0)
    told.former()
    told.close("08:00:00")
    told.login("10:20:00", link="10.0.0.5:4002")
    told.record("10:20:10", flag=4, card=CARD)
    told.expect(SERIAL, "provisional", "40.0000", "48.00", ["late_upload"], confidence_percent=85)
    return told


@tale
def serial_time_conflict() -> Tale:
    serial = f"{PILE}012603010829000001"
    told = Tale(
        "serial_time_conflict",
        "The number that the charge was given carries a time two days before the charge. No money hangs on it.",
    )
    told.login()
    told.start(serial=serial)
    told.charge(serial=serial)
    told.rest("09:20:05")
    told.record(serial=serial)
    told.expect(serial, "normal", "40.0000", "48.00", ["serial_time_conflict"])
    return told


# -- record presence and identity -----------------------------------------------------------------------


@tale
def record_missing() -> Tale:
    told = without_record(
        "record_missing",
        "Half an hour after the end no record has come: the last reading of 39.8 kWh is billed, 39.8 × 1.20 = 47.76 yuan, provisionally.",
        "09:51:00",
    )
    told.expect(SERIAL, "provisional", "39.8000", "47.76", ["record_missing"], confidence_percent=90)
    return told


@tale
def pile_power_cut() -> Tale:
    told = without_record(
        "pile_power_cut",
        """The mains fail at 09:02, the pile logs in again at 09:10 and has kept no record. Half an hour behind the last reading of 25.6 kWh
        that reading is billed: 30.72 yuan.""",
        "09:33:00", upto="09:02:15", rests=False,
    )  # fmt: skip
    told.close("09:02:20")
    told.login("09:10:00", link="10.0.0.5:4002")
    told.expect(SERIAL, "provisional", "25.6000", "30.72", ["record_missing", "pile_power_cut"])
    return told


@tale
def stuck_charging() -> Tale:
    told = without_record(
        "stuck_charging",
        """The pile falls silent at 09:02 and is never heard again. After half an hour a substitute bill over 25.6 kWh is made; after twelve
        hours the order is closed as stuck, over the same energy.""",
        "21:03:00", upto="09:02:15", rests=False,
    )  # fmt: skip
    told.expect(SERIAL, "provisional", "25.6000", "30.72", ["record_missing", "stuck_charging"], revisions=2)
    return told


@tale
def record_due_late() -> Tale:
    told = without_record(
        "record_due_late",
        "The record comes ten minutes after the end, with a new link. Nothing else is wrong.",
        "09:31:00",
    )
    told.close("09:20:07")
    told.login("09:29:50", link="10.0.0.5:4002")
    told.record("09:30:05")
    told.until = None
    told.expect(SERIAL, "normal", "40.0000", "48.00", ["late_upload", "record_due_late"], primary="record_due_late")
    return told


@tale
def record_after_platform_settlement() -> Tale:
    told = without_record(
        "record_after_platform_settlement",
        """A substitute bill over 47.76 yuan was made at 09:50:05; the record comes at 10:00. The difference of 0.24 yuan is below 2 % of
        what was posted and passes.""",
        "10:01:00",
    )
    told.record("10:00:00")
    told.expect(SERIAL, "repaired", "40.0000", "48.00", ["record_after_platform_settlement"], revisions=2)
    return told


@tale
def record_duplicate_identical() -> Tale:
    told = usual(
        "record_duplicate_identical",
        "The acknowledgement is lost, the record comes again. It is acknowledged again and changes nothing: one bill, one revision.",
        "normal", "48.00", [],
    )  # fmt: skip
    told.record("09:20:38")
    return told


@tale
def record_duplicate_conflict() -> Tale:
    told = usual(
        "record_duplicate_conflict",
        """A second record under the same number claims 44 kWh. The live readings admit 39.79 to 40.14 kWh, so only the first one fits; a second
        revision says so and keeps it.""",
        "repaired", "48.00", ["record_duplicate_conflict"], revisions=2,
    )  # fmt: skip
    told.record("09:21:00", tiers={FLAT: 44.0})
    return told


@tale
def serial_reused() -> Tale:
    told = usual(
        "serial_reused",
        """A later record bears the number of a finished charge, but its register begins where that one ended: another charge, which gets a
        bill of its own for a person. 20 kWh would be 24.00 yuan.""",
        "normal", "48.00", [],
    )  # fmt: skip
    told.record("09:55:08", start="09:30:00", end="09:55:00", tiers={FLAT: 20.0}, m0=1042)
    told.expect(f"{SERIAL}-*", "review", "20.0000", "24.00", ["serial_reused"])
    return told


@tale
def record_orphan_serial() -> Tale:
    told = Tale(
        "record_orphan_serial", "A record whose number nobody gave out, and no card explains: a proposal for a person."
    )
    told.login()
    told.record()
    told.expect(SERIAL, "review", "40.0000", "48.00", ["record_orphan_serial"], confidence_percent=30)
    return told


@tale
def serial_zero() -> Tale:
    told = Tale("serial_zero", "The record's number is all zeros; pile, connector and start time stand in for it.")
    told.login()
    told.record(serial="0" * 32)
    told.expect(f"{'0' * 32}-*", "review", "40.0000", "48.00", ["record_orphan_serial", "serial_zero"])
    return told


@tale
def serial_mismatch_stream() -> Tale:
    told = Tale(
        "serial_mismatch_stream",
        """The live data carry a number that nobody gave out, on a connector where an authorised charge waits for its first reading; the record
        carries the right one. They are one charge (identity 97 %).""",
    )
    told.login()
    told.start()
    told.charge(serial=f"{PILE}012603020829000009")
    told.rest("09:20:05")
    told.record()
    told.expect(SERIAL, "repaired", "40.0000", "48.00", ["serial_mismatch_stream"], confidence_percent=97)
    return told


@tale
def start_never_heard() -> Tale:
    own = f"{PILE}012603030829000009"
    told = Tale(
        "start_never_heard",
        """An order to start that the pile never answers, and a charge under a number of the pile's own: live data and record agree
        on it. Two transactions: the order never began, and the charge has no order, so a person names its driver.""",
    )
    told.login()
    told.start(answer=None)
    told.charge(serial=own)
    told.rest("09:20:05")
    told.record(serial=own)
    told.expect(
        own, "review", "40.0000", "48.00", ["record_orphan_serial", "charge_without_order"], confidence_percent=30
    )
    told.expect(SERIAL, "void", "0.0000", "0.00", ["authorised_never_started"])
    told.until = "09:51:00"
    return told


@tale
def start_heard_late() -> Tale:
    own, late = f"{PILE}012603030829000009", "09:30:00"
    told = Tale(
        "start_heard_late",
        """An order to start that the pile does not answer, a charge of 40 kWh under a number of the pile's own, and then a charge of
        10 kWh under the number of the order. The counter began anew, so the first samples were not the order's.""",
    )
    told.login()
    told.start(answer=None)
    told.charge(serial=own)
    told.rest("09:20:05")
    told.sample(late, 0, amps=125)
    told.sample("09:39:45", 9.8, amps=125)
    told.rest("09:40:05")
    told.record("09:40:08", start=late, end="09:40:00", tiers={FLAT: 10.0}, m0=1042)
    told.record("09:50:00", serial=own)
    told.expect(
        own,
        "review",
        "40.0000",
        "48.00",
        ["record_due_late", "record_orphan_serial", "charge_without_order"],
        confidence_percent=30,
        primary="record_orphan_serial",
    )
    told.expect(SERIAL, "normal", "10.0000", "12.00", [])
    return told


@tale
def record_wrong_connector() -> Tale:
    told = Tale(
        "record_wrong_connector",
        """The start was for connector 1, but the car charges at connector 2: live data and record say so. The bill is bound to
        connector 2 (identity 97 %).""",
    )
    told.login()
    told.start()
    told.charge(gun=2)
    told.rest("09:20:05", gun=2)
    told.record(gun=2)
    told.expect(SERIAL, "repaired", "40.0000", "48.00", ["record_wrong_connector"], connector=2)
    return told


@tale
def authorised_never_started() -> Tale:
    told = Tale("authorised_never_started", "The start was accepted, but nobody plugged in: nothing is owed.")
    told.login()
    told.start()
    told.until = "08:33:00"
    told.expect(
        SERIAL, "void", "0.0000", "0.00", ["authorised_never_started"], started_at="2026-03-03T08:29:56.000+08:00",
        ended_at="2026-03-03T08:29:56.000+08:00", confidence_percent=97,
    )  # fmt: skip
    return told


@tale
def start_failed_billed() -> Tale:
    told = Tale(
        "start_failed_billed",
        "The pile refuses to start and still asks for two yuan. No energy, no fee: the failed start explains all the rest.",
    )
    told.login()
    told.start(ok=0, reason=3)
    told.record("08:30:10", end="08:30:00", tiers={}, kwh=0, amount=2.0, stop=0x4C)
    told.expect(
        SERIAL, "void", "0.0000", "0.00",
        ["authorised_never_started", "start_failed_billed", "amount_without_energy", "amount_recompute_mismatch"],
        primary="start_failed_billed",
    )  # fmt: skip
    return told


@tale
def charge_without_order() -> Tale:
    told = Tale("charge_without_order", "Live data of a charge that nobody authorised, and no record: for a person.")
    told.login()
    told.charge()
    told.rest("09:20:05")
    told.until = "09:51:00"
    told.expect(
        SERIAL, "review", "39.8000", "47.76", ["record_missing", "charge_without_order"], primary="charge_without_order"
    )
    return told


@tale
def overlap_sessions() -> Tale:
    told = usual(
        "overlap_sessions",
        """The next record on the connector begins 2 kWh below where the former one stopped: those 2 kWh would be billed twice, so a
        person decides. A difference of 2 kWh within ten minutes is no new meter.""",
        "normal", "48.00", [],
    )  # fmt: skip
    second(told, begin="09:30", m0=1040)
    told.expect(SECOND, "review", "4.0000", "4.80", ["overlap_sessions"])
    return told


@tale
def merged_sessions() -> Tale:
    told = Tale(
        "merged_sessions", "The cable is out at 08:52 and in again by 08:55, and one record covers both: for a person."
    )
    told.login()
    told.start()
    told.charge()
    told.rest("08:52:00", plugged=0)
    told.rest("09:20:05")
    told.record()
    told.expect(SERIAL, "review", "40.0000", "48.00", ["merged_sessions"])
    return told


@tale
def split_session() -> Tale:
    told = Tale(
        "split_session",
        "52 seconds after the first charge the same card goes on at the same register, the cable still in: two bills, one visit.",
    )
    told.login()
    told.start(card=CARD)
    told.charge()
    told.rest("09:20:05")
    told.record(card=CARD)
    told.expect(SERIAL, "normal", "40.0000", "48.00", [])
    second(told, begin="09:21", card=CARD)
    told.expect(SECOND, "normal", "4.0000", "4.80", ["split_session"])
    return told


@tale
def parallel_guns() -> Tale:
    told = Tale("parallel_guns", "Two connectors feed one car under one parallel number: two records, two bills.")
    told.login()
    for gun, serial in ((1, SERIAL), (2, OTHER)):
        told.down(
            "08:29:56", 0xA4, serial=serial, pile_no=PILE, gun=gun, logic_card="0" * 16, card="0" * 16,
            balance_yuan=20_000, parallel_no="260303082956",
        )  # fmt: skip
        told.up(
            "08:29:58", 0xA3, serial=serial, pile_no=PILE, gun=gun, ok=1, fail_reason=0, role=gun - 1,
            parallel_no="260303082956",
        )  # fmt: skip
        told.charge(serial=serial, gun=gun)
        told.rest("09:20:05", gun=gun)
        told.record(serial=serial, gun=gun, m0=1002 if gun == 1 else 500)
        told.expect(serial, "normal", "40.0000", "48.00", ["parallel_guns"])
    return told


@tale
def concurrent_account() -> Tale:
    told = Tale("concurrent_account", "One card has two charges open at two connectors. Allowed, and told.")
    told.login()
    for gun, serial in ((1, SERIAL), (2, OTHER)):
        told.start(serial=serial, gun=gun, card=CARD)
        told.charge(serial=serial, gun=gun)
        told.rest("09:20:05", gun=gun)
        told.record(serial=serial, gun=gun, m0=1002 if gun == 1 else 500, card=CARD)
        told.expect(serial, "normal", "40.0000", "48.00", ["concurrent_account"])
    return told


# -- energy ---------------------------------------------------------------------------------------------


@tale
def energy_lost() -> Tale:
    return usual(
        "energy_lost",
        """The record was built before its counters were copied: no energy, although the last reading was 39.8 kWh. That one is billed,
        provisionally. The record then also misses the window, the integral and the split.""",
        "provisional", "47.76",
        ["energy_lost", "energy_mismatch_platform", "vi_integral_mismatch", "tou_split_mismatch"], energy="39.8000",
        tiers={}, kwh=0,
    )  # fmt: skip


@tale
def zero_energy_with_time() -> Tale:
    told = Tale(
        "zero_energy_with_time",
        "The car is connected for fifty minutes and draws nothing: no fee, and the bill says why.",
    )
    told.login()
    told.start()
    told.charge(scale=0)
    told.rest("09:20:05")
    told.record(tiers={}, kwh=0)
    told.expect(SERIAL, "void", "0.0000", "0.00", ["zero_energy_with_time"])
    return told


@tale
def energy_mismatch_platform() -> Tale:
    return usual(
        "energy_mismatch_platform",
        """The record claims 44 kWh, the readings admit 40.14 at most. The last reading is billed provisionally; integral and split disagree for the
        same reason.""",
        "provisional", "47.76", ["energy_mismatch_platform", "vi_integral_mismatch", "tou_split_mismatch"],
        energy="39.8000", tiers={FLAT: 44.0},
    )  # fmt: skip


@tale
def meter_rollback() -> Tale:
    return usual(
        "meter_rollback",
        "The register runs from 1042 back to 1002. The record's total fits the readings and is billed alone (90 %), provisionally.",
        "provisional", "48.00", ["meter_rollback", "meter_total_mismatch"], m0=1042, m1=1002,
    )  # fmt: skip


@tale
def meter_rollover() -> Tale:
    return usual(
        "meter_rollover",
        "The register passes its maximum of a million kWh: from 999990 to 30, which is 40 kWh on.",
        "normal", "48.00", ["meter_rollover"], m0=999_990, m1=30,
    )  # fmt: skip


@tale
def meter_replaced() -> Tale:
    told = Tale(
        "meter_replaced",
        """After the former charge the register stood at 1002 kWh, now it begins at 5: no use in 77 minutes explains that. The chain is broken
        there, the session's own pair stays good (97 %).""",
    )
    told.login()
    told.former()
    told.start()
    told.charge()
    told.rest("09:20:05")
    told.record(m0=5)
    told.expect(SERIAL, "repaired", "40.0000", "48.00", ["meter_replaced"], confidence_percent=97)
    return told


@tale
def meter_placeholder_zero() -> Tale:
    told = Tale(
        "meter_placeholder_zero",
        """The start register could not be read and 0 was written, so that the record bills the meter's whole life: 1042 kWh, 1250.40 yuan. The
        former stop reading of 1002 is the true start: 40 kWh. It explains everything else.""",
    )
    told.login()
    told.former()
    told.start()
    told.charge()
    told.rest("09:20:05")
    told.record(m0=0, m1=1042, tiers={FLAT: 1042.0})
    told.expect(
        SERIAL, "repaired", "40.0000", "48.00",
        ["energy_mismatch_platform", "meter_replaced", "meter_placeholder_zero", "energy_exceeds_rated",
         "vi_integral_mismatch", "tou_split_mismatch"],
        primary="meter_placeholder_zero", confidence_percent=97,
    )  # fmt: skip
    return told


@tale
def meter_gap_between_sessions() -> Tale:
    told = Tale(
        "meter_gap_between_sessions",
        "3 kWh passed the meter between the former charge and this one. They are not on this bill; its own pair stands.",
    )
    told.login()
    told.former()
    told.start()
    told.charge()
    told.rest("09:20:05")
    told.record(m0=1005)
    told.expect(SERIAL, "repaired", "40.0000", "48.00", ["meter_gap_between_sessions"], confidence_percent=97)
    return told


@tale
def meter_total_mismatch() -> Tale:
    return usual(
        "meter_total_mismatch",
        "The register moved by 45 kWh, the record says 40. The readings admit only the 40 (90 %): provisional.",
        "provisional", "48.00", ["meter_total_mismatch"], m1=1047,
    )  # fmt: skip


@tale
def period_sum_mismatch() -> Tale:
    return usual(
        "period_sum_mismatch",
        "A slot was dropped: the rates add up to 39.8 kWh, the total is 40. The readings split the 40 kWh; all of it is flat.",
        "normal", "48.00", ["period_sum_mismatch"], tiers={FLAT: 39.8}, kwh=40,
    )  # fmt: skip


@tale
def energy_exceeds_rated() -> Tale:
    return usual(
        "energy_exceeds_rated",
        "60 kWh in fifty minutes are more than 60 kW deliver (52.6 with 5 %). The last reading is billed provisionally.",
        "provisional", "47.76",
        ["energy_mismatch_platform", "energy_exceeds_rated", "vi_integral_mismatch", "tou_split_mismatch"],
        energy="39.8000", tiers={FLAT: 60.0},
    )  # fmt: skip


@tale
def energy_exceeds_battery() -> Tale:
    told = usual(
        "energy_exceeds_battery",
        "The battery says it holds 30 kWh; 40 are more than 1.25 times that. A flag, nothing more.",
        "normal", "48.00", ["energy_exceeds_battery"],
    )  # fmt: skip
    told.battery("08:29:59", 30)
    return told


@tale
def bms_energy_mismatch() -> Tale:
    told = usual(
        "bms_energy_mismatch",
        "The battery counted 38.0 kWh, the record 40: 2 kWh apart, 1.2 are allowed. For information.",
        "normal", "48.00", ["bms_energy_mismatch"],
    )  # fmt: skip
    told.bms_end("09:20:02", 38.0)
    return told


@tale
def vi_integral_mismatch() -> Tale:
    told = Tale(
        "vi_integral_mismatch",
        "Voltage and current make 480 V × 80 A = 38.4 kW, in 49 min 45 s 31.84 kWh; the record says 40, and 2 kWh are allowed.",
    )
    told.login()
    told.start()
    told.charge(amps=80)
    told.rest("09:20:05")
    told.record()
    told.expect(SERIAL, "normal", "40.0000", "48.00", ["vi_integral_mismatch"])
    return told


@tale
def soc_inconsistent() -> Tale:
    told = Tale("soc_inconsistent", "The battery rises from 20 to 41 % while the counter stands at zero.")
    told.login()
    told.start()
    told.sample("08:30:00", 0, soc=20)
    told.sample("08:30:10", 0, soc=41)
    told.charge(begin="08:35:00", soc_base=40)
    told.rest("09:20:05")
    told.record()
    told.expect(SERIAL, "normal", "40.0000", "48.00", ["soc_inconsistent"])
    return told


@tale
def unit_scale_error() -> Tale:
    told = Tale(
        "unit_scale_error",
        """Firmware of two decimals on a protocol of four: everything is a hundredth. 100 × 0.40 kWh fits the readings, 100 × 10.02 joins the former
        register; energies, registers and amounts are multiplied (97 %).""",
    )
    told.login()
    told.former()
    told.start()
    told.charge()
    told.rest("09:20:05")
    told.record(tiers={FLAT: 0.40}, m0=10.02)
    told.expect(SERIAL, "repaired", "40.0000", "48.00", ["unit_scale_error"], confidence_percent=97)
    return told


@tale
def samples_reset() -> Tale:
    told = Tale(
        "samples_reset",
        """The pile reboots at 16 kWh and its live counter begins anew. 16 + 23.8 = 39.8 kWh, which the register pair bears out, as it joins
        the former charge.""",
    )
    told.login()
    told.former()
    told.start()
    told.charge(reset_at=16.0)
    told.rest("09:20:05")
    told.record()
    told.expect(SERIAL, "normal", "40.0000", "48.00", ["samples_reset"], confidence_percent=99)
    return told


@tale
def samples_frozen() -> Tale:
    told = Tale(
        "samples_frozen",
        """The live counter stands at 28 kWh for five readings while 48 kW flow. The window opens at the first of them: rated power could have
        added 15 kWh, so the record's 40 fit.""",
    )
    told.login()
    told.start()
    told.charge(frozen_at=28.0, has_soc=False)
    told.rest("09:20:05")
    told.record()
    told.expect(SERIAL, "normal", "40.0000", "48.00", ["samples_frozen"])
    return told


@tale
def idle_while_charging() -> Tale:
    told = usual(
        "idle_while_charging",
        "Two states of rest at 08:53:30 and 08:54, then it charges on under the same number: no end.",
        "normal", "48.00", ["idle_while_charging"],
    )  # fmt: skip
    told.rest("08:53:30")
    told.rest("08:54:00")
    return told


@tale
def loss_ratio_mismatch() -> Tale:
    return usual(
        "loss_ratio_mismatch",
        "The tariff adds no losses, the pile adds 1 kWh and bills 41 × 1.20 = 49.20 yuan. The tariff decides: 48.00.",
        "normal", "48.00", ["loss_ratio_mismatch"], losses={FLAT: 41.0}, amounts={FLAT: 49.2},
    )  # fmt: skip


# -- price and amount -----------------------------------------------------------------------------------

_HEAD = '[site]\ntimezone = "Asia/Shanghai"\n'
_PILE = f"""
[[pile]]
id = "{PILE}"
station = "demo"
commissioned = "2024-06-01"
register_decimals = 4
[[pile.connector]]
no = 1
rated_kw = "60"
[[pile.connector]]
no = 2
rated_kw = "60"
"""


def _tariff(
    model_no: str, valid_from: str, slots: tuple[tuple[str, str, str], ...] = (("00:00", "24:00", "flat"),)
) -> str:
    rows = "".join(f'[[tariff.slot]]\nfrom = "{a}"\nto = "{b}"\nrate = "{rate}"\n' for a, b, rate in slots)
    return f"""
[[tariff]]
model_no = "{model_no}"
valid_from = "{valid_from}"
[tariff.rates]
peak = {{ energy = "1.10000", service = "0.60000" }}
flat = {{ energy = "0.70000", service = "0.50000" }}
{rows}"""


_PLAIN = _tariff("0100", "2026-01-01T00:00:00+08:00")
_OCCUPANCY = '\n[[occupancy]]\nprice_per_min = "0.20000"\ngrace_min = 15\n'


@tale
def tariff_missing() -> Tale:
    return usual(
        "tariff_missing",
        "The site has no tariff for this pile. The record's own price makes a proposal of 48.00 yuan, for a person.",
        "review", "48.00", ["tariff_missing"], site=_HEAD + _PILE,
    )  # fmt: skip


@tale
def amount_zero_with_energy() -> Tale:
    return usual(
        "amount_zero_with_energy",
        "40 kWh and no amount: the pile had lost its model. The tariff prices them; the driver was shown 47.76 yuan, so 48.00 passes.",
        "repaired", "48.00", ["amount_zero_with_energy", "amount_recompute_mismatch"], amounts={FLAT: 0}, amount=0,
    )  # fmt: skip


@tale
def amount_without_energy() -> Tale:
    told = Tale(
        "amount_without_energy",
        "Nothing was drawn in fifty minutes, but the record asks for one yuan. Nothing is owed.",
    )
    told.login()
    told.start()
    told.charge(scale=0)
    told.rest("09:20:05")
    told.record(tiers={}, kwh=0, amount=1.0)
    told.expect(
        SERIAL, "void", "0.0000", "0.00",
        ["zero_energy_with_time", "amount_without_energy", "amount_recompute_mismatch"], primary="amount_without_energy",
    )  # fmt: skip
    return told


@tale
def negative_amount() -> Tale:
    return usual(
        "negative_amount",
        "A price of 0.40 yuan is below the service price of 0.50: the energy fee would be negative. The tariff prices it.",
        "repaired", "48.00", ["negative_amount", "price_not_in_tariff"], prices={FLAT: 40_000},
    )  # fmt: skip


@tale
def amount_recompute_mismatch() -> Tale:
    return usual(
        "amount_recompute_mismatch",
        "40 × 1.20 is 48.00, the record says 47.00. The tariff prices it.",
        "normal", "48.00", ["amount_recompute_mismatch"], amounts={FLAT: 47.0},
    )  # fmt: skip


@tale
def rounding_drift() -> Tale:
    return usual(
        "rounding_drift",
        "The pile cuts where we round: 47.99 against 48.00, one fen with one line. For information.",
        "normal", "48.00", ["rounding_drift"], amounts={FLAT: 47.99},
    )  # fmt: skip


@tale
def price_not_in_tariff() -> Tale:
    return usual(
        "price_not_in_tariff",
        "The pile used a stale model: 1.25 instead of 1.20 yuan, 50.00 in all. The tariff of the start holds.",
        "repaired", "48.00", ["price_not_in_tariff"], prices={FLAT: 125_000},
    )  # fmt: skip


@tale
def tou_split_mismatch() -> Tale:
    return usual(
        "tou_split_mismatch",
        "The pile booked 10 kWh as peak, but all of it flowed in flat hours; 0.5 kWh are allowed. The readings split it.",
        "repaired", "48.00", ["tou_split_mismatch"], tiers={1: 10.0, FLAT: 30.0},
    )  # fmt: skip


@tale
def tariff_changed_mid_session() -> Tale:
    dearer = _tariff("0200", "2026-03-03T09:00:00+08:00").replace("0.70000", "0.90000")
    return usual(
        "tariff_changed_mid_session",
        "A dearer tariff comes into force at 09:00. The prices of the start hold for the whole charge.",
        "normal", "48.00", ["tariff_changed_mid_session"], site=_HEAD + _PLAIN + dearer + _PILE,
    )  # fmt: skip


@tale
def amount_clamped_at_balance() -> Tale:
    return usual(
        "amount_clamped_at_balance",
        """The balance is 47.80 yuan; the pile stops there and cuts its amount. The true total is 48.00; the 0.20 yuan above the balance are
        borne by the operator (up to 0.50).""",
        "normal", "48.00", ["amount_clamped_at_balance"], balance=4_780, stop=0x6E, amounts={FLAT: 47.8},
        more={"payable": "47.80"},
    )  # fmt: skip


@tale
def discount_misapplied() -> Tale:
    campaign = """
[[campaign]]
id = "half"
factor = "0.5"
valid_from = "2026-03-01T00:00:00+08:00"
valid_to = "2026-03-08T00:00:00+08:00"
"""
    return usual(
        "discount_misapplied",
        """The service fee is at half price; somebody typed half of everything into the pile, 0.60 yuan. The energy fee is never discounted:
        40 × 0.70 + 40 × 0.50 × 0.5 = 28.00 + 10.00 = 38.00 yuan.""",
        "repaired", "38.00", ["price_not_in_tariff", "discount_misapplied"], prices={FLAT: 60_000},
        site=_HEAD + _PLAIN + campaign + _PILE, more={"discount": "10.00"},
    )  # fmt: skip


@tale
def service_split_missing() -> Tale:
    return usual(
        "service_split_missing",
        "Every record of this protocol has one summed price; the tariff splits it. That is no fault, and no anomaly stands on the bill.",
        "normal", "48.00", [],
    )  # fmt: skip


@tale
def cross_period() -> Tale:
    slots = (("00:00", "09:00", "flat"), ("09:00", "24:00", "peak"))
    told = Tale(
        "cross_period",
        """The rate changes at 09:00: 24 kWh flat and 16 kWh peak, 28.80 + 27.20 = 56.00 yuan; the screen last showed 28.80 + 26.86
        = 55.66. Normal, so no anomaly stands on the bill.""",
        site=_HEAD + _tariff("0100", "2026-01-01T00:00:00+08:00", slots) + _PILE,
    )
    told.login()
    told.start()
    told.charge(upto="09:00:00")
    told.sample("09:10:00", 32, soc=52, amount=42.4)
    told.sample("09:19:45", 39.8, soc=60, amount=55.66)
    told.rest("09:20:05")
    told.record(tiers={1: 16.0, FLAT: 24.0})
    told.expect(SERIAL, "normal", "40.0000", "56.00", [])
    return told


@tale
def cross_midnight() -> Tale:
    told = Tale(
        "cross_midnight",
        "20 minutes around midnight: 8 kWh flat before, 8 kWh valley behind it, 9.60 + 5.60 = 15.20 yuan. Normal.",
    )
    told.login()
    told.start("23:49:56", answer="23:49:58")
    told.sample("23:50:00", 0)
    told.sample("23:59:45", 7.8, soc=56)
    told.sample("+1 00:09:45", 15.8, soc=60)
    told.rest("+1 00:10:05")
    told.record("+1 00:10:08", start="23:50:00", end="+1 00:10:00", tiers={FLAT: 8.0, 3: 8.0})
    told.expect(SERIAL, "normal", "16.0000", "15.20", [])
    return told


# -- occupancy ------------------------------------------------------------------------------------------


@tale
def occupancy_false_end() -> Tale:
    told = usual(
        "occupancy_false_end",
        """Three minutes of rest from 08:52 on looked like the end, then it charged on. The stay counts from the true end at 09:20:05 to the
        unplugging at 09:50:05: 30 minutes less 15 free ones, 15 × 0.20 = 3.00 yuan beside the 48.00.""",
        "repaired", "48.00", ["occupancy_false_end"], site=_HEAD + _PLAIN + _OCCUPANCY + _PILE, revisions=2,
        more={"payable": "51.00"},
    )  # fmt: skip
    told.rest("08:52:00")
    told.rest("09:50:05", plugged=0)
    return told


@tale
def occupancy_unobserved() -> Tale:
    told = usual(
        "occupancy_unobserved",
        "Nobody saw the cable being pulled before the next start on the connector at 10:30: no fee for staying.",
        "repaired", "48.00", ["occupancy_unobserved"], site=_HEAD + _PLAIN + _OCCUPANCY + _PILE, revisions=2,
        more={"payable": "48.00"},
    )  # fmt: skip
    told.start("10:29:56", SECOND, answer="10:29:58")
    told.until = "10:33:00"
    told.expect(SECOND, "void", "0.0000", "0.00", ["authorised_never_started"])
    return told


# -- stop and control -----------------------------------------------------------------------------------


@tale
def stop_reason_inconsistent() -> Tale:
    return usual(
        "stop_reason_inconsistent",
        "The record says that the battery was full, the last reading says 60 %. The code is kept and not confirmed.",
        "normal", "48.00", ["stop_reason_inconsistent"], stop=0x41,
    )  # fmt: skip


@tale
def stop_ignored() -> Tale:
    told = usual(
        "stop_ignored",
        """At 09:00:01 the pile confirms a remote stop at 24.0 kWh and charges on. What flows later than a minute behind that is the operator's
        loss: at 09:01:01 the counter stands at 24 + 4 × 61/300 = 24.8133 kWh. 17.3693 + 12.4067 = 29.7760, so 29.78 yuan.""",
        "repaired", "29.78", ["stop_ignored"], energy="24.8133",
    )  # fmt: skip
    told.stop("09:00:00.500", "09:00:01")
    return told


@tale
def order_closed_early() -> Tale:
    told = Tale(
        "order_closed_early",
        "The first reading comes 110 s after the order, which had been closed as never started after 90 s. It is taken up again.",
    )
    told.login()
    told.start("08:28:10", answer="08:28:12")
    told.charge()
    told.rest("09:20:05")
    told.record()
    told.expect(SERIAL, "repaired", "40.0000", "48.00", ["order_closed_early"])
    return told


# -- several at once ------------------------------------------------------------------------------------


@tale
def missing_then_chain() -> Tale:
    told = without_record(
        "record-missing-then-the-next-register",
        """No record comes, 47.76 yuan are billed provisionally. The next charge on the connector begins at 1042 kWh, the former one stopped at 1002:
        40 kWh (97 %). The difference of 0.24 yuan passes the gate.""",
        "10:40:00",
    )
    told.former()
    second(told)
    told.until = None
    told.expect(SERIAL, "repaired", "40.0000", "48.00", ["record_missing"], revisions=2, confidence_percent=97)
    told.expect(SECOND, "normal", "4.0000", "4.80", [])
    return told


@tale
def lost_then_chain() -> Tale:
    told = Tale(
        "energy-lost-then-the-next-register",
        """The record has no energy and no registers; 39.8 kWh are billed provisionally. Then the next register makes it 40 kWh.""",
    )
    told.login()
    told.former()
    told.start()
    told.charge()
    told.rest("09:20:05")
    told.record(tiers={}, kwh=0, m0=None)
    second(told)
    codes = ["energy_lost", "energy_mismatch_platform", "vi_integral_mismatch", "tou_split_mismatch"]
    told.expect(SERIAL, "repaired", "40.0000", "48.00", codes, revisions=2)
    told.expect(SECOND, "normal", "4.0000", "4.80", [])
    return told


@tale
def empty_date_never_charged() -> Tale:
    told = Tale(
        "empty-date-of-a-charge-that-never-began",
        """The user scans and never starts; after six minutes the pile sends a record with an empty date. Start and end are the moment of the
        scan, nothing is owed, and the never started charge explains the date. The void bill of 08:31:56 is revised by it.""",
    )
    told.login()
    told.start()
    told.record("08:36:00", start=empty_date("00:18:02"), end=empty_date("00:18:02"), tiers={}, kwh=0, stop=0x40)
    told.expect(
        SERIAL, "void", "0.0000", "0.00", ["time_zero_date", "authorised_never_started"],
        primary="authorised_never_started", started_at="2026-03-03T08:29:56.000+08:00", revisions=2,
    )  # fmt: skip
    return told


@tale
def epoch_and_price() -> Tale:
    return usual(
        "clock-reset-and-a-stale-price",
        "After a power cut the clock begins in 2000 and the pile uses an old model. Times by the gateway, prices by the tariff.",
        "repaired", "48.00", ["time_epoch_reset", "price_not_in_tariff"], primary="price_not_in_tariff",
        start=raw_time(946_684_810_000), end=raw_time(946_687_810_000), prices={FLAT: 125_000},
    )  # fmt: skip


@tale
def scale_and_zero_date() -> Tale:
    told = Tale(
        "decimal-error-and-an-empty-date",
        "A hundredth of everything, and no date: the decimal point is mended first, then the date.",
    )
    told.login()
    told.former()
    told.start()
    told.charge()
    told.rest("09:20:05")
    told.record(tiers={FLAT: 0.40}, m0=10.02, start=empty_date("08:30:00"), end=empty_date("09:20:00"))
    told.expect(
        SERIAL, "repaired", "40.0000", "48.00", ["time_zero_date", "unit_scale_error"], primary="unit_scale_error"
    )
    return told


@tale
def power_cut_then_record() -> Tale:
    told = without_record(
        "power-cut-then-the-record-after-all",
        """Mains lost at 09:02, login at 09:10; a substitute bill of 30.72 yuan at 09:32. At 10:00 the record comes after all: 25.7 kWh until
        09:02:08, stop code "power lost", 30.84 yuan. The increase of 0.12 passes.""",
        "10:01:00", upto="09:02:15", rests=False,
    )  # fmt: skip
    told.close("09:02:20")
    told.login("09:10:00", link="10.0.0.5:4002")
    told.record("10:00:00", end="09:02:08", tiers={FLAT: 25.7}, stop=0x83)
    told.until = None
    told.expect(SERIAL, "repaired", "25.7000", "30.84", ["record_after_platform_settlement"], revisions=2)
    return told


@tale
def conflict_both_fit() -> Tale:
    told = usual(
        "two-records-that-both-fit",
        """The second record says 40.05 kWh, the register bears it out, and the readings admit up to 40.14: both fit equally well, so a person
        decides. The first one is the proposal.""",
        "review", "48.00", ["record_duplicate_conflict"], revisions=2,
    )  # fmt: skip
    told.record("09:21:00", tiers={FLAT: 40.05})
    return told


@tale
def rollback_and_price() -> Tale:
    return usual(
        "register-runs-back-and-a-stale-price",
        "The registers are unusable, the record alone fits the readings (90 %), and its price is not the tariff's.",
        "provisional", "48.00", ["meter_rollback", "meter_total_mismatch", "price_not_in_tariff"], m0=1042, m1=1002,
        prices={FLAT: 125_000},
    )  # fmt: skip


@tale
def wrong_connector_and_clock() -> Tale:
    told = Tale(
        "wrong-connector-and-a-reset-clock",
        "Authorised on connector 1, charged on connector 2, and the clock stands in 2000: rebound, with the gateway's times.",
    )
    told.login()
    told.start()
    told.charge(gun=2)
    told.rest("09:20:05", gun=2)
    told.record(gun=2, start=raw_time(946_684_810_000), end=raw_time(946_687_810_000))
    told.expect(
        SERIAL, "repaired", "40.0000", "48.00", ["time_epoch_reset", "record_wrong_connector"],
        primary="record_wrong_connector", connector=2,
    )  # fmt: skip
    return told


@tale
def gate_closes() -> Tale:
    told = Tale(
        "more-than-the-driver-was-shown",
        """The pile showed 20.00 yuan in its last reading, the record has a stale price. By the tariff it is 48.00 yuan, far more than the driver
        was shown: a person decides.""",
    )
    told.login()
    told.start()
    told.charge()
    told.sample("09:19:50", 39.87, soc=60, amount=20.0)
    told.rest("09:20:05")
    told.record(prices={FLAT: 50_000})
    told.expect(SERIAL, "review", "40.0000", "48.00", ["price_not_in_tariff"])
    return told


@tale
def settled_then_lower() -> Tale:
    told = without_record(
        "record-after-settlement-shows-less",
        """47.76 yuan were posted; the record shows 39.795 kWh, which registers of two decimals leave room for: 47.754, so 47.75 yuan. The
        fen goes back at once.""",
        "10:01:00",
    )
    told.site = _HEAD + _PLAIN + _PILE.replace("register_decimals = 4", "register_decimals = 2")
    told.record("10:00:00", tiers={FLAT: 39.795})
    told.expect(SERIAL, "repaired", "39.7950", "47.75", ["record_after_platform_settlement"], revisions=2)
    return told


@tale
def offline_unknown_clock() -> Tale:
    told = Tale(
        "offline-charge-with-a-clock-never-checked",
        "A known card charges without a link, and the pile's clock was never set: nothing vouches for the times (70 %), a person decides.",
    )
    told.login(syncs=False)
    told.down("07:00:00", 0x44, pile_no=PILE, count=1, cards=[{"logic_card": "0" * 16, "card": CARD}])
    told.up("07:00:01", 0x43, pile_no=PILE, ok=1, fail_reason=0)
    told.close("08:00:00")
    told.login("10:20:00", link="10.0.0.5:4002", syncs=False)
    told.record("10:20:10", flag=4, card=CARD)
    told.expect(SERIAL, "review", "40.0000", "48.00", ["late_upload"], confidence_percent=70)
    return told


assert civil_ms("00:00:00") % 1000 == 0
