"""A switchboard that connects nobody: what orders and routines need of one, and a record of what they did."""

import asyncio
from types import SimpleNamespace

from gateway.metrics import Metrics
from gateway.orders import Orders
from protocol.dialect import Traits

T0_MS = 1_772_509_200_000
PILE = "55031412782305"


class StubSwitchboard:
    """Every pile is listed; those in ``connected`` have a link.

    Attributes:
        sent: commands, in order.
        saved: rows written durably, ``lazy`` those written soon, ``notices`` what watchers were told.
    """

    def __init__(self):
        self.connected = {PILE}
        self.listed = {PILE}
        self.sent, self.saved, self.lazy, self.notices = [], [], [], []
        self.held = {}  # (pile, connector) -> session
        self.state = SimpleNamespace(connector_count=2, logged_in_at_ms=T0_MS, clock_checked_at_ms=None, connectors={})
        self.stale = False
        self.tariff = None
        self.now_ms = T0_MS
        self.clock = SimpleNamespace(now_ms=lambda: self.now_ms)
        self.traits = Traits()
        self.running = []
        self.engine = SimpleNamespace(
            piles=SimpleNamespace(
                is_listed=lambda pile: pile in self.listed,
                state=lambda pile: self.state,
                traits=lambda pile: self.traits,
                is_stale=lambda pile, at_ms: self.stale,
                tariff_for=lambda pile, at_ms: self.tariff,
            ),
            sessions=SimpleNamespace(
                active_on=lambda pile, no: self.held.get((pile, no)),
                find=lambda transaction_id: None,
                running=lambda: self.running,
                site=SimpleNamespace(zone=SimpleNamespace(civil_ms=lambda at_ms: at_ms + 28_800_000)),
            ),
        )

    @property
    def speakers(self):
        return dict.fromkeys(self.connected)

    def is_connected(self, pile_id):
        return pile_id in self.connected

    def send(self, command):
        if command.pile_id not in self.connected:
            return False
        self.sent.append(command)
        return True

    async def save(self, rows, work=None):
        await asyncio.sleep(0)
        self.saved += rows

    def save_lazily(self, rows):
        self.lazy += rows

    def carry_out(self, outcome, speaker=None):
        self.notices += outcome.notices


class Numbers:
    """Transaction ids that count."""

    def __init__(self):
        self.count = 0

    def next(self, pile_id, connector, at_ms, **_):
        self.count += 1
        return f"{pile_id}{connector:02d}260303114000{self.count:04d}"


def orders_on(board, speed=1):
    """Orders over a stub; their deadlines pass ``speed`` times as fast."""
    return Orders(board, Numbers(), Metrics(), speed=speed)
