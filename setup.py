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
SOURCES = sorted(
    path.relative_to(ROOT)
    for package in ("protocol", "billing_core", "gateway")
    for path in (ROOT / package).rglob("*.pyx")
)


def extension(source: Path) -> Extension:
    """One extension module for one .pyx file, named after its place in the tree."""
    name = ".".join(source.with_suffix("").parts)
    macros = [("CYTHON_TRACE_NOGIL", "1")] if IS_TRACED else []
    flags = ["-O2", *(["-g"] if HAS_LINES else [])]
    extra = SANITIZE if IS_SANITIZED else []
    return Extension(
        name,
        [source.as_posix()],
        define_macros=macros,
        extra_compile_args=flags + extra,
        extra_link_args=extra,
    )


setup(
    ext_modules=cythonize(
        [extension(source) for source in SOURCES],
        compiler_directives=DIRECTIVES,
        build_dir=None if IS_TRACED else "build/cython",  # coverage looks for the C file beside the .pyx
        force=IS_TRACED or HAS_LINES,
        emit_linenums=HAS_LINES,
    )
)
