"""Results as JSON, as a table for people, as a picture; and two of them beside each other."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Rows = Sequence[Mapping[str, Any]]

_HEAD = "| goal | what | ours | beside it | ratio | spread | goal | met |\n|---|---|--:|--:|--:|---|--:|---|\n"


def _figure(value: float) -> str:
    for bound, form in ((0.1, "{:.4f}"), (10, "{:.3f}"), (1000, "{:.1f}")):
        if abs(value) < bound:
            return form.format(value)
    return f"{value:,.0f}"


def _median(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]


def table(rows: Rows) -> str:
    """A Markdown table."""
    lines = []
    for row in rows:
        ours, theirs = _median(row["ours"]), _median(row["theirs"])
        low, high = row["spread"]
        lines.append(
            f"| {row['goal']} | {row['what']} | {_figure(ours)} {row['unit']} | {row['beside']}: {_figure(theirs)} "
            f"| **{_figure(row['ratio'])}** | {_figure(low)} … {_figure(high)} | {row['bound']} "
            f"| {'yes' if row['is_met'] else 'no'} |\n"
        )
    return _HEAD + "".join(lines)


def compare(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """Two files of results, part by part; only ratios are laid beside each other, never bare figures."""
    before = {(row["goal"], row["what"]): row for row in old["results"]}
    lines = ["| goal | what | ratio before | ratio now | change | goal |\n|---|---|--:|--:|--:|--:|\n"]
    for row in new["results"]:
        former = before.get((row["goal"], row["what"]))
        if former is None:
            lines.append(f"| {row['goal']} | {row['what']} | – | {_figure(row['ratio'])} | new | {row['bound']} |\n")
            continue
        change = row["ratio"] / former["ratio"] if former["ratio"] else float("inf")
        is_apart = row["spread"][0] > former["spread"][1] or row["spread"][1] < former["spread"][0]
        lines.append(
            f"| {row['goal']} | {row['what']} | {_figure(former['ratio'])} | {_figure(row['ratio'])} "
            f"| × {_figure(change)}{'' if is_apart else ' (within the spread)'} | {row['bound']} |\n"
        )
    return "".join(lines)


def plot(rows: Rows, path: Path) -> None:
    """How far each part is from its goal: 1 is the goal, right of it is better, by a logarithmic scale."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "pilegate"
    from matplotlib import pyplot

    margins = [_margin(row) for row in rows]
    figure, axes = pyplot.subplots(figsize=(9, 0.34 * len(rows) + 1.2))
    colours = ["#2a7f62" if row["is_met"] else "#b8553b" for row in rows]
    axes.barh(range(len(rows)), [margin - 1 for margin in margins], left=1, color=colours, height=0.6)
    axes.set_xscale("log")
    axes.axvline(1, color="black", linewidth=1)
    axes.set_yticks(range(len(rows)), [f"{row['goal']}  {row['what']}" for row in rows], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel("times better than the goal (left of 1: not met)")
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def _margin(row: Mapping[str, Any]) -> float:
    bound, ratio = float(row["bound"][2:]), max(row["ratio"], 1e-6)
    return ratio / bound if row["bound"].startswith("≥") else bound / ratio


def load(path: Path) -> dict[str, Any]:
    """A file of results."""
    return dict(json.loads(path.read_text(encoding="utf-8")))
