"""``pilegate demo``: the real daemon on loopback, simulated piles over real TCP, a real HTTP receiver that fails.

It checks its own claims; the exit status is 0 only when every one of them holds.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import random
import secrets
import signal
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import httpx

from billing_core.civil import iso_local
from gateway import manage
from gateway.app import App
from gateway.clock import ScaledClock
from gateway.config import load
from gateway.demo import cast as play
from gateway.demo.claims import Claim, check_bills, check_upstream, part_of
from gateway.demo.replayed import check_replay
from gateway.demo.upstream import DemoUpstream
from gateway.outcome import EventRaised, Notice
from gateway.show import print_table, say
from gateway.simulator.connector import Phase
from gateway.simulator.fleet import Fleet
from gateway.store import Store, StoreConfig

DONE, FAILED = 0, 3
_SETTLE_S = 50
_POLL_S = 0.02
_GARBAGE_BYTES = 20_000
_SECRET_ENV = "PILEGATE_DEMO_SECRET"
_TOLD = ("pilegate.session.started", "pilegate.session.ended", "pilegate.bill.created", "pilegate.bill.revised")


async def run_demo(*, directory: Path | None, seed: int, keep: bool) -> int:
    """Play the demo; returns the exit status.

    Args:
        directory: where database, capture and configuration go; a fresh temporary one when ``None``.
        seed: of the simulated piles and the garbage.
        keep: stay up afterwards until interrupted.
    """
    began_s = time.monotonic()
    place = directory or Path(tempfile.mkdtemp(prefix="pilegate-demo-"))
    place.mkdir(parents=True, exist_ok=True)
    demo = Demo(place, seed)
    try:
        await demo.start()
        claims = await demo.play()
        if keep:
            await demo.stay()
    finally:
        await demo.stop()
    claims += demo.replay()
    return _conclude(demo, claims, time.monotonic() - began_s)


class Demo:
    """One performance.

    Args:
        directory: where everything is kept.
    """

    def __init__(self, directory: Path, seed: int) -> None:
        self.directory = directory
        self.upstream = DemoUpstream(_set_secret())
        self.clock = ScaledClock(play.START_MS, play.SPEED)
        self.app: App | None = None
        self._seed = seed
        self._token = ""
        self._fleet: Fleet | None = None
        self._piles: asyncio.Task[None] | None = None
        self._revisions: Sequence[Any] = ()

    # -- before ---------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Receiver, accounts, daemon."""
        await self.upstream.start()
        path = self.directory / "gateway.toml"
        path.write_text(play.config_text(str(self.directory), self.upstream.port), encoding="utf-8")
        config = load(path)
        self._token = await asyncio.to_thread(_open_accounts, config.store)
        self.clock = ScaledClock(play.START_MS, play.SPEED)
        self.app = App(config, config_path=path, clock=self.clock)
        await self.app.start()
        self.app.switchboard.watchers.append(self._tell)
        say(f"daemon on 127.0.0.1:{self.app.ports[0]}, one minute takes {60 / play.SPEED:.1f} s", sys.stdout)

    def _tell(self, item: Notice | EventRaised) -> None:
        """Print what happens, as it happens."""
        if not isinstance(item, EventRaised) or item.type not in _TOLD:
            return
        data = item.data
        part = part_of(str(data["pile_id"]), int(str(data["connector"])))
        self._say(f"{item.type.removeprefix('pilegate.')}: {part.text if part else item.subject}", item.at_ms)

    def _say(self, text: str, at_ms: int | None = None) -> None:
        assert self.app is not None
        at = iso_local(self.clock.now_ms() if at_ms is None else at_ms, self.app.config.site.zone)
        say(f"  {at[11:19]}  {text}", sys.stdout)

    # -- the play -------------------------------------------------------------------------------------

    async def play(self) -> list[Claim]:
        """Piles, garbage, an app, an outage; then what came of it."""
        assert self.app is not None
        self._fleet = Fleet(
            play.demo_cast(),
            host="127.0.0.1",
            port=self.app.ports[0],
            seed=self._seed,
            now_ms=self.clock.now_ms,
            speed=play.SPEED,
            lingers=True,
        )
        self._piles = asyncio.create_task(self._fleet.run())
        await asyncio.gather(self._start_by_app(), self._throw_garbage(), self._mend_upstream())
        await self._settle()
        self._revisions = self._bill_rows()
        return self._judge()

    async def _start_by_app(self) -> None:
        """A customer's app: over HTTP, with a token."""
        assert self.app is not None
        assert self._fleet is not None
        connector = self._fleet.piles[0].connectors[0]
        while connector.phase is not Phase.PLUGGED:
            await asyncio.sleep(_POLL_S)
        url = f"http://127.0.0.1:{self.app.api_port}/api/v1/piles/{play.APP}/connectors/1/start"
        async with httpx.AsyncClient(headers={"Authorization": f"Bearer {self._token}"}) as client:
            answer = await client.post(url, json={"balance": "500.00"})
        self._say(f"app: start over HTTP answered {answer.status_code}")

    async def _throw_garbage(self) -> None:
        """Somebody on the port who is no pile."""
        assert self.app is not None
        await asyncio.sleep(1)
        reader, writer = await asyncio.open_connection("127.0.0.1", self.app.ports[0])
        with contextlib.suppress(OSError):
            writer.write(random.Random(self._seed).randbytes(_GARBAGE_BYTES))
            await writer.drain()
            self._say(f"{_GARBAGE_BYTES} bytes of garbage on the port")
            await asyncio.wait_for(reader.read(), 5)
        writer.close()

    async def _mend_upstream(self) -> None:
        """The receiver is down at first."""
        self._say("the receiver of bills is down")
        while self.clock.now_ms() < play.START_MS + play.UPSTREAM_DOWN_MS:
            await asyncio.sleep(_POLL_S)
        self.upstream.is_down = False
        self._say("the receiver is up again")

    async def _settle(self) -> None:
        """Until every car has left, every bill is made and everything is forwarded; or too long."""
        assert self._fleet is not None
        deadline_s = time.monotonic() + _SETTLE_S
        while time.monotonic() < deadline_s:
            if self._fleet.is_finished and len(self._bill_rows()) >= len(play.PARTS) and not self._waiting():
                return
            await asyncio.sleep(0.1)

    def _bill_rows(self) -> Sequence[Any]:
        assert self.app is not None
        return self.app.store.reader.all("SELECT * FROM bill ORDER BY transaction_id, revision")

    def _waiting(self) -> int:
        assert self.app is not None
        return sum(row["entries"] for row in self.app.store.reader.outbox_summary() if row["state"] != "delivered")

    def _judge(self) -> list[Claim]:
        assert self._fleet is not None
        claims = list(check_bills(self._fleet.oracle(), self._revisions))
        left = self._fleet.report().records_unacknowledged
        claims.append(Claim("every record was acknowledged", f"{left} were not" if left else ""))
        claims += check_upstream(self.upstream, self._revisions, self._waiting())
        return claims

    # -- after ----------------------------------------------------------------------------------------

    async def stay(self) -> None:
        """Until interrupted."""
        assert self.app is not None
        say(f"HTTP: http://127.0.0.1:{self.app.api_port}/api/v1 with token {self._token}; Ctrl-C ends", sys.stdout)
        over = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, over.set)
        await over.wait()

    async def stop(self) -> None:
        """Piles first, then the daemon, then the receiver."""
        if self._fleet is not None and self._piles is not None:
            self._fleet.stop()
            await self._piles
        if self.app is not None:
            await self.app.stop()
        await self.upstream.stop()

    def replay(self) -> list[Claim]:
        """The capture, once more through the engine."""
        assert self.app is not None
        capture = Path(self.app.config.capture.directory)
        return list(check_replay(self.app.config, capture, self._revisions, self.clock.now_ms()))

    def bill_table(self) -> Iterable[tuple[object, ...]]:
        """One line for each bill."""
        import json

        for row in self._revisions:
            bill = json.loads(row["body"])
            part = part_of(bill["pile_id"], bill["connector"])
            times = [bill[key][11:16] if bill[key] else "" for key in ("started_at", "ended_at")]
            rates = " + ".join(line["rate"] for line in bill["lines"] or ())
            what = part.text if part else ""
            yield (what, *times, bill["energy_kwh"], rates, bill["amount"], bill["status"], bill["primary_anomaly"])

    def reviews(self) -> Iterable[str]:
        """What needs a person, in the bill's own words."""
        import json

        for row in self._revisions:
            bill = json.loads(row["body"])
            if bill["status"] == "review":
                yield f"{bill['transaction_id']}: {' '.join(bill['explanation']['en'])}"


def _set_secret() -> str:
    """A signing secret of this run, where the daemon's configuration looks for it."""
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    os.environ[_SECRET_ENV] = secret
    return secret


def _open_accounts(config: StoreConfig) -> str:
    """A customer with money, a card and a car; returns a token for the API."""
    store = Store(config)
    call = store.writer.call
    try:
        work = [
            manage.save_account(call, "demo", name="demo customer", balance_fen=50_000, is_frozen=False),
            manage.save_card(call, play.CARD, logic_card="1000000000000001", account_id="demo", is_frozen=False),
            manage.save_vin(call, play.VIN, account_id="demo", is_frozen=False),
        ]
        token, stored = manage.create_token(call, "demo", at_ms=play.START_MS)
        for each in (*work, stored):
            each.result()
    finally:
        store.close()
    return token


def _conclude(demo: Demo, claims: Sequence[Claim], took_s: float) -> int:
    headers = ("charge", "from", "to", "kWh", "rates", "yuan", "status", "anomaly")
    say("", sys.stdout)
    print_table(headers, list(demo.bill_table()), title="bills")
    say(f"\nforwarded: {len(demo.upstream.taken)} events, after {demo.upstream.refused} failures", sys.stdout)
    say("needs a person:", sys.stdout)
    for line in demo.reviews():
        say(f"  {line}", sys.stdout)
    say("checked:", sys.stdout)
    for claim in claims:
        say(
            f"  {'holds' if claim.holds else 'FAILS'}  {claim.text}{': ' if claim.detail else ''}{claim.detail}",
            sys.stdout,
        )
    say(f"\ndatabase: {demo.directory}/pilegate.db", sys.stdout)
    say(f"capture:  {demo.directory}/capture", sys.stdout)
    say(f"site:     {demo.directory}/gateway.toml", sys.stdout)
    failed = sum(not claim.holds for claim in claims)
    verdict = f"all {len(claims)} claims hold" if not failed else f"{failed} of {len(claims)} claims FAIL"
    say(f"{verdict}; {took_s:.0f} s", sys.stdout)
    return FAILED if failed else DONE
