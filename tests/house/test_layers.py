"""Who may import whom, what the cores may not touch, and how long things may be."""

import ast
import io
import re
import sys
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORES = ("protocol", "billing_core")
SOURCES = sorted(
    path
    for package in (*CORES, "gateway")
    for path in (ROOT / package).rglob("*.py*")
    if path.suffix in (".py", ".pyx")
)
MODULES = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in SOURCES}
CORE_SOURCES = [path for path in SOURCES if path.relative_to(ROOT).parts[0] in CORES]
MAY_IMPORT = {"protocol": {"construct", "cython", "libc", "cpython"}, "billing_core": {"cython", "libc", "cpython"}}
UNCLEAN = {"asyncio", "datetime.now", "os", "random", "secrets", "socket", "sqlite3", "threading", "time", "uuid"}


def named(paths):
    return [pytest.param(path, id=path.relative_to(ROOT).as_posix()) for path in paths]


def imports(path: Path) -> set[str]:
    """Modules that a file imports; ``from package import module`` names the module."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        nodes = list(ast.walk(ast.parse(text)))
        found = [
            (node.module, alias.name) for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names
        ]
        plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    else:
        pattern = re.compile(r"^\s*(?:from\s+([\w.]+)\s+c?import\s+(\w*)|c?import\s+([\w.]+))", re.M)
        matches = pattern.findall(text)
        found = [(origin, name) for origin, name, _ in matches if origin]
        plain = {name for _, _, name in matches if name}
    return plain | {f"{origin}.{name}" if f"{origin}.{name}" in MODULES else origin for origin, name in found}


def code_tokens(path: Path):
    """Tokens without comments and strings; Cython reads enough like Python for this."""
    reader = io.StringIO(path.read_text(encoding="utf-8")).readline
    for token in tokenize.generate_tokens(reader):
        if token.type not in (tokenize.COMMENT, tokenize.STRING):
            yield token


@pytest.mark.parametrize("path", named(CORE_SOURCES))
def test_a_core_imports_itself_and_little_else(path):
    package = path.relative_to(ROOT).parts[0]
    for name in imports(path):
        top = name.split(".")[0]
        assert top == package or top in MAY_IMPORT[package] or top in sys.stdlib_module_names, name
        assert top not in UNCLEAN, f"{name} brings the world into a core"


@pytest.mark.parametrize("path", named(CORE_SOURCES))
def test_a_core_holds_no_float(path):
    for token in code_tokens(path):
        is_name_of_a_field = re.search(r'"\w+" / ', token.line)  # construct's way to name one
        is_refusal = "isinstance(value, float)" in token.line
        if not is_name_of_a_field and not is_refusal:
            assert token.string not in ("float", "double", "Decimal", "/", "/="), (token.string, token.start)
        if token.type == tokenize.NUMBER:
            assert not re.search(r"^[0-9_]*\.[0-9_]*|^[0-9][0-9_]*e", token.string), (token.string, token.start)


@pytest.mark.parametrize("path", named(SOURCES))
def test_nothing_is_left_for_later(path):
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"\b(TODO|FIXME|XXX|NotImplementedError)\b", text)
    assert not re.search(r"\bexcept\s*:", text), "a bare except"


@pytest.mark.parametrize("path", named(SOURCES))
def test_files_and_functions_stay_short(path):
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 600, "split this room"
    if path.suffix == ".py":
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno - node.lineno < 70, node.name


@pytest.mark.parametrize("path", named([path for path in SOURCES if path.suffix == ".py"]))
def test_every_public_thing_has_a_docstring(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), "the module"
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
            is_inner = any(
                isinstance(parent, ast.FunctionDef | ast.AsyncFunctionDef) and node in ast.walk(parent)
                for parent in ast.walk(tree)
                if parent is not node and hasattr(parent, "body")
            )
            if not is_inner and not any(getattr(d, "attr", "") == "setter" for d in node.decorator_list):
                assert ast.get_docstring(node), node.name


def test_only_the_clock_reads_the_clock():
    for path in SOURCES:
        if path.name in ("clock.py",) or path.suffix != ".py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                read = (node.value.id, node.attr)
                assert read not in (
                    ("time", "time"),
                    ("time", "time_ns"),
                    ("datetime", "now"),
                    ("datetime", "utcnow"),
                ), (
                    path,
                    node.lineno,
                )


def test_import_of_the_gateway_has_no_cycles():
    graph = {
        name: {target for target in imports(path) if target.split(".")[0] in ("gateway", *CORES)}
        for name, path in MODULES.items()
    }
    done: set[str] = set()

    def visit(name, trail):
        assert name not in trail, " -> ".join((*trail, name))
        if name in done or name not in graph:
            return
        for target in graph[name]:
            visit(target, (*trail, name))
        done.add(name)

    for name in graph:
        visit(name, ())
