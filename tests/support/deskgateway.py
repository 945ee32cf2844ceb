"""A gateway in miniature for tests of simulated piles: one link, virtual time, everything granted."""

from collections.abc import Callable, Iterable

from gateway.simulator.pile import SimulatedPile
from protocol import commands as c
from protocol import events as e
from protocol.link import Link

TARIFF = c.PileTariff(
    model_no="0100",
    prices_e5=((130_000, 80_000), (110_000, 80_000), (70_000, 80_000), (30_000, 80_000)),
    slots=(3,) * 16 + (2,) * 4 + (1,) * 4 + (2,) * 24,  # valley, flat, peak 10–12, flat
)
BALANCE_FEN = 100_000
START_MS = 1_772_509_200_000  # 2026-03-03T11:40:00+08:00
ZONE_MS = 8 * 3_600_000


class DeskGateway:
    """Carries one pile through virtual time.

    Args:
        is_silent_on: facts that get no answer.
        decide: balance and acceptance of a start.
    """

    def __init__(self, pile: SimulatedPile, *, acknowledges: bool = True, accepts_login: bool = True) -> None:
        self.pile = pile
        self.acknowledges = acknowledges
        self.accepts_login = accepts_login
        self.answers_heartbeats = True
        self.starts_accepted: Callable[[e.StartRequested], bool] = lambda event: True
        self.balance_fen = BALANCE_FEN
        self.events: list[e.PileEvent] = []
        self.logins = 0
        self.now_ms = START_MS
        self._link: Link | None = None
        self._count = 0

    def of(self, kind: type) -> list:
        return [event for event in self.events if isinstance(event, kind)]

    def run(self, for_ms: int) -> None:
        """Let time pass."""
        until_ms = self.now_ms + for_ms
        while True:
            self._carry()
            due_ms = self.pile.timer_at_ms
            if due_ms is None or due_ms > until_ms:
                break
            self.now_ms = max(self.now_ms + 1, due_ms)
            self.pile.on_timer(self.now_ms)
        self.now_ms = until_ms
        self.pile.on_timer(self.now_ms)
        self._carry()

    def _carry(self) -> None:
        pile = self.pile
        while True:
            if pile.wants_hang_up and self._link is not None:
                self.cut()
            if self._link is None and pile.wants_link(self.now_ms) and not pile.wants_hang_up:
                self._link = Link()
                pile.on_link_opened(self.now_ms)
            frames = pile.take_outgoing()
            if not frames or self._link is None:
                return
            for event in self._link.receive(b"".join(frames), self.now_ms):
                assert not isinstance(event, e.FrameRefused), event
                self.events.append(event)
                for command in self._answers(event):
                    self.send(command)

    def cut(self) -> None:
        """The connection is gone."""
        self._link = None
        self.pile.wants_hang_up = False
        self.pile.on_link_closed(self.now_ms)

    def send(self, command: c.PileCommand) -> None:
        assert self._link is not None
        self.pile.receive(self._link.send(command), self.now_ms)

    def order(self, command: c.PileCommand) -> list[e.PileEvent]:
        """Send an order; returns what the pile says to it at once."""
        before = len(self.events)
        self.send(command)
        self._carry()
        return self.events[before:]

    def _answers(self, event: e.PileEvent) -> Iterable[c.PileCommand]:
        self._count += isinstance(event, e.StartRequested)
        self.logins += isinstance(event, e.PileLoggedIn)
        yield from answers(
            event,
            self.now_ms,
            self._count,
            acknowledges=self.acknowledges,
            accepts_login=self.accepts_login,
            answers_heartbeats=self.answers_heartbeats,
            accepts_start=not isinstance(event, e.StartRequested) or self.starts_accepted(event),
            balance_fen=self.balance_fen,
        )


def answers(
    event: e.PileEvent,
    now_ms: int,
    count: int,
    *,
    acknowledges: bool = True,
    accepts_login: bool = True,
    answers_heartbeats: bool = True,
    accepts_start: bool = True,
    balance_fen: int = BALANCE_FEN,
) -> Iterable[c.PileCommand]:
    """What a gateway says to one fact. ``count`` goes into the transaction number of a start."""
    pile_id, ref = event.pile_id, event.reply_ref
    match event:
        case e.PileLoggedIn():
            yield c.AnswerLogin(pile_id, ref, accepts_login)
            if accepts_login:
                yield c.SyncTime(pile_id, None, now_ms + ZONE_MS)
        case e.HeartbeatReceived() if answers_heartbeats:
            yield c.AnswerHeartbeat(pile_id, ref, event.connector)
        case e.TariffChecked():
            yield c.AnswerTariffCheck(pile_id, ref, event.model_no, event.model_no == TARIFF.model_no)
        case e.TariffRequested():
            yield c.SendTariff(pile_id, ref, TARIFF)
        case e.StartRequested():
            yield c.AuthoriseStart(
                pile_id,
                ref,
                f"{pile_id}{event.connector:02d}260303114016{count % 10_000:04d}",
                event.connector,
                "0" * 16,
                balance_fen,
                accepts_start,
                0 if accepts_start else 1,
                event.parallel_no,
            )
        case e.RecordReceived() if acknowledges:
            yield c.AcknowledgeRecord(pile_id, ref, event.serial, True)
