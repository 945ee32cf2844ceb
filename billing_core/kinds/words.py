"""How a predicate says what it found: the same numbers in English and in Chinese."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from string import Formatter

from billing_core.civil import iso_local
from billing_core.evidence import Evidence
from billing_core.findings import Findings
from billing_core.fixed import format_e4

Found = tuple[str, str]  # in English and in Chinese
Predicate = Callable[[Evidence, Findings], "Found | None"]

RATE_ZH = ("尖", "峰", "平", "谷", "深谷")


_CUT: dict[str, tuple[tuple[str, str | None], ...]] = {}  # template -> (text, name of the value behind it)


def both(template_en: str, template_zh: str, **values: object) -> Found:
    """The same values in both languages; a template names them in braces, and is taken apart once."""
    return _filled(template_en, values), _filled(template_zh, values)


def _filled(template: str, values: Mapping[str, object]) -> str:
    cut = _CUT.get(template)
    if cut is None:
        cut = _CUT[template] = tuple((text, name) for text, name, _, _ in Formatter().parse(template))
    said = []
    for text, name in cut:
        said.append(text)
        if name is not None:
            said.append(str(values[name]))
    return "".join(said)


def local_time(evidence: Evidence, at_ms: int) -> str:
    """``2026-03-03 11:40:16`` in the site's zone."""
    return iso_local(at_ms, evidence.zone)[:19].replace("T", " ")


def kwh(energy_e4kwh: int) -> str:
    """Energy in kWh with four places."""
    return format_e4(energy_e4kwh)


def minutes(duration_ms: int) -> int:
    """Whole minutes."""
    return duration_ms // 60_000
