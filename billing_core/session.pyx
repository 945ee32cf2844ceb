"""One charging session: a state from the table, integer accumulators, deadlines.

Moments are Unix ms and come as arguments; -1 stands for "never" inside. The anchors are the charging samples,
(moment, cumulative energy), from which energy is split over time.
"""

from cpython.mem cimport PyMem_Free, PyMem_Realloc
from libc.stdint cimport int64_t

from billing_core.errors import IllegalTransition
from billing_core.timers import Timers
from billing_core.transitions import TRANSITIONS, SessionEvent, State

cdef enum:
    STATES = 5
    EVENTS = 12
    NEVER = -1

cdef int _NEXT[STATES][EVENTS]


cdef int _fill() except -1:
    cdef int state, event
    for state in range(STATES):
        for event in range(EVENTS):
            _NEXT[state][event] = -1
    for before, moved_by, after, _ in TRANSITIONS:
        assert _NEXT[<int>before][<int>moved_by] == -1, "one row a pair"
        _NEXT[<int>before][<int>moved_by] = <int>after
    return 0


assert len(State) == STATES and len(SessionEvent) == EVENTS
_fill()


cdef class ChargingSession:
    """One session.

    Args:
        transaction_id: opaque.
        pile_id, connector: where.
        opened_at_ms: when it was ordered, authorised or first heard of.
        timers: its deadlines.
    """

    cdef readonly str transaction_id
    cdef readonly str pile_id
    cdef readonly int connector
    cdef readonly object timers
    cdef int _state
    cdef int64_t _opened_ms, _accepted_ms, _not_started_ms, _ended_ms, _proof_ms, _overdue_told_ms
    cdef bint _is_end_observed
    cdef int64_t _energy_e4kwh, _amount_e4yuan
    cdef int64_t* _anchors  # pairs
    cdef Py_ssize_t _count, _room

    def __cinit__(self):
        self._anchors = NULL
        self._count = 0
        self._room = 0

    def __dealloc__(self):
        PyMem_Free(self._anchors)

    def __init__(self, str transaction_id not None, str pile_id not None, int connector, int64_t opened_at_ms, timers):
        assert isinstance(timers, Timers)
        self.transaction_id = transaction_id
        self.pile_id = pile_id
        self.connector = connector
        self.timers = timers
        self._state = State.OPENED
        self._opened_ms = opened_at_ms
        self._accepted_ms = self._not_started_ms = self._ended_ms = self._proof_ms = NEVER
        self._overdue_told_ms = NEVER
        self._is_end_observed = False
        self._energy_e4kwh = self._amount_e4yuan = 0

    # -- looking --------------------------------------------------------------------------------------

    @property
    def state(self):
        """Where the session is."""
        return State(self._state)

    @property
    def opened_at_ms(self):
        """When it was ordered, authorised or first heard of."""
        return self._opened_ms

    @property
    def start_accepted_at_ms(self):
        """When the pile agreed to start, or ``None``."""
        return _moment(self._accepted_ms)

    @property
    def first_sample_at_ms(self):
        """The first charging sample, or ``None``."""
        return self._anchors[0] if self._count else None

    @property
    def last_sample_at_ms(self):
        """The newest charging sample, or ``None``."""
        return self._anchors[2 * (self._count - 1)] if self._count else None

    @property
    def ended_at_ms(self):
        """When charging ended, as far as is known, or ``None``."""
        return _moment(self._ended_ms)

    @property
    def idle_proof_at_ms(self):
        """The first proof behind the last sample that the connector no longer charges, or ``None``."""
        return _moment(self._proof_ms)

    @property
    def is_end_observed(self):
        """Whether the end was seen as it happened; else it is a lower bound."""
        return self._is_end_observed

    @property
    def energy_e4kwh(self):
        """Energy of the newest sample, 0.1 Wh."""
        return self._energy_e4kwh

    @property
    def shown_amount_e4yuan(self):
        """Amount of the newest sample: what the driver saw."""
        return self._amount_e4yuan

    @property
    def sample_count(self):
        """Charging samples taken."""
        return self._count

    def anchors(self):
        """(moment, cumulative energy) of every charging sample, in order of arrival."""
        return [(self._anchors[2 * i], self._anchors[2 * i + 1]) for i in range(self._count)]

    # -- moving ---------------------------------------------------------------------------------------

    cdef int _move(self, int event) except -1:
        cdef int after
        assert 0 <= event < EVENTS
        after = _NEXT[self._state][event]
        if after < 0:
            raise IllegalTransition(
                "illegal_transition", f"{self.state.name} has no row for {SessionEvent(event).name}"
            )
        self._state = after
        return 0

    def apply(self, event, int64_t at_ms):
        """Move by one event of the table. Raises ``IllegalTransition`` and changes nothing for a hole."""
        self._move(event)
        if event == SessionEvent.START_ACCEPTED and self._accepted_ms == NEVER:
            self._accepted_ms = at_ms
        elif event in (SessionEvent.START_REFUSED, SessionEvent.START_DEADLINE_PASSED):
            if self._not_started_ms == NEVER and self._state == State.NOT_STARTED:
                self._not_started_ms = at_ms
        if self._state == State.OPENED:
            self._not_started_ms = NEVER

    def take_sample(
        self,
        int64_t at_ms,
        int64_t energy_e4kwh,
        int64_t amount_e4yuan,
        int64_t voltage_dv,
        int64_t current_da,
        int64_t soc_percent,
    ):
        """Feed one charging sample; a session that seemed over charges on."""
        cdef int charging = State.CHARGING
        self._move(SessionEvent.SAMPLE_TAKEN if self._state == charging else SessionEvent.CHARGING_BEGAN)
        if self._state == charging:
            self._ended_ms = self._proof_ms = self._overdue_told_ms = NEVER
            self._is_end_observed = False
        self._push(at_ms, energy_e4kwh)
        self._energy_e4kwh = energy_e4kwh
        self._amount_e4yuan = amount_e4yuan

    cdef int _push(self, int64_t at_ms, int64_t energy_e4kwh) except -1:
        cdef int64_t* grown
        if self._count == self._room:
            room = 16 if self._room == 0 else 2 * self._room
            grown = <int64_t*>PyMem_Realloc(self._anchors, <size_t>room * 2 * sizeof(int64_t))
            if grown == NULL:
                raise MemoryError
            self._anchors = grown
            self._room = room
        self._anchors[2 * self._count] = at_ms
        self._anchors[2 * self._count + 1] = energy_e4kwh
        self._count += 1
        return 0

    def end(self, int64_t at_ms, bint is_observed, int64_t proof_at_ms):
        """Charging is over.

        Args:
            at_ms: when, or the last sample as a lower bound.
            is_observed: whether the end was seen as it happened.
            proof_at_ms: when it became known; the record is awaited from then on.
        """
        assert at_ms <= proof_at_ms
        self._move(SessionEvent.CHARGING_ENDED)
        if self._ended_ms == NEVER:
            self._ended_ms = at_ms
            self._is_end_observed = is_observed
            self._proof_ms = proof_at_ms

    # -- deadlines ------------------------------------------------------------------------------------

    cdef int64_t _due(self, int* event):
        """The next deadline and what it means; NEVER when there is none."""
        if self._state == State.OPENED:
            event[0] = SessionEvent.START_DEADLINE_PASSED
            return self._opened_ms + <int64_t>self.timers.start_deadline_ms
        if self._state == State.CHARGING:
            event[0] = SessionEvent.SILENCE_PASSED
            return self._anchors[2 * (self._count - 1)] + <int64_t>self.timers.silence_ms
        if self._state == State.NOT_STARTED:
            event[0] = SessionEvent.RECORD_LOST
            return self._not_started_ms + <int64_t>self.timers.record_due_ms
        if self._state == State.ENDED:
            if self._overdue_told_ms == NEVER:
                event[0] = SessionEvent.RECORD_OVERDUE
                return self._proof_ms + <int64_t>self.timers.record_due_ms
            event[0] = SessionEvent.RECORD_LOST
            return self._proof_ms + <int64_t>self.timers.record_lost_ms
        return NEVER

    @property
    def timer_at_ms(self):
        """The next deadline, or ``None``."""
        cdef int event = 0
        return _moment(self._due(&event))

    def on_timer(self, int64_t at_ms):
        """Fire every deadline due by ``at_ms``, each at its own due time; returns (event, due time) in order."""
        cdef int event = 0
        cdef int64_t due_ms
        fired = []
        while True:
            due_ms = self._due(&event)
            if due_ms == NEVER or due_ms > at_ms:
                return fired
            if event == SessionEvent.SILENCE_PASSED:
                self._move(event)
                self._ended_ms = self._anchors[2 * (self._count - 1)]
                self._proof_ms = due_ms
            else:
                self.apply(SessionEvent(event), due_ms)
                if event == SessionEvent.RECORD_OVERDUE:
                    self._overdue_told_ms = due_ms
            fired.append((SessionEvent(event), due_ms))

    # -- freezing -------------------------------------------------------------------------------------

    def freeze(self):
        """Everything but the anchors, as plain values."""
        return {
            "transaction_id": self.transaction_id,
            "pile_id": self.pile_id,
            "connector": self.connector,
            "state": self._state,
            "opened_ms": self._opened_ms,
            "accepted_ms": self._accepted_ms,
            "not_started_ms": self._not_started_ms,
            "ended_ms": self._ended_ms,
            "proof_ms": self._proof_ms,
            "overdue_told_ms": self._overdue_told_ms,
            "is_end_observed": bool(self._is_end_observed),
            "energy_e4kwh": self._energy_e4kwh,
            "amount_e4yuan": self._amount_e4yuan,
            "timers": [
                self.timers.start_deadline_ms,
                self.timers.record_due_ms,
                self.timers.record_lost_ms,
                self.timers.silence_ms,
            ],
        }

    @classmethod
    def thaw(cls, frozen, anchors):
        """The session that ``freeze`` froze, with its anchors."""
        cdef ChargingSession session = cls(
            frozen["transaction_id"], frozen["pile_id"], frozen["connector"], frozen["opened_ms"],
            Timers(*frozen["timers"]),
        )
        session._state = frozen["state"]
        assert 0 <= session._state < STATES
        session._accepted_ms = frozen["accepted_ms"]
        session._not_started_ms = frozen["not_started_ms"]
        session._ended_ms = frozen["ended_ms"]
        session._proof_ms = frozen["proof_ms"]
        session._overdue_told_ms = frozen["overdue_told_ms"]
        session._is_end_observed = frozen["is_end_observed"]
        session._energy_e4kwh = frozen["energy_e4kwh"]
        session._amount_e4yuan = frozen["amount_e4yuan"]
        for at_ms, energy_e4kwh in anchors:
            session._push(at_ms, energy_e4kwh)
        return session


cdef object _moment(int64_t at_ms):
    return None if at_ms == NEVER else at_ms
