"""The only place where scale changes; rounding is in the function's name.

Half up (四舍五入) throughout. Arguments are Python integers, so a hostile record cannot overflow anything.

Source: rule B-1, docs/billing.md.
"""


def share_half_up(object total, object part, object whole):
    """``total × part ÷ whole``, half up; ``whole`` is above zero, the result may be negative."""
    assert whole > 0
    return (2 * total * part + whole) // (2 * whole)


def nano_to_e4yuan_half_up(object fee_nano):
    """1e-9 yuan to 1e-4 yuan, half up."""
    return (fee_nano + 50_000) // 100_000


def energy_fee_e4yuan(object energy_e4kwh, object price_e5, object factor_e4=10_000):
    """Energy × price × factor in 1e-4 yuan, half up: one line's fee.

    Args:
        energy_e4kwh: 0.1 Wh, 0 or more.
        price_e5: 0.00001 yuan per kWh.
        factor_e4: what remains of the price, 10,000 = all of it.
    """
    return share_half_up(energy_e4kwh * price_e5, factor_e4, 1_000_000_000)


def e4yuan_to_fen_half_up(object fee_e4yuan):
    """1e-4 yuan to fen, half up."""
    return (fee_e4yuan + 50) // 100


def loss_adjusted_e4kwh_half_up(object energy_e4kwh, object loss_ratio_e4):
    """Energy × (1 + ratio), half up to 0.1 Wh; the ratio in 1e-4."""
    return share_half_up(energy_e4kwh, 10_000 + loss_ratio_e4, 10_000)


def format_scaled(object value, object decimals):
    """An integer scaled by 10^-decimals as text with all its places."""
    cdef Py_ssize_t point
    cdef str sign = "-" if value < 0 else ""
    cdef str digits = str(abs(value)).rjust(decimals + 1, "0")
    point = len(digits) - <Py_ssize_t>decimals
    return f"{sign}{digits[:point]}.{digits[point:]}"


def format_e4(object value):
    """kWh or yuan with four places."""
    return format_scaled(value, 4)


def format_e5(object value):
    """Yuan per kWh with five places."""
    return format_scaled(value, 5)


def format_fen(object value):
    """Yuan with two places."""
    return format_scaled(value, 2)


def format_factor(object factor_e4):
    """A factor without trailing zeros: ``1``, ``0.5``, ``0.885``."""
    text = format_scaled(factor_e4, 4).rstrip("0")
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
