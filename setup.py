"""Build of the Cython cores; everything else about the package is in pyproject.toml."""

import os
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

# The one table of Cython directives. A function may loosen one by decorator, under a comment that
# proves the bound just above it.
DIRECTIVES = {
    "language_level": 3,
    "binding": True,
    "embedsignature": True,
    "auto_pickle": False,
    "wraparound": False,
    "boundscheck": True,
    "cdivision": False,
    "overflowcheck": True,
}

# ``make cover`` builds with line tracing, so that coverage sees the lines of the cores.
IS_TRACED = bool(os.environ.get("PILEGATE_TRACE"))
if IS_TRACED:
    DIRECTIVES["linetrace"] = True

# ``make sanitize`` builds under the address and undefined-behaviour sanitizers, into a folder of its own.
SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer", "-g"]
IS_SANITIZED = bool(os.environ.get("PILEGATE_SANITIZE"))

# ``make profile`` builds with the lines of the .pyx in the debug information.
HAS_LINES = bool(os.environ.get("PILEGATE_LINES"))

ROOT = Path(__file__).parent
# A .py with a .pxd beside it is compiled too: the .pxd says what its values are made of (docs/adr/0072). Coverage and
# mutation read the lines and branches of Python, and run these as they are.
IS_PLAIN = IS_TRACED or IS_SANITIZED or bool(os.environ.get("PILEGATE_PLAIN"))
SOURCES = sorted(
    path.relative_to(ROOT)
    for package in (("protocol", "billing_core") if IS_TRACED else ("protocol", "billing_core", "gateway"))
    for path in (ROOT / package).rglob("*.py*")
    if path.suffix == ".pyx" or (path.suffix == ".py" and path.with_suffix(".pxd").exists() and not IS_PLAIN)
)


def extension(source: Path) -> Extension:
    """One extension module for one file, named after its place in the tree."""
    name = ".".join(source.with_suffix("").parts)
    macros = [("CYTHON_TRACE_NOGIL", "1")] if IS_TRACED else []
    # Code in Python is calls into the interpreter, which no optimiser makes faster; and Cython's test for floats makes
    # gcc warn of what is never done.
    flags = ["-O1", "-Wno-array-bounds"] if source.suffix == ".py" else ["-O0" if IS_TRACED else "-O2"]
    extra = SANITIZE if IS_SANITIZED else ["-g"] if HAS_LINES else []
    return Extension(
        name,
        [source.as_posix()],
        define_macros=macros,
        extra_compile_args=flags + extra,
        extra_link_args=extra,
    )


def compiled(suffix: str, directives: dict[str, object]) -> list[Extension]:
    """The extensions of all files of one kind."""
    return cythonize(
        [extension(source) for source in SOURCES if source.suffix == suffix],
        compiler_directives=directives,
        build_dir=None if IS_TRACED else "build/cython",  # coverage looks for the C file beside the .pyx
        force=IS_TRACED or HAS_LINES,
        emit_linenums=HAS_LINES,
        nthreads=os.cpu_count(),
    )


# What is Python keeps its meaning: an index may be negative.
setup(
    ext_modules=compiled(".pyx", DIRECTIVES) + compiled(".py", DIRECTIVES | {"wraparound": True}),
    options={"build_ext": {"parallel": os.cpu_count()}},
)
