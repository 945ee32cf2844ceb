"""Instants and local civil time, by a table of offsets that is handed in."""

cimport cython
from cpython.unicode cimport Py_UNICODE_TODECIMAL, PyUnicode_DecodeASCII
from libc.stdint cimport INT64_MAX, INT64_MIN, int64_t

from bisect import bisect_left, bisect_right

cdef enum:
    DAY_MS = 86_400_000
    MINUTE_MS = 60_000
    ISO = 29  # 2026-03-03T11:40:16.000+08:00
    YEAR_MAX = 9999
    CENTURY_DAYS = 10_957  # 1970-01-01 to 2000-01-01

# Days of an era of 400 years, which begins with a March, so that the odd day is always the last of its year.
cdef enum:
    ERA_DAYS = 146_097
    EPOCH_DAYS = 719_468  # 1970-01-01 in the first era


cdef class Zone:
    """The offsets of one civil zone over time.

    Args:
        transitions: (from this instant on, Unix ms; offset from UTC, ms), ascending; the first
            holds for all earlier instants too.
    """

    def __init__(self, tuple transitions not None):
        assert transitions, "a zone has at least one offset"
        self.transitions = transitions
        self._starts = [start for start, _ in transitions]
        assert self._starts == sorted(set(self._starts)), "transitions ascend"
        self._offsets = sorted({offset for _, offset in transitions}, reverse=True)
        self.most_ms, self.least_ms = self._offsets[0], self._offsets[len(self._offsets) - 1]
        self._from_ms = self._to_ms = 0  # nothing was looked up yet

    def __eq__(self, other):
        return isinstance(other, Zone) and self.transitions == other.transitions

    def __hash__(self):
        return hash(self.transitions)

    def __repr__(self):
        return f"Zone({len(self.transitions)} offsets)"

    cdef int64_t offset(self, int64_t at_ms) except? -1:
        cdef Py_ssize_t index
        if not self._from_ms <= at_ms < self._to_ms:
            index = max(bisect_right(self._starts, at_ms), 1)
            self._from_ms = INT64_MIN if index == 1 else self._starts[index - 1]
            self._to_ms = INT64_MAX if index == len(self._starts) else self._starts[index]
            self._offset_ms = self.transitions[index - 1][1]
        return self._offset_ms

    def offset_ms(self, int64_t at_ms):
        """The offset in force at an instant, ms."""
        return self.offset(at_ms)

    cpdef int64_t civil_ms(self, int64_t at_ms) except? -1:
        """Local civil time of an instant, as ms since 1970-01-01T00:00:00 of the same calendar."""
        return at_ms + self.offset(at_ms)

    cpdef tuple instants(self, int64_t civil_ms):
        """The instants that show this civil time: one, two when it is repeated.

        A skipped civil time gives the instant that the offset before the change would give.
        """
        cdef int64_t offset_ms
        cdef list found = []
        for offset_ms in self._offsets:  # the highest first, so that the instants ascend
            if self.offset(civil_ms - offset_ms) == offset_ms:
                found.append(civil_ms - offset_ms)
        if found:
            return tuple(found)
        return (civil_ms - self.offset(civil_ms - self.most_ms),)

    cpdef list changes(self, int64_t from_ms, int64_t to_ms):
        """Instants within (from_ms, to_ms) at which the offset changes."""
        cdef Py_ssize_t first = bisect_right(self._starts, from_ms)
        return self._starts[max(first, 1) : max(bisect_left(self._starts, to_ms), 1)]


cdef int[13] _BEFORE = [0, 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334]
cdef int[13] _DAYS = [0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]


cdef int _two(str text, Py_ssize_t at) except -1:
    """The number of two decimal digits."""
    return 10 * Py_UNICODE_TODECIMAL(text[at]) + Py_UNICODE_TODECIMAL(text[at + 1])


def civil_of(str stamp not None):
    """Civil ms of a stamp ``yymmddHHMMSS`` of this century; ``None`` if there is no such time.

    Args:
        stamp: twelve decimal digits.
    """
    cdef int year = _two(stamp, 0), month = _two(stamp, 2), day = _two(stamp, 4)
    cdef int hour = _two(stamp, 6), minute = _two(stamp, 8), second = _two(stamp, 10)
    cdef bint is_leap = year % 4 == 0
    cdef int64_t days
    if not (1 <= month <= 12 and 1 <= day <= _DAYS[month] + (is_leap and month == 2)):
        return None
    if hour > 23 or minute > 59 or second > 59:
        return None
    days = 365 * year + (year + 3) // 4 + _BEFORE[month] + (is_leap and month > 2) + day - 1 + CENTURY_DAYS
    return ((days * 24 + hour) * 60 + minute) * 60_000 + 1000 * second


def minute_of_day(int64_t civil_ms):
    """0…1439."""
    return civil_ms % DAY_MS // MINUTE_MS


# The places are those of the format; a date within the years of ``date`` has no part above 9999.
@cython.boundscheck(False)
@cython.overflowcheck(False)
cpdef str iso_local(object at_ms, Zone zone):
    """``2026-03-03T11:40:16.000+08:00``."""
    cdef char[ISO] text
    cdef int64_t offset_ms = zone.offset(at_ms), local_ms = <int64_t>at_ms + offset_ms
    cdef int64_t days = local_ms // DAY_MS + EPOCH_DAYS, within_ms = local_ms % DAY_MS, seconds = within_ms // 1000
    cdef int64_t era = days // ERA_DAYS, day = days % ERA_DAYS
    cdef int64_t year = (day - day // 1460 + day // 36_524 - day // (ERA_DAYS - 1)) // 365
    cdef int64_t of_year = day - (365 * year + year // 4 - year // 100), month = (5 * of_year + 2) // 153
    cdef int64_t offset_min = abs(offset_ms) // MINUTE_MS
    year += 400 * era + (month >= 10)
    if not 1 <= year <= YEAR_MAX:
        raise ValueError(f"{at_ms} lies outside the years 1 to {YEAR_MAX}")
    _put(text, year // 100)
    _put(text + 2, year % 100)
    text[4] = text[7] = b"-"
    _put(text + 5, month + 3 if month < 10 else month - 9)
    _put(text + 8, of_year - (153 * month + 2) // 5 + 1)
    text[10] = b"T"
    _put(text + 11, seconds // 3600)
    text[13] = text[16] = text[26] = b":"
    _put(text + 14, seconds // 60 % 60)
    _put(text + 17, seconds % 60)
    text[19] = b"."
    text[20] = <char>(48 + within_ms % 1000 // 100)
    _put(text + 21, within_ms % 100)
    text[23] = b"-" if offset_ms < 0 else b"+"
    _put(text + 24, offset_min // 60)
    _put(text + 27, offset_min % 60)
    return PyUnicode_DecodeASCII(text, ISO, NULL)


cdef void _put(char* at, int64_t number) noexcept:
    """Two digits."""
    at[0] = <char>(48 + number // 10)
    at[1] = <char>(48 + number % 10)
