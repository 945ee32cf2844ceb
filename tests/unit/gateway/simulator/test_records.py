"""When a record is sent again."""

from gateway.simulator.charge import Story
from gateway.simulator.records import HeadQueue, OwedRecord, RecordQueue

AT_MS = 1_772_509_216_000


def queue():
    one = RecordQueue(retry_ms=30_000, last_retry_ms=300_000)
    story = Story("S", "P", 1, "card", 0)
    one.add(OwedRecord({"serial": "S"}, story, 0))
    return one, story


def test_schedule_and_rest():
    one, story = queue()
    sent_at_ms = []
    while (due_ms := one.timer_at_ms) is not None:
        sent_at_ms += [due_ms] * len(one.take_due(due_ms))
    assert sent_at_ms == [0, 30_000, 60_000, 90_000, 390_000]
    assert story.records_sent == 5
    assert len(one) == 1


def test_login_begins_anew():
    one, _ = queue()
    one.take_due(0)
    one.on_link_lost()
    assert one.timer_at_ms is None
    one.on_ready(7)
    assert one.timer_at_ms == 7


def test_acknowledgement_ends_it_once():
    one, story = queue()
    assert one.acknowledge("S") is None  # not sent yet
    one.take_due(0)
    assert one.acknowledge("T") is None
    assert one.acknowledge("S") is not None
    assert one.acknowledge("S") is None
    assert story.is_acknowledged
    assert len(one) == 0


def story(number):
    return Story(f"T{number}", "P", 1, "card", AT_MS)


def test_only_the_newest_record_is_sent_and_any_acknowledgement_takes_it():
    queue = HeadQueue()
    queue.on_ready(AT_MS)
    queue.add(OwedRecord({}, story(1), AT_MS))
    assert [each.story.transaction_id for each in queue.take_due(AT_MS)] == ["T1"]
    queue.add(OwedRecord({}, story(2), AT_MS))
    assert queue.take_due(AT_MS + 9_999) == []
    assert [each.story.transaction_id for each in queue.take_due(AT_MS + 10_000)] == ["T2"]
    assert queue.acknowledge("whatever").story.transaction_id == "T2"
    assert queue.acknowledge("").story.transaction_id == "T1"
    assert (queue.acknowledge(""), queue.destroyed, queue.unasked) == (None, 0, 1)


def test_what_ended_while_an_acknowledgement_is_under_way_is_not_hit_by_it():
    queue = HeadQueue()
    queue.on_ready(AT_MS)
    queue.add(OwedRecord({}, story(1), AT_MS))
    queue.take_due(AT_MS)
    queue.add(OwedRecord({}, story(2), AT_MS))
    assert queue.acknowledge("").story.transaction_id == "T1"
    assert (len(queue), queue.timer_at_ms) == (1, AT_MS + 10_000)


def test_a_record_that_was_never_sent_is_destroyed_by_a_wrong_acknowledgement():
    queue = HeadQueue()
    queue.on_ready(AT_MS)
    for number in (1, 2):
        queue.add(OwedRecord({}, story(number), AT_MS))
    assert [each.story.transaction_id for each in queue.take_due(AT_MS)] == ["T2"]
    queue.acknowledge("")
    lost = queue.acknowledge("")
    assert (queue.destroyed, lost.story.transaction_id, lost.story.is_acknowledged) == (1, "T1", False)
