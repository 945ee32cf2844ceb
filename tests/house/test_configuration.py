"""The sample configuration holds every key and says the defaults; the documentation names them all."""

import dataclasses
import re
import typing
from pathlib import Path

import pytest

from billing_core import tables
from billing_core.tolerances import Tolerances
from gateway.config import _LISTS, Config, load, parse
from gateway.listeners.mqtt import MqttListenConfig
from gateway.site import BillingTable, CardEntry, ConnectorEntry, PileEntry, SiteTable
from gateway.siteterms import OccupancyEntry
from gateway.tomlfile import TomlFile

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "gateway.toml"
DOCUMENT = ROOT / "docs" / "operations.md"
SITE_CLASSES = {
    "site": SiteTable,
    "billing": BillingTable,
    "tolerance": Tolerances,
    "occupancy": OccupancyEntry,
    "pile": PileEntry,
    "pile.connector": ConnectorEntry,
    "card": CardEntry,
}
# keys that the sample shows in use, though they are empty by default
EXAMPLES = {("upstream", "secret_envs"), ("mqtt.route", "state"), ("mqtt_upstream", "name")}


def full_sample():
    """The sample with everything taken up that stands there as ``#:``."""
    return re.sub(r"(?m)^#: ", "", SAMPLE.read_text(encoding="utf-8"))


def classes():
    """Table name → the dataclass it becomes, nested ones by their dotted name."""
    found = dict(SITE_CLASSES)
    for field in dataclasses.fields(Config):
        if field.name == "site":
            continue
        cls = _LISTS.get(field.name) or type(getattr(Config(), field.name))
        found[field.name] = cls
        for name, hint in typing.get_type_hints(cls).items():
            inner = typing.get_args(hint)[0] if typing.get_origin(hint) is tuple else hint
            if dataclasses.is_dataclass(inner):
                found[f"{field.name}.{name}"] = inner
    return found


def keys():
    """(table, key) of everything that can be configured."""
    nested = {name for name in classes() if "." in name}
    for table, cls in classes().items():
        for field in dataclasses.fields(cls):
            if f"{table}.{field.name}" not in nested:
                yield table, field.name
    yield "tolerance", "model"
    yield from (("tariff", key) for key in sorted(tables._TARIFF_KEYS))
    yield from (("campaign", key) for key in sorted(tables._CAMPAIGN_KEYS))


def default_of(table, key):
    """The default of a key; ``MISSING`` when it has none."""
    if table not in classes():
        return dataclasses.MISSING
    field = next((each for each in dataclasses.fields(classes()[table]) if each.name == key), None)
    return dataclasses.MISSING if field is None else field.default


def table_of(parsed, name):
    head, _, inner = name.partition(".")
    found = parsed.get(head)
    found = found[0] if isinstance(found, list) else found
    if inner and found is not None:
        found = found.get(inner)
        found = found[0] if isinstance(found, list) else found
    return found


def test_the_sample_says_the_defaults():
    told = load(SAMPLE)
    for field in dataclasses.fields(Config):
        if field.name != "site":
            assert getattr(told, field.name) == getattr(Config(), field.name), field.name
    assert (told.site.name, told.site.zone_name) == (Config().site.name, Config().site.zone_name)
    assert told.site.tariff_binding == Config().site.tariff_binding
    assert len(told.site.book.tariffs) == 1
    assert list(told.site.piles) == ["44030500040204"]


def test_the_sample_loads_with_everything_taken_up():
    told = parse(TomlFile(full_sample(), "gateway.toml"))
    assert [upstream.name for upstream in told.upstream] == ["backoffice"]
    assert told.mqtt[0].route == MqttListenConfig.__dataclass_fields__["route"].default
    assert told.site.book.campaigns[0].id == "opening-half-price"
    assert told.site.cards == {"00000000D14B0A54": "0000001000000573"}


@pytest.mark.parametrize(("table", "key"), sorted(keys()))
def test_a_key_stands_in_the_sample_with_its_default(table, key):
    found = table_of(TomlFile(full_sample(), "gateway.toml").tables, table)
    assert found is not None, f"no table [{table}]"
    assert key in found
    default = default_of(table, key)
    if default is not dataclasses.MISSING and default is not None and table not in SITE_CLASSES:
        value = tuple(found[key]) if isinstance(found[key], list) else found[key]
        assert value == default or (table, key) in EXAMPLES


def documented():
    """Table → {key: default} as docs/operations.md has them."""
    found: dict[str, dict[str, str]] = {}
    here = ""
    for line in DOCUMENT.read_text(encoding="utf-8").splitlines():
        if heading := re.match(r"#+ .*?`\[+([\w.]+)\]+`", line):
            here = heading.group(1)
        elif line.startswith("#"):
            here = ""
        elif here and (row := re.match(r"\| `(\w+)` \| ([^|]*) \|", line)):
            found.setdefault(here, {})[row.group(1)] = row.group(2).strip().strip("`")
    return found


@pytest.mark.parametrize(("table", "key"), sorted(keys()))
def test_a_key_is_documented_with_its_default(table, key):
    rows = documented().get(table, {})
    assert key in rows
    default = default_of(table, key)
    if isinstance(default, bool):
        assert rows[key] == str(default).lower()
    elif isinstance(default, int):
        assert int(rows[key].replace(" ", "")) == default
    elif isinstance(default, str):
        assert rows[key].strip('"') == default
    elif default is dataclasses.MISSING:
        assert rows[key] != ""


def test_the_documentation_names_no_key_that_is_gone():
    real = set(keys())
    gone = {(table, key) for table, rows in documented().items() for key in rows} - real
    assert not {pair for pair in gone if pair[0] in {table for table, _ in real}}
