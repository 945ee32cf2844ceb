from billing_core.session import pack_states, unpack_states
from gateway.outcome import FramesKept, SamplesTaken
from gateway.store.thinning import Thinning


def state(at_s, *, is_charging=True, is_plugged=True):
    return (at_s * 1_000, at_s, 0, 0, 0, 0, is_charging, is_plugged)


def seconds(rows):
    return [(row.transaction_id, [each[0] // 1_000 for each in unpack_states(row.states)]) for row in rows]


def taken(key, *states):
    return SamplesTaken(key, *pack_states(states))


def test_one_sample_a_minute_is_written_of_each_session():
    thinning = Thinning()
    rows = [taken(key, *(state(at_s) for at_s in range(0, 150, 15))) for key in ("t1", "t2")]
    assert seconds(thinning.thinned(rows)) == [("t1", [0, 60, 120]), ("t2", [0, 60, 120])]
    assert seconds(thinning.thinned([taken("t1", state(150), state(180))])) == [("t1", [180])]
    assert thinning.left_out == 7 + 7 + 1


def test_a_change_of_state_is_written_and_a_row_without_any_is_gone():
    thinning = Thinning()
    rows = [taken("t1", state(1), state(2), state(3, is_charging=False), state(4, is_plugged=False))]
    assert seconds(thinning.thinned(rows)) == [("t1", [1, 3, 4])]
    assert thinning.thinned([taken("t1", state(5, is_plugged=False))]) == []


def test_what_is_no_sample_is_kept_in_its_order():
    thinning = Thinning()
    frame = FramesKept("p1", "l", 1, "SampleReceived", b"x")
    rows = [frame, taken("t1", state(1)), frame, taken("t1", state(2)), frame]
    assert thinning.thinned(rows) == [frame, rows[1], frame, frame]


def test_when_the_store_has_caught_up_every_sample_counts_again():
    thinning = Thinning()
    assert not thinning.is_on
    thinning.thinned([taken("t1", state(1), state(2))])
    assert thinning.is_on
    thinning.end()
    assert not thinning.is_on
    assert seconds(thinning.thinned([taken("t1", state(3))])) == [("t1", [3])]
