"""Bundles of evidence: made from the database, verified without it."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from gateway import cases
from gateway.bundle.archive import BundleAltered
from gateway.bundle.frames import kept_of
from gateway.bundle.making import make_bundle
from gateway.bundle.verifying import Verdict, verify_bundle
from gateway.clock import Clock
from gateway.commands.common import db_option, reading
from gateway.config import read_config
from gateway.framelog.merging import merged
from gateway.outcome import FrameKept
from gateway.show import say
from gateway.site import Site
from gateway.sitetext import site_text

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@db_option
@click.argument("transaction")
@click.option("-o", "--output", type=_FILE, required=True, help="The bundle to write, a .zip.")
@click.option(
    "--log", "logs", multiple=True, type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Frame log to cut the frames from where the database kept none; the configured captures by default.",
)  # fmt: skip
def evidence(
    config_path: Path | None, db_path: Path | None, transaction: str, output: Path, logs: tuple[Path, ...]
) -> None:
    """Write everything a bill rests on into one file that anybody can verify.

    Exit status 1 when the frames alone do not lead to the same bill; the file is written all the same.
    """
    config, _ = read_config(config_path)
    with reading(config_path, db_path) as (reader, site):
        made = make_bundle(
            reader,
            transaction,
            zone=site.zone,
            now_ms=Clock().now_ms(),
            site_text=site_text(site, config),
            cases=[cases.find_case(reader, no) for no in cases.cases_of(reader, [transaction])[transaction]],
            logged=_logged(logs or _captures(Path(config.capture.directory)), site, config.presence.silence_ms_max),
        )
    output.write_bytes(made.data)
    say(f"{output}: {len(made.data)} bytes, {made.frames} frames, seal {made.seal}", sys.stdout)
    if made.broken_at is not None:
        say(f"the kept frames are not what they were: frame {made.broken_at} was altered, or one before it taken out")
    sys.exit(_tell(verify_bundle(made.data)) or int(made.broken_at is not None))


def _captures(directory: Path) -> tuple[Path, ...]:
    return tuple(sorted(directory.glob("pilegate-*.pcap*")))


def _logged(paths: Iterable[Path], site: Site, silence_ms_max: int) -> Iterator[FrameKept]:
    """Frames cut from logs, read only when somebody asks."""
    found = list(paths)
    if found:
        yield from kept_of(merged(found), site, silence_ms_max=silence_ms_max)


@click.command()
@click.argument("bundle", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def verify(bundle: Path) -> None:
    """Recompute a bundle's bill from its frames alone, and say equal, or where it differs.

    Needs no database and no network. Exit status 1 when the bill differs or a single byte was altered.
    """
    try:
        verdict = verify_bundle(bundle.read_bytes())
    except BundleAltered as error:
        say(f"altered: {error}", sys.stdout)
        sys.exit(1)
    say(f"transaction {verdict.transaction_id}, seal {verdict.seal}", sys.stdout)
    sys.exit(_tell(verdict))


def _tell(verdict: Verdict) -> int:
    for text in verdict.findings:
        say(text)
    for text in verdict.decisions:
        say(f"decided by a person: {text}", sys.stdout)
    if verdict.is_equal:
        say(f"equal: {verdict.revisions} revisions recomputed from the frames alone", sys.stdout)
        return 0
    say("not equal:", sys.stdout)
    for text in verdict.differences:
        say(f"  {text}", sys.stdout)
    return 1
