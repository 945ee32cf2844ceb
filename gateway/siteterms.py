"""Tables of a site file that say how bills are judged: tolerances by pile model, occupancy terms by scope."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, fields
from typing import Any

from billing_core.fixed import parse_scaled
from billing_core.occupancy import OccupancyTerms
from billing_core.tolerances import Tolerances
from gateway.tomlfile import TomlFile, build


@dataclass(frozen=True, slots=True)
class OccupancyEntry:
    """One ``[[occupancy]]`` table.

    Attributes:
        grace_mode: ``deduct`` the free minutes, or owe all of them above a ``threshold``.
        price_per_min, cap: yuan, decimal strings.
        free_windows: ``"HH:MM-HH:MM"`` of the local day.
    """

    price_per_min: str
    scope: tuple[str, ...] = ("*",)
    grace_min: int = 15
    grace_mode: str = "deduct"
    cap: str | None = None
    free_windows: tuple[str, ...] = ()
    max_hours: int = 24

    def __post_init__(self) -> None:
        if self.grace_mode not in ("deduct", "threshold"):
            raise ValueError('grace_mode is "deduct" or "threshold"')
        if self.grace_min < 0 or self.max_hours < 1:
            raise ValueError("grace_min is 0 or more, max_hours 1 or more")
        parse_scaled(self.price_per_min, 5)
        if self.cap is not None:
            parse_scaled(self.cap, 2)
        windows = sorted(_window_min(text) for text in self.free_windows)
        for (_, stop), (start, _) in itertools.pairwise(windows):
            if start < stop:
                raise ValueError("free_windows overlap")

    @property
    def terms(self) -> OccupancyTerms:
        """The terms as the billing core takes them."""
        return OccupancyTerms(
            grace_min=self.grace_min,
            is_threshold=self.grace_mode == "threshold",
            price_per_min_e5=parse_scaled(self.price_per_min, 5),
            cap_fen=None if self.cap is None else parse_scaled(self.cap, 2),
            free_windows_min=tuple(_window_min(text) for text in self.free_windows),
            max_hours=self.max_hours,
        )


def _window_min(text: str) -> tuple[int, int]:
    start, dash, stop = text.partition("-")
    if not dash:
        raise ValueError(f'{text!r} is not a window such as "12:00-13:30"')
    return _minute(start), _minute(stop)


def _minute(text: str) -> int:
    hour, colon, minute = text.partition(":")
    if not (colon and (hour + minute).isdecimal() and int(minute) < 60 and int(hour) * 60 + int(minute) <= 1440):
        raise ValueError(f'{text!r} is not a time of day such as "08:00"')
    return int(hour) * 60 + int(minute)


def tolerances_from(source: TomlFile) -> dict[str, Tolerances]:
    """The ``[[tolerance]]`` tables by ``model``. Raises ``ConfigError`` with file, line and key."""
    tables = source.tables.get("tolerance", [])
    if not isinstance(tables, list):
        raise source.error("type_wrong", "tolerance", "write [[tolerance]], one table per pile model")
    found: dict[str, Tolerances] = {}
    for index, table in enumerate(tables):
        path = f"tolerance[{index}]"
        values: dict[str, Any] = dict(table)
        model = values.pop("model", "*")
        if not isinstance(model, str):
            raise source.error("type_wrong", f"{path}.model", "write the model's name in quotes")
        if model in found:
            raise source.error("model_twice", f"{path}.model", f"the model {model!r} has two tables")
        found[model] = build(Tolerances, values, path, source)
    return found


TOLERANCE_KEYS = tuple(field.name for field in fields(Tolerances))
