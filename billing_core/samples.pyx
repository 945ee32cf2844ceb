"""Live states of a charge, and what is read off a whole row of them.

A bill looks at its samples a dozen times, and an hour of charging has hundreds: so they are integers here, each look
is one pass, and nothing is decided. Thresholds come from the rules that ask.
"""

cimport cython
from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.stdint cimport int64_t, uint64_t

cdef enum:
    STATE_BYTES_MAX = 136  # six numbers of a sign, 19 digits and a comma; brackets, "false", a comma

# Volts and amperes of 16 bits make a power below 2^32, two of them over a step below 2^28 ms (three days) an area below
# 2^61, and what was summed so far stays below 2^61 too. What lies beyond is reckoned with integers of Python.
cdef int64_t _READING_MAX = 1 << 16
cdef int64_t _STEP_MS_MAX = 1 << 28
cdef int64_t _AREA_MAX = 1 << 61


@cython.final
@cython.dataclasses.dataclass(frozen=True)
cdef class Sample:
    """One live state of the connector within the session; ``is_charging`` is False for a state of rest.

    Energy is 0.1 Wh, the amount 0.0001 yuan, voltage and current 0.1 V and 0.1 A; ``is_plugged`` may be unknown.
    """


def charging_of(tuple samples not None):
    """The charging samples, in order of arrival."""
    cdef Sample each
    return tuple([each for each in samples if each.is_charging])


def rests_behind(tuple samples not None, int64_t at_ms):
    """Moments of the states of rest behind ``at_ms``."""
    cdef Sample each
    return [each.at_ms for each in samples if not each.is_charging and each.at_ms > at_ms]


def anchors_of(tuple charging not None):
    """(moment, energy) of each sample."""
    cdef Sample each
    return [(each.at_ms, each.energy_e4kwh) for each in charging]


def stitched(tuple charging not None, half_e4kwh):
    """(anchors with what stood before each fall of the counter added, whether there was a fall)."""
    cdef Sample each
    cdef bint has_reset = False
    carried, before, found = 0, 0, []
    for each in charging:
        if each.energy_e4kwh < before - half_e4kwh:
            carried += before
            has_reset = True
        before = each.energy_e4kwh
        found.append((each.at_ms, carried + before))
    return found, has_reset


def frozen_run(tuple charging not None, Py_ssize_t least, least_centiwatts):
    """(begin of a run at the very end, whether there was any): so many equal readings while power flowed."""
    cdef Sample each
    cdef Sample first = None
    cdef Py_ssize_t index, begin = 0, count = len(charging)
    cdef bint has_frozen = False
    for index in range(count):
        each = charging[index]
        if index == 0:
            first = each
        if (
            each.energy_e4kwh != first.energy_e4kwh
            or _centiwatts(each) <= least_centiwatts
            or _centiwatts(first) <= least_centiwatts
        ):
            begin, first = index, each
        elif index - begin + 1 >= least:
            has_frozen = True
    return (begin if has_frozen and count - begin >= least else None), has_frozen


cdef object _centiwatts(Sample each):
    """0.1 V × 0.1 A = 0.01 W."""
    return <object>each.voltage_dv * each.current_da


def doubled_area(tuple charging not None):
    """Twice the sum of the trapezoids of power over time, 0.01 W × ms."""
    cdef Sample each
    cdef Sample before = None
    cdef int64_t power, former = 0, step_ms, partial = 0
    total = 0
    for each in charging:
        if not (0 <= each.voltage_dv < _READING_MAX and 0 <= each.current_da < _READING_MAX):
            return _doubled_area_of_any(charging)
        power = each.voltage_dv * each.current_da
        if before is not None:
            step_ms = each.at_ms - before.at_ms
            if not -_STEP_MS_MAX < step_ms < _STEP_MS_MAX:
                return _doubled_area_of_any(charging)
            partial += (former + power) * step_ms
            if not -_AREA_MAX < partial < _AREA_MAX:
                total += partial
                partial = 0
        before, former = each, power
    return total + partial


cdef object _doubled_area_of_any(tuple charging):
    cdef Sample each
    cdef Sample before = None
    total = 0
    for each in charging:
        if before is not None:
            total += (_centiwatts(before) + _centiwatts(each)) * (<object>each.at_ms - before.at_ms)
        before = each
    return total


# -- the battery -------------------------------------------------------------------------------------------


def soc_ends(tuple charging not None):
    """(first, last state of charge, how many were told), per cent; a state of 0 was not told."""
    cdef Sample each
    cdef int64_t first = 0, last = 0, count = 0
    for each in charging:
        if each.soc_percent:
            first = first or each.soc_percent
            last = each.soc_percent
            count += 1
    return first, last, count


def soc_fall(tuple charging not None, int64_t most_percent):
    """(before, after) where the state of charge first falls by more while energy grows, or ``None``."""
    cdef Sample each
    cdef Sample before = None
    for each in charging:
        if each.soc_percent:
            if before is not None and each.energy_e4kwh > before.energy_e4kwh:
                if before.soc_percent - each.soc_percent > most_percent:
                    return before.soc_percent, each.soc_percent
            before = each
    return None


def soc_rise(tuple charging not None, int64_t most_percent):
    """(before, after) where the state of charge first rises by more while the energy stands, or ``None``."""
    cdef Sample each
    cdef Sample begin = None
    for each in charging:
        if each.soc_percent:
            if begin is None or each.energy_e4kwh != begin.energy_e4kwh:
                begin = each
            elif each.soc_percent - begin.soc_percent > most_percent:
                return begin.soc_percent, each.soc_percent
    return None


# -- rest in between ---------------------------------------------------------------------------------------


def has_rest_within(tuple samples not None, Py_ssize_t least):
    """Whether so many states of rest in a row lie between two charging ones."""
    cdef Sample each
    cdef Py_ssize_t run = 0
    cdef bint has_begun = False
    for each in samples:
        if not each.is_charging:
            run += has_begun
        elif run >= least:
            return True
        else:
            run, has_begun = 0, True
    return False


def was_replugged(tuple samples not None):
    """Whether the cable was seen out between two charging samples."""
    cdef Sample each
    cdef bint was_pulled = False, has_begun = False
    for each in samples:
        if each.is_charging:
            if was_pulled:
                return True
            has_begun = True
        elif has_begun and each.is_plugged is False:
            was_pulled = True
    return False


# -- digest ------------------------------------------------------------------------------------------------


# The two pointers are of one block.
@cython.overflowcheck(False)
def canonical(tuple samples not None):
    """The samples as JSON without spaces, a list of seven for each: what their digest is made of."""
    cdef Sample each
    cdef char* text = <char*>PyMem_Malloc(<size_t>len(samples) * STATE_BYTES_MAX + 2)
    cdef char* at = text
    if text == NULL:
        raise MemoryError
    try:
        at = _put(at, b"[")
        for each in samples:
            at = _put(at, b"[" if at == text + 1 else b",[")
            at = _put_number(at, each.at_ms)
            at = _put_number(at, each.energy_e4kwh)
            at = _put_number(at, each.amount_e4yuan)
            at = _put_number(at, each.voltage_dv)
            at = _put_number(at, each.current_da)
            at = _put_number(at, each.soc_percent)
            at = _put(at, b"true]" if each.is_charging else b"false]")
        at = _put(at, b"]")
        return PyBytes_FromStringAndSize(text, at - text)
    finally:
        PyMem_Free(text)


cdef char* _put(char* at, const char* word) noexcept:
    cdef Py_ssize_t index = 0
    while word[index]:
        at[index] = word[index]
        index += 1
    return at + index


# At most 20 digits; the negation wraps on purpose, so that the least int64 has its magnitude too.
@cython.cdivision(True)
@cython.overflowcheck(False)
cdef char* _put_number(char* at, int64_t value) noexcept:
    """A number in decimal digits and the comma behind it."""
    cdef char[20] digits
    cdef int count = 0
    cdef uint64_t rest = <uint64_t>value
    if value < 0:
        at[0] = b"-"
        at += 1
        rest = 0 - rest
    while True:
        digits[count] = <char>(48 + rest % 10)
        count += 1
        rest = rest // 10
        if rest == 0:
            break
    while count:
        count -= 1
        at[0] = digits[count]
        at += 1
    at[0] = b","
    return at + 1
