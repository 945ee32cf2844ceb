"""One connection, from bytes to answers, without a socket: a real engine, a store that commits when it is told."""

import asyncio
import functools
import json
from concurrent.futures import Future

import pytest

from billing_core.session import unpack_states
from billing_core.timers import Timers
from gateway.engine import Engine
from gateway.frameblock import unpack_frames
from gateway.metrics import Metrics
from gateway.outcome import BillIssued, FramesKept
from gateway.pipeline import LimitsConfig, Pipeline
from gateway.switchboard import Switchboard
from gateway.witness import EvidenceFirst, Witness
from protocol.commands import ReadSample, StopCharging
from protocol.errors import LocalProtocolError
from protocol.link import Link
from tests.support import wire
from tests.support.tales.telling import Tale
from tests.support.yard import BEGIN, DAY_MS, HOUR, PILE, SERIAL, SITE, site_of

T0 = DAY_MS + BEGIN
STRANGER, SECOND_PILE = "55031412782399", "55031412782306"
TWO = SITE + f'[[pile]]\nid = "{SECOND_PILE}"\n'


class Sink:
    """Keeps rows; commits at once unless the test holds it."""

    def __init__(self):
        self.rows, self.promises, self.is_held = [], [], False

    def submit(self, rows, work=None):
        self.rows += rows
        promise = Future()
        self.promises.append(promise)
        if not self.is_held:
            promise.set_result(None)
        return promise

    def submit_telemetry(self, rows):
        self.rows += rows


class Capture:
    def __init__(self):
        self.lines = []

    def append(self, at_ms, link_no, kind, data, protocol):
        self.lines.append((link_no, kind, data))


class Answers:
    def __init__(self, engine):
        self.engine, self.seen, self.lost, self.adopted = engine, [], [], set()

    def on_event(self, event):
        self.seen.append(type(event).__name__)

    def is_newly_listed(self, pile_id):
        if pile_id not in self.adopted:
            return False
        self.engine.reload(site_of(SITE + f'[[pile]]\nid = "{pile_id}"\n'))
        return True

    def on_link_lost(self, pile_id):
        self.lost.append(pile_id)


class Clock:
    at_ms = T0

    def now_ms(self):
        return self.at_ms


class Desk:
    """A gateway of stubs around a real engine; ``link`` opens connections."""

    def __init__(self, site=TWO):
        self.engine = Engine(site_of(site), Timers(), silence_ms_max=30_000, recall=lambda _: None, is_replay=False)
        self.sink, self.capture, self.clock, self.metrics = Sink(), Capture(), Clock(), Metrics()
        self.witness = Witness(self.sink.submit_telemetry, silence_ms_max=30_000)
        self.board = Switchboard(self.engine, EvidenceFirst(self.sink, self.witness), self.clock)
        self.answers = Answers(self.engine)
        self.written, self.hung_up = [], []

    def link(self, link_no=1, **limits):
        return Pipeline(
            self.board,
            self.answers,
            self.capture,
            self.metrics,
            LimitsConfig(**limits),
            link_no=link_no,
            address=f"10.0.0.{link_no}:4001",
            write=self.written.append,
            hang_up=lambda: self.hung_up.append(link_no),
            witness=self.witness,
        )

    def said(self):
        """Types of the frames that were written, and their bytes forgotten."""
        found = [f"0x{data[5]:02X}" for data in self.written]
        self.written.clear()
        return found


def within(test):
    """Run a test in a loop, with a desk."""

    @functools.wraps(test)
    def run(**given):
        async def work():
            desk = Desk()
            await asyncio.wait_for(test(desk, **given), 20)
            desk.board.stop()

        asyncio.run(work())

    del run.__wrapped__
    return run


async def settle(desk):
    while desk.board.owed and not desk.sink.is_held:
        await asyncio.sleep(0)


@within
async def test_a_login_is_answered_and_the_link_speaks_for_the_pile(desk):
    link = desk.link()
    link.received(wire.login(PILE), T0)
    assert (desk.said(), link.pile_id) == (["0x02"], PILE)
    assert desk.board.speakers == {PILE: link}
    assert [(no, kind) for no, kind, _ in desk.capture.lines] == [(1, "open"), (1, "up"), (1, "down")]
    assert desk.answers.seen == ["PileLoggedIn"]


@within
async def test_a_pile_that_is_not_listed_is_refused_and_the_link_closed(desk):
    link = desk.link()
    link.received(wire.login(STRANGER), T0)
    assert (desk.said(), desk.hung_up, link.pile_id) == (["0x02"], [1], None)
    assert desk.board.speakers == {}
    link.received(wire.login(PILE), T0 + 1)
    assert (desk.said(), desk.board.speakers) == ([], {})


@within
async def test_a_pile_that_was_adopted_since_is_taken(desk):
    desk.answers.adopted.add(STRANGER)
    desk.link().received(wire.login(STRANGER), T0)
    assert (desk.hung_up, list(desk.board.speakers)) == ([], [STRANGER])


@within
async def test_frames_before_a_login_do_nothing(desk):
    link = desk.link()
    link.received(wire.heartbeat(PILE), T0)
    assert (desk.said(), desk.hung_up, desk.answers.seen) == ([], [], [])
    assert desk.engine.piles.states == {}


@within
async def test_a_link_may_not_speak_for_a_pile_that_did_not_log_in_on_it(desk):
    link = desk.link()
    link.received(wire.login(PILE) + wire.heartbeat(SECOND_PILE), T0)
    assert desk.said() == ["0x02"]
    link.received(wire.login(SECOND_PILE) + wire.heartbeat(SECOND_PILE), T0)
    assert (desk.said(), link.pile_id) == (["0x02", "0x04"], PILE)
    assert desk.board.speakers == {PILE: link, SECOND_PILE: link}


@within
async def test_the_answer_to_a_record_waits_for_its_commit(desk):
    link = desk.link()
    link.received(wire.login(PILE), T0)
    desk.said()
    desk.sink.is_held = True
    link.received(record_frame(), T0 + 1)
    await asyncio.sleep(0)
    assert (desk.said(), desk.board.owed) == ([], 1)
    assert [row.transaction_id for row in desk.sink.rows if isinstance(row, BillIssued)] == [SERIAL]
    desk.sink.is_held = False
    desk.sink.promises[-1].set_result(None)
    await settle(desk)
    assert desk.said() == ["0x40"]


def record_frame():
    tale = Tale("x", "y")
    tale.record(answered=False)
    (line,) = tale.log.splitlines()
    return bytes.fromhex(json.loads(line)["hex"])


@within
async def test_what_bills_rest_on_is_kept_as_it_came(desk):
    link = desk.link()
    frame = record_frame()
    link.received(wire.login(PILE), T0)
    link.received(frame, T0 + 1)
    await settle(desk)
    blocks = [row for row in desk.sink.rows if isinstance(row, FramesKept)]
    kept = [frame for block in blocks for frame in unpack_frames(block)]
    assert [row.data for row in kept if row.kind == "up"][-1] == frame
    assert {row.pile_id for row in kept} == {PILE}


@within
async def test_one_frame_in_two_reads_is_one_frame(desk):
    link = desk.link()
    frame = wire.login(PILE)
    link.received(frame[:9], T0)
    assert desk.said() == []
    link.received(frame[9:] + wire.heartbeat(PILE)[:3], T0 + 1)
    assert desk.said() == ["0x02"]
    link.received(wire.heartbeat(PILE)[3:], T0 + 2)
    assert desk.said() == ["0x04"]


@within
async def test_a_repeat_goes_the_short_way_and_is_answered_all_the_same(desk):
    link = desk.link()
    link.received(wire.login(PILE), T0)
    for number in range(1, 5):
        link.received(wire.heartbeat(PILE), T0 + number * 10_000)
    assert desk.said() == ["0x02", "0x04", "0x04", "0x04", "0x04"]
    assert desk.engine.piles.traffic.beats >= 2
    assert desk.engine.piles.state(PILE).heard_at_ms == T0 + 40_000
    assert sum(kind == "up" for _, kind, _ in desk.capture.lines) == 5


@within
async def test_samples_that_repeat_are_kept_and_told_to_whoever_wants_to_know(desk):
    link = desk.link()
    link.received(wire.login(PILE), T0)
    serial = PILE + "01" + "260303114016" + "0001"
    for is_told in (False, True):
        for number in range(3):
            link.received(wire.sample(serial, PILE, energy=number + 10 * is_told, soc=50 + number), T0 + number + 1)
        fed = desk.engine.take_fed(is_told=is_told)
        (taken,) = fed.lazy_rows
        assert unpack_states(taken.states)[-1][:2] == (T0 + 3, 2 + 10 * is_told)
        assert [each.data["soc_percent"] for each in fed.notices] == [52] * is_told


@within
async def test_what_repeats_behind_news_in_one_read_goes_the_short_way_too(desk):
    link = desk.link()
    link.received(wire.login(PILE), T0)
    link.received(wire.heartbeat(PILE), T0 + 1)
    serial = PILE + "01" + "260303114016" + "0001"
    frames = [wire.sample(serial, PILE, energy=number) for number in range(5)]
    link.received(b"".join(frames) + wire.login(PILE)[:9], T0 + 2)
    assert desk.engine.piles.traffic.fed >= 3
    ups = [data for _, kind, data in desk.capture.lines if kind == "up"]
    assert b"".join(ups[2:]) == b"".join(frames) + wire.login(PILE)[:9]
    assert frames[0] in ups
    desk.witness.hand_over(T0 + 3)
    blocks = [row for row in desk.sink.rows if isinstance(row, FramesKept)]
    assert b"".join(frames) in b"".join(frame.data for block in blocks for frame in unpack_frames(block))


@within
async def test_bytes_of_no_protocol_close_the_link(desk):
    link = desk.link(buffer_bytes_max=1_024)
    link.received(b"\x00" * 1_000, T0)
    assert desk.hung_up == []
    link.received(b"\x00" * 1_000, T0)
    assert desk.hung_up == [1]


@within
async def test_nothing_but_broken_frames_closes_the_link_and_one_good_one_forgives(desk):
    link = desk.link(refused_per_link_max=3)
    link.received(wire.login(PILE), T0)
    broken = wire.heartbeat(PILE)[:-1] + b"\xff"
    for frames, is_closed in ((broken * 2, False), (wire.heartbeat(PILE), False), (broken * 2, False), (broken, True)):
        link.received(frames, T0 + 1)
        assert (desk.hung_up == [1]) is is_closed, frames.hex()


@within
async def test_a_flood_closes_the_link_and_the_count_begins_anew_after_ten_seconds(desk):
    link = desk.link(frames_per_s_max=1)
    link.received(wire.login(PILE), T0)
    link.received(wire.heartbeat(PILE) * 9, T0 + 1)
    link.received(wire.heartbeat(PILE) * 9, T0 + 10_001)
    assert desk.hung_up == []
    link.received(wire.heartbeat(PILE) * 2, T0 + 10_002)
    assert desk.hung_up == [1]


@within
async def test_silence_and_a_missing_login_close_links(desk):
    silent, shy = desk.link(1, idle_timeout_ms=60_000), desk.link(2, login_grace_ms=30_000)
    silent.received(wire.login(PILE), T0)
    for at_ms, closed in ((T0 + 30_000, []), (T0 + 30_001, [2]), (T0 + 60_000, [2]), (T0 + 60_001, [2, 1])):
        silent.check(at_ms)
        shy.check(at_ms)
        assert desk.hung_up == closed


@within
async def test_a_newer_link_takes_over_and_the_older_ones_end_loses_nobody(desk):
    older, newer = desk.link(1), desk.link(2)
    older.received(wire.login(PILE), T0)
    newer.received(wire.login(PILE), T0 + 1)
    assert (desk.hung_up, desk.board.speakers) == ([1], {PILE: newer})
    older.closed(T0 + 2)
    assert (desk.answers.lost, desk.engine.piles.state(PILE).is_online) == ([], True)
    newer.closed(T0 + 3)
    assert (desk.answers.lost, desk.engine.piles.state(PILE).is_online) == ([PILE], False)
    assert desk.capture.lines[-1] == (2, "close", b"closed by the peer")
    assert desk.capture.lines[-2] == (1, "close", b"the pile logged in on a newer link")


@within
async def test_a_concentrator_that_leaves_takes_its_piles_with_it(desk):
    link = desk.link()
    link.received(wire.login(SECOND_PILE) + wire.login(PILE), T0)
    link.closed(T0 + 1)
    assert desk.answers.lost == [PILE, SECOND_PILE]
    assert desk.board.speakers == {}


@within
async def test_an_order_goes_out_and_is_captured_and_nothing_follows_a_closing(desk):
    link = desk.link()
    link.received(wire.login(PILE), T0)
    desk.said()
    assert link.say(StopCharging(PILE, None, 1), T0 + 1)
    assert (desk.said(), desk.capture.lines[-1][:2]) == (["0x36"], (1, "down"))
    link.close("enough")
    link.close("again")
    assert (link.say(StopCharging(PILE, None, 1), T0 + 2), desk.said(), desk.hung_up) == (True, [], [1])


@within
async def test_an_order_that_no_frame_can_carry_is_the_callers_to_know(desk):
    link = desk.link()
    link.received(wire.login(PILE), T0)
    desk.said()
    with pytest.raises(LocalProtocolError):
        link.say(ReadSample(PILE, None, 300), T0)
    assert link.say(ReadSample(PILE, 0, 300), T0) is False
    assert desk.said() == []


@within
async def test_deadlines_come_before_what_came_later(desk):
    link = desk.link()
    link.received(wire.login(PILE), T0)
    link.received(wire.heartbeat(PILE), T0 + HOUR)
    kinds = [
        row.type.rsplit(".", 1)[1] for row in desk.sink.rows if getattr(row, "type", "").startswith("pilegate.pile")
    ]
    assert kinds == ["online", "offline", "online"]


@within
async def test_what_a_link_answers_reads_as_what_it_says(desk):
    desk.link().received(wire.login(PILE) + wire.heartbeat(PILE), T0)
    reader = Link()
    reader.receive(wire.login(PILE), T0)
    told = [order for data in desk.written for order in reader.observe_sent(data, T0)]
    assert [type(order).__name__ for order in told] == ["AnswerLogin", "AnswerHeartbeat"]
    assert told[0].is_accepted
