"""The session machine: the table is the only way, and what is frozen thaws to the same."""

import json

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from billing_core.errors import IllegalTransition
from billing_core.session import ChargingSession, pack_states
from billing_core.timers import Timers
from billing_core.transitions import TRANSITIONS, SessionEvent, State

T0 = 1_772_503_200_000
TABLE = {(state, event): after for state, event, after, _ in TRANSITIONS}
LOOKS = (
    "state",
    "opened_at_ms",
    "start_accepted_at_ms",
    "first_sample_at_ms",
    "last_sample_at_ms",
    "login_at_ms",
    "ended_at_ms",
    "idle_proof_at_ms",
    "is_end_observed",
    "energy_e4kwh",
    "shown_amount_e4yuan",
    "sample_count",
    "timer_at_ms",
)


def session(**timers):
    return ChargingSession("tx", "pile", 1, T0, Timers(**timers))


def look(one):
    return {name: getattr(one, name) for name in LOOKS} | {"frozen": one.freeze(), "rows": one.rows()}


def thawed(one):
    """Through the store: JSON and rows."""
    return ChargingSession.thaw(json.loads(json.dumps(one.freeze())), pack_states(one.rows())[2] if one.rows() else b"")


def in_state(state):
    """A session that was led to a state by its usual way."""
    one = session()
    if state in (State.CHARGING, State.ENDED, State.BILLED):
        one.take_sample(T0, 0, 0, 5_000, 600, 50)
    if state in (State.ENDED, State.BILLED):
        one.end(T0 + 1_000, True, T0 + 1_000)
    if state is State.BILLED:
        one.apply(SessionEvent.RECORD_RECEIVED, T0 + 2_000)
    if state is State.NOT_STARTED:
        one.apply(SessionEvent.START_REFUSED, T0 + 1_000)
    assert one.state is state
    return one


@pytest.mark.parametrize("event", SessionEvent, ids=lambda event: event.name)
@pytest.mark.parametrize("state", State, ids=lambda state: state.name)
def test_every_pair_moves_as_the_table_says_or_changes_nothing(state, event):
    one = in_state(state)
    before = look(one)
    if (state, event) in TABLE:
        one.apply(event, T0 + 5_000)
        assert one.state is TABLE[state, event]
        return
    with pytest.raises(IllegalTransition) as caught:
        one.apply(event, T0 + 5_000)
    assert caught.value.code == "illegal_transition"
    assert state.name in caught.value.text
    assert event.name in caught.value.text
    assert look(one) == before


def test_deadlines_stand_at_their_own_moments():
    one = session()
    assert one.timer_at_ms == T0 + 90_000
    assert one.on_timer(T0 + 89_999) == []
    fired = one.on_timer(T0 + 10_000_000)
    assert fired == [
        (SessionEvent.START_DEADLINE_PASSED, T0 + 90_000),
        (SessionEvent.RECORD_LOST, T0 + 120_000),
    ]
    assert (one.state, one.timer_at_ms) == (State.BILLED, None)


def test_a_silent_charge_is_billed_in_half_an_hour_and_stuck_in_twelve():
    one = session()
    one.take_sample(T0, 0, 0, 5_000, 600, 50)
    assert one.on_timer(T0 + 43_200_000) == [
        (SessionEvent.RECORD_LOST, T0 + 1_800_000),
        (SessionEvent.SILENCE_PASSED, T0 + 43_200_000),
    ]
    assert (one.ended_at_ms, one.is_end_observed, one.timer_at_ms) == (T0, False, None)


def test_a_login_gives_the_record_ten_minutes_more():
    one = session()
    one.take_sample(T0, 0, 0, 5_000, 600, 50)
    one.log_in(T0 + 1_500_000)
    one.log_in(T0 + 1_600_000)
    assert (one.login_at_ms, one.timer_at_ms) == (T0 + 1_500_000, T0 + 2_100_000)
    early = session()
    early.take_sample(T0, 0, 0, 5_000, 600, 50)
    early.log_in(T0)
    assert early.login_at_ms is None
    early.log_in(T0 + 1)
    assert early.timer_at_ms == T0 + 1_800_000, "half an hour stands where it is longer"


@pytest.mark.parametrize(("apart_ms", "is_observed"), [(60_000, True), (60_001, False)])
def test_two_minutes_of_rest_are_an_end_at_their_begin_or_a_lower_bound(apart_ms, is_observed):
    one = session()
    one.take_sample(T0, 5_000, 0, 5_000, 600, 50)
    assert one.take_rest(T0 + apart_ms, 0, 0, 0, 0, 0, True)
    assert one.on_timer(T0 + apart_ms + 119_999) == []
    fired = one.on_timer(T0 + apart_ms + 120_000)
    assert fired[0] == (SessionEvent.CHARGING_ENDED, T0 + apart_ms + 120_000)
    assert (one.ended_at_ms, one.is_end_observed) == (T0 + apart_ms if is_observed else T0, is_observed)
    assert one.idle_proof_at_ms == T0 + apart_ms


def test_a_sample_takes_back_an_end():
    one = session()
    one.take_sample(T0, 5_000, 7, 5_000, 600, 50)
    one.end(T0 + 10_000, True, T0 + 10_000)
    one.take_sample(T0 + 20_000, 6_000, 8, 5_000, 600, 51)
    assert (one.state, one.ended_at_ms, one.idle_proof_at_ms, one.is_end_observed) == (
        State.CHARGING,
        None,
        None,
        False,
    )
    assert (one.energy_e4kwh, one.shown_amount_e4yuan, one.sample_count) == (6_000, 8, 2)
    assert (one.first_sample_at_ms, one.last_sample_at_ms) == (T0, T0 + 20_000)


def test_the_first_end_stands():
    one = session()
    one.take_sample(T0, 0, 0, 0, 0, 0)
    one.end(T0 + 10, False, T0 + 20)
    one.end(T0 + 30, True, T0 + 30)
    assert (one.ended_at_ms, one.is_end_observed, one.idle_proof_at_ms) == (T0 + 10, False, T0 + 20)


def test_a_substitute_bill_lets_a_charge_go_on_a_record_does_not():
    one = session()
    one.take_sample(T0, 0, 0, 0, 0, 0)
    one.on_timer(T0 + 1_800_000)
    assert one.state is State.BILLED
    one.take_sample(T0 + 1_900_000, 10, 0, 0, 0, 0)
    assert (one.state, one.sample_count) == (State.CHARGING, 2)
    one.apply(SessionEvent.RECORD_RECEIVED, T0 + 1_950_000)
    one.take_sample(T0 + 2_000_000, 20, 0, 0, 0, 0)
    assert (one.state, one.sample_count, one.energy_e4kwh) == (State.BILLED, 2, 10)


def test_three_states_of_rest_are_kept_and_every_turn_of_the_plug():
    one = session()
    assert not one.take_rest(T0, 0, 0, 0, 0, 0, True), "rest before anything charged says nothing"
    one.take_sample(T0, 0, 0, 0, 0, 0, True)
    kept = [
        one.take_rest(T0 + n, 0, 0, 0, 0, 0, plugged)
        for n, plugged in enumerate((True, True, True, True, False, False, None), 1)
    ]
    assert kept == [True, True, True, False, True, False, True]
    assert [row[7] for row in one.rows()] == [True, True, True, True, False, None]
    assert [row[6] for row in one.rows()] == [True] + [False] * 5


def test_what_was_not_kept_yet_is_taken_once():
    one = session()
    one.take_sample(T0, 1, 2, 3, 4, 5, True)
    assert one.take_unkept() == pack_states([(T0, 1, 2, 3, 4, 5, True, True)])
    assert one.take_unkept() is None
    one.take_sample(T0 + 1, 6, 7, 8, 9, 10)
    assert one.take_unkept() == pack_states([(T0 + 1, 6, 7, 8, 9, 10, True, None)])
    assert one.newest == (T0 + 1, 10)
    assert thawed(one).take_unkept() is None


class SessionMachine(RuleBasedStateMachine):
    """One session lives on, its twin is frozen and thawed before every step: they never differ."""

    @initialize(seed_timers=st.booleans())
    def begin(self, seed_timers):
        timers = Timers(record_lost_ms=40_000, silence_ms=90_000, rest_ms=20_000) if seed_timers else Timers()
        self.one = ChargingSession("tx", "pile", 1, T0, timers)
        self.twin = ChargingSession("tx", "pile", 1, T0, timers)
        self.now_ms = T0

    def both(self, act):
        """Do it to both; what is refused changes nothing."""
        self.twin = thawed(self.twin)
        before, state = look(self.one), self.one.state
        told = []
        for each in (self.one, self.twin):
            try:
                told.append(act(each))
            except IllegalTransition as error:
                told.append(error.text)
                if each is self.one:
                    assert look(self.one) == before
        assert told[0] == told[1]
        assert look(self.one) == look(self.twin)
        return state

    @rule(event=st.sampled_from(SessionEvent), wait_ms=st.integers(0, 60_000))
    def apply(self, event, wait_ms):
        self.now_ms += wait_ms
        state = self.both(lambda each: each.apply(event, self.now_ms))
        assert self.one.state is TABLE.get((state, event), state)

    @rule(
        wait_ms=st.integers(0, 60_000),
        energy=st.integers(0, 10**6),
        power=st.integers(0, 1_000),
        plugged=st.sampled_from((True, False, None)),
    )
    def sample(self, wait_ms, energy, power, plugged):
        self.now_ms += wait_ms
        self.both(lambda each: each.take_sample(self.now_ms, energy, energy, 5_000, power, 50, plugged))
        if self.one.state is State.CHARGING:
            assert (self.one.ended_at_ms, self.one.login_at_ms, self.one.last_sample_at_ms) == (None, None, self.now_ms)

    @rule(wait_ms=st.integers(0, 60_000), plugged=st.sampled_from((True, False, None)))
    def rest(self, wait_ms, plugged):
        self.now_ms += wait_ms
        state = self.both(lambda each: each.take_rest(self.now_ms, 0, 0, 0, 0, 0, plugged))
        assert self.one.state is state, "rest moves nothing until it lasts"

    @rule(wait_ms=st.integers(0, 60_000))
    def log_in(self, wait_ms):
        self.now_ms += wait_ms
        self.both(lambda each: each.log_in(self.now_ms))

    @rule(wait_ms=st.integers(0, 60_000), is_observed=st.booleans())
    def end(self, wait_ms, is_observed):
        self.now_ms += wait_ms
        last_ms = self.one.last_sample_at_ms
        at_ms = self.now_ms if is_observed or last_ms is None else last_ms
        self.both(lambda each: each.end(at_ms, is_observed, self.now_ms))

    @rule(wait_ms=st.integers(0, 2_000_000))
    def pass_time(self, wait_ms):
        self.now_ms += wait_ms
        self.both(lambda each: each.on_timer(self.now_ms))
        due_ms = self.one.timer_at_ms
        assert due_ms is None or due_ms > self.now_ms, "what was due was told"

    @invariant()
    def the_newest_sample_is_what_is_shown(self):
        if not hasattr(self, "one"):
            return
        charging = [row for row in self.one.rows() if row[6]]
        assert self.one.sample_count == len(charging)
        assert self.one.energy_e4kwh == (charging[-1][1] if charging else 0)


TestSessionMachine = SessionMachine.TestCase
TestSessionMachine.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
