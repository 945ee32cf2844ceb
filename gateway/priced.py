"""Tariffs that priced a bill are history: they may be followed by newer ones, never edited.

Every bill writes down what priced it; a configuration that says otherwise afterwards is refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from billing_core.fixed import format_e5
from billing_core.tariff import RATE_NAMES, Tariff, TariffBook
from gateway.errors import ConfigError
from gateway.tomlfile import TomlFile

Key = tuple[str, int, str]


def key_of(tariff: Tariff) -> Key:
    """What tells one tariff from another: model number, begin in Unix ms, scope."""
    return tariff.model_no, tariff.valid_from_ms, ",".join(sorted(tariff.scope))


def terms_of(tariff: Tariff) -> str:
    """Everything that a bill takes from a tariff, as canonical JSON."""
    prices = {
        RATE_NAMES[rate]: [format_e5(energy), format_e5(service)]
        for rate, (energy, service) in tariff.prices_e5.items()
    }
    slots = [[start, stop, RATE_NAMES[rate]] for start, stop, rate in sorted(tariff.slots)]
    terms = {"loss_ratio_e4": tariff.loss_ratio_e4, "prices": prices, "slots": slots}
    return json.dumps(terms, sort_keys=True, separators=(",", ":"))


def refuse_edits(book: TariffBook, priced: Iterable[Mapping[str, Any]], path: Path | None) -> None:
    """Compare a site's tariffs with those that priced bills.

    Args:
        book: the tariffs that are to be in force.
        priced: rows of ``priced_tariff``.
        path: the file the tariffs stand in, for the message.

    Raises ``ConfigError`` with file, line and reason for the first that was edited.
    """
    terms = {(row["model_no"], row["valid_from_ms"], row["scope"]): row["terms"] for row in priced}
    for index, tariff in enumerate(book.tariffs):
        known = terms.get(key_of(tariff))
        if known is None or known == terms_of(tariff):
            continue
        text = (
            f"tariff {tariff.model_no} already priced bills and may not be changed ({_changed(known, tariff)}); "
            "put it back, and add a tariff with a later valid_from"
        )
        if path is None:
            raise ConfigError("tariff_edited", text)
        raise TomlFile.read(path).error("tariff_edited", f"tariff[{index}]", text)


def _changed(known: str, tariff: Tariff) -> str:
    """Which terms differ, by name."""
    was, now = json.loads(known), json.loads(terms_of(tariff))
    names = [name for name in was if was[name] != now[name] and name != "prices"]
    rates = was["prices"].keys() | now["prices"].keys()
    names += sorted(f"price of {rate}" for rate in rates if was["prices"].get(rate) != now["prices"].get(rate))
    return ", ".join(names)
