"""``gateway.toml`` to one frozen ``Config``; every limit is a key with a default and a unit in its name."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from billing_core.timers import Timers
from gateway.api.config import ApiConfig
from gateway.forwarders.mqtt import MqttUpstreamConfig
from gateway.forwarders.webhook import UpstreamConfig
from gateway.framelog import CaptureConfig
from gateway.listeners.mqtt import MqttListenConfig
from gateway.listeners.tcp import TcpListenConfig
from gateway.logs import LogConfig
from gateway.pipeline import LimitsConfig
from gateway.reports.partner_list import ReconcileConfig
from gateway.routine import RoutineConfig
from gateway.site import SITE_TABLES, Site, site_from_file
from gateway.store import StoreConfig
from gateway.tomlfile import TomlFile, bounded, build
from gateway.transfer import FirmwareConfig


@dataclass(frozen=True, slots=True)
class PresenceConfig:
    """When a pile counts as offline.

    Attributes:
        heartbeat_interval_ms: how often piles send heartbeats.
        heartbeats_missed_max: after this many missed ones the pile is offline.
    """

    heartbeat_interval_ms: int = bounded(10_000, 1)
    heartbeats_missed_max: int = bounded(3, 1)

    @property
    def silence_ms_max(self) -> int:
        """A pile not heard for this long is offline."""
        return self.heartbeat_interval_ms * self.heartbeats_missed_max


@dataclass(frozen=True, slots=True)
class Config:
    """Everything the daemon is told."""

    site: Site = field(default_factory=Site)
    listen: tuple[TcpListenConfig, ...] = (TcpListenConfig(),)
    mqtt: tuple[MqttListenConfig, ...] = ()
    limits: LimitsConfig = LimitsConfig()
    presence: PresenceConfig = PresenceConfig()
    session: Timers = Timers()
    routine: RoutineConfig = RoutineConfig()
    firmware: FirmwareConfig = FirmwareConfig()
    store: StoreConfig = StoreConfig()
    capture: CaptureConfig = CaptureConfig()
    api: ApiConfig = ApiConfig()
    upstream: tuple[UpstreamConfig, ...] = ()
    mqtt_upstream: tuple[MqttUpstreamConfig, ...] = ()
    reconcile: ReconcileConfig = ReconcileConfig()
    log: LogConfig = LogConfig()

    @property
    def endpoints(self) -> tuple[UpstreamConfig | MqttUpstreamConfig, ...]:
        """Everybody upstream, by whatever way."""
        return (*self.upstream, *self.mqtt_upstream)


_LISTS = {
    "listen": TcpListenConfig,
    "mqtt": MqttListenConfig,
    "upstream": UpstreamConfig,
    "mqtt_upstream": MqttUpstreamConfig,
}


def load(path: Path) -> Config:
    """Read a configuration file. Raises ``ConfigError`` with file, line and key for whatever does not fit."""
    return parse(TomlFile.read(path))


def parse(source: TomlFile) -> Config:
    """The configuration in a parsed file."""
    values: dict[str, Any] = {"site": site_from_file(source)}
    fields = {each.name: each for each in dataclasses.fields(Config)}
    for name, table in source.tables.items():
        if name in SITE_TABLES:
            continue
        if name not in fields:
            known = ", ".join(sorted({*fields, *SITE_TABLES}))
            raise source.error("key_unknown", name, f"unknown table; known here: {known}")
        if name in _LISTS:
            if not isinstance(table, list):
                raise source.error("type_wrong", name, f"write [[{name}]], one table per entry")
            values[name] = tuple(
                build(_LISTS[name], entry, f"{name}[{index}]", source) for index, entry in enumerate(table)
            )
        else:
            values[name] = build(type(getattr(Config(), name)), table, name, source)
    _refuse_doubles(values, source)
    return Config(**values)


def _refuse_doubles(values: dict[str, Any], source: TomlFile) -> None:
    """Two ports that are one, two upstreams of one name: the second could never be served."""
    seen: set[tuple[str, object]] = set()
    for index, listen in enumerate(values.get("listen", ())):
        if listen.port and ("listen", listen.port) in seen:
            raise source.error("port_twice", f"listen[{index}].port", f"port {listen.port} is listed twice")
        seen.add(("listen", listen.port))
    for key in ("upstream", "mqtt_upstream"):
        for index, upstream in enumerate(values.get(key, ())):
            if ("upstream", upstream.name) in seen:
                raise source.error("name_twice", f"{key}[{index}].name", f"{upstream.name!r} is listed twice")
            seen.add(("upstream", upstream.name))


def read_config(path: Path | None) -> tuple[Config, Path | None]:
    """The configuration to use and the file it came from: ``path``, ./gateway.toml, or the defaults."""
    if path is None and Path("gateway.toml").is_file():
        path = Path("gateway.toml")
    return (Config(), None) if path is None else (load(path), path)
