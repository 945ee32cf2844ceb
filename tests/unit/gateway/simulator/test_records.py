"""When a record is sent again."""

from gateway.simulator.charge import Story
from gateway.simulator.records import OwedRecord, RecordQueue


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
