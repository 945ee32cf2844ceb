"""Clock readings of piles, from their bytes: local civil time without a zone, decoded strictly.

Sources: CP56Time2a of YKC V1.6 (docs/protocols/ykc.md, "Times") and the digits of AA F5 (docs/protocols/aaf5.md).
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint8_t

from protocol.slots cimport Py_INCREF, PyLong_FromLongLong, blank_of, put, slot_of

from protocol.events import PileTime, TimeFault

cdef enum:
    CP56_BYTES = 7
    DIGITS_BYTES = 8
    DAY_MS = 86400000
    INVALID = 0x80  # beside the minutes

cdef object _PILE_TIME = PileTime
cdef object _ZERO_DATE = TimeFault.ZERO_DATE
cdef object _INVALID_FIELD = TimeFault.INVALID_FIELD
cdef Py_ssize_t _CIVIL = slot_of(PileTime.civil_ms)
cdef Py_ssize_t _FAULT = slot_of(PileTime.fault)
cdef Py_ssize_t _RAW = slot_of(PileTime.raw)
cdef Py_ssize_t _OF_DAY = slot_of(PileTime.time_of_day_ms)
assert min(_CIVIL, _FAULT, _RAW, _OF_DAY) > 0 and len(PileTime.__slots__) == 4


cdef inline bint _is_leap(int year) noexcept nogil:
    return year & 3 == 0 and (year % 100 != 0 or year % 400 == 0)


cdef inline int _days_of(int year, int month) noexcept nogil:
    """Days of a month of 1…12."""
    if month == 2:
        return 29 if _is_leap(year) else 28
    return 30 + ((month + (month >> 3)) & 1)


# Four digits of a year: no sum leaves 32 bits.
@cython.overflowcheck(False)
@cython.cdivision(True)
cdef inline int64_t _day_number(int year, int month, int day) noexcept nogil:
    """Days since 1970-01-01; years begin in March here, so that a leap day is the last of its year."""
    cdef int since = year - (month <= 2)
    cdef int of_year = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5 + day - 1
    return since * 365 + since // 4 - since // 100 + since // 400 + of_year - 719468


# A slot's value is put there with a reference of its own.
cdef object _reading(const uint8_t* at, int width, int64_t day, int64_t of_day_ms, object fault):
    """One reading; a day counts without a fault only, a time of day from 0 on."""
    cdef object made = blank_of(_PILE_TIME)
    cdef object raw = PyBytes_FromStringAndSize(<const char*>at, width)
    cdef PyObject* civil = <PyObject*>None
    cdef PyObject* of_day = <PyObject*>None
    if fault is None:
        civil = PyLong_FromLongLong(day * DAY_MS + of_day_ms)
    else:
        Py_INCREF(civil)
    put(made, _CIVIL, civil)
    Py_INCREF(<PyObject*>fault)
    put(made, _FAULT, <PyObject*>fault)
    Py_INCREF(<PyObject*>raw)
    put(made, _RAW, <PyObject*>raw)
    if of_day_ms >= 0:
        of_day = PyLong_FromLongLong(of_day_ms)
    else:
        Py_INCREF(of_day)
    put(made, _OF_DAY, of_day)
    return made


cdef object cp56(const uint8_t* at):
    cdef int millis = at[0] | <int>at[1] << 8
    cdef int minute = at[2] & 0x3F
    cdef int hour = at[3] & 0x1F
    cdef int day = at[4] & 0x1F
    cdef int month = at[5] & 0x0F
    cdef int year = at[6] & 0x7F
    cdef int64_t of_day_ms = -1
    if millis < 60000 and minute < 60 and hour < 24:
        of_day_ms = (hour * 60 + minute) * 60000 + millis
    if day == 0 or month == 0:
        return _reading(at, CP56_BYTES, 0, of_day_ms, _ZERO_DATE)
    if of_day_ms < 0 or at[2] & INVALID or year > 99 or month > 12 or day > _days_of(2000 + year, month):
        return _reading(at, CP56_BYTES, 0, of_day_ms, _INVALID_FIELD)
    return _reading(at, CP56_BYTES, _day_number(2000 + year, month, day), of_day_ms, None)


cdef object bcd_time(const uint8_t* at):
    cdef int part[7]
    cdef int i
    cdef int total = 0
    cdef int64_t of_day_ms = -1
    for i in range(7):
        total |= at[i]
    if total == 0:
        return _reading(at, DIGITS_BYTES, 0, -1, _ZERO_DATE)
    for i in range(7):
        if at[i] >> 4 > 9 or at[i] & 15 > 9:
            return _reading(at, DIGITS_BYTES, 0, -1, _INVALID_FIELD)
        part[i] = (at[i] >> 4) * 10 + (at[i] & 15)
    cdef int year = part[0] * 100 + part[1]
    if part[4] < 24 and part[5] < 60 and part[6] < 60:
        of_day_ms = ((part[4] * 60 + part[5]) * 60 + part[6]) * 1000
    if part[2] == 0 or part[3] == 0:
        return _reading(at, DIGITS_BYTES, 0, of_day_ms, _ZERO_DATE)
    if of_day_ms < 0 or year == 0 or part[2] > 12 or part[3] > _days_of(year, part[2]):
        return _reading(at, DIGITS_BYTES, 0, of_day_ms, _INVALID_FIELD)
    return _reading(at, DIGITS_BYTES, _day_number(year, part[2], part[3]), of_day_ms, None)


def cp56_time(bytes raw not None):
    """The reading in the seven bytes of a CP56Time2a. Weekday, summer-time and reserved bits are masked."""
    assert PyBytes_GET_SIZE(raw) == CP56_BYTES
    return cp56(<const uint8_t*>PyBytes_AS_STRING(raw))


def digits_time(bytes raw not None):
    """The reading in eight bytes of digits, ``YYYY MM DD hh mm ss xx``; the last byte is not always FF."""
    assert PyBytes_GET_SIZE(raw) == DIGITS_BYTES
    return bcd_time(<const uint8_t*>PyBytes_AS_STRING(raw))
