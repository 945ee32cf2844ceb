"""The site: its zone, tariffs, campaigns, piles and cards, as tables of a TOML file describe them."""

from __future__ import annotations

import datetime
import functools
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from billing_core.civil import Zone
from billing_core.errors import TariffError
from billing_core.occupancy import OccupancyTerms
from billing_core.tables import campaign_from_table, tariff_from_table
from billing_core.tariff import TariffBook
from billing_core.tolerances import Tolerances
from gateway.errors import ConfigError
from gateway.siteterms import OccupancyEntry, tolerances_from
from gateway.tomlfile import TomlFile, build
from protocol.detect import NAMES, OPTIONS, dialect_named

_FIRST_YEAR = 2000
_LAST_YEAR = 2100
_DAY_S = 86_400
_WEEK_S = 7 * _DAY_S

_NO_OPTIONS: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ConnectorEntry:
    """Master data of one connector. ``rated_kw`` is a decimal string, kW."""

    no: int
    rated_kw: str | None = None
    current: str | None = None

    @property
    def rated_w(self) -> int | None:
        """Rated power, W; ``None`` when not told."""
        return None if self.rated_kw is None else parse_kw(self.rated_kw)

    def __post_init__(self) -> None:
        if self.no < 1:
            raise ValueError("a connector's number is 1 or more")
        if self.current not in (None, "AC", "DC"):
            raise ValueError('current is "AC" or "DC"')
        if self.rated_kw is not None:
            parse_kw(self.rated_kw)


@dataclass(frozen=True, slots=True)
class PileEntry:
    """Master data of one pile.

    ``options`` name deviations of its dialect ("five-rate", "balance-be", "fault-bit1-at-2"), ``protocol`` the version
    of its dialect where its frames do not tell, such as "aaf5-op30".
    """

    id: str
    station: str = ""
    commissioned: str | None = None
    register_decimals: int | None = None
    price_decimals: int | None = None
    model: str | None = None
    protocol: str | None = None
    options: tuple[str, ...] = ()
    connector: tuple[ConnectorEntry, ...] = ()

    def __post_init__(self) -> None:
        if not self.id:
            raise ValueError("a pile needs an id")
        if self.protocol and dialect_named(self.protocol) is None:
            raise ValueError(f"protocol {self.protocol!r} is not known; there are: {', '.join(NAMES)}")
        for unknown in sorted(set(self.options) - OPTIONS):
            raise ValueError(f"option {unknown!r} is not known; there are: {', '.join(sorted(OPTIONS))}")
        if self.commissioned is not None:
            datetime.date.fromisoformat(self.commissioned)

    def rated_w(self, connector: int) -> int | None:
        """Rated power of one connector, W; ``None`` when not told."""
        return next((entry.rated_w for entry in self.connector if entry.no == connector), None)


@dataclass(frozen=True, slots=True)
class CardEntry:
    """A card that may start offline: 16 hex digits of its UID, 16 digits of its printed number."""

    uid: str
    logic: str = "0" * 16


_DEFAULT_TOLERANCES = Tolerances()


@functools.cache
def zone_of(name: str) -> Zone:
    """The offset table of an IANA zone from 2000 to 2100. Raises ``ValueError`` for an unknown name."""
    try:
        info = zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"unknown time zone {name!r}") from error
    start_s = int(datetime.datetime(_FIRST_YEAR, 1, 1, tzinfo=datetime.UTC).timestamp())
    stop_s = int(datetime.datetime(_LAST_YEAR, 1, 1, tzinfo=datetime.UTC).timestamp())
    rows = [(-(2**53), _offset_s(info, start_s) * 1000)]
    for week_s in range(start_s, stop_s, _WEEK_S):
        if _offset_s(info, week_s) != _offset_s(info, week_s + _WEEK_S):
            change_s = _find_change(info, week_s, week_s + _WEEK_S)
            rows.append((change_s * 1000, _offset_s(info, change_s) * 1000))
    return Zone(tuple(rows))


@dataclass(frozen=True, slots=True)
class Site:
    """Everything that is given and not observed.

    Attributes:
        name: what the operator calls the site; part of the CloudEvents source.
        zone_name: IANA zone, such as ``Asia/Shanghai``.
        tariff_binding: ``session_start`` or ``instant``.
        tolerances: by pile model; ``*`` for all others.
        occupancy: terms by scope; none where the operator charges nothing for staying.
        stops_prepaid: stop a charge before its fee exceeds the balance.
        tables: what all this was read from, so that it can be written down.
    """

    name: str = "site-01"
    zone_name: str = "Asia/Shanghai"
    tariff_binding: str = "session_start"
    book: TariffBook = field(default_factory=lambda: TariffBook((), ()))
    piles: Mapping[str, PileEntry] = field(default_factory=dict)
    cards: Mapping[str, str] = field(default_factory=dict)
    zone: Zone = field(default_factory=lambda: zone_of("Asia/Shanghai"))
    tolerances: Mapping[str, Tolerances] = field(default_factory=dict)
    occupancy: tuple[OccupancyEntry, ...] = ()
    stops_prepaid: bool = True
    tables: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def station_of(self, pile_id: str) -> str:
        """The station of a pile, empty when it has none or is unknown."""
        entry = self.piles.get(pile_id)
        return entry.station if entry else ""

    def tolerances_of(self, pile_id: str) -> Tolerances:
        """The tolerances of a pile's model, else those for all."""
        entry = self.piles.get(pile_id)
        model = entry.model if entry is not None and entry.model is not None else "*"
        return self.tolerances.get(model) or self.tolerances.get("*") or _DEFAULT_TOLERANCES

    def occupancy_of(self, pile_id: str) -> OccupancyTerms | None:
        """The occupancy terms of a pile: the most specific scope; ``None`` where none is charged."""
        station = self.station_of(pile_id)
        for name in (pile_id, station, "*"):
            for entry in self.occupancy:
                if name and name in entry.scope:
                    return entry.terms
        return None

    def options_of(self, pile_id: str) -> frozenset[str]:
        """The deviations of a pile from its dialect; none for an unknown one."""
        entry = self.piles.get(pile_id)
        return frozenset(entry.options) if entry and entry.options else _NO_OPTIONS

    def protocol_of(self, pile_id: str) -> str | None:
        """The protocol that a pile is listed with, ``None`` when its frames tell."""
        entry = self.piles.get(pile_id)
        return entry.protocol if entry else None

    def commissioned_ms(self, pile_id: str) -> int | None:
        """Start of the local day a pile was commissioned on, Unix ms; ``None`` when not told."""
        entry = self.piles.get(pile_id)
        if entry is None or entry.commissioned is None:
            return None
        day = datetime.date.fromisoformat(entry.commissioned)
        local = datetime.datetime.combine(day, datetime.time(), zoneinfo.ZoneInfo(self.zone_name))
        return int(local.timestamp()) * 1000


def parse_kw(text: str) -> int:
    """``"7.2"`` → 7200 W. Raises ``ValueError`` for anything but a decimal with up to three places."""
    whole, _, places = text.partition(".")
    if not whole.isdecimal() or (places and not places.isdecimal()) or len(places) > 3 or text.endswith("."):
        raise ValueError(f"rated_kw: {text!r} is not a decimal number of kW with up to three places")
    return int(whole) * 1000 + int(places.ljust(3, "0") or 0)


def _offset_s(info: zoneinfo.ZoneInfo, at_s: int) -> int:
    offset = datetime.datetime.fromtimestamp(at_s, info).utcoffset()
    assert offset is not None
    return offset.days * _DAY_S + offset.seconds


def _find_change(info: zoneinfo.ZoneInfo, low_s: int, high_s: int) -> int:
    """The first second with the new offset, by halving the interval."""
    before = _offset_s(info, low_s)
    while high_s - low_s > 1:
        middle_s = (low_s + high_s) // 2
        if _offset_s(info, middle_s) == before:
            low_s = middle_s
        else:
            high_s = middle_s
    return high_s


SITE_TABLES = ("site", "tariff", "campaign", "pile", "card", "billing", "tolerance", "occupancy")


@dataclass(frozen=True, slots=True)
class SiteTable:
    """The ``[site]`` table."""

    name: str = "site-01"
    timezone: str = "Asia/Shanghai"


@dataclass(frozen=True, slots=True)
class BillingTable:
    """The ``[billing]`` table."""

    tariff_binding: str = "session_start"
    stops_prepaid: bool = True

    def __post_init__(self) -> None:
        if self.tariff_binding not in ("session_start", "instant"):
            raise ValueError('tariff_binding is "session_start" or "instant"')


def site_from_file(source: TomlFile) -> Site:
    """The site of a configuration or site file; other tables are left to their readers.

    Raises ``ConfigError`` with file, line and key.
    """
    tables = source.tables
    head = build(SiteTable, tables.get("site", {}), "site", source)
    billing = build(BillingTable, tables.get("billing", {}), "billing", source)
    try:
        zone = zone_of(head.timezone)
    except ValueError as error:
        raise source.error("zone_unknown", "site.timezone", str(error)) from error
    piles = _entries(PileEntry, "pile", source)
    cards = _entries(CardEntry, "card", source)
    return Site(
        name=head.name,
        zone_name=head.timezone,
        tariff_binding=billing.tariff_binding,
        tolerances=tolerances_from(source),
        occupancy=tuple(_entries(OccupancyEntry, "occupancy", source)),
        stops_prepaid=billing.stops_prepaid,
        book=_book(tables, source),
        piles=_by_id(piles, source),
        cards={card.uid.upper().rjust(16, "0"): card.logic for card in cards},
        zone=zone,
        tables={name: table for name, table in tables.items() if name in SITE_TABLES},
    )


def _entries(cls: type[Any], name: str, source: TomlFile) -> list[Any]:
    tables = source.tables.get(name, [])
    if not isinstance(tables, list):
        raise source.error("type_wrong", name, f"write [[{name}]], one table per {name}")
    return [build(cls, table, f"{name}[{index}]", source) for index, table in enumerate(tables)]


def _by_id(piles: list[PileEntry], source: TomlFile) -> dict[str, PileEntry]:
    found: dict[str, PileEntry] = {}
    for index, pile in enumerate(piles):
        if pile.id in found:
            raise source.error("pile_twice", f"pile[{index}].id", f"pile {pile.id} is listed twice")
        found[pile.id] = pile
    return found


def _book(tables: Mapping[str, Any], source: TomlFile) -> TariffBook:
    for name in ("tariff", "campaign"):
        if not isinstance(tables.get(name, []), list):
            raise source.error("type_wrong", name, f"write [[{name}]], one table per {name}")
    try:
        tariffs = [tariff_from_table(table, f"tariff[{i}]") for i, table in enumerate(tables.get("tariff", []))]
        campaigns = [campaign_from_table(table, f"campaign[{i}]") for i, table in enumerate(tables.get("campaign", []))]
        return TariffBook(tuple(tariffs), tuple(campaigns))
    except TariffError as error:
        raise source.error(error.code, error.path, error.text) from error


def instant_of(text: str) -> int:
    """ISO 8601 with an offset to Unix ms. Raises ``ConfigError``."""
    try:
        at = datetime.datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError("time_invalid", f"{text!r} is not an ISO 8601 time") from error
    if at.tzinfo is None:
        raise ConfigError("time_invalid", f"{text!r} has no offset, such as +08:00")
    return round(at.timestamp() * 1000)
