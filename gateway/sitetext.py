"""The site as text again: what a bundle of evidence needs to make the same bills elsewhere."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import tomli_w

from billing_core.timers import Timers
from gateway.config import Config, PresenceConfig
from gateway.site import PileEntry, Site


def site_text(site: Site, config: Config) -> str:
    """A site file with everything that bills are made with: tables of the site, adopted piles, deadlines."""
    tables = dict(site.tables)
    head = dict(tables.get("site", {}))
    tables["site"] = {"name": site.name, "timezone": site.zone_name, **head}
    listed = list(tables.get("pile", []))
    known = {pile["id"] for pile in listed}
    adopted = [_table(entry) for pile_id, entry in sorted(site.piles.items()) if pile_id not in known]
    if listed or adopted:
        tables["pile"] = [*listed, *adopted]
    tables["session"] = _table(config.session)
    tables["presence"] = _table(config.presence)
    return tomli_w.dumps(tables)


def _table(value: PileEntry | Timers | PresenceConfig) -> dict[str, Any]:
    return _clean(dataclasses.asdict(value))


def _clean(table: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is not told, and with lists where dataclasses have tuples."""
    return {key: _cleaned(value) for key, value in table.items() if value is not None}


def _cleaned(value: Any) -> Any:
    if isinstance(value, Mapping):
        return _clean(value)
    if isinstance(value, tuple | list):
        return [_cleaned(each) for each in value]
    return value
