"""From what a dialect's events say to what the billing core takes as evidence."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import fields

from billing_core.civil import Zone
from billing_core.evidence import Authorisation, BmsEnd, PileFacts, Record, Tier
from gateway.site import PileEntry, Site
from protocol.detect import traits_of
from protocol.events import PileTime, RecordReceived


def content_hash(body: bytes) -> str:
    """The identity of a record's content: SHA-256 of its body, hex."""
    return hashlib.sha256(body).hexdigest()


def instant_ms(time: PileTime, zone: Zone) -> int | None:
    """A pile's clock reading as an instant, Unix ms; ``None`` when it cannot be decoded.

    A wall time that happens twice is taken as its first instant.
    """
    if time.civil_ms is None:
        return None
    return zone.instants(time.civil_ms)[0]


def record_of(event: RecordReceived, zone: Zone) -> Record:
    """The evidence in one record."""
    return Record(
        rx_ms=event.at_ms,
        serial=event.serial,
        pile_id=event.pile_id,
        connector=event.connector,
        started_ms=instant_ms(event.started, zone),
        started_fault=event.started.fault and event.started.fault.value,
        started_time_of_day_ms=event.started.time_of_day_ms,
        ended_ms=instant_ms(event.ended, zone),
        ended_fault=event.ended.fault and event.ended.fault.value,
        ended_time_of_day_ms=event.ended.time_of_day_ms,
        traded_ms=instant_ms(event.traded, zone),
        tiers=tuple(
            Tier(
                price_e5=tier.price_e5,
                energy_e4kwh=tier.energy_e4kwh,
                loss_energy_e4kwh=tier.loss_energy_e4kwh,
                amount_e4yuan=tier.amount_e4yuan,
            )
            for tier in event.tiers
        ),
        meter_start_e4kwh=event.meter_start_e4kwh,
        meter_stop_e4kwh=event.meter_stop_e4kwh,
        energy_e4kwh=event.energy_e4kwh,
        loss_energy_e4kwh=event.loss_energy_e4kwh,
        amount_e4yuan=event.amount_e4yuan,
        vin=event.vin,
        card_uid=event.card_uid,
        start_channel=event.start_channel,
        stop_code=event.stop_code,
        stop_kind=event.stop_kind,
        stop_label=event.stop_label,
        stop_text_en=event.stop_text[0],
        stop_text_zh=event.stop_text[1],
        content_hash=content_hash(event.identity or event.body),
    )


_NAMES = {kind: tuple(each.name for each in fields(kind)) for kind in (Authorisation, BmsEnd, Record, Tier)}


def frozen_flat(value: Authorisation | BmsEnd | Record | Tier) -> dict[str, object]:
    """The fields of a value that holds none but plain ones; ``dataclasses.asdict`` copies deeply, and is slow."""
    return {name: getattr(value, name) for name in _NAMES[type(value)]}


def frozen_record(record: Record) -> dict[str, object]:
    """A record, ready for JSON."""
    return {**frozen_flat(record), "tiers": [frozen_flat(tier) for tier in record.tiers]}


def thaw_record(frozen: Mapping[str, object]) -> Record:
    """The record that ``frozen_record`` and JSON turned into ``frozen``."""
    values = dict(frozen)
    values["tiers"] = tuple(Tier(**tier) for tier in frozen["tiers"])  # type: ignore[attr-defined]
    return Record(**values)  # type: ignore[arg-type]


def thaw_authorisation(frozen: Mapping[str, object] | None) -> Authorisation | None:
    """The authorisation that ``frozen_flat`` and JSON turned into ``frozen``."""
    return None if frozen is None else Authorisation(**frozen)  # type: ignore[arg-type]


def _decimals(entry: PileEntry | None, protocol: str) -> int | None:
    """Places of a pile's registers: as listed, else as its protocol carries them."""
    if entry is not None and entry.register_decimals is not None:
        return entry.register_decimals
    return traits_of(protocol).register_decimals


def _price_decimals(entry: PileEntry | None, protocol: str) -> int | None:
    """Places of the prices that a pile computes with: as listed, else as its protocol carries them."""
    if entry is not None and entry.price_decimals is not None:
        return entry.price_decimals
    decimals = traits_of(protocol).price_decimals
    return decimals if decimals < 5 else None


def pile_facts(
    site: Site, place: tuple[str, int], protocol: str, firmware_version: str | None, connector: int
) -> PileFacts:
    """Master data of one connector; what is not listed is ``None``.

    Args:
        place: pile and connector that the charge took place on.
        connector: the authorised one.
    """
    pile_id, charged_on = place
    entry = site.piles.get(pile_id)
    return PileFacts(
        pile_id=pile_id,
        connector=connector,
        station=site.station_of(pile_id),
        protocol=protocol,
        rated_w=entry.rated_w(charged_on) if entry else None,
        commissioned_ms=site.commissioned_ms(pile_id),
        register_decimals=_decimals(entry, protocol),
        price_decimals=_price_decimals(entry, protocol),
        model=entry.model if entry else None,
        firmware_version=firmware_version,
    )
