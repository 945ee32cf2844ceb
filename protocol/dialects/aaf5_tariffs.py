"""Tariffs of the AA F5 family, both ways: periods of the day with prices cut to what the profile carries.

Source: docs/protocols/aaf5.md, "Tariffs".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from protocol.commands import PileTariff
from protocol.dialects.aaf5_frames import NAMED
from protocol.errors import LocalProtocolError

_PERIODS = 12
_FEN_E5, _E4_E5 = 1_000, 10  # 0.01 and 0.0001 yuan per kWh in 0.00001
_ALWAYS_E4 = 10_000  # op30: a larger price counts in 0.0001
_UNUSED_CLOCK = {"from_h": 0, "from_min": 0, "to_h": 0, "to_min": 0}


def cut(price_e5: int, step_e5: int) -> int:
    """A price in steps, cut: what a pile shows its driver is never more than what is owed."""
    return price_e5 // step_e5


def _clock(first: int, last: int, *, ends_at_midnight: bool = False) -> dict[str, int]:
    to_h = 0 if last == 48 and ends_at_midnight else last // 2
    return {"from_h": first // 2, "from_min": first % 2 * 30, "to_h": to_h, "to_min": last % 2 * 30}


def _fitting(tariff: PileTariff) -> tuple[tuple[int, int, int], ...]:
    """The tariff's periods when twelve are enough. Raises ``LocalProtocolError`` when they are not."""
    runs = tariff.periods()
    if len(runs) > _PERIODS:
        text = f"tariff {tariff.model_no} has {len(runs)} periods a day, this pile takes {_PERIODS}"
        raise LocalProtocolError("too_long", text)
    return runs


def periods(tariff: PileTariff) -> list[dict[str, int]]:
    """The entries of 1103 of the ``sh`` line: energy prices alone, in 0.01 yuan."""
    found = [
        {**_clock(first, last), "price": cut(tariff.prices_e5[rate][0], _FEN_E5)}
        for first, last, rate in _fitting(tariff)
    ]
    return found + [{**_UNUSED_CLOCK, "price": 0}] * (_PERIODS - len(found))


def _priced(tariff: PileTariff, rate: int, step_e5: int) -> dict[str, int]:
    energy_e5, service_e5 = tariff.prices_e5[rate]
    return {"price": cut(energy_e5, step_e5), "service": cut(service_e5, step_e5)}


def with_service(tariff: PileTariff) -> list[dict[str, int]]:
    """The entries of 1105: both prices in 0.0001 yuan."""
    found = [{**_clock(first, last), **_priced(tariff, rate, _E4_E5)} for first, last, rate in _fitting(tariff)]
    return found + [{**_UNUSED_CLOCK, "price": 0, "service": 0}] * (_PERIODS - len(found))


def half_hours(tariff: PileTariff) -> list[dict[str, int]]:
    """The 48 entries of 1103 of ``lv34``; the last one ends at 00:00."""
    return [
        {**_clock(slot, slot + 1, ends_at_midnight=True), **_priced(tariff, rate, _E4_E5)}
        for slot, rate in enumerate(tariff.slots)
    ]


def periods_op30(tariff: PileTariff) -> list[dict[str, int]]:
    """The entries of 1103 of ``op30``: 0.01 yuan, rates numbered from 1."""
    found = [
        {**_clock(first, last), **_priced(tariff, rate, _FEN_E5), "kind": min(rate, 3) + 1}
        for first, last, rate in tariff.periods()
    ]
    unused = {**_UNUSED_CLOCK, "price": 0, "service": 0, "kind": 0}
    return found + [unused] * (_PERIODS - len(found))


def named_periods(tariff: PileTariff) -> dict[str, Any]:
    """The values of 12 of ``op30``: four named rates with two windows each; the price of the rest is that of flat."""
    raw: dict[str, Any] = {}
    for rate, name in enumerate(NAMED[:4]):
        prices = _priced(tariff, rate, _FEN_E5) if rate < len(tariff.prices_e5) else {"price": 0, "service": 0}
        raw |= {f"{name}_price": prices["price"], f"{name}_service": prices["service"]}
        windows = [(first, last) for first, last, which in tariff.periods() if which == rate]
        if len(windows) > 2:
            text = f"tariff {tariff.model_no} has {len(windows)} {name} periods a day, this pile takes 2"
            raise LocalProtocolError("too_long", text)
        for number in (1, 2):
            window = windows[number - 1] if number <= len(windows) else None
            clock = _clock(*window) if window else _UNUSED_CLOCK
            raw[f"{name}_{number}"] = bytes(clock.values()).hex().upper()
    return {**raw, "general_price": raw["flat_price"], "general_service": raw["flat_service"]}


# -- back, as a log holds them ---------------------------------------------------------------------------


def tariff_of(entries: Sequence[Mapping[str, int]], *, step_e5: int) -> PileTariff | None:
    """The tariff in the entries of a frame; ``None`` when they do not cover the day in at most five prices."""
    slots: list[int] = []
    prices: list[tuple[int, int]] = []
    for entry in entries:
        first, last = entry["from_h"] * 2 + entry["from_min"] // 30, entry["to_h"] * 2 + entry["to_min"] // 30
        last = last or 48
        if len(slots) == 48:
            break
        if first != len(slots) or last <= first or last > 48:
            return None
        step = step_e5 if max(entry["price"], entry.get("service", 0)) <= _ALWAYS_E4 else _E4_E5
        pair = (entry["price"] * step, entry.get("service", 0) * step)
        if pair not in prices:
            prices.append(pair)
        slots += [prices.index(pair)] * (last - first)
    if len(slots) != 48 or len(prices) > 5:
        return None
    return PileTariff(model_no="0000", prices_e5=tuple(prices), slots=tuple(slots))


def named_tariff_of(raw: Mapping[str, Any]) -> PileTariff | None:
    """The tariff in the values of 12."""
    prices = tuple((raw[f"{name}_price"] * _FEN_E5, raw[f"{name}_service"] * _FEN_E5) for name in NAMED)
    slots = [4] * 48
    for rate, name in enumerate(NAMED[:4]):
        for number in (1, 2):
            from_h, from_min, to_h, to_min = bytes.fromhex(raw[f"{name}_{number}"])
            for slot in range(from_h * 2 + from_min // 30, min(to_h * 2 + to_min // 30, 48)):
                slots[slot] = rate
    return PileTariff(model_no="0000", prices_e5=prices, slots=tuple(slots))
