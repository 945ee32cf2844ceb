"""Where the repeats of one connector go: the presence of its pile, its newest values, the accumulators of its charge.

The engine opens a lane behind a frame that went the long way, when the same frame again would decide nothing; it rests
as soon as anything about its connector or its session changes by another way. What a lane does is what the long way
would have done, and nothing else.
"""

cimport cython
from libc.stdint cimport int64_t

from billing_core.session cimport ChargingSession
from protocol.repeats cimport IS_BEAT, IS_SAMPLE, IS_SENT, Taker

cdef enum:
    NEVER = -1

cdef int64_t _NO_LIMIT = (<int64_t>1 << 62)


cdef class Presence:
    """Whether a pile is there, and when it was last heard, Unix ms.

    Args:
        silence_ms: not heard for this long it counts as offline.
    """

    def __init__(self, str pile_id not None, int64_t silence_ms):
        self.pile_id = pile_id
        self.heard_ms = self.armed_ms = NEVER
        self.is_online = False
        self.silence_ms = silence_ms

    cdef int64_t due_ms(self) noexcept:
        """When it counts as offline unless it is heard; NEVER when it is not there."""
        return self.heard_ms + self.silence_ms if self.is_online and self.heard_ms != NEVER else NEVER

    @property
    def timer_at_ms(self):
        """The same, ``None`` for never."""
        cdef int64_t due_ms = self.due_ms()
        return None if due_ms == NEVER else due_ms


cdef class Traffic:
    """What all lanes of an engine took, and which sessions they fed since somebody asked.

    Attributes:
        beats, samples, reports, sent: how many, ever; ``fed``: how many of the samples were of a charge.
    """

    def __init__(self):
        self.beats = self.samples = self.reports = self.sent = self.fed = 0
        self._fed = []

    @property
    def frames(self):
        """All of them."""
        return self.taken()

    # Nobody lives to see 2**62 frames.
    @cython.overflowcheck(False)
    cdef int64_t taken(self) noexcept:
        return self.beats + self.samples + self.reports + self.sent

    @property
    def unkept(self):
        """How many sessions hold fed samples which nobody kept yet."""
        return len(self._fed)

    def take_fed(self, Py_ssize_t count=-1):
        """The sessions that hold fed samples which nobody kept yet; those fed first, at most so many."""
        if count < 0 or count >= len(self._fed):
            fed, self._fed = self._fed, []
        else:
            fed = self._fed[:count]
            del self._fed[:count]
        return fed


cdef class Lane(Taker):
    """The lane of one connector.

    Attributes:
        sampled_ms: when the newest sample came, -1 for never; beside it the newest values.
    """

    def __init__(self, Presence presence not None, Traffic traffic not None):
        self.presence = presence
        self._traffic = traffic
        self._session = None
        self._has_beats = self._is_idle = False
        self.sampled_ms = NEVER
        self.voltage_dv = self.current_da = self.soc_percent = 0
        self._flags = 0
        self._energy_most_e4kwh = _NO_LIMIT

    def note(self, int64_t at_ms, int64_t voltage_dv, int64_t current_da, int64_t soc_percent):
        """A sample came the long way."""
        self.sampled_ms, self.voltage_dv, self.current_da, self.soc_percent = at_ms, voltage_dv, current_da, soc_percent

    def take_beats(self):
        """Heartbeats like the one just seen change nothing."""
        self._has_beats = True

    def follow(self, ChargingSession session not None, is_plugged, energy_most_e4kwh=None):
        """Samples like the one just seen only feed ``session``.

        Args:
            energy_most_e4kwh: up to this energy, 0.1 Wh; behind it somebody wants to see every sample.
        """
        self._session = session
        self._is_idle = False
        self._flags = session.flags_of(is_plugged)
        self._energy_most_e4kwh = _NO_LIMIT if energy_most_e4kwh is None else energy_most_e4kwh

    def idle(self):
        """Samples like the one just seen say that nothing charges, as before, and concern no session."""
        self._session = None
        self._is_idle = True

    def rest(self):
        """Something changed: the next frame of each kind goes the long way."""
        self.look_again()
        self._has_beats = False

    def look_again(self):
        """Something about a session changed: the next sample goes the long way. Heartbeats do not speak of sessions."""
        self._session = None
        self._is_idle = False

    @property
    def session(self):
        """The session that is fed, ``None`` while the lane rests."""
        return self._session

    cdef int take(self, int role, int64_t at_ms, const int64_t* values) except -1:
        if role == IS_SENT:
            self._traffic.sent += 1
            return 1
        if not self.presence.is_online:
            return 0
        if role == IS_SAMPLE:
            if self._session is None:
                if not self._is_idle:
                    return 0
            elif not self._session.is_steady() or values[0] > self._energy_most_e4kwh:
                return 0
            else:
                if self._session.is_kept():
                    self._traffic._fed.append(self._session)
                self._session.feed(at_ms, values[0], values[1], values[2], values[3], values[4], self._flags)
                self._traffic.fed += 1
            self.sampled_ms = at_ms
            self.voltage_dv = values[2]
            self.current_da = values[3]
            self.soc_percent = values[4]
            self._traffic.samples += 1
        elif role == IS_BEAT:
            if not self._has_beats:
                return 0
            self._traffic.beats += 1
        else:
            self._traffic.reports += 1
        self.presence.heard_ms = at_ms
        return 1
