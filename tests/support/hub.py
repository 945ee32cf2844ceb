"""A concentrator: one client of a broker, many piles behind it, each on topics of its own."""

import asyncio
import random

from gateway.broker import Broker, BrokerConfig, Message, Owner
from gateway.listeners.topics import ROUTES, Template

_GONE, _HERE = b'{"online":false,"reason":"will"}', b'{"online":true}'
_HELD_S = 0.05


class Hub(Owner):
    """Opens lines for its piles over the one connection that it has.

    Args:
        doubles_permille: so many uplink messages are published twice, as delivery at least once allows.
        swaps_permille: so many leave behind the next one of the same pile.

    Attributes:
        doubled, swapped: how many.
    """

    def __init__(self, name, port, *, protocol, version="5", rng=None, doubles_permille=0, swaps_permille=0):
        route = ROUTES[1]
        self._parts = {"proto": protocol, "hub": name}
        self._up, self._down = Template(route.up), Template(route.down)
        self._state = Template(route.state).fill(self._parts)
        self._config = BrokerConfig(f"{protocol}-hub-{name}", f"mqtt://127.0.0.1:{port}", protocol_version=version)
        self._rng = rng or random.Random(0)
        self._doubles, self._swaps = doubles_permille, swaps_permille
        self.doubled = self.swapped = 0
        self.lines = {}
        self._broker = None
        self._lock = asyncio.Lock()

    async def __call__(self, pile_id):
        """A line for a pile; connects first where nobody has. Raises ``OSError``."""
        async with self._lock:
            if self._broker is None:
                await self._connect()
        line = self.lines[pile_id] = HubLine(self, self._up.fill({**self._parts, "id": pile_id}))
        return line

    async def _connect(self):
        will = Message(self._state, _GONE, is_retained=True)
        broker = self._broker = Broker(self._config, self, will=will, is_lasting=False)
        self._opened = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(broker.run())
        await self._opened
        broker.publish(Message(self._state, _HERE, is_retained=True))

    def on_connected(self, *, has_session):
        downs = self._down.fill({**self._parts, "id": "+"})
        self._broker.subscribe([downs], lambda agreed: self._opened.done() or self._opened.set_result(None))

    def on_message(self, topic, payload, *, is_retained):
        parts = self._down.match(topic)
        line = self.lines.get(parts["id"]) if parts is not None else None  # aMQTT sends retained ones of any topic
        if line is not None:
            line.feed(payload)

    def on_lost(self, reason):
        self._broker = None
        if not self._opened.done():
            self._opened.set_exception(ConnectionError(reason))
        for line in list(self.lines.values()):
            line.lose()

    def cut(self):
        """Lose the connection without a goodbye: the broker tells of it."""
        if self._broker is not None:
            self._broker.drop("cut")

    def publish(self, topic, data):
        if self._broker is None or not self._broker.publish(Message(topic, data)):
            raise ConnectionError("no broker")

    def throws(self, permille):
        return self._rng.randrange(1_000) < permille

    async def close(self):
        if self._broker is not None:
            await self._broker.stop()


class HubLine:
    """One pile's topics."""

    def __init__(self, hub, name):
        self.name = name
        self._hub = hub
        self._unread = bytearray()
        self._came = asyncio.Event()
        self._is_lost = False
        self._held = b""

    def feed(self, data):
        self._unread += data
        self._came.set()

    def lose(self):
        self._is_lost = True
        self._came.set()

    async def read(self, bytes_max):
        while not self._unread and not self._is_lost:
            self._came.clear()
            await self._came.wait()
        data = bytes(self._unread[:bytes_max])
        del self._unread[:bytes_max]
        return data

    async def write(self, data):
        hub = self._hub
        if self._is_lost:
            raise ConnectionError("the concentrator lost its broker")
        if not self._held and hub.throws(hub._swaps):
            self._held = data
            asyncio.get_running_loop().call_later(_HELD_S, self._let_go)
            return
        hub.publish(self.name, data)
        if hub.throws(hub._doubles):
            hub.doubled += 1
            hub.publish(self.name, data)
        hub.swapped += bool(self._held)
        self._let_go()

    def _let_go(self):
        held, self._held = self._held, b""
        if held and not self._is_lost and self._hub._broker is not None:
            self._hub.publish(self.name, held)

    async def close(self, *, is_cut):
        self._let_go()
        self.lose()
