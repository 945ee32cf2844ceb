import asyncio
from concurrent.futures import Future

from gateway.outcome import EventRaised, Notice, Outcome, PileClockChecked
from gateway.switchboard import Switchboard
from protocol.commands import AnswerHeartbeat

ROW = PileClockChecked("p1", 1, 10)
EVENT = EventRaised("e1", "pilegate.bill.created", "t1", "t1", 1, {})
ANSWER = AnswerHeartbeat("p1", 0, 1)


class StubEngine:
    """Remembers what it was told; deadlines are set by the test."""

    def __init__(self):
        self.told = []
        self.timer_at_ms = None
        self.due = Outcome()

    def on_command(self, command, at_ms):
        self.told.append(("command", command, at_ms))
        return Outcome()

    def on_link_lost(self, pile_id, at_ms):
        self.told.append(("lost", pile_id, at_ms))
        return Outcome()

    def on_timer(self, at_ms):
        self.told.append(("timer", at_ms))
        self.timer_at_ms = None
        return self.due


class StubSink:
    """Keeps rows; commits when the test says so."""

    def __init__(self):
        self.rows = []
        self.telemetry = []
        self.promises = []

    def submit(self, rows, work=None):
        self.rows += rows
        self.promises.append(Future())
        return self.promises[-1]

    def submit_telemetry(self, rows):
        self.telemetry += rows


class StubClock:
    at_ms = 100

    def now_ms(self):
        return self.at_ms


class StubSpeaker:
    pile_id = "p1"

    def __init__(self):
        self.said = []
        self.reasons = []
        self.says = True

    def say(self, command, at_ms):
        self.said.append((command, at_ms))
        return self.says

    def close(self, reason):
        self.reasons.append(reason)


class Room:
    def __init__(self):
        self.engine, self.sink, self.clock, self.speaker = StubEngine(), StubSink(), StubClock(), StubSpeaker()
        self.board = Switchboard(self.engine, self.sink, self.clock)


def within(test):
    """Run a test in a loop, with a room."""

    def run():
        async def work():
            room = Room()
            await asyncio.wait_for(test(room), 20)
            room.board.stop()

        asyncio.run(work())

    return run


@within
async def test_a_durable_answer_waits_for_its_commit(room):
    room.board.carry_out(Outcome(rows=[ROW], replies=[ANSWER], is_durable=True), room.speaker)
    assert (room.sink.rows, room.speaker.said, room.board.owed) == ([ROW], [], 1)
    room.sink.promises[0].set_result(None)
    while room.board.owed:
        await asyncio.sleep(0)
    assert room.speaker.said == [(ANSWER, 100)]
    assert room.engine.told == [("command", ANSWER, 100)]


@within
async def test_an_answer_again_waits_too_though_it_has_no_rows(room):
    room.board.carry_out(Outcome(replies=[ANSWER], is_durable=True), room.speaker)
    assert (len(room.sink.promises), room.speaker.said) == (1, [])


@within
async def test_a_failed_commit_withholds_the_answer(room):
    room.board.carry_out(Outcome(rows=[ROW], replies=[ANSWER], is_durable=True), room.speaker)
    room.sink.promises[0].set_exception(ValueError("no"))
    while room.board.owed:
        await asyncio.sleep(0)
    assert room.speaker.said == []


@within
async def test_other_answers_go_at_once_and_telemetry_never_waits(room):
    room.board.carry_out(Outcome(lazy_rows=[ROW], replies=[ANSWER]), room.speaker)
    assert room.speaker.said == [(ANSWER, 100)]
    assert (room.sink.telemetry, room.sink.promises, room.board.owed) == ([ROW], [], 0)


@within
async def test_what_could_not_be_said_was_not_said(room):
    room.speaker.says = False
    room.board.carry_out(Outcome(replies=[ANSWER]), room.speaker)
    assert room.engine.told == []


@within
async def test_an_order_needs_a_link(room):
    assert room.board.send(ANSWER) is False
    room.board.connect("p1", room.speaker)
    assert room.board.is_connected("p1")
    assert room.board.send(ANSWER) is True
    assert room.speaker.said == [(ANSWER, 100)]


@within
async def test_a_newer_link_takes_the_place_of_an_older(room):
    newer = StubSpeaker()
    room.board.connect("p1", room.speaker)
    room.board.connect("p1", room.speaker)
    assert room.speaker.reasons == []
    room.board.connect("p1", newer)
    assert room.speaker.reasons == ["the pile logged in on a newer link"]
    room.board.disconnect("p1", room.speaker, 5)
    assert (room.board.is_connected("p1"), room.engine.told) == (True, [])
    room.board.disconnect("p1", newer, 6)
    assert (room.board.is_connected("p1"), room.engine.told) == (False, [("lost", "p1", 6)])


@within
async def test_deadlines_that_are_due_fire_before_what_is_later(room):
    room.engine.timer_at_ms = 90
    room.board.advance(89)
    assert room.engine.told == []
    room.board.connect("p1", room.speaker)
    room.board.send(ANSWER)
    assert room.engine.told == [("timer", 100), ("command", ANSWER, 100)]


@within
async def test_an_alarm_fires_by_itself(room):
    room.engine.timer_at_ms = 105
    room.board.carry_out(Outcome())
    room.clock.at_ms = 105
    while not room.engine.told:
        await asyncio.sleep(0.001)
    assert room.engine.told == [("timer", 105)]


@within
async def test_nothing_fires_after_the_stop(room):
    room.engine.timer_at_ms = 100
    room.board.carry_out(Outcome())
    room.board.stop()
    await asyncio.sleep(0.02)
    assert room.engine.told == []


@within
async def test_watchers_see_events_and_notices(room):
    seen = []
    notice = Notice("x", "p1", 1, {})
    room.board.watchers.append(seen.append)
    room.board.carry_out(Outcome(rows=[ROW, EVENT], notices=[notice]))
    assert seen == [EVENT, notice]


@within
async def test_saving_is_done_when_it_is_durable(room):
    saved = room.board.save([ROW])
    assert not saved.done()
    room.sink.promises[0].set_result(None)
    assert await saved is None
    room.board.save_lazily([ROW])
    assert room.sink.telemetry == [ROW]
