"""Recomputes a bundle's bill offline from its frames alone, and says whether it is equal."""

from __future__ import annotations

import itertools
import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from gateway.bundle.archive import BundleAltered, opened
from gateway.bundle.making import CONTEXT, DECISIONS, FORMAT, FRAMES, REVISIONS
from gateway.config import Config, parse
from gateway.deciding import decision_of
from gateway.decisions import DecisionError, Decisions
from gateway.errors import ConfigError
from gateway.framelog import LogDamage, LogLine
from gateway.framelog.text import instant_ms, read_text
from gateway.outcome import BillIssued, DecisionSaved
from gateway.replay import Finding, Replay
from gateway.tomlfile import TomlFile

_DIFFERENCES_MAX = 50


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of the check.

    Attributes:
        seal: SHA-256 of the manifest, empty when the bundle was altered.
        differences: where the recomputed bill differs, each in words; none when equal.
        revisions: how many revisions were recomputed.
        decisions: those that people made, in words: what they decided is data, what it comes to is recomputed.
    """

    transaction_id: str = ""
    seal: str = ""
    differences: tuple[str, ...] = ()
    revisions: int = 0
    decisions: tuple[str, ...] = ()
    findings: tuple[str, ...] = field(default=())

    @property
    def is_equal(self) -> bool:
        """Whether every revision was reached again."""
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
    again = _Again(files, context)
    return Verdict(
        transaction_id=context["transaction_id"],
        seal=seal,
        differences=tuple(itertools.islice((*again.troubles, *_compare(told, again.revisions())), _DIFFERENCES_MAX)),
        revisions=len(told),
        decisions=tuple(
            f"revision {row['revision']}: {row['reason']} by {row['actor']} at {row['created_at']}"
            for row in told
            if is_decision(row)
        ),
        findings=tuple(again.findings),
    )


def is_decision(row: Mapping[str, Any]) -> bool:
    """Whether a person made this revision."""
    return str(row["reason"]).startswith("decision:")


class _Again:
    """The frames fed to an engine once more, with the sites and the decisions of people in their time."""

    def __init__(self, files: Mapping[str, bytes], context: Mapping[str, Any]) -> None:
        self.findings: list[str] = []
        self.troubles: list[str] = []
        self._key = context["transaction_id"]
        sites = [(instant_ms(each["from"]), _config(files, each["file"])) for each in context["sites"]]
        first = sites[0][1]
        self._replay = Replay(
            first.site, first.session, silence_ms_max=first.presence.silence_ms_max, on_finding=self._find
        )
        self._until_ms = instant_ms(context["until"])
        waiting: list[tuple[int, Callable[[], None]]] = [
            (at_ms, partial(self._replay.engine.reload, config.site)) for at_ms, config in sites[1:]
        ]
        for line in files[DECISIONS].splitlines():
            saved = DecisionSaved(**json.loads(line))
            assert saved.decided_at_ms is not None
            waiting.append((saved.decided_at_ms, partial(self._decide, saved)))
        self._waiting = deque(sorted(waiting, key=lambda each: each[0]))
        self._replay.run(self._lines(files[FRAMES]))
        self._catch_up(self._until_ms)
        self._replay.run([], until_ms=self._until_ms)

    def revisions(self) -> list[dict[str, Any]]:
        """The revisions that came of it, oldest first."""
        found = [each for each in self._replay.bills(all_revisions=True) if each.transaction_id == self._key]
        return [
            {"revision": row.revision, "reason": row.reason, "actor": row.actor, "bill": json.loads(row.body)}
            for row in sorted(found, key=lambda row: row.revision)
        ]

    def _lines(self, log: bytes) -> Iterator[LogLine | LogDamage]:
        for line in read_text(FRAMES, [log]):
            if isinstance(line, LogLine):
                if line.at_ms > self._until_ms:
                    continue
                self._catch_up(line.at_ms - 1)
            yield line

    def _catch_up(self, at_ms: int) -> None:
        """Do what was done by people and configuration up to a moment, each at its own."""
        while self._waiting and self._waiting[0][0] <= at_ms:
            due_ms, act = self._waiting.popleft()
            self._replay.run([], until_ms=due_ms)
            act()

    def _decide(self, saved: DecisionSaved) -> None:
        decisions = Decisions(self._replay.engine.sessions, self._newest)
        assert saved.decided_at_ms is not None
        try:
            self._replay.store.keep(decisions.take(decision_of(saved), saved.decided_at_ms).rows)
        except DecisionError as error:
            self.troubles.append(f"decision {saved.decision_id} cannot be taken on these frames: {error}")

    def _newest(self, key: str) -> BillIssued | None:
        return next((row for row in self._replay.bills() if row.transaction_id == key), None)

    def _find(self, finding: Finding) -> None:
        self.findings.append(f"{finding.source}:{finding.position}: {finding.code}: {finding.text}")


def _config(files: Mapping[str, bytes], name: str) -> Config:
    return parse(TomlFile(files[name].decode(), name))


def _compare(ours: list[dict[str, Any]], again: list[dict[str, Any]]) -> Iterator[str]:
    """Where two lists of revisions differ."""
    if len(ours) != len(again):
        yield f"the bundle has {len(ours)} revisions, the frames lead to {len(again)}"
    for told, found in zip(ours, again, strict=False):
        where = f"revision {told['revision']}"
        for name in ("revision", "reason", "actor"):
            if told[name] != found[name]:
                yield f"{where}: {name}: the bundle says {told[name]!r}, the frames {found[name]!r}"
        yield from _differences(where, told["bill"], found["bill"])


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
