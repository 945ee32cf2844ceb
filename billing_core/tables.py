"""Tariffs and campaigns from the tables of a site file; whatever does not fit is refused with its key.

Source: the site-data tables of the contract; docs/billing.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from billing_core.errors import TariffError
from billing_core.fixed import parse_scaled
from billing_core.tariff import RATE_NAMES, Campaign, Rate, Tariff

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TARIFF_KEYS = {"model_no", "valid_from", "scope", "loss_ratio_percent", "rates", "slot"}
_CAMPAIGN_KEYS = {"id", "component", "factor", "valid_from", "valid_to", "scope"}
_COMPONENTS = ("service", "energy", "both")


def tariff_from_table(table: Mapping[str, Any], path: str) -> Tariff:
    """One ``[[tariff]]`` table. Raises ``TariffError`` with the path of the offending key."""
    _known(table, _TARIFF_KEYS, path)
    model_no = _model_no(table, path)
    rates = _need(table, "rates", path)
    if not isinstance(rates, Mapping) or not rates:
        raise TariffError("rates_missing", f"{path}.rates", "write a table of rates with their prices")
    slots = table.get("slot", [])
    if not isinstance(slots, list):
        raise TariffError("type_wrong", f"{path}.slot", "write [[tariff.slot]], one table per slot")
    return Tariff(
        model_no,
        _instant(table, "valid_from", path),
        _scope(table, path),
        {_rate(name, f"{path}.rates.{name}"): _prices(pair, f"{path}.rates.{name}") for name, pair in rates.items()},
        tuple(_slot(slot, f"{path}.slot[{index}]") for index, slot in enumerate(slots)),
        _loss_ratio(table, path),
        path,
    )


def campaign_from_table(table: Mapping[str, Any], path: str) -> Campaign:
    """One ``[[campaign]]`` table. Raises ``TariffError`` with the path of the offending key."""
    _known(table, _CAMPAIGN_KEYS, path)
    name = _need(table, "id", path)
    if not isinstance(name, str) or not name:
        raise TariffError("type_wrong", f"{path}.id", "write a name in quotes")
    component = table.get("component", "service")
    if component not in _COMPONENTS:
        raise TariffError(
            "component_unknown", f"{path}.component", f"{component!r} is none of {', '.join(_COMPONENTS)}"
        )
    factor_e4 = _scaled(_need(table, "factor", path), 4, f"{path}.factor")
    if factor_e4 > 10_000:
        text = "the factor is what remains of the price, from 0 to 1 (88折 is 0.88)"
        raise TariffError("factor_range", f"{path}.factor", text)
    valid_from_ms, valid_to_ms = _instant(table, "valid_from", path), _instant(table, "valid_to", path)
    if valid_to_ms <= valid_from_ms:
        raise TariffError("window_empty", f"{path}.valid_to", "the campaign ends before it begins")
    return Campaign(name, component, factor_e4, valid_from_ms, valid_to_ms, _scope(table, path))


def _known(table: Mapping[str, Any], keys: set[str], path: str) -> None:
    if not isinstance(table, Mapping):
        raise TariffError("type_wrong", path, "write a table")
    for key in table:
        if key not in keys:
            known = ", ".join(sorted(keys))
            raise TariffError("key_unknown", f"{path}.{key}", f"unknown key; known here: {known}")


def _need(table: Mapping[str, Any], key: str, path: str) -> Any:
    if key not in table:
        raise TariffError("key_missing", path, f"the key {key!r} is required")
    return table[key]


def _model_no(table: Mapping[str, Any], path: str) -> str:
    model_no = _need(table, "model_no", path)
    if not isinstance(model_no, str) or len(model_no) != 4 or not all(c in "0123456789abcdefABCDEF" for c in model_no):
        raise TariffError("model_no_invalid", f"{path}.model_no", f"{model_no!r} is not four hex digits in quotes")
    return model_no.upper()


def _scope(table: Mapping[str, Any], path: str) -> tuple[str, ...]:
    scope = table.get("scope", ["*"])
    if not isinstance(scope, list) or not scope or not all(isinstance(name, str) and name for name in scope):
        raise TariffError("scope_invalid", f"{path}.scope", 'write a list of stations or piles, or ["*"]')
    return tuple(scope)


def _scaled(value: Any, decimals: int, path: str) -> int:
    if isinstance(value, float):
        text = f"{value} is a binary float; write it in quotes"
        raise TariffError("float_refused", path, text)
    if not isinstance(value, str):
        raise TariffError("type_wrong", path, f"{value!r} is not a decimal number in quotes")
    try:
        return parse_scaled(value, decimals)
    except ValueError as error:
        raise TariffError("decimal_invalid", path, str(error)) from error


def _instant(table: Mapping[str, Any], key: str, path: str) -> int:
    value = _need(table, key, path)
    where = f"{path}.{key}"
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError as error:
            raise TariffError("time_invalid", where, f"{value!r} is not an ISO 8601 time") from error
    if not isinstance(value, datetime):
        raise TariffError("time_invalid", where, f"{value!r} is not a time with its offset")
    if value.tzinfo is None:
        raise TariffError("time_naive", where, "the time has no offset; write it, such as +08:00")
    return (value - _EPOCH) // timedelta(milliseconds=1)


def _rate(name: str, path: str) -> Rate:
    if name not in RATE_NAMES:
        raise TariffError("rate_unknown", path, f"{name!r} is none of {', '.join(RATE_NAMES)}")
    return Rate(RATE_NAMES.index(name))


def _prices(pair: Any, path: str) -> tuple[int, int]:
    _known(pair, {"energy", "service"}, path)
    prices = [_scaled(_need(pair, key, path), 5, f"{path}.{key}") for key in ("energy", "service")]
    for key, price_e5 in zip(("energy", "service"), prices, strict=True):
        if price_e5 >= 2**32:
            raise TariffError("price_range", f"{path}.{key}", "no pile can carry a price this high")
    return prices[0], prices[1]


def _slot(slot: Any, path: str) -> tuple[int, int, Rate]:
    _known(slot, {"from", "to", "rate"}, path)
    rate = _need(slot, "rate", path)
    if not isinstance(rate, str):
        raise TariffError("type_wrong", f"{path}.rate", "write the rate's name in quotes")
    return _minute(slot, "from", path), _minute(slot, "to", path), _rate(rate, f"{path}.rate")


def _minute(slot: Mapping[str, Any], key: str, path: str) -> int:
    value = _need(slot, key, path)
    where = f"{path}.{key}"
    if isinstance(value, str):
        hour, colon, minute = value.partition(":")
        if colon and len(hour) == len(minute) == 2 and (hour + minute).isdecimal() and (hour + minute).isascii():
            minutes = int(hour) * 60 + int(minute)
            if int(minute) < 60 and minutes <= 24 * 60:
                return minutes
    raise TariffError("clock_invalid", where, f'{value!r} is not a time of day such as "08:00" or "24:00"')


def _loss_ratio(table: Mapping[str, Any], path: str) -> int:
    value = table.get("loss_ratio_percent", 0)
    where = f"{path}.loss_ratio_percent"
    if isinstance(value, int) and not isinstance(value, bool):
        ratio_e4 = value * 100
    else:
        ratio_e4 = _scaled(value, 2, where)
    if not 0 <= ratio_e4 <= 10_000:
        raise TariffError("loss_ratio_range", where, "the loss ratio is 0 to 100 percent")
    return ratio_e4
