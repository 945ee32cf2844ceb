"""Which dialect a link speaks: by its first bytes, or by name."""

from __future__ import annotations

import functools

from protocol.dialect import Dialect, Traits
from protocol.dialects.aaf5_talk import AAF5
from protocol.dialects.ap_talk import AP
from protocol.dialects.ykc_talk import YKC

DIALECTS: tuple[Dialect, ...] = (YKC, AAF5)  # told by their bytes
BY_NAME_ONLY: tuple[Dialect, ...] = (AP,)  # without a checksum: spoken where a port names it, nowhere else
DEFAULT = YKC
_NAMED = {dialect.name: dialect for dialect in (*DIALECTS, *BY_NAME_ONLY)}
NAMES = tuple(_NAMED)
OPTIONS = frozenset[str]().union(*(dialect.options for dialect in _NAMED.values()))


def dialect_named(protocol: str | None) -> Dialect | None:
    """The dialect of a protocol's name with or without its version, ``None`` for an unknown one."""
    return _NAMED.get((protocol or "").partition("-")[0])


def first_heard(data: bytes) -> Dialect | None:
    """The dialect whose start bytes come first, ``None`` when none do; the read may end between them."""
    places = [(at, dialect) for dialect in DIALECTS if (at := data.find(dialect.start)) >= 0]
    places += [
        (len(data) - 1, dialect) for dialect in DIALECTS if len(dialect.start) > 1 and data[-1:] == dialect.start[:1]
    ]
    return min(places, key=lambda place: place[0])[1] if places else None


@functools.lru_cache(maxsize=1024)
def traits_of(protocol: str | None) -> Traits:
    """What piles of a protocol can carry; for an unknown one, what most can."""
    dialect = dialect_named(protocol)
    return Traits() if dialect is None else dialect.traits(protocol or "")
