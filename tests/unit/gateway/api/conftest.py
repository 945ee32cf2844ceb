"""One daemon within this process for all stories that need no other than a fresh pile."""

import asyncio
import itertools

import pytest

from tests.support.desk import in_process

PILES = 60


class Shared:
    """A daemon and its desk; ``tell`` runs a story of one fresh pile."""

    def __init__(self, loop, desk, app):
        self.loop, self.desk, self.app = loop, desk, app
        self._numbers = itertools.count(1)

    def number(self):
        return next(self._numbers)

    def tell(self, story):
        """``story(desk, app, pile)``, to its end."""

        async def whole():
            pile = await self.desk.pile(self.number())
            try:
                await story(self.desk, self.app, pile)
            finally:
                await pile.close()

        self.loop.run(whole())


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    with asyncio.Runner() as loop:
        around = in_process(tmp_path_factory.mktemp("shared"), PILES)
        desk, app = loop.run(around.__aenter__())
        yield Shared(loop, desk, app)
        loop.run(around.__aexit__(None, None, None))
