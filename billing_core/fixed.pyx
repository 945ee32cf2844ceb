"""The only place where scale changes; rounding is in the function's name.

Half up (四舍五入) throughout. Arguments are Python integers, so a hostile record cannot overflow anything.

Source: rule B-1, docs/billing.md.
"""

cimport cython
from cpython.long cimport PyLong_AsLongLongAndOverflow
from cpython.unicode cimport PyUnicode_DecodeASCII
from libc.stdint cimport uint64_t

cdef enum:
    PLACES_MAX = 9
    TEXT_MAX = 32  # a sign, 20 digits, the point, and the zeros before them


cpdef object share_half_up(object total, object part, object whole):
    """``total × part ÷ whole``, half up; ``whole`` is above zero, the result may be negative."""
    assert whole > 0
    return (2 * total * part + whole) // (2 * whole)


def nano_to_e4yuan_half_up(object fee_nano):
    """1e-9 yuan to 1e-4 yuan, half up."""
    return (fee_nano + 50_000) // 100_000


cpdef object energy_fee_e4yuan(object energy_e4kwh, object price_e5, object factor_e4=10_000):
    """Energy × price × factor in 1e-4 yuan, half up: one line's fee.

    Args:
        energy_e4kwh: 0.1 Wh, 0 or more.
        price_e5: 0.00001 yuan per kWh.
        factor_e4: what remains of the price, 10,000 = all of it.
    """
    return share_half_up(energy_e4kwh * price_e5, factor_e4, 1_000_000_000)


cpdef object e4yuan_to_fen_half_up(object fee_e4yuan):
    """1e-4 yuan to fen, half up."""
    return (fee_e4yuan + 50) // 100


cpdef object loss_adjusted_e4kwh_half_up(object energy_e4kwh, object loss_ratio_e4):
    """Energy × (1 + ratio), half up to 0.1 Wh; the ratio in 1e-4."""
    return share_half_up(energy_e4kwh, 10_000 + loss_ratio_e4, 10_000)


# A buffer of 32 holds a sign, at most 20 digits and the point; the negation wraps on purpose, so that the least int64
# has its magnitude too.
@cython.boundscheck(False)
@cython.cdivision(True)
@cython.overflowcheck(False)
cdef str _format(object value, int decimals):
    cdef char[TEXT_MAX] text
    cdef int overflow = 0, at = TEXT_MAX, places = 0
    cdef long long number = PyLong_AsLongLongAndOverflow(value, &overflow)
    cdef uint64_t rest = <uint64_t>number
    if overflow or decimals > PLACES_MAX:
        return _format_any(value, decimals)
    if number < 0:
        rest = 0 - rest
    while rest or places <= decimals:
        if places == decimals:
            at -= 1
            text[at] = b"."
        at -= 1
        text[at] = <char>(48 + rest % 10)
        rest = rest // 10
        places += 1
    if number < 0:
        at -= 1
        text[at] = b"-"
    return PyUnicode_DecodeASCII(text + at, TEXT_MAX - at, NULL)


cdef str _format_any(object value, Py_ssize_t decimals):
    cdef str sign = "-" if value < 0 else ""
    cdef str digits = str(abs(value)).rjust(decimals + 1, "0")
    cdef Py_ssize_t point = len(digits) - decimals
    return f"{sign}{digits[:point]}.{digits[point:]}"


def format_scaled(object value, int decimals):
    """An integer scaled by 10^-decimals as text with all its places."""
    return _format(value, decimals)


cpdef str format_e4(object value):
    """kWh or yuan with four places."""
    return _format(value, 4)


cpdef str format_e5(object value):
    """Yuan per kWh with five places."""
    return _format(value, 5)


cpdef str format_fen(object value):
    """Yuan with two places."""
    return _format(value, 2)


cpdef str format_factor(object factor_e4):
    """A factor without trailing zeros: ``1``, ``0.5``, ``0.885``."""
    text = _format(factor_e4, 4).rstrip("0")
    return text.removesuffix(".")


def parse_scaled(str text not None, object decimals):
    """``"1.30000"`` → 130000 for five decimals.

    Raises ``ValueError`` for anything but a plain, non-negative decimal with at most so many places.
    """
    whole, point, places = text.partition(".")
    is_plain = whole.isascii() and whole.isdigit() and (not point or (places.isascii() and places.isdigit()))
    if not is_plain or len(whole) > 9:
        raise ValueError(f"{text!r} is not a plain decimal number")
    if len(places) > decimals:
        raise ValueError(f"{text!r} has more than {decimals} decimals")
    return int(whole) * 10**decimals + int(places.ljust(decimals, "0") or "0")
