"""The only file that knows everybody: builds the daemon, starts it, stops it in order."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import gc
import resource
import signal
import sys
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import structlog

from gateway import __version__
from gateway.api.context import ApiContext
from gateway.api.server import ApiServer
from gateway.authorisation import Authoriser
from gateway.clock import Clock, ScaledClock
from gateway.config import Config, load
from gateway.engine import Engine
from gateway.errors import ConfigError
from gateway.forwarders.base import Drain, Forwarder, Sender
from gateway.forwarders.cloudevents import CloudEvents
from gateway.forwarders.mqtt import MqttSender, MqttUpstreamConfig
from gateway.forwarders.webhook import UpstreamConfig, WebhookSender
from gateway.framelog import CaptureWriter, NoCapture
from gateway.listeners.mqtt import MqttListener
from gateway.listeners.tcp import TcpListener
from gateway.manage import forget_old, merged_site
from gateway.metrics import Metrics
from gateway.orders import Orders
from gateway.outcome import EventRaised, Notice, SiteKnown
from gateway.pipeline import Pipeline
from gateway.priced import refuse_edits
from gateway.restore import restore_engine
from gateway.routine import Routine
from gateway.sitetext import site_text
from gateway.store import Store
from gateway.switchboard import Switchboard
from gateway.transactions import TransactionNumbers
from gateway.transfer import Transfers
from gateway.witness import EvidenceFirst, Witness
from protocol.events import PileEvent

log = structlog.get_logger()

_TICK_MS = 1_000
_KEEP_MS = 500  # half of the second in which telemetry must be on the disk; the rest is for loop and disk
_KEPT_AT_ONCE = 500  # sessions or piles: half a millisecond
_GC_THRESHOLDS = (2_000, 3, 200)  # young generations: a millisecond or a few; all that was not frozen: hardly ever
_SWITCH_S = 0.0005  # what another thread may keep the loop waiting for the interpreter; the default is ten times that
_FREEZE_LINKS = 500
_STOP_WAIT_S = 10
_FORGET_MS = 3_600_000
_OWN_FILES = 200  # database, capture, HTTP, upstreams


class App:
    """The daemon.

    Args:
        config: what it was told.
        config_path: read again on SIGHUP; ``None`` when there is no file.
        clock: the demo hands in a faster one.
    """

    def __init__(self, config: Config, *, config_path: Path | None = None, clock: Clock | None = None) -> None:
        self.config = config
        self.clock = clock or Clock()
        self.metrics = Metrics()
        self.ports: list[int] = []
        self.api_port: int | None = None
        self._config_path = config_path
        self._link_no = 0
        self._forgot_at_ms = 0
        self._frozen_links = 0
        self._tasks: list[asyncio.Task[None]] = []

    # -- starting -------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Open the store, take up running sessions, then listen. Raises ``GatewayError``."""
        config = self.config
        names = tuple(endpoint.name for endpoint in config.endpoints)
        events = CloudEvents(config.endpoints, source=f"/pilegate/{config.site.name}", zone=config.site.zone)
        self.capture = self._open_capture()
        self.store = Store(config.store, endpoints=names, envelope=events, before_commit=self.capture.flush)
        self._compare_clocks()
        refuse_edits(config.site.book, self.store.reader.priced_tariffs(), self._config_path)
        site = merged_site(config.site, self.store)
        self.engine = Engine(
            site,
            config.session,
            silence_ms_max=config.presence.silence_ms_max,
            recall=self.store.reader.recall,
            is_replay=False,
        )
        self.witness = Witness(self.store.writer.submit_telemetry, silence_ms_max=config.presence.silence_ms_max)
        self.switchboard = Switchboard(self.engine, EvidenceFirst(self.store.writer, self.witness), self.clock)
        self._note_site()
        restored = restore_engine(self.engine, self.store)
        self.switchboard.carry_out(restored)
        speed = self.clock.speed if isinstance(self.clock, ScaledClock) else 1
        numbers = TransactionNumbers(site.zone, self._is_taken)
        self.orders = Orders(self.switchboard, numbers, self.metrics, speed=speed)
        self.orders.restore(self.store.reader.open_orders())
        self.routine = Routine(self.switchboard, self.orders, config.routine)
        self.transfers = Transfers(self.switchboard, self.orders, config.firmware, speed=speed)
        self.authoriser = Authoriser(self.switchboard, numbers, self.store.reader)
        self.forwarder = Forwarder(
            [
                Drain(each.name, self._sender(each), each.drain, self.store, self.clock, self.metrics)
                for each in config.endpoints
            ]
        )
        self.switchboard.watchers.append(self._watch)
        await self._listen()
        await self._serve_api()
        self._gauges()
        self._tasks = [asyncio.create_task(self._tick()), asyncio.create_task(self._keep_gathered())]
        self.forwarder.start()
        gc.freeze()  # what start brought stays; and little of what follows is cyclic
        gc.set_threshold(*_GC_THRESHOLDS)
        log.info("daemon_started", version=__version__, ports=self.ports, api_port=self.api_port)

    def _open_capture(self) -> CaptureWriter | NoCapture:
        if not self.config.capture.is_enabled:
            return NoCapture()
        return CaptureWriter(self.config.capture, lambda text: log.error("capture_troubled", reason=text))

    def _sender(self, endpoint: UpstreamConfig | MqttUpstreamConfig) -> Sender:
        if isinstance(endpoint, MqttUpstreamConfig):
            return MqttSender(endpoint)
        return WebhookSender(endpoint, self.clock)

    def _compare_clocks(self) -> None:
        """A machine that woke with a wrong clock would date bills wrongly: say so at once."""
        behind_ms = self.store.reader.newest_ms() - self.clock.now_ms()
        if behind_ms > 0:
            log.warning("clock_behind_store", behind_ms=behind_ms, hint="set the machine's clock, then restart")

    def _is_taken(self, transaction_id: str) -> bool:
        return self.engine.sessions.find(transaction_id) is not None or self.store.reader.has_order(transaction_id)

    async def _listen(self) -> None:
        common = (self.config.limits, self.clock, self._make_pipeline, self._next_link_no, self.metrics)
        self.listeners: list[TcpListener | MqttListener] = [TcpListener(each, *common) for each in self.config.listen]
        self.listeners += [MqttListener(each, *common) for each in self.config.mqtt]
        self.ports = [await listener.start() for listener in self.listeners]

    def _next_link_no(self) -> int:
        self._link_no += 1
        return self._link_no

    def _make_pipeline(
        self,
        link_no: int,
        address: str,
        write: Callable[[bytes], None],
        hang_up: Callable[[], None],
        only_pile: str | None = None,
        protocol: str | None = None,
    ) -> Pipeline:
        return Pipeline(
            self.switchboard,
            self,
            self.capture,
            self.metrics,
            self.config.limits,
            link_no=link_no,
            address=address,
            write=write,
            hang_up=hang_up,
            only_pile=only_pile,
            protocol=protocol,
            witness=self.witness,
        )

    def on_event(self, event: PileEvent) -> None:
        """Every fact goes past those who may have to answer or to follow up."""
        self.orders.on_event(event)
        self.transfers.on_event(event)
        self.authoriser.on_event(event)
        self.routine.on_event(event)

    def on_link_lost(self, pile_id: str) -> None:
        """Orders that wait for this pile get no answer on this link."""
        self.orders.on_link_lost(pile_id)

    def is_newly_listed(self, pile_id: str) -> bool:
        """Whether an unlisted pile was adopted in the database since the site was loaded."""
        if self.store.reader.find_pile(pile_id) is None:
            return False
        self.engine.reload(merged_site(self.config.site, self.store))
        self._note_site()
        return self.engine.piles.is_listed(pile_id)

    def _note_site(self) -> None:
        """Write down what bills are made with from now on, when it differs from what is written."""
        text = site_text(self.engine.sessions.site, self.config)
        self.store.writer.submit([SiteKnown(self.clock.now_ms(), text)])

    def _watch(self, item: EventRaised | Notice) -> None:
        """Something for upstream may have come into the outbox, or something may have to be asked for."""
        self.routine.watch(item)
        if isinstance(item, EventRaised):
            if item.type.startswith("pilegate.bill."):
                self.metrics.bills[str(item.data["status"])] += 1
            self.forwarder.wake()

    async def _serve_api(self) -> None:
        context = ApiContext(
            store=self.store,
            switchboard=self.switchboard,
            orders=self.orders,
            transfers=self.transfers,
            metrics=self.metrics,
            clock=self.clock,
            forwarder=self.forwarder,
            version=__version__,
            routine=self.routine,
            reload_site=self.reload_site,
        )
        self.api = ApiServer(context, self.config.api)
        if self.config.api.is_enabled:
            self.api_port = await self.api.start()

    def _gauges(self) -> None:
        sessions = self.engine.sessions
        self.metrics.repeats = self._repeats
        self.metrics.gauges |= {
            "links": ("Open links", lambda: sum(len(each.links) for each in self.listeners)),
            "sessions": ("Sessions without a bill", lambda: len(sessions.running())),
            "piles_online": ("Piles online", lambda: len(self.switchboard.speakers)),
            "owed_answers": ("Answers that wait for a commit", lambda: self.switchboard.owed),
            "capture_lost_bytes": ("Captured bytes that the disk did not take", lambda: self.capture.lost_bytes),
            "store_failing": ("1 while the database refuses to write", lambda: int(self.store.writer.is_failing)),
            "queued_rows": ("Rows that wait for the writer", lambda: self.store.writer.queued_rows),
            "samples_left_out": (
                "Samples not written as rows because the database was behind",
                lambda: self.store.writer.left_out,
            ),
            "waiting_reads": (
                "Reads with news that wait for their turn",
                lambda: sum(each.waiting_reads for each in self.listeners if isinstance(each, TcpListener)),
            ),
            "clock_ahead_ms": ("How far the clock stands ahead of the wall clock", self.clock.ahead_ms),
        }

    # -- running --------------------------------------------------------------------------------------

    async def _keep_gathered(self) -> None:
        """Evidence and samples gather, so that many share a row; they reach the disk within a second all the same."""
        speed = self.clock.speed if isinstance(self.clock, ScaledClock) else 1
        while True:
            await asyncio.sleep(_KEEP_MS / 1000 / min(speed, 20))
            for _ in range(0, self.witness.gathered, _KEPT_AT_ONCE):
                self.witness.hand_over(self.clock.now_ms(), _KEPT_AT_ONCE)
                await asyncio.sleep(0)  # links are read between
            for _ in range(0, self.engine.piles.traffic.unkept, _KEPT_AT_ONCE):
                self.switchboard.carry_out(self.engine.take_fed(_KEPT_AT_ONCE, is_told=self.api.is_watched))
                await asyncio.sleep(0)
            self.store.writer.flush()

    def _repeats(self) -> dict[str, int]:
        traffic = self.engine.piles.traffic
        counts = (traffic.beats, traffic.samples, traffic.reports)
        return dict(zip(("HeartbeatReceived", "SampleReceived", "BmsReported"), counts, strict=True))

    async def _tick(self) -> None:
        speed = self.clock.speed if isinstance(self.clock, ScaledClock) else 1
        while True:
            await asyncio.sleep(_TICK_MS / 1000 / min(speed, 20))
            now_ms = self.clock.now_ms()
            is_behind = self.store.writer.queued_rows > self.config.store.queue_rows_max
            for listener in self.listeners:
                listener.pause(is_paused=is_behind)
                for _ in listener.check(now_ms):
                    await asyncio.sleep(0)  # links are read between
            self.routine.tick(now_ms)
            self._freeze()
            if now_ms - self._forgot_at_ms > _FORGET_MS:
                self._forgot_at_ms = now_ms
                forget_old(self.store.writer.call, self.store, at_ms=now_ms).add_done_callback(self._forgot)

    def _freeze(self) -> None:
        """Spare the collector what more links than ever brought: looking through all of it would keep everyone waiting.

        A link that ends is in no circle and goes by itself, frozen or not.
        """
        links = sum(len(each.links) for each in self.listeners)
        if links >= self._frozen_links + _FREEZE_LINKS:
            self._frozen_links = links
            gc.freeze()

    def _forgot(self, done: Future[bool]) -> None:
        """Where much is old, go on with the next tick; runs in the writer's thread."""
        if done.exception() is None and done.result():
            self._forgot_at_ms = 0

    def reload_site(self) -> None:
        """Take up tariffs, campaigns and piles anew: from the file, then from the database."""
        if self._config_path is not None:
            fresh = load(self._config_path)
            self._tell_of_restart(fresh)
            refuse_edits(fresh.site.book, self.store.reader.priced_tariffs(), self._config_path)
            self.config = _with_reloadable(self.config, fresh)
        self.engine.reload(merged_site(self.config.site, self.store))
        self._note_site()
        for listener in self.listeners:
            listener.limits = self.config.limits
        log.info("configuration_reloaded")

    def _tell_of_restart(self, fresh: Config) -> None:
        """Name the tables that changed but wait for a restart."""
        wanted = _with_reloadable(self.config, fresh)
        waiting = [f.name for f in dataclasses.fields(Config) if getattr(wanted, f.name) != getattr(fresh, f.name)]
        if waiting:
            log.warning("configuration_needs_restart", tables=waiting)

    def _on_hangup(self) -> None:
        try:
            self.reload_site()
        except ConfigError as error:
            log.error("configuration_refused", reason=str(error), hint="the former configuration stays in force")

    async def run(self) -> None:
        """Run until SIGTERM or SIGINT."""
        sys.setswitchinterval(_SWITCH_S)
        _raise_open_files(sum(self.config.limits.links_max for _ in self.config.listen))
        await self.start()
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, stop.set)
        loop.add_signal_handler(signal.SIGINT, stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._on_hangup)
        await stop.wait()
        await self.stop()

    async def stop(self) -> None:
        """Take no new links, answer what is owed, commit, leave."""
        log.info("daemon_stopping")
        for task in self._tasks:  # first of all: a tick would begin to read again
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        for listener in self.listeners:
            await listener.stop_accepting()
            listener.pause(is_paused=True)
        deadline_s = asyncio.get_running_loop().time() + _STOP_WAIT_S
        while self.switchboard.owed and asyncio.get_running_loop().time() < deadline_s:
            await asyncio.sleep(0.01)
        if self.config.api.is_enabled:
            await self.api.stop()
        for listener in self.listeners:
            await listener.close_all("the gateway stops")
        await asyncio.sleep(0)
        await self.forwarder.stop()
        self.witness.hand_over(self.clock.now_ms())
        self.switchboard.carry_out(self.engine.take_fed())
        self.switchboard.stop()
        self.capture.close()
        await asyncio.to_thread(self.store.close)
        log.info("daemon_stopped", owed=self.switchboard.owed)


def _raise_open_files(links_max: int) -> None:
    """Every link is an open file: take as many as we may have, and say when that is too few."""
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if now < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if most < links_max + _OWN_FILES:
        log.warning("open_files_few", open_files=most, links_max=links_max, hint="raise LimitNOFILE or ulimit -n")


def _with_reloadable(current: Config, fresh: Config) -> Config:
    """What SIGHUP may change: the site's tables and the limits; the rest needs a restart."""
    return dataclasses.replace(current, site=fresh.site, limits=fresh.limits)
