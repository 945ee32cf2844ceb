"""One charging session: a state from the table, integer accumulators, deadlines.

Moments are Unix ms and come as arguments; -1 stands for "never" inside. Live states are rows of integers: moment,
cumulative energy, amount, voltage, current, state of charge, and a word of flags. Packed they are these words as they
stand in memory, which is how they go to the store and come back.
"""

from cpython.bytearray cimport PyByteArray_FromStringAndSize
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Realloc
from libc.stdint cimport int64_t

from billing_core.errors import IllegalTransition
from billing_core.samples cimport Sample
from billing_core.timers import Timers
from billing_core.transitions import TRANSITIONS, SessionEvent, State

cdef enum:
    STATES = 5
    EVENTS = 13
    NEVER = -1
    ROW = 7
    IS_CHARGING = 1
    PLUG_SHIFT = 1  # two bits: 0 unknown, 1 out, 2 in
    RESTS_KEPT = 3  # states of rest in a row; further ones only when the plug changes
    ROW_BYTES = 56

Row = tuple  # of one live state, as ``rows`` gives it

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


cdef int64_t _one = 1
assert (<char*>&_one)[0] == 1, "packed states are little-endian, on any machine that reads them"
assert len(State) == STATES and len(SessionEvent) == EVENTS
_fill()

cdef tuple _STATES = tuple(State)  # by number, as they are declared
assert [int(state) for state in _STATES] == list(range(STATES))

# as C integers: a look into an enum costs more than all the rest of a sample
cdef int _OPENED = State.OPENED
cdef int _CHARGING = State.CHARGING
cdef int _ENDED = State.ENDED
cdef int _NOT_STARTED = State.NOT_STARTED
cdef int _BILLED = State.BILLED
cdef int _START_ACCEPTED = SessionEvent.START_ACCEPTED
cdef int _START_REFUSED = SessionEvent.START_REFUSED
cdef int _CHARGING_BEGAN = SessionEvent.CHARGING_BEGAN
cdef int _SAMPLE_TAKEN = SessionEvent.SAMPLE_TAKEN
cdef int _CHARGING_ENDED = SessionEvent.CHARGING_ENDED
cdef int _START_DEADLINE_PASSED = SessionEvent.START_DEADLINE_PASSED
cdef int _SILENCE_PASSED = SessionEvent.SILENCE_PASSED
cdef int _RECORD_OVERDUE = SessionEvent.RECORD_OVERDUE
cdef int _RECORD_LOST = SessionEvent.RECORD_LOST
cdef int _RECORD_RECEIVED = SessionEvent.RECORD_RECEIVED
cdef int _CHARGING_RESUMED = SessionEvent.CHARGING_RESUMED


cdef class ChargingSession:
    """One session.

    Args:
        transaction_id: opaque.
        pile_id, connector: where.
        opened_at_ms: when it was ordered, authorised or first heard of.
        timers: its deadlines.
    """

    def __cinit__(self):
        self._rows = NULL
        self._count = self._charging = self._rests = self._room = self._kept = 0

    def __dealloc__(self):
        PyMem_Free(self._rows)

    def __init__(self, str transaction_id not None, str pile_id not None, int connector, int64_t opened_at_ms, timers):
        assert isinstance(timers, Timers)
        self.transaction_id = transaction_id
        self.pile_id = pile_id
        self.connector = connector
        self.timers = timers
        self._state = _OPENED
        self._opened_ms = opened_at_ms
        self._accepted_ms = self._not_started_ms = self._ended_ms = self._proof_ms = NEVER
        self._overdue_told_ms = self._first_ms = self._last_ms = self._rest_ms = self._login_ms = NEVER
        self._is_end_observed = self._has_record = self._is_stuck = False
        self._energy_e4kwh = self._amount_e4yuan = 0

    # -- looking --------------------------------------------------------------------------------------

    @property
    def state(self):
        """Where the session is."""
        return _STATES[self._state]

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
        return _moment(self._first_ms)

    @property
    def last_sample_at_ms(self):
        """The newest charging sample, or ``None``."""
        return _moment(self._last_ms)

    @property
    def login_at_ms(self):
        """The first login of the pile behind the last sample, or ``None``."""
        return _moment(self._login_ms)

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
        return self._charging

    def rows(self):
        """Every live state kept, in order of arrival.

        Each is (moment, energy 0.1 Wh, amount 0.0001 yuan, 0.1 V, 0.1 A, percent, is charging, is plugged or None).
        """
        return _unpacked(self._rows, self._count)

    def samples(self):
        """The same as a tuple of what bills rest on."""
        cdef Py_ssize_t i
        cdef int64_t* row
        cdef Sample sample
        found = []
        for i in range(self._count):
            row = self._rows + ROW * i
            plug = (row[6] >> PLUG_SHIFT) & 3
            sample = Sample.__new__(Sample)
            sample.at_ms = row[0]
            sample.energy_e4kwh = row[1]
            sample.amount_e4yuan = row[2]
            sample.voltage_dv = row[3]
            sample.current_da = row[4]
            sample.soc_percent = row[5]
            sample.is_charging = row[6] & IS_CHARGING
            sample.is_plugged = None if plug == 0 else plug == 2
            found.append(sample)
        return tuple(found)

    @property
    def newest(self):
        """(moment, percent) of the newest live state; there must be one."""
        assert self._count > 0
        return self._rows[ROW * (self._count - 1)], self._rows[ROW * (self._count - 1) + 5]

    def take_unkept(self):
        """The live states since the last call, those that are not on the disk yet, as ``pack_states`` gives them.

        ``None`` when there are none.
        """
        cdef Py_ssize_t first = self._kept
        self._kept = self._count
        return None if first == self._count else _packed(self._rows + ROW * first, self._count - first)

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

    def apply(self, int event, int64_t at_ms):
        """Move by one event of the table. Raises ``IllegalTransition`` and changes nothing for a hole."""
        self._move(event)
        if event == _START_ACCEPTED and self._accepted_ms == NEVER:
            self._accepted_ms = at_ms
        elif event in (_START_REFUSED, _START_DEADLINE_PASSED):
            if self._not_started_ms == NEVER and self._state == _NOT_STARTED:
                self._not_started_ms = at_ms
        elif event == _RECORD_RECEIVED:
            self._has_record = True
        if self._state == _OPENED:
            self._not_started_ms = NEVER

    def take_sample(
        self,
        int64_t at_ms,
        int64_t energy_e4kwh,
        int64_t amount_e4yuan,
        int64_t voltage_dv,
        int64_t current_da,
        int64_t soc_percent,
        plugged=None,
    ):
        """Feed one charging sample; a session that seemed over charges on, and so does one billed without a record."""
        self.feed(at_ms, energy_e4kwh, amount_e4yuan, voltage_dv, current_da, soc_percent, self.flags_of(plugged))

    cdef int feed(
        self, int64_t at_ms, int64_t energy_e4kwh, int64_t amount_e4yuan, int64_t voltage_dv, int64_t current_da,
        int64_t soc_percent, int64_t flags,
    ) except -1:
        if self._state == _CHARGING:
            self._move(_SAMPLE_TAKEN)
        elif self._state == _BILLED and not self._has_record:
            self._move(_CHARGING_RESUMED)
        else:
            self._move(_CHARGING_BEGAN)
        if self._state != _CHARGING:
            return 0
        self._ended_ms = self._proof_ms = self._overdue_told_ms = self._rest_ms = self._login_ms = NEVER
        self._is_end_observed = self._is_stuck = False
        self._rests = 0
        self._push(at_ms, energy_e4kwh, amount_e4yuan, voltage_dv, current_da, soc_percent, flags)
        self._energy_e4kwh = energy_e4kwh
        self._amount_e4yuan = amount_e4yuan
        return 0

    cdef bint is_steady(self) noexcept:
        return self._state == _CHARGING and self._rest_ms == NEVER and self._login_ms == NEVER

    cdef bint is_kept(self) noexcept:
        return self._kept == self._count

    cdef int64_t flags_of(self, is_plugged) except -1:
        return IS_CHARGING | _plug(is_plugged)

    def take_rest(
        self,
        int64_t at_ms,
        int64_t energy_e4kwh,
        int64_t amount_e4yuan,
        int64_t voltage_dv,
        int64_t current_da,
        int64_t soc_percent,
        plugged=None,
    ):
        """Feed a state in which nothing charges. It ends the session only if it lasts; returns whether it was kept."""
        cdef int charging = _CHARGING
        cdef int ended = _ENDED
        cdef int64_t flags = _plug(plugged)
        if self._charging == 0 or (self._state != charging and self._state != ended):
            return False
        if self._state == charging and self._rest_ms == NEVER:
            self._rest_ms = at_ms
        if self._rests >= RESTS_KEPT and self._rows[ROW * (self._count - 1) + 6] == flags:
            return False
        self._rests += 1
        self._push(at_ms, energy_e4kwh, amount_e4yuan, voltage_dv, current_da, soc_percent, flags)
        return True

    cdef int _push(
        self, int64_t at_ms, int64_t energy_e4kwh, int64_t amount_e4yuan, int64_t voltage_dv, int64_t current_da,
        int64_t soc_percent, int64_t flags,
    ) except -1:
        cdef int64_t* grown
        cdef int64_t* row
        if self._count == self._room:
            room = 16 if self._room == 0 else 2 * self._room
            grown = <int64_t*>PyMem_Realloc(self._rows, <size_t>room * ROW * sizeof(int64_t))
            if grown == NULL:
                raise MemoryError
            self._rows = grown
            self._room = room
        row = self._rows + ROW * self._count
        row[0] = at_ms
        row[1] = energy_e4kwh
        row[2] = amount_e4yuan
        row[3] = voltage_dv
        row[4] = current_da
        row[5] = soc_percent
        row[6] = flags
        self._count += 1
        if flags & IS_CHARGING:
            self._charging += 1
            self._last_ms = at_ms
            if self._first_ms == NEVER:
                self._first_ms = at_ms
        return 0

    def log_in(self, int64_t at_ms):
        """The pile logged in while this session had not ended: what it kept may come soon."""
        if self._last_ms != NEVER and self._login_ms == NEVER and at_ms > self._last_ms:
            self._login_ms = at_ms

    def end(self, int64_t at_ms, bint is_observed, int64_t proof_at_ms):
        """Charging is over.

        Args:
            at_ms: when, or the last sample as a lower bound.
            is_observed: whether the end was seen as it happened.
            proof_at_ms: when it became known; the record is awaited from then on.
        """
        assert at_ms <= proof_at_ms
        self._move(_CHARGING_ENDED)
        if self._ended_ms == NEVER:
            self._ended_ms = at_ms
            self._is_end_observed = is_observed
            self._proof_ms = proof_at_ms
            self._rest_ms = NEVER

    # -- deadlines ------------------------------------------------------------------------------------

    cdef int64_t _lost_at(self) except? -2:
        """When the record counts as lost: half an hour after the end, not before a login had its time."""
        cdef int64_t end_ms = self._ended_ms if self._ended_ms != NEVER else self._last_ms
        cdef int64_t due_ms = end_ms + <int64_t>self.timers.record_lost_ms
        if self._login_ms != NEVER and not self._is_end_observed:
            due_ms = max(due_ms, self._login_ms + <int64_t>self.timers.power_cut_ms)
        return due_ms

    cdef int64_t _due(self, int* event) except? -2:
        """The next deadline and what it means; NEVER when there is none."""
        cdef int64_t due_ms
        cdef int64_t other_ms
        if self._state == _OPENED:
            event[0] = _START_DEADLINE_PASSED
            return self._opened_ms + <int64_t>self.timers.start_deadline_ms
        if self._state == _NOT_STARTED:
            event[0] = _RECORD_LOST
            return self._not_started_ms + <int64_t>self.timers.record_due_ms
        if self._state == _BILLED:
            event[0] = _SILENCE_PASSED
            if self._has_record or self._is_stuck or self._last_ms == NEVER or self._proof_ms != NEVER:
                return NEVER
            return self._last_ms + <int64_t>self.timers.silence_ms
        event[0] = _RECORD_LOST
        due_ms = self._lost_at()
        if self._state == _CHARGING and self._rest_ms != NEVER:
            other_ms = self._rest_ms + <int64_t>self.timers.rest_ms
            if other_ms <= due_ms:
                event[0] = _CHARGING_ENDED
                return other_ms
        if self._state == _ENDED and self._overdue_told_ms == NEVER:
            other_ms = self._proof_ms + <int64_t>self.timers.record_due_ms
            if other_ms <= due_ms:
                event[0] = _RECORD_OVERDUE
                return other_ms
        return due_ms

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
            self._fire(event, due_ms)
            fired.append((SessionEvent(event), due_ms))

    cdef int _fire(self, int event, int64_t due_ms) except -1:
        cdef int64_t rest_ms = self._rest_ms
        if event == _CHARGING_ENDED:
            if rest_ms - self._last_ms <= <int64_t>self.timers.live_ms:
                self.end(rest_ms, True, rest_ms)
            else:
                self.end(self._last_ms, False, rest_ms)
            return 0
        self.apply(SessionEvent(event), due_ms)
        if event == _RECORD_OVERDUE:
            self._overdue_told_ms = due_ms
        elif event == _SILENCE_PASSED:
            self._is_stuck = True
        elif event == _RECORD_LOST and self._ended_ms == NEVER and self._last_ms != NEVER:
            self._ended_ms = self._last_ms
        return 0

    # -- freezing -------------------------------------------------------------------------------------

    def freeze(self):
        """Everything but the live states, as plain values."""
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
            "rest_ms": self._rest_ms,
            "login_ms": self._login_ms,
            "is_end_observed": bool(self._is_end_observed),
            "has_record": bool(self._has_record),
            "is_stuck": bool(self._is_stuck),
            "energy_e4kwh": self._energy_e4kwh,
            "amount_e4yuan": self._amount_e4yuan,
            "timers": [getattr(self.timers, name) for name in self.timers.__slots__],
        }

    @classmethod
    def thaw(cls, frozen, states not None):
        """The session that ``freeze`` froze, with its live states packed, in order of arrival."""
        cdef bytes taken = bytes(states)
        cdef Py_ssize_t count = _count_of(taken)
        cdef const int64_t* row = <const int64_t*>PyBytes_AS_STRING(taken)
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
        session._rest_ms = frozen["rest_ms"]
        session._login_ms = frozen["login_ms"]
        session._is_end_observed = frozen["is_end_observed"]
        session._has_record = frozen["has_record"]
        session._is_stuck = frozen["is_stuck"]
        session._energy_e4kwh = frozen["energy_e4kwh"]
        session._amount_e4yuan = frozen["amount_e4yuan"]
        for _ in range(count):
            session._push(row[0], row[1], row[2], row[3], row[4], row[5], row[6])
            session._rests = 0 if row[6] & IS_CHARGING else session._rests + 1
            if row[6] & IS_CHARGING:  # samples reach the disk by themselves, the rest only when it changes
                session._energy_e4kwh, session._amount_e4yuan = row[1], row[2]
            row += ROW
        session._kept = session._count
        return session


# -- live states, packed ----------------------------------------------------------------------------------


def pack_states(rows):
    """Live states as ``rows`` gives them, at least one, packed.

    Returns (moment of the first, energy of the newest charging sample or ``None``, the states).
    """
    cdef Py_ssize_t count = len(rows)
    cdef bytes states = bytes(count * ROW_BYTES)
    cdef int64_t* row = <int64_t*>PyBytes_AS_STRING(states)
    assert count > 0
    for at_ms, energy_e4kwh, amount_e4yuan, voltage_dv, current_da, soc_percent, is_charging, plugged in rows:
        row[0], row[1], row[2], row[3] = at_ms, energy_e4kwh, amount_e4yuan, voltage_dv
        row[4], row[5], row[6] = current_da, soc_percent, (IS_CHARGING if is_charging else 0) | _plug(plugged)
        row += ROW
    return _packed(row - ROW * count, count)


def unpack_states(states not None):
    """Live states as ``rows`` gives them, from packed ones."""
    cdef bytes found = bytes(states)
    return _unpacked(<const int64_t*>PyBytes_AS_STRING(found), _count_of(found))


cdef Py_ssize_t _count_of(bytes states) except -1:
    assert PyBytes_GET_SIZE(states) % ROW_BYTES == 0, "packed states come whole"
    return PyBytes_GET_SIZE(states) // ROW_BYTES


cdef tuple _packed(const int64_t* rows, Py_ssize_t count):
    cdef Py_ssize_t i = count - 1
    while i >= 0 and not rows[ROW * i + 6] & IS_CHARGING:
        i -= 1
    energy_e4kwh = rows[ROW * i + 1] if i >= 0 else None
    return rows[0], energy_e4kwh, PyByteArray_FromStringAndSize(<char*>rows, count * ROW_BYTES)


cdef list _unpacked(const int64_t* row, Py_ssize_t count):
    cdef list found = []
    cdef int64_t plug
    for _ in range(count):
        plug = (row[6] >> PLUG_SHIFT) & 3
        found.append((
            row[0], row[1], row[2], row[3], row[4], row[5], bool(row[6] & IS_CHARGING),
            None if plug == 0 else plug == 2,
        ))
        row += ROW
    return found


cdef int64_t _plug(plugged) except -1:
    return 0 if plugged is None else (2 if plugged else 1) << PLUG_SHIFT


cdef object _moment(int64_t at_ms):
    return None if at_ms == NEVER else at_ms
