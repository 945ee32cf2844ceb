"""``python -m bench``: every goal by name, both sides in one run.

``python -m bench [--quick | --tiny] [--only P1,P3] [--bills N] [--out FILE]`` measures; ``python -m bench compare OLD
NEW`` lays two files of results beside each other; ``python -m bench plot FILE SVG`` draws one.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import tempfile
import time
from pathlib import Path

from bench import machine, report, size
from bench.goals import GOALS

_RESULTS = Path(__file__).parent / "results"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("words", nargs="*", help="compare OLD NEW, or plot FILE SVG")
    parser.add_argument("--quick", action="store_true", help="under a minute: to see where things are")
    parser.add_argument("--tiny", action="store_true", help="a few seconds: only to see that it runs")
    parser.add_argument("--only", default=",".join(GOALS), help="goals, with commas between them")
    parser.add_argument("--bills", type=int, help="how many bills the largest database of P8 holds, such as 10000000")
    parser.add_argument("--out", type=Path, default=_RESULTS / "latest.json", help="where the JSON goes")
    return parser.parse_args()


def measure(names: list[str], chosen: size.Size, out: Path) -> None:
    """Measure goals one by one; say each as it comes and write down what there is so far."""
    found: list[dict[str, object]] = []
    facts = machine.facts()
    began_s = time.monotonic()
    out.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.write(f"{facts['processor']}, {facts['cores']} cores, Python {facts['python']}\n\n" + report.table([]))
    for name in names:
        with tempfile.TemporaryDirectory(prefix="pilegate-bench-") as place:
            for each in GOALS[name](chosen, Path(place)):
                found.append(each.as_json())
                sys.stdout.write(report.table(found[-1:]).splitlines()[-1] + "\n")
                sys.stdout.flush()
        took_s = round(time.monotonic() - began_s, 1)
        document = {"machine": facts, "seconds": took_s, "size": repr(chosen), "results": found}
        out.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    sys.stdout.write(f"\n{len(found)} figures in {took_s:.0f} s: {out}\n")


def main() -> None:
    """Do what the command line says."""
    asked = _arguments()
    match asked.words:
        case []:
            chosen = size.TINY if asked.tiny else size.QUICK if asked.quick else size.FULL
            if asked.bills is not None:
                chosen = dataclasses.replace(chosen, stored=(chosen.stored[0], asked.bills))
            measure(asked.only.split(","), chosen, asked.out)
        case ["compare", old, new]:
            sys.stdout.write(report.compare(report.load(Path(old)), report.load(Path(new))))
        case ["plot", source, target]:
            report.plot(report.load(Path(source))["results"], Path(target))
        case _:
            sys.exit(f"cannot do: {' '.join(asked.words)}")


if __name__ == "__main__":
    main()
