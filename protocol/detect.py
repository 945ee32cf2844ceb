"""Which protocol speaks on a link, by its first bytes."""

from __future__ import annotations

from protocol.dialects.ykc_frames import KNOWN
from protocol.framer import Framer

_SEEN_MAX = 512


def detect(first: bytes) -> str | None:
    """``"ykc"`` once the bytes hold a whole YKC frame with a right checksum, else ``None``.

    Other protocols start with 0x68 too (IEC 104 and its relatives), so the start byte alone decides nothing.
    """
    cuts = Framer(KNOWN, _SEEN_MAX).feed(first[:_SEEN_MAX])
    return "ykc" if any(not cut.reason for cut in cuts) else None
