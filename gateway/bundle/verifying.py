"""Recomputes a bundle's bill offline from its frames alone, and says whether it is equal."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.bundle.archive import BundleAltered, opened
from gateway.bundle.making import CONTEXT, FORMAT, FRAMES, REVISIONS
from gateway.config import Config, parse
from gateway.errors import ConfigError
from gateway.framelog import LogDamage, LogLine
from gateway.framelog.text import instant_ms, read_text
from gateway.replay import Finding, Replay
from gateway.tomlfile import TomlFile

_DIFFERENCES_MAX = 50


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of the check.

    Attributes:
        seal: SHA-256 of the manifest, empty when the bundle was altered.
        differences: where the recomputed bill differs, each in words; none when equal.
        revisions: how many revisions of the engine were recomputed.
        decisions: revisions that people made: carried as data, in words.
    """

    transaction_id: str = ""
    seal: str = ""
    differences: tuple[str, ...] = ()
    revisions: int = 0
    decisions: tuple[str, ...] = ()
    findings: tuple[str, ...] = field(default=())

    @property
    def is_equal(self) -> bool:
        """Whether every revision of the engine was reached again."""
        return not self.differences


def verify_bundle(data: bytes) -> Verdict:
    """Check a bundle's seals and recompute its bill. Raises ``BundleAltered``."""
    files, manifest, seal = opened(data)
    if manifest.get("format") != FORMAT:
        raise BundleAltered(f"the format is {manifest.get('format')!r}; this program reads {FORMAT}")
    try:
        return _verdict(files, seal)
    except ConfigError as error:
        raise BundleAltered(f"the site file cannot be used: {error}") from error
    except (KeyError, ValueError, TypeError) as error:
        raise BundleAltered(f"sealed, but not as this program makes bundles: {error}") from error


def _verdict(files: Mapping[str, bytes], seal: str) -> Verdict:
    context = json.loads(files[CONTEXT])
    told = [json.loads(line) for line in files[REVISIONS].splitlines()]
    ours = [row for row in told if not is_decision(row)]
    findings: list[str] = []
    again = _recomputed(files, context, findings)
    return Verdict(
        transaction_id=context["transaction_id"],
        seal=seal,
        differences=tuple(itertools.islice(_compare(ours, again), _DIFFERENCES_MAX)),
        revisions=len(ours),
        decisions=tuple(
            f"revision {row['revision']}: {row['reason']} by {row['actor']} at {row['created_at']}"
            for row in told
            if is_decision(row)
        ),
        findings=tuple(findings),
    )


def is_decision(row: Mapping[str, Any]) -> bool:
    """Whether a person made this revision."""
    return str(row["reason"]).startswith("decision")


def _recomputed(files: Mapping[str, bytes], context: Mapping[str, Any], findings: list[str]) -> list[dict[str, Any]]:
    """The revisions that the frames lead to; empty when they lead to no bill."""

    def find(finding: Finding) -> None:
        findings.append(f"{finding.source}:{finding.position}: {finding.code}: {finding.text}")

    sites = [(instant_ms(each["from"]), _config(files, each["file"])) for each in context["sites"]]
    first = sites[0][1]
    replay = Replay(first.site, first.session, silence_ms_max=first.presence.silence_ms_max, on_finding=find)
    until_ms = instant_ms(context["until"])
    replay.run(_in_force(read_text(FRAMES, [files[FRAMES]]), sites[1:], replay, until_ms), until_ms=until_ms)
    found = [each for each in replay.bills(all_revisions=True) if each.transaction_id == context["transaction_id"]]
    return [{"revision": each.revision, "reason": each.reason, "bill": json.loads(each.body)} for each in found]


def _config(files: Mapping[str, bytes], name: str) -> Config:
    return parse(TomlFile(files[name].decode(), name))


def _in_force(
    lines: Iterator[LogLine | LogDamage], later: list[tuple[int, Config]], replay: Replay, until_ms: int
) -> Iterator[LogLine | LogDamage]:
    """The lines, with every later site taken up in its time."""
    waiting = list(later)
    for line in lines:
        while waiting and isinstance(line, LogLine) and waiting[0][0] <= line.at_ms <= until_ms:
            replay.engine.reload(waiting.pop(0)[1].site)
        yield line


def _compare(ours: list[dict[str, Any]], again: list[dict[str, Any]]) -> Iterator[str]:
    """Where two lists of revisions differ. Numbers of revisions count decisions of people too, and may differ."""
    if len(ours) != len(again):
        yield f"the bundle has {len(ours)} revisions of the engine, the frames lead to {len(again)}"
    for told, found in zip(ours, again, strict=False):
        where = f"revision {told['revision']}"
        if told["reason"] != found["reason"]:
            yield f"{where}: reason: the bundle says {told['reason']!r}, the frames {found['reason']!r}"
        yield from _differences(where, {**told["bill"], "revision": None}, {**found["bill"], "revision": None})


def _differences(where: str, told: Any, found: Any) -> Iterator[str]:
    if isinstance(told, dict) and isinstance(found, dict):
        for key in dict.fromkeys([*told, *found]):
            yield from _differences(f"{where}: {key}", told.get(key), found.get(key))
    elif isinstance(told, list) and isinstance(found, list) and len(told) == len(found):
        for index, (one, other) in enumerate(zip(told, found, strict=True)):
            yield from _differences(f"{where}[{index}]", one, other)
    elif told != found:
        told_text, found_text = (json.dumps(value, ensure_ascii=False) for value in (told, found))
        yield f"{where}: the bundle says {told_text}, the frames {found_text}"
