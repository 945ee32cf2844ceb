"""The Wireshark dissector: a Lua file whose table of frames is made from the declarations that the codec runs.

Nothing is declared twice: ``dissector.lua`` beside this file knows how to read and show, this module tells it what.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import construct

from protocol.codec import checksum
from protocol.dialects.aaf5_frames import EVERY, FORMS, KNOWN
from protocol.dialects.ykc_frames import FRAMES, least_size
from protocol.fields import Op, Show
from protocol.layout import Layout

FILE_NAME = "pilegate.lua"
_TEMPLATES = ("dissector.lua", "dissector_aaf5.lua")
# a layout's name of a price inside its group -> the list under which decode shows it
_LISTED = {"elec": "elec_yuan_per_kwh", "service": "service_yuan_per_kwh"}


def plugin_folder() -> Path:
    """Where Wireshark looks for a person's own Lua plugins."""
    return Path.home() / ".local" / "lib" / "wireshark" / "plugins"


def dissector_text() -> str:
    """The dissector as one Lua file."""
    text = "\n".join(files("gateway.framelog").joinpath(name).read_text(encoding="utf-8") for name in _TEMPLATES)
    low, high = _checksum_halves()
    tables = {"FRAMES": _frames(), "CRC_LOW": low, "CRC_HIGH": high, "AAF5_FORMS": _forms()}
    for name, value in tables.items():
        head, found, tail = text.partition(f"local {name} = {{}}")
        assert found, name
        text = f"{head}local {name} = {_lua(value)}{tail}"
    return text


def install(folder: Path | None = None) -> Path:
    """Write the dissector where Wireshark finds it; returns the file. Raises ``OSError``."""
    path = (folder or plugin_folder()) / FILE_NAME
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dissector_text(), encoding="utf-8")
    return path


def _frames() -> dict[int, Any]:
    return {
        kind: {
            "least": least_size(kind),
            "usual": _layout(usual),
            "exact": {size: _layout(layout) for size, layout in exact.items()},
        }
        for kind, (_, usual, exact) in FRAMES.items()
    }


def _forms() -> dict[str, Any]:
    """Bodies of the AA F5 family by direction and command; those that all profiles share first."""
    found: dict[str, Any] = {side: {} for side in KNOWN}
    for (side, command), forms in FORMS.items():
        ordered = sorted(forms, key=lambda form: form.profiles != EVERY)
        found[side][command] = [
            {
                "name": form.layout.name,
                "size": form.layout.size,
                "least": form.layout.least if form.layout.least >= 0 else form.layout.size,
                "is_open": form.layout.is_open,
                "only": sorted(form.sizes) if form.sizes is not None else None,
                "fields": _plain_fields(form.layout.body),
            }
            for form in ordered
            if form.has_mark is None
        ]
    return found


def _plain_fields(body: construct.Struct) -> list[dict[str, Any]]:
    fields: list[dict[str, Any]] = []
    for sub in body.subcons:
        kind = sub.subcon
        if hasattr(kind, "body"):
            inner = _plain_fields(kind.body)
            width = sum(field["width"] for field in inner)
            count = kind.width if kind.op is Op.GROUP else None
            is_plain = len(inner) == 1 or None
            fields.append({"name": sub.name, "inner": inner, "width": width, "count": count, "is_plain": is_plain})
            continue
        is_signed = kind.op is Op.SINT or None
        width = None if kind.op is Op.REST_HEX else kind.width
        fields.append({"name": sub.name, "show": Show(kind.show).name.lower(), "width": width, "is_signed": is_signed})
    return fields


def _layout(layout: Layout) -> dict[str, Any]:
    return {"name": layout.name, "fields": _fields(layout.body)}


def _fields(body: construct.Struct, listed: str = "") -> list[dict[str, Any]]:
    fields: list[dict[str, Any]] = []
    for sub in body.subcons:
        kind = sub.subcon
        if hasattr(kind, "body"):
            counts = {Op.GROUP: kind.width, Op.GROUP_GREEDY: "greedy", Op.GROUP_COUNTED: None}
            inner = _fields(kind.body, sub.name)
            width = sum(field["width"] for field in inner)
            fields.append({"name": sub.name, "inner": inner, "width": width, "count": counts[kind.op]})
            continue
        fields.append(
            {
                "name": _LISTED.get(sub.name, sub.name) if listed == "rates" else sub.name,
                "show": Show(kind.show).name.lower(),
                "width": None if kind.op is Op.BYTES_COUNTED else kind.width,
                "is_big": kind.op is Op.UINT_BE or None,
                "decimals": getattr(kind, "decimals", 0) or None,
                "offset": getattr(kind, "offset", 0),
                "blank": getattr(kind, "blank", None),
            }
        )
    return fields


def _checksum_halves() -> tuple[dict[int, int], dict[int, int]]:
    """The table of the checksum, low and high bytes.

    The checksum of one byte is 0x00FF under the table's entry for 0xFF ^ byte: the register begins at 0xFFFF.
    """
    entries = {0xFF ^ byte: checksum(bytes((byte,))) ^ 0x00FF for byte in range(256)}
    return (
        {index: entries[index] & 0xFF for index in range(256)},
        {index: entries[index] >> 8 for index in range(256)},
    )


def _lua(value: Any) -> str:
    match value:
        case None:
            return "nil"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case str():
            assert value.isprintable()
            assert '"' not in value
            return f'"{value}"'
        case list():
            return "{" + ", ".join(_lua(item) for item in value) + "}"
    pairs = [f"{f'[{name}]' if isinstance(name, int) else name} = {_lua(item)}" for name, item in value.items()]
    return "{" + ", ".join(pairs) + "}"
