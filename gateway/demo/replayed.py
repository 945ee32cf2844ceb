"""The demo's capture, replayed: the bills must come out bit for bit (G4)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from gateway.config import Config
from gateway.demo.claims import Claim
from gateway.framelog.merging import merged
from gateway.replay import Finding, Replay


def check_replay(
    config: Config, directory: Path, revisions: Sequence[Mapping[str, Any]], until_ms: int
) -> Iterator[Claim]:
    """Replay every capture file in ``directory`` and compare with the bills that were made live.

    Args:
        revisions: every row of bills, oldest revision first; ``body`` as JSON text.
        until_ms: the moment the daemon stopped.
    """
    findings: list[Finding] = []
    silence_ms = config.presence.silence_ms_max
    replay = Replay(config.site, config.session, silence_ms_max=silence_ms, on_finding=findings.append)
    replay.run(merged(sorted(directory.glob("*.pcap*"))), until_ms=until_ms)
    replayed = {(bill.transaction_id, bill.revision): bill.body for bill in replay.bills(all_revisions=True)}
    live = {(row["transaction_id"], row["revision"]): row["body"] for row in revisions}
    different = sorted(key for key in replayed.keys() | live.keys() if replayed.get(key) != live.get(key))
    text = f"replaying the capture ({replay.frames} frames) gives the live bills, bit for bit"
    yield Claim(text, f"different: {different}" if different else "")
    codes = {finding.code for finding in findings}
    surprise = codes - {"frame_refused"}
    yield Claim("the garbage is in the capture, and nothing else is wrong with it", _odd(codes, surprise))


def _odd(codes: set[str], surprise: set[str]) -> str:
    if surprise:
        return f"also {', '.join(sorted(surprise))}"
    return "" if codes else "no garbage was found"
