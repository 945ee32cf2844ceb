"""Deadlines fire in order of time, each once; those that moved later find their new place by themselves."""

import heapq
import random

import pytest

from gateway.alarms import Alarms
from gateway.lanes import Presence


def fired(alarms, at_ms):
    found = []
    while (what := alarms.fire(at_ms)) is not None:
        found.append((alarms.fired_ms, what))
    return found


def there(pile_id, heard_ms, silence_ms=30):
    presence = Presence(pile_id, silence_ms)
    presence.heard_ms, presence.is_online = heard_ms, True
    return presence


def test_keys_fire_in_order_and_once():
    alarms = Alarms()
    for key, due_ms in (("c", 30), ("a", 10), ("b", 20), ("a2", 10)):
        alarms.arm(key, due_ms)
    assert alarms.due_ms == 10
    assert fired(alarms, 20) == [(10, "a"), (10, "a2"), (20, "b")]
    assert fired(alarms, 29) == []
    assert fired(alarms, 99) == [(30, "c")]
    assert alarms.due_ms is None


def test_an_earlier_time_wins_and_none_disarms():
    alarms = Alarms()
    alarms.arm("a", 50)
    alarms.arm("a", 20)
    alarms.arm("b", 10)
    alarms.arm("b", None)
    assert alarms.due_ms == 20
    assert fired(alarms, 99) == [(20, "a")]


def test_a_later_time_leaves_the_earlier_one_standing():
    alarms = Alarms()
    alarms.arm("a", 20)
    alarms.arm("a", 50)
    assert fired(alarms, 30) == [(20, "a")]  # whoever armed it finds nothing due, and arms it anew


def test_a_pile_that_is_heard_again_is_not_told():
    alarms, presence = Alarms(), there("p", 0)
    alarms.watch(presence)
    assert alarms.due_ms == 30
    presence.heard_ms = 25
    assert fired(alarms, 54) == []
    assert alarms.due_ms == 55
    assert fired(alarms, 60) == [(55, presence)]
    assert len(alarms) == 0


def test_a_pile_that_left_is_not_told():
    alarms, presence = Alarms(), there("p", 0)
    alarms.watch(presence)
    presence.is_online = False
    assert fired(alarms, 99) == []
    alarms.watch(presence)
    assert len(alarms) == 0


def test_a_shorter_patience_is_armed_earlier():
    alarms, presence = Alarms(), there("p", 0, silence_ms=60)
    alarms.watch(presence)
    presence.silence_ms = 30
    alarms.watch(presence)
    assert fired(alarms, 99) == [(30, presence)]
    assert len(alarms) == 0 or alarms.due_ms is None


def test_presence_tells_its_time():
    presence = Presence("p", 30)
    assert presence.timer_at_ms is None
    presence.heard_ms, presence.is_online = 5, True
    assert presence.timer_at_ms == 35


@pytest.mark.parametrize("seed", range(5))
def test_many_deadlines_come_as_from_a_plain_heap(seed):
    chance = random.Random(seed)
    alarms, plain, now_ms = Alarms(), [], 0
    for number in range(2_000):
        due_ms = now_ms + chance.randrange(1, 500)
        alarms.arm(f"k{number}", due_ms)
        heapq.heappush(plain, (due_ms, number))
        if chance.random() < 0.3:
            now_ms += chance.randrange(100)
            wanted = []
            while plain and plain[0][0] <= now_ms:
                due, which = heapq.heappop(plain)
                wanted.append((due, f"k{which}"))
            assert fired(alarms, now_ms) == wanted
