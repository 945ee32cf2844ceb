"""Instants and local civil time, by a table of offsets that is handed in."""

from datetime import date

from bisect import bisect_right

from billing_core.units import DAY_MS, MINUTE_MS

_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
cdef tuple _TWO = tuple([f"{number:02d}" for number in range(100)])


cdef class Zone:
    """The offsets of one civil zone over time.

    Args:
        transitions: (from this instant on, Unix ms; offset from UTC, ms), ascending; the first
            holds for all earlier instants too.
    """

    cdef readonly tuple transitions
    cdef list _starts

    def __init__(self, tuple transitions not None):
        assert transitions, "a zone has at least one offset"
        self.transitions = transitions
        self._starts = [start for start, _ in transitions]
        assert self._starts == sorted(set(self._starts)), "transitions ascend"

    def __eq__(self, other):
        return isinstance(other, Zone) and self.transitions == other.transitions

    def __hash__(self):
        return hash(self.transitions)

    def __repr__(self):
        return f"Zone({len(self.transitions)} offsets)"

    def offset_ms(self, object at_ms):
        """The offset in force at an instant, ms."""
        return self.transitions[max(0, bisect_right(self._starts, at_ms) - 1)][1]

    def civil_ms(self, object at_ms):
        """Local civil time of an instant, as ms since 1970-01-01T00:00:00 of the same calendar."""
        return at_ms + self.offset_ms(at_ms)

    def instants(self, object civil_ms):
        """The instants that show this civil time: one, two when it is repeated.

        A skipped civil time gives the instant that the offset before the change would give.
        """
        offsets = sorted({offset for _, offset in self.transitions}, reverse=True)
        found = [civil_ms - offset for offset in offsets if self.civil_ms(civil_ms - offset) == civil_ms]
        if found:
            return tuple(sorted(found))
        return (civil_ms - self.offset_ms(civil_ms - max(offsets)),)

    def changes(self, object from_ms, object to_ms):
        """Instants within (from_ms, to_ms) at which the offset changes."""
        return [start for start in self._starts[1:] if from_ms < start < to_ms]


def minute_of_day(object civil_ms):
    """0…1439."""
    return civil_ms % DAY_MS // MINUTE_MS


def iso_local(object at_ms, Zone zone not None):
    """``2026-03-03T11:40:16.000+08:00``."""
    cdef int within_ms, seconds, offset_min
    offset_ms = zone.offset_ms(at_ms)
    days, rest_ms = divmod(at_ms + offset_ms, DAY_MS)
    within_ms = rest_ms
    seconds = within_ms // 1000
    day = date.fromordinal(days + _EPOCH_ORDINAL).isoformat()
    sign = "-" if offset_ms < 0 else "+"
    offset_min = abs(offset_ms) // MINUTE_MS
    clock = f"{_TWO[seconds // 3600]}:{_TWO[seconds // 60 % 60]}:{_TWO[seconds % 60]}.{within_ms % 1000:03d}"
    return f"{day}T{clock}{sign}{_TWO[offset_min // 60]}:{_TWO[offset_min % 60]}"
