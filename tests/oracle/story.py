"""One transaction as a plain story: everything the gateway may know, in integers whose unit is the last word.

All instants are Unix milliseconds; a pile's civil times stand here already turned into instants.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from tests.oracle.occupancy import OccupancyRules
from tests.oracle.rating import Coupon
from tests.oracle.tariffs import Campaign, Tariff

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS


@dataclass(frozen=True)
class Pile:
    """Master data of the pile and the connector."""

    rated_w: int = 60_000
    commissioned_ms: int | None = None
    register_decimals: int = 2
    price_decimals: int = 5
    amount_decimals: int = 4  # 2: a pile that counts fen
    full_scales_e4kwh: tuple[int, ...] = (10**9, 10**10, 10**11, 2**32, 2**40)  # where a register may start again
    sample_period_s: int = 15


@dataclass(frozen=True)
class Station:
    """Options of the station that judge or price a bill."""

    zone: str = "Asia/Shanghai"
    binding: str = "at_start"  # or "by_time"
    live_amount_source: str = "pile"  # or "gateway"
    favour_display: bool = False
    minimum_fen: int | None = None
    maximum_fen: int | None = None
    start_fee_fen: int = 0
    occupancy: OccupancyRules | None = None


@dataclass(frozen=True)
class Authorisation:
    at_ms: int
    serial: str
    connector: int = 1
    account: str = "account"
    balance_fen: int | None = None  # None: not prepaid
    hold_fen: int = 0
    has_snapshot: bool = True  # the tariff version was bound then, not looked up later


@dataclass(frozen=True)
class StartReply:
    rx_ms: int
    is_accepted: bool


@dataclass(frozen=True)
class Sample:
    """The connector was charging."""

    rx_ms: int
    energy_e4kwh: int
    amount_e4yuan: int = 0
    voltage_dv: int = 0
    current_da: int = 0
    soc_percent: int = 0
    is_plugged: bool | None = None
    serial: str | None = None  # None: the order's


@dataclass(frozen=True)
class Proof:
    """The connector was not charging: an "idle", "faulted" or "offline" sample, a "heartbeat" or a "login"."""

    rx_ms: int
    kind: str
    is_plugged: bool | None = None

    @property
    def is_sample(self) -> bool:
        return self.kind in ("idle", "faulted", "offline")


@dataclass(frozen=True)
class BmsEnd:
    rx_ms: int
    energy_e1kwh: int
    soc_percent: int | None = None


@dataclass(frozen=True)
class PileTime:
    """``at_ms`` is None when undecodable; then ``fault`` is "zero_date" or "invalid_field"."""

    at_ms: int | None
    fault: str | None = None
    time_of_day_ms: int | None = None


@dataclass(frozen=True)
class Tier:
    price_e5: int
    energy_e4kwh: int
    loss_energy_e4kwh: int
    amount_e4yuan: int


@dataclass(frozen=True)
class Record:
    rx_ms: int
    serial: str
    started: PileTime
    ended: PileTime
    tiers: Mapping[str, Tier]
    meter_start_e4kwh: int
    meter_stop_e4kwh: int
    energy_e4kwh: int
    loss_energy_e4kwh: int
    amount_e4yuan: int
    stop_code: int = 0x40
    connector: int = 1
    vin: str | None = None

    @property
    def payload(self) -> tuple:
        """What makes two records the same: everything but their arrival."""
        fixed = (self.serial, self.started, self.ended, tuple(sorted(self.tiers.items(), key=lambda item: item[0])))
        counters = (self.meter_start_e4kwh, self.meter_stop_e4kwh, self.energy_e4kwh, self.loss_energy_e4kwh)
        return (*fixed, *counters, self.amount_e4yuan, self.stop_code, self.connector, self.vin)


@dataclass(frozen=True)
class Neighbour:
    """Another order on the same connector, as far as it is known."""

    account: str | None = None
    started_ms: int | None = None
    ended_ms: int | None = None
    meter_start_e4kwh: int | None = None
    meter_stop_e4kwh: int | None = None
    is_unplugged_between: bool = True


@dataclass(frozen=True)
class Chain:
    """The registers of the neighbours. ``is_unbroken``: no other record in between."""

    previous_stop_e4kwh: int | None = None
    previous_stop_at_ms: int | None = None
    next_start_e4kwh: int | None = None
    next_start_at_ms: int | None = None
    is_unbroken: bool = True


@dataclass(frozen=True)
class OtherConnector:
    """What the pile's other connector showed in the same hours."""

    connector: int
    samples: tuple[Sample, ...] = ()
    proofs: tuple[Proof, ...] = ()
    chain: Chain = Chain()


@dataclass(frozen=True)
class Posted:
    """The bill that is effective before this one."""

    total_fen: int
    energy_e4kwh: int
    is_substitute: bool
    energy_fee_fen: int | None = None


@dataclass(frozen=True)
class Story:
    """Everything; ``judged_at_ms`` is the present moment."""

    judged_at_ms: int
    serial: str
    tariffs: tuple[Tariff, ...]
    authorisation: Authorisation | None
    pile: Pile = Pile()
    station: Station = Station()
    campaigns: tuple[Campaign, ...] = ()
    start_replies: tuple[StartReply, ...] = ()
    samples: tuple[Sample, ...] = ()
    proofs: tuple[Proof, ...] = ()
    bms_end: BmsEnd | None = None
    battery_e1kwh: int | None = None
    vins: tuple[tuple[int, str], ...] = ()
    records: tuple[Record, ...] = ()
    chain: Chain = Chain()
    previous: Neighbour | None = None
    following: Neighbour | None = None
    other: OtherConnector | None = None
    syncs: tuple[tuple[int, int], ...] = ()  # (received, pile minus gateway)
    link_lost_ms: tuple[int, ...] = ()
    stop_acknowledged_ms: int | None = None
    closed_by_platform_ms: int | None = None
    published_amount_e4yuan: int | None = None  # by the gateway, when it shows live amounts
    posted: Posted | None = None
    claimed_leave_ms: int | None = None
    free_windows_ms: tuple[tuple[int, int], ...] = ()
    is_parallel: bool = False
    has_open_order_elsewhere: bool = False
    is_gone: bool = False  # the pile was replaced or taken down with the order open
    serial_time_ms: int | None = None  # the instant written into the serial, when it is one
    coupon: Coupon | None = field(default=None)


def kwh(e4kwh: int) -> Fraction:
    return Fraction(e4kwh, 10_000)


def yuan(e4yuan: int) -> Fraction:
    return Fraction(e4yuan, 10_000)
