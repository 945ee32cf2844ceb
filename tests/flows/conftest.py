"""Two real daemons for the flows: one on the wall's time, one sixty times as fast."""

import itertools
from collections.abc import Iterator

import pytest

from tests.support.daemon import Daemon, FastClock
from tests.support.deskgateway import START_MS
from tests.support.operator import list_accounts
from tests.support.site import write_config

SPEED = 60
PILES = 60
PATIENT = "[limits]\nidle_timeout_ms = 36000000\n[session]\nrecord_lost_ms = 300000\n"


class Running:
    """A daemon, a token for it, and piles that no other test has used."""

    def __init__(self, daemon: Daemon, token: str) -> None:
        self.daemon = daemon
        self.token = token
        self._numbers = itertools.count(1)

    def number(self) -> int:
        return next(self._numbers)


def _run(directory, clock=None) -> Iterator[Running]:
    more = PATIENT if clock else ""
    daemon = Daemon(write_config(directory, PILES, more=more), clock)
    token = list_accounts(directory)
    daemon.start()
    try:
        yield Running(daemon, token)
        assert daemon.stop() == 0
    finally:
        daemon.close()


@pytest.fixture(scope="session")
def now(tmp_path_factory):
    yield from _run(tmp_path_factory.mktemp("now"))


@pytest.fixture(scope="session")
def fast(tmp_path_factory):
    yield from _run(tmp_path_factory.mktemp("fast"), FastClock(START_MS, SPEED))
