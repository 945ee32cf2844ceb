from gateway.outcome import Notice, Outcome, PileClockChecked
from protocol.commands import AnswerHeartbeat

FIRST, SECOND = PileClockChecked("p1", 1, 10), PileClockChecked("p1", 2, 10)


def test_what_follows_stands_behind_what_was_there():
    notices = [Notice("a", "p1", 1, {}), Notice("b", "p1", 2, {})]
    replies = [AnswerHeartbeat("p1", 0, 1), AnswerHeartbeat("p1", 1, 1)]
    outcome = Outcome([FIRST], [FIRST], replies[:1], notices[:1])
    outcome.absorb(Outcome([SECOND], [SECOND], replies[1:], notices[1:], is_durable=True))
    assert outcome == Outcome([FIRST, SECOND], [FIRST, SECOND], replies, notices, is_durable=True)


def test_one_durable_part_makes_the_whole_durable():
    for mine, other in ((True, False), (False, True), (False, False)):
        outcome = Outcome(is_durable=mine)
        outcome.absorb(Outcome(is_durable=other))
        assert outcome.is_durable is (mine or other)


def test_outcomes_share_nothing():
    Outcome().rows.append(FIRST)
    assert Outcome().rows == []
