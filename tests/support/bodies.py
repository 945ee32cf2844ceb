"""Values and bytes for every declared body, for hypothesis."""

import importlib
import pkgutil
from typing import Any

import construct
from hypothesis import strategies as st

import protocol.dialects
from protocol.fields import Op
from protocol.layout import Layout

_HEX = "0123456789ABCDEF"


def every_layout() -> dict[str, Layout]:
    """Every layout of every dialect, by module and name."""
    found = {}
    for module in pkgutil.iter_modules(protocol.dialects.__path__):
        loaded = importlib.import_module(f"protocol.dialects.{module.name}")
        for name, value in vars(loaded).items():
            if isinstance(value, Layout):
                found.setdefault(id(value), (f"{module.name}.{name}", value))
    return dict(found.values())


def plain(value: Any) -> Any:
    """What construct read, as the codec would hand it out."""
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items() if name != "_io"}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return value


def hexes(width: int) -> st.SearchStrategy[str]:
    return st.binary(min_size=width, max_size=width).map(lambda data: data.hex().upper())


def _one(kind: Any) -> st.SearchStrategy[Any]:
    match kind.op:
        case Op.UINT | Op.UINT_BE | Op.UINT_WIDE:
            return st.integers(0, 256**kind.width - 1)
        case Op.SINT:
            return st.integers(-(256**kind.width) // 2, 256**kind.width // 2 - 1)
        case Op.HEX:
            return hexes(kind.width)
        case Op.BYTES:
            return st.binary(min_size=kind.width, max_size=kind.width)
        case Op.REST_HEX:
            return st.binary(max_size=6).map(lambda data: data.hex().upper())
        case Op.BYTES_COUNTED:
            return st.binary(max_size=8)
        case Op.GROUP:
            return st.lists(values(kind.body), min_size=kind.width, max_size=kind.width)
    return st.lists(values(kind.body), max_size=3)


def values(body: construct.Struct) -> st.SearchStrategy[dict[str, Any]]:
    """Raw values that fit a body; counters say what is counted."""

    def counted(raw: dict[str, Any]) -> dict[str, Any]:
        for sub in body.subcons:
            if sub.subcon.op in (Op.GROUP_COUNTED, Op.BYTES_COUNTED):
                raw[sub.subcon.counter] = len(raw[sub.name])
        return raw

    return st.fixed_dictionaries({sub.name: _one(sub.subcon) for sub in body.subcons}).map(counted)


def misfits(kind: Any) -> st.SearchStrategy[Any]:
    """Values that one field cannot hold."""
    match kind.op:
        case Op.UINT | Op.UINT_BE | Op.UINT_WIDE:
            return st.sampled_from([-1, 256**kind.width, None, "7", 1.5])
        case Op.SINT:
            return st.sampled_from([-(256**kind.width) // 2 - 1, 256**kind.width // 2, None])
        case Op.HEX:
            return st.sampled_from([None, 7, "XX" * kind.width, "00" * (kind.width + 1), "00" * (kind.width - 1), "0"])
        case Op.BYTES:
            return st.sampled_from([None, bytes(kind.width + 1), "text" * kind.width])
        case Op.REST_HEX:
            return st.sampled_from([None, "0", "XY"])
        case Op.BYTES_COUNTED:
            return st.sampled_from([None, bytes(300), "text"])
        case Op.GROUP:
            return st.sampled_from([None, [], [None] * kind.width, [{}] * kind.width])
    return st.sampled_from([None, [{}], [None], 7])


def bodies(layout: Layout) -> st.SearchStrategy[bytes]:
    """Bytes of about the right size, and of any size."""
    near = st.integers(max(0, layout.size - 3), layout.size + 24).flatmap(lambda n: st.binary(min_size=n, max_size=n))
    return st.one_of(near, near, st.binary(max_size=251))
