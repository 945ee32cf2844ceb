"""How a tale is told: what passed over the link, second by second, and what must come of it, reckoned by hand.

The usual tale: one DC pile of 60 kW at flat prices (0.70 + 0.50 yuan). A car takes 48 kW from 08:30:00 to 09:20:00,
that is 40 kWh and 48.00 yuan; the meter moves from 1002 to 1042 kWh.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from protocol.dialects.ykc_times import raw_time
from protocol.dialects.ykc_wire import write_frame

PILE = "55031412782305"
DAY = datetime(2026, 3, 3, tzinfo=UTC)  # local midnight, written as if it were UTC
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NO_SERIAL = "0" * 32
NO_CARD = "0" * 16
CARD = "00000000D14B0A54"
VIN = "LHB12345678901234"
SERIAL = f"{PILE}012603030829000001"
PRICES = (200_000, 170_000, 120_000, 70_000)  # sharp, peak, flat, valley: energy + service
FLAT = 2


def at(text: str) -> datetime:
    """``08:30:00``, ``+1 00:10:00`` for the next day, ``-1 …`` for the day before."""
    days, _, clock = text.rpartition(" ")
    hour, minute, second = clock.split(":")
    seconds = timedelta(hours=int(hour), minutes=int(minute), seconds=float(second))
    return DAY + timedelta(days=int(days or 0)) + seconds


def civil_ms(text: str) -> int:
    return (at(text) - EPOCH) // timedelta(milliseconds=1)


def wire_time(text: str) -> int:
    return raw_time(civil_ms(text))


def e4(kwh: float | str) -> int:
    return round(float(kwh) * 10_000)


class Tale:
    """A log in the making, and what must come of it.

    Args:
        name: the folder.
        why: one paragraph: what happened, and how the numbers were reckoned.
    """

    def __init__(self, name: str, why: str, *, site: str = "", balance: int = 20_000) -> None:
        self.name, self.why, self.site = name, " ".join(why.split()), site
        self.expected: list[dict] = []
        self.until: str | None = None
        self._balance = balance
        self._lines: list[tuple[datetime, dict]] = []
        self._link = "10.0.0.5:4001"
        self._sequence = 0

    # -- the line -----------------------------------------------------------------------------------

    def open(self, when: str, link: str | None = None) -> None:
        if link is not None:
            self._link = link
        self._lines.append((at(when), {"link": self._link, "event": "open"}))

    def close(self, when: str) -> None:
        self._lines.append((at(when), {"link": self._link, "event": "close"}))

    def up(self, when: str, kind: int, **raw) -> None:
        self._sequence += 1
        frame = write_frame(kind, raw, sequence=self._sequence % 65_536)
        self._lines.append((at(when), {"link": self._link, "dir": "up", "hex": frame.hex().upper()}))

    def down(self, when: str, kind: int, **raw) -> None:
        frame = write_frame(kind, raw, sequence=0)
        self._lines.append((at(when), {"link": self._link, "dir": "down", "hex": frame.hex().upper()}))

    # -- words of the pile and of its gateway ----------------------------------------------------------

    def login(self, when: str = "06:59:00", *, link: str | None = None, clock_s: int = 0, syncs: bool = True) -> None:
        self.open(when, link)
        self.up(
            when, 0x01, pile_no=PILE, pile_type=0, gun_count=2, proto_ver_raw=16, sw_version=b"V4.1.50", net_type=0,
            sim="0" * 20, operator=4,
        )  # fmt: skip
        self.down(when, 0x02, pile_no=PILE, result=0)
        if syncs:
            shown = raw_time(civil_ms(when) + 1_000 * clock_s)
            self.down(when, 0x56, pile_no=PILE, time=wire_time(when))
            self.up(when, 0x55, pile_no=PILE, time=shown)

    def start(
        self,
        when: str = "08:29:56",
        serial: str = SERIAL,
        *,
        gun: int = 1,
        card: str = NO_CARD,
        answer: str | None = "08:29:58",
        ok: int = 1,
        reason: int = 0,
    ) -> None:
        self.down(
            when, 0x34, serial=serial, pile_no=PILE, gun=gun, logic_card="0" * 16, card=card,
            balance_yuan=self._balance,
        )  # fmt: skip
        if answer is not None:
            self.up(answer, 0x33, serial=serial, pile_no=PILE, gun=gun, ok=ok, fail_reason=reason)

    def card_start(self, when: str, serial: str, *, gun: int = 1, card: str = CARD) -> None:
        self.up(
            when, 0x31, pile_no=PILE, gun=gun, start_mode=1, need_password=0, card=card,
            password_hex="00" * 16, vin=b"",
        )  # fmt: skip
        self.down(
            when, 0x32, serial=serial, pile_no=PILE, gun=gun, logic_card="0" * 16, balance_yuan=self._balance,
            auth_ok=1, fail_reason=0,
        )  # fmt: skip

    def sample(
        self,
        when: str,
        kwh: float,
        *,
        serial: str = SERIAL,
        gun: int = 1,
        soc: int = 50,
        amount: float | None = None,
        volts: int = 480,
        amps: float = 100,
        state: int = 3,
        plugged: int = 1,
    ) -> None:
        cost = 1.2 * kwh if amount is None else amount
        self.up(
            when, 0x13, serial=serial, pile_no=PILE, gun=gun, state=state, homed=2, plugged=plugged,
            voltage_v=10 * volts, current_a=round(10 * amps), cable_temp_c=80, cable_code="0" * 16, soc_pct=soc,
            batt_max_temp_c=75, charge_min=0, remain_min=0, energy_kwh=e4(kwh), loss_energy_kwh=e4(kwh),
            amount_yuan=e4(cost), fault_bits=0,
        )  # fmt: skip

    def rest(self, when: str, *, gun: int = 1, plugged: int = 1) -> None:
        self.sample(when, 0, serial=NO_SERIAL, gun=gun, soc=0, volts=0, amps=0, state=2, plugged=plugged)

    def bms_end(self, when: str, kwh: float, *, soc: int = 70, serial: str = SERIAL) -> None:
        self.up(
            when, 0x19, serial=serial, pile_no=PILE, gun=1, soc_pct=soc, cell_min_v=350, cell_max_v=360, temp_min_c=75,
            temp_max_c=80, charge_min=50, energy_kwh=round(10 * kwh), charger_no_raw=1,
        )  # fmt: skip

    def battery(self, when: str, kwh: float, serial: str = SERIAL) -> None:
        self.up(
            when, 0x17, serial=serial, pile_no=PILE, gun=1, cell_max_v=430, max_current_a=4000,
            nominal_energy_kwh=round(10 * kwh),
            max_voltage_v=7500, max_temp_c=105, soc_pct=300, pack_voltage_v=6000, out_max_v=7500, out_min_v=2000,
            out_max_a=2500, out_min_a=4000,
        )  # fmt: skip

    def handshake(self, when: str, vin: str, serial: str = SERIAL) -> None:
        self.up(
            when, 0x15, serial=serial, pile_no=PILE, gun=1, bms_ver_hex="010100", battery_type=3,
            rated_capacity_ah=2000, rated_voltage_v=6000, maker=b"ACME", pack_serial_hex="00000001", prod_year_raw=40,
            prod_month=1, prod_day=1, charge_count=1, ownership=1, reserved=0, vin=vin.encode(), bms_sw_hex="FF" * 8,
        )  # fmt: skip

    def record(
        self,
        when: str = "09:20:08",
        *,
        serial: str = SERIAL,
        gun: int = 1,
        start: str | int = "08:30:00",
        end: str | int = "09:20:00",
        tiers: dict[int, float] | None = None,
        prices: dict[int, int] | None = None,
        amounts: dict[int, float] | None = None,
        losses: dict[int, float] | None = None,
        kwh: float | None = None,
        m0: float | None = 1002,
        m1: float | None = None,
        amount: float | None = None,
        flag: int = 1,
        stop: int = 0x45,
        card: str = NO_CARD,
        vin: str = "",
        answered: bool = True,
    ) -> None:
        booked = {FLAT: 40.0} if tiers is None else tiers
        rows = []
        for index in range(4):
            energy = booked.get(index, 0)
            price = (prices or {}).get(index, PRICES[index])
            cost = (amounts or {}).get(index, energy * price / 100_000)
            loss = (losses or {}).get(index, energy)
            rows.append(
                {
                    "price_yuan_per_kwh": price,
                    "energy_kwh": e4(energy),
                    "loss_energy_kwh": e4(loss),
                    "amount_yuan": e4(cost),
                }
            )
        total = sum(booked.values()) if kwh is None else kwh
        begin = 0 if m0 is None else m0
        stopped = begin + total if m1 is None else m1
        if m0 is None and m1 is None:
            stopped = 0
        self.up(
            when, 0x3B, serial=serial, pile_no=PILE, gun=gun,
            start_time=start if isinstance(start, int) else wire_time(start),
            end_time=end if isinstance(end, int) else wire_time(end),
            tiers=rows, meter_start_kwh=e4(begin), meter_end_kwh=e4(stopped), energy_kwh=e4(total),
            loss_energy_kwh=e4(sum((losses or {}).get(i, booked.get(i, 0)) for i in range(4)) if losses else total),
            amount_yuan=e4(sum(row["amount_yuan"] for row in rows) / 10_000 if amount is None else amount),
            vin=vin.encode(), trade_flag=flag,
            trade_time=wire_time("09:20:00") if isinstance(end, int) else wire_time(end),
            stop_reason=stop, card=card,
        )  # fmt: skip
        if answered:
            self.down(when, 0x40, serial=serial, result=0)

    def stop(self, when: str, answer: str | None = None) -> None:
        self.down(when, 0x36, pile_no=PILE, gun=1)
        if answer is not None:
            self.up(answer, 0x35, pile_no=PILE, gun=1, ok=1, fail_reason=0)

    # -- usual passages ------------------------------------------------------------------------------

    def charge(
        self, *, begin: str = "08:30:00", upto: str = "09:20:00", serial: str = SERIAL, gun: int = 1, scale: float = 1,
        amps: float = 100, soc_base: int = 20, has_soc: bool = True, frozen_at: float | None = None,
        reset_at: float | None = None,
    ) -> None:  # fmt: skip
        """Samples every five minutes on the usual line of 48 kW from 08:30:00, and one fifteen seconds before the end.

        Args:
            scale: of energy and current.
            frozen_at: the counter stands still from this energy on.
            reset_at: the counter begins anew behind this energy.
        """
        moments, end = [at(begin)], at(upto)
        while moments[-1] + timedelta(minutes=5) < end:
            moments.append(moments[-1] + timedelta(minutes=5))
        if frozen_at is not None:
            moments.append(end - timedelta(seconds=30))
        for moment in [*moments, end - timedelta(seconds=15)]:
            true = 48 * (moment - at("08:30:00")) / timedelta(hours=1) * scale
            told = true if frozen_at is None else min(true, frozen_at)
            if reset_at is not None and true > reset_at:
                told = true - reset_at
            soc = round(soc_base + true) if has_soc else 0
            self.sample(
                f"{moment:%H:%M:%S}", round(told, 4), serial=serial, gun=gun, soc=soc, amps=amps * scale,
                amount=1.2 * true,
            )  # fmt: skip

    def usual(self, **record) -> None:
        """The usual tale, its record changed by what is given."""
        self.login()
        self.start()
        self.charge()
        self.rest("09:20:05")
        self.record(**record)

    def former(self) -> None:
        """A charge of 2 kWh before it, so that the register is known: 1000 to 1002 kWh, 2.40 yuan."""
        serial = f"{PILE}012603030709000001"
        self.start("07:09:56", serial, answer="07:09:58")
        self.sample("07:10:00", 0, serial=serial, soc=40)
        self.sample("07:12:15", 1.8, serial=serial, soc=42)
        self.rest("07:12:35")
        self.record(
            "07:12:38", serial=serial, start="07:10:00", end="07:12:30", tiers={FLAT: 2.0}, m0=1000,
        )  # fmt: skip
        self.expect(serial, "normal", "2.0000", "2.40")

    # -- what must come of it --------------------------------------------------------------------------

    def expect(
        self,
        serial: str,
        status: str,
        energy_kwh: str,
        amount: str,
        anomalies: list[str] | None = None,
        *,
        primary: str | None = None,
        revisions: int = 1,
        **more,
    ) -> None:
        codes = anomalies or []
        self.expected.append(
            {
                "transaction_id": serial,
                "revisions": revisions,
                "status": status,
                "energy_kwh": energy_kwh,
                "amount": amount,
                "anomalies": codes,
                "primary_anomaly": primary or (codes[0] if codes else None),
                **more,
            }
        )

    # -- writing ---------------------------------------------------------------------------------------

    @property
    def log(self) -> str:
        """The log as text, in order of time; what was told first comes first."""
        ordered = sorted(self._lines, key=lambda line: line[0])
        rows = [
            {"at": f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}+08:00", **row}
            for moment, row in ordered
        ]
        return "".join(json.dumps(row) + "\n" for row in rows)

    def files(self) -> dict[str, str]:
        """What stands in the folder."""
        told = {"bills": self.expected}
        if self.until is not None:
            moment = at(self.until)
            told = {"until": f"{moment:%Y-%m-%dT%H:%M:%S}+08:00", **told}
        found = {
            "log.jsonl": self.log,
            "expected.json": json.dumps(told, indent=2) + "\n",
            "why.md": self.why + "\n",
        }
        if self.site:
            found["site.toml"] = self.site
        return found
