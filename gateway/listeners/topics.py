"""Topics as templates: which pile a message is from, and where its answer goes. Payloads, in and out.

A template is a topic with named parts in braces, ``{id}`` the pile and ``{hub}`` a concentrator, one part a level
or a level with fixed text around it. What is subscribed to has ``+`` in the place of every level with a part.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from zlib import crc32

from gateway.tomlfile import TomlFile, build

_PART = re.compile(r"\{(\w+)\}")
_NAME = "[0-9A-Za-z_-]+"
_BLANKS = re.compile(r"\s+")


class PayloadError(ValueError):
    """A payload that holds no frames in the encoding that was agreed."""


@dataclass(frozen=True)
class Template:
    """A topic with named parts. Raises ``ValueError`` for one that could not be told apart or subscribed to."""

    text: str

    def __post_init__(self) -> None:
        if not self.text or set(self.text) & set("+#\0") or self.text.startswith("$"):
            raise ValueError(f"topic {self.text!r}: + and # and a leading $ are not for templates")
        names = _PART.findall(self.text)
        if len(names) != len(set(names)) or "{" in _PART.sub("", self.text):
            raise ValueError(f"topic {self.text!r}: each {{part}} stands once, closed")

    @cached_property
    def parts(self) -> frozenset[str]:
        """Names of its parts."""
        return frozenset(_PART.findall(self.text))

    @cached_property
    def filter(self) -> str:
        """The subscription that gets everything which could match."""
        return "/".join("+" if _PART.search(level) else level for level in self.text.split("/"))

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        pieces = _PART.split(self.text)
        spelt = (f"(?P<{piece}>{_NAME})" if n % 2 else re.escape(piece) for n, piece in enumerate(pieces))
        return re.compile("".join(spelt))

    def match(self, topic: str) -> dict[str, str] | None:
        """The parts in a topic, or ``None`` when it is not of this form."""
        found = self._pattern.fullmatch(topic)
        return found.groupdict() if found else None

    def fill(self, parts: Mapping[str, str]) -> str:
        """The topic with these parts."""
        return _PART.sub(lambda part: parts[part[1]], self.text)

    def overlaps(self, other: Template) -> bool:
        """Whether some topic could match both."""
        one, two = self.filter.split("/"), other.filter.split("/")
        return len(one) == len(two) and all(a == b or "+" in (a, b) for a, b in zip(one, two, strict=True))


@dataclass(frozen=True, slots=True)
class RouteConfig:
    """One family of topics.

    Attributes:
        up: frames of piles; holds ``{id}`` or ``{hub}``.
        down: frames for piles; filled with the parts of ``up``.
        state: where presence is told, retained; empty where piles tell none.
    """

    up: str
    down: str
    state: str = ""

    def __post_init__(self) -> None:
        up = Template(self.up)
        if not up.parts & {"id", "hub"}:
            raise ValueError(f"topic {self.up!r}: {{id}} or {{hub}} must stand in it")
        for text in filter(None, (self.down, self.state)):
            strangers = Template(text).parts - up.parts
            if strangers:
                raise ValueError(f"topic {text!r}: {sorted(strangers)} is no part of {self.up!r}")


ROUTES = (
    RouteConfig("pile/v1/{proto}/{id}/up", "pile/v1/{proto}/{id}/down", "pile/v1/{proto}/{id}/state"),
    RouteConfig(
        "pile/v1/{proto}/hub/{hub}/{id}/up", "pile/v1/{proto}/hub/{hub}/{id}/down", "pile/v1/{proto}/hub/{hub}/state"
    ),
    RouteConfig("pile/v1/{proto}/hub/{hub}/up", "pile/v1/{proto}/hub/{hub}/down", ""),
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message came from.

    Attributes:
        up: its topic, which names the link.
        down: where answers go.
        state: where the presence of this pile or concentrator is told; empty when nowhere.
        pile_id: the only pile that may speak here; ``None`` on a topic that a whole concentrator shares.
        key: what decides which process serves it: the concentrator, else the pile.
    """

    up: str
    down: str
    state: str
    pile_id: str | None
    key: str

    def share_no(self, count: int) -> int:
        """Which of ``count`` processes serves it."""
        return crc32(self.key.encode()) % count


class Routes:
    """All families of topics. Raises ``ValueError`` when a topic could belong to two of them."""

    def __init__(self, routes: tuple[RouteConfig, ...]) -> None:
        self._ups = [(Template(each.up), each) for each in routes]
        self._states = [Template(text) for text in dict.fromkeys(each.state for each in routes if each.state)]
        everything = [template for template, _ in self._ups] + self._states
        for index, one in enumerate(everything):
            for other in everything[index + 1 :]:
                if one.overlaps(other):
                    raise ValueError(f"topics {one.text!r} and {other.text!r} could be the same: change one")

    @property
    def up_filters(self) -> list[str]:
        """What to subscribe to for frames."""
        return [template.filter for template, _ in self._ups]

    @property
    def state_filters(self) -> list[str]:
        """What to subscribe to for presence."""
        return [template.filter for template in self._states]

    def place(self, topic: str) -> Place | None:
        """The place of an uplink topic; ``None`` for a topic of none of the forms."""
        for template, route in self._ups:
            parts = template.match(topic)
            if parts is not None:
                state = Template(route.state).fill(parts) if route.state else ""
                key = parts.get("hub") or parts["id"]
                return Place(topic, Template(route.down).fill(parts), state, parts.get("id"), key)
        return None

    def is_state(self, topic: str) -> bool:
        """Whether presence is told on this topic."""
        return any(template.match(topic) is not None for template in self._states)


USUAL = (Routes(ROUTES),)


@dataclass(frozen=True, slots=True)
class _Behind:
    """What a broker's table says of topics."""

    route: tuple[RouteConfig, ...] = ROUTES


def routes_from(source: TomlFile) -> tuple[Routes, ...]:
    """The families of topics of every broker in a configuration; the usual ones where it names no broker.

    Raises ``ConfigError``.
    """
    tables = source.tables.get("mqtt", [])
    told = [{key: table[key] for key in table if key == "route"} for table in tables if isinstance(table, dict)]
    found = [build(_Behind, table, f"mqtt[{index}]", source) for index, table in enumerate(told)]
    return tuple(Routes(each.route) for each in found) or USUAL


def only_pile_of(link: str, routes: Iterable[Routes]) -> str | None:
    """The one pile that may speak on a link of a log, by its name, where that is a topic which tells."""
    places = (each.place(link) for each in routes)
    return next((place.pile_id for place in places if place is not None), None)


def decode(payload: bytes, encoding: str, member: str) -> bytes:
    """The frames in a payload. Raises ``PayloadError``."""
    if encoding == "raw":
        return payload
    try:
        if encoding == "hex":
            return bytes.fromhex(payload.decode("ascii"))
        text = json.loads(payload)[member]
        if not isinstance(text, str):
            raise PayloadError(f"the member {member!r} is no text")
        plain = _BLANKS.sub("", text)
        try:
            return bytes.fromhex(plain)
        except ValueError:
            return base64.b64decode(plain, validate=True)
    except (binascii.Error, KeyError, RecursionError, TypeError, ValueError) as error:
        raise PayloadError(f"not {encoding}: {error}") from error


def encode(frame: bytes, encoding: str, member: str) -> bytes:
    """One frame as a payload."""
    if encoding == "raw":
        return frame
    text = frame.hex().upper()
    return text.encode() if encoding == "hex" else json.dumps({member: text}).encode()


def tells_offline(payload: bytes) -> bool | None:
    """What a presence message says; ``None`` when it says nothing that can be read."""
    try:
        online = json.loads(payload)["online"]
    except (KeyError, RecursionError, TypeError, ValueError):
        return None
    return not online if isinstance(online, bool) else None
