"""A seeded sample of small faults in the rules of billing; each must make a test fail.

One process holds pytest and forks a child for every mutant; the child takes the changed module in place of the file and
runs the tests that know the rules, up to the first failure. Compiled modules cannot be changed this way.
"""

from __future__ import annotations

import argparse
import difflib
import importlib.abc
import importlib.util
import os
import random
import signal
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from cosmic_ray.ast import Visitor, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator

ROOT = Path(__file__).parents[2]
CORE = ROOT / "billing_core"
TARGETS = [
    *sorted((CORE / "kinds").glob("[a-z]*.py")),
    *(CORE / f"{n}.py" for n in ("sources", "decision", "findings", "split")),
]
PAIRS = "Add_Sub Sub_Add Mul_FloorDiv FloorDiv_Mul"
COMPARED = "Lt_LtE LtE_Lt Gt_GtE GtE_Gt Lt_Gt Gt_Lt LtE_GtE GtE_LtE Eq_NotEq NotEq_Eq Is_IsNot IsNot_Is"
OPERATORS = [
    *(f"core/ReplaceBinaryOperator_{pair}" for pair in PAIRS.split()),
    *(f"core/ReplaceComparisonOperator_{pair}" for pair in COMPARED.split()),
    *(f"core/Replace{change}" for change in ("TrueWithFalse", "FalseWithTrue", "AndWithOr", "OrWithAnd")),
    *(f"core/ReplaceUnaryOperator_Delete_{sign}" for sign in ("Not", "USub")),
    *(f"core/{name}" for name in ("AddNot", "NumberReplacer", "ZeroIterationForLoop")),
]
TESTS = ["tests/unit/billing_core", "tests/replay/test_stories.py"]
COMPILED = ("session", "transitions", "fixed", "apportion", "tariff", "tables", "civil", "units", "timers")
TIMEOUT_S = 120
KILLED, SURVIVED = "killed", "survived"


class _Counting(Visitor):
    def __init__(self, operator) -> None:
        self.operator, self.count = operator, 0

    def visit(self, node):
        self.count += len(list(self.operator.mutation_positions(node)))
        return node


def mutants() -> list[tuple[Path, str, int]]:
    """Every fault that can be made: file, operator, which occurrence."""
    found = []
    for path in TARGETS:
        tree = get_ast(path.read_text(encoding="utf-8"))
        for name in OPERATORS:
            counting = _Counting(get_operator(name)())
            counting.walk(tree)
            found += [(path, name, occurrence) for occurrence in range(counting.count)]
    return found


class _Changed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Loads one module from a changed text."""

    def __init__(self, path: Path, text: str) -> None:
        self.name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        self.path, self.text = path, text

    def find_spec(self, name, path, target=None):
        return importlib.util.spec_from_loader(name, self, origin=str(self.path)) if name == self.name else None

    def exec_module(self, module):
        exec(compile(self.text, str(self.path), "exec"), module.__dict__)


def attempt(path: Path, text: str) -> int:
    """Fork a child that runs the tests on a changed text; its process id."""
    child = os.fork()
    if child:
        return child
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    signal.alarm(TIMEOUT_S)
    sys.meta_path.insert(0, _Changed(path, text))
    ignored = [f"--ignore=tests/unit/billing_core/test_{name}.py" for name in COMPILED]
    status = 1
    try:
        status = int(pytest.main(["-x", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", *ignored, *TESTS]))
    finally:
        os._exit(status)


def told(path: Path, before: str, after: str) -> str:
    """The changed lines."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0)
    changed = [line for line in lines if line[:1] in "-+@" and line[:3] not in ("---", "+++")]
    return "\n".join([f"{path.relative_to(ROOT)} {changed[0].split('@@')[1].strip()}", *changed[1:]])


def run(sample, workers: int, seconds: int) -> tuple[Counter, list[str]]:
    """Try a sample; (per file and outcome, what survived)."""
    outcomes, survivors, running, end = Counter(), [], {}, time.monotonic() + seconds
    waiting = list(sample)
    while waiting or running:
        while waiting and len(running) < workers and time.monotonic() < end:
            path, name, occurrence = waiting.pop()
            before = path.read_text(encoding="utf-8")
            after = mutate_code(before, get_operator(name)(), occurrence)
            if after is not None and after != before:
                running[attempt(path, after)] = (path, before, after)
        if not running:
            break
        child, status = os.wait()
        path, before, after = running.pop(child)
        has_survived = os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0
        outcomes[path.relative_to(ROOT).as_posix(), SURVIVED if has_survived else KILLED] += 1
        if has_survived:
            survivors.append(told(path, before, after))
            print(survivors[-1], flush=True)
    return outcomes, survivors


def main() -> None:
    """Sample, try, report."""
    parser = argparse.ArgumentParser(prog="make mutate", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=480)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", default="", help="part of a file's path")
    asked = parser.parse_args()
    os.chdir(ROOT)
    every = [each for each in mutants() if asked.only in str(each[0])]
    if os.waitstatus_to_exitcode(os.waitpid(attempt(TARGETS[0], TARGETS[0].read_text(encoding="utf-8")), 0)[1]):
        sys.exit("the tests fail without any fault")
    sample = random.Random(asked.seed).sample(every, min(asked.count, len(every)))
    print(f"seed {asked.seed}: {len(sample)} of {len(every)} mutants", flush=True)
    outcomes, survivors = run(sample, asked.workers, asked.seconds)
    for name in sorted({name for name, _ in outcomes}):
        killed, survived = outcomes[name, KILLED], outcomes[name, SURVIVED]
        print(f"{name:40} {killed:4} of {killed + survived:4} killed")
    tried = sum(outcomes.values())
    print(f"{tried - len(survivors)} of {tried} killed, {100 * (tried - len(survivors)) // max(tried, 1)} %")


if __name__ == "__main__":
    main()
