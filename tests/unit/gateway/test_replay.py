"""A log's lines into an engine of its own: orders from its ``down`` lines, answers compared, oddities told."""

import json

import pytest

from billing_core.timers import Timers
from gateway.framelog import LogDamage, read_log
from gateway.framelog.capture import file_header, pack
from gateway.framelog.lines import LogLine
from gateway.replay import Finding, Replay
from gateway.site import instant_of
from tests.support import wire
from tests.support.tales.telling import NO_SERIAL, PILE, SERIAL, Tale
from tests.support.yard import DAY_MS, FORMER, HOUR, MINUTE, SITE, site_of

T0 = DAY_MS + 7 * HOUR
STRANGER = "55031412782399"


class Log:
    """Lines of one log; a replay of them."""

    def __init__(self, site=SITE, **changes):
        self.findings = []
        self.replay = Replay(site_of(site), Timers(), silence_ms_max=30_000, on_finding=self.findings.append)
        self.more = {"is_own": False, **changes}

    def feed(self, kind, data=b"", at_ms=T0, link="a"):
        self.replay.feed(LogLine(at_ms, link, kind, data, None, "log", 10 * len(self.findings), **self.more))

    @property
    def codes(self):
        return [finding.code for finding in self.findings]


def lines_of(tale):
    for position, text in enumerate(tale.log.splitlines()):
        row = json.loads(text)
        kind = row.get("event") or row["dir"]
        yield LogLine(
            instant_of(row["at"]), row["link"], kind, bytes.fromhex(row.get("hex", "")), None, "log", position
        )


def usual(**record):
    tale = Tale("usual", "nothing goes wrong")
    tale.former()
    tale.usual(**record)
    return tale


def test_a_log_leads_to_the_bills_of_its_charges():
    log = Log()
    log.replay.run(lines_of(usual()))
    assert [(bill.transaction_id, bill.status, bill.amount_fen) for bill in log.replay.bills()] == [
        (FORMER, "normal", 240),
        (SERIAL, "normal", 4_800),
    ]
    assert log.codes == []
    assert log.replay.frames == sum(line.kind in ("up", "down") for line in lines_of(usual()))


def test_no_charge_is_held_for_its_samples_when_it_has_its_bill(tmp_path):
    path = tmp_path / "log.pcap"
    tale = usual()
    for second in range(0, 60, 10):
        tale.sample(f"09:18:{second:02d}", 38.5 + second / 1_000, amount=46.2)
    records = [pack(line.at_ms, 1, line.kind, line.data or line.link.encode()) for line in lines_of(tale)]
    path.write_bytes(b"".join([file_header(), *records]))
    replay = Log().replay
    replay.run(read_log(path, short=replay.short))
    assert replay.engine.piles.traffic.fed > 0
    assert replay.engine.piles.traffic.take_fed() == []


def test_the_clock_stops_where_it_is_told_to():
    tale = Tale("x", "no record")
    tale.login()
    tale.start()
    tale.charge()
    tale.rest("09:20:05")
    end_ms = DAY_MS + 9 * HOUR + 20 * MINUTE + 5_000
    for until_ms, count in ((end_ms + 30 * MINUTE - 1, 0), (end_ms + 30 * MINUTE, 1), (None, 0)):
        log = Log()
        log.replay.run(lines_of(tale), until_ms=until_ms)
        assert len(log.replay.bills()) == count
    log = Log()
    log.replay.run(lines_of(usual()), until_ms=DAY_MS + 8 * HOUR)
    assert [bill.amount_fen for bill in log.replay.bills()] == [240]


def test_bills_stand_in_order_of_their_ends_newest_or_all():
    tale = usual()
    tale.record("10:00:00", m1=1_043, kwh=41, tiers={2: 41.0}, answered=False)
    log = Log()
    log.replay.run(lines_of(tale))
    assert [bill.revision for bill in log.replay.bills()] == [1, 2]
    assert [bill.revision for bill in log.replay.bills(all_revisions=True)] == [1, 1, 2]


def test_bytes_that_are_no_frame_are_told_with_their_place():
    log = Log()
    log.feed("open")
    broken = wire.heartbeat(PILE)[:-1] + b"\xff"
    log.feed("up", wire.login(PILE) + broken + wire.heartbeat(PILE))
    assert log.codes == ["frame_refused"]
    assert log.findings[0].text.startswith("checksum")
    assert f"at byte {len(wire.login(PILE))}" in log.findings[0].text
    log.feed("down", b"\x68\x03")
    assert log.codes == ["frame_refused"] * 2
    assert log.findings[1].text.endswith("(sent)")
    assert log.replay.frames == 2


def test_damage_of_a_log_is_a_finding_and_the_rest_is_read():
    log = Log()
    log.replay.run([LogDamage("log", 7, "cut short"), *lines_of(usual())])
    assert log.findings == [Finding("log_damaged", "log", 7, "cut short")]
    assert len(log.replay.bills()) == 2


@pytest.mark.parametrize(
    ("code", "is_fault"), [("pile_unlisted", False), ("answer_differs", True), ("log_damaged", True)]
)
def test_an_unlisted_pile_alone_is_no_fault(code, is_fault):
    assert Finding(code, "log", 0, "").is_fault is is_fault


def test_an_unlisted_pile_is_taken_and_told_once():
    log = Log()
    for number in range(3):
        log.feed("up", wire.login(STRANGER), T0 + number)
    assert log.codes == ["pile_unlisted"]
    assert log.replay.engine.piles.state(STRANGER).is_online


def answer_login(result):
    return wire.frame(0x02, bytes.fromhex(PILE) + bytes([result]))


def test_an_answer_that_differs_from_ours_is_a_finding():
    log = Log()
    log.feed("up", wire.login(PILE))
    log.feed("down", answer_login(1))
    assert log.codes == ["answer_differs"]
    assert "is_accepted" in log.findings[0].text
    log.feed("up", wire.login(PILE))
    log.feed("down", answer_login(0))
    assert len(log.codes) == 1


def test_an_answer_nobody_asked_for_is_nothing_to_compare():
    log = Log()
    log.feed("down", answer_login(1))
    assert log.codes == []


def test_in_our_own_log_frames_before_a_login_were_refused_and_are():
    for is_own, is_heard in ((True, False), (False, True)):
        log = Log(is_own=is_own)
        log.feed("open")
        log.feed("up", wire.heartbeat(PILE))
        assert (PILE in log.replay.engine.piles.states) is is_heard


@pytest.mark.parametrize(("result", "is_taken"), [(0, True), (1, False)])
def test_whether_an_unlisted_pile_was_adopted_is_what_our_own_log_says(result, is_taken):
    log = Log(is_own=True)
    log.feed("open")
    log.feed("up", wire.login(STRANGER) + wire.heartbeat(STRANGER))
    assert STRANGER not in log.replay.engine.piles.states
    log.feed("down", wire.frame(0x02, bytes.fromhex(STRANGER) + bytes([result])))
    assert (STRANGER in log.replay.engine.piles.states) is is_taken
    log.feed("up", wire.heartbeat(STRANGER), T0 + 1)
    assert (STRANGER in log.replay.engine.piles.states) is is_taken


def test_a_closed_link_is_a_lost_pile_unless_a_newer_one_took_over():
    log = Log()
    log.feed("up", wire.login(PILE), link="a")
    log.feed("up", wire.login(PILE), T0 + 1, link="b")
    log.feed("close", at_ms=T0 + 2, link="a")
    assert log.replay.engine.piles.state(PILE).is_online
    log.feed("close", at_ms=T0 + 3, link="b")
    assert not log.replay.engine.piles.state(PILE).is_online


def test_an_opening_is_the_end_of_what_had_the_same_name():
    log = Log()
    log.feed("up", wire.login(PILE))
    log.feed("open", at_ms=T0 + 1)
    assert not log.replay.engine.piles.state(PILE).is_online


def test_time_never_steps_back():
    log = Log()
    log.feed("up", wire.login(PILE), T0)
    log.feed("up", wire.heartbeat(PILE), T0 - HOUR)
    assert log.replay.engine.piles.state(PILE).heard_at_ms == T0


def test_orders_come_from_the_log_and_none_is_invented():
    tale = Tale("x", "an order that the pile never answered")
    tale.login()
    tale.start(answer=None)
    log = Log()
    log.replay.run(lines_of(tale))
    session = log.replay.engine.sessions.find(SERIAL)
    assert (session.authorisation.balance_fen, session.channel) == (20_000, "app")
    log = Log()
    log.feed("up", wire.login(PILE) + wire.start_request(PILE, card="00000000D14B0A54"))
    assert log.replay.engine.sessions.running() == []


def test_a_sample_without_a_number_belongs_to_nobody():
    log = Log()
    log.feed("up", wire.login(PILE) + wire.sample(NO_SERIAL, PILE, energy=100))
    assert log.replay.engine.sessions.running() == []


def test_on_a_topic_that_names_its_pile_another_pile_is_refused():
    log = Log(is_own=True)
    own, others = f"pile/v1/ykc/{PILE}/up", f"pile/v1/ykc/{STRANGER}/up"
    log.feed("open", link=own)
    for kind, data in (("up", wire.login(PILE)), ("down", wire.frame(0x02, wire.bcd(PILE) + b"\0"))):
        log.feed(kind, data, link=own)
    log.feed("up", wire.login(STRANGER) + wire.heartbeat(STRANGER), T0 + 1, link=own)
    assert log.codes == ["frame_refused"] * 2
    assert log.findings[0].text.startswith(f"other_pile: names pile {STRANGER}")
    assert STRANGER not in log.replay.engine.piles.states
    log.feed("up", wire.heartbeat(STRANGER), T0 + 2, link=others)
    assert STRANGER in log.replay.engine.piles.states
