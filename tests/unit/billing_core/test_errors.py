import pytest

from billing_core.errors import BillingError, IllegalTransition, OutOfRange, TariffError


@pytest.mark.parametrize("kind", [BillingError, IllegalTransition, OutOfRange])
def test_an_error_has_a_code_for_programs_and_a_text_for_people(kind):
    error = kind("some_code", "what went wrong")
    assert (error.code, error.text, str(error)) == ("some_code", "what went wrong", "what went wrong")
    assert isinstance(error, BillingError)


def test_an_error_of_a_tariff_says_where():
    error = TariffError("slot_gap", "tariff[0].slot[3].to", "the day is not covered")
    assert (error.code, error.path, error.text) == ("slot_gap", "tariff[0].slot[3].to", "the day is not covered")
