"""Bodies refuse what nobody could mean."""

import pytest
from pydantic import ValidationError

from gateway.api import requests as r


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (r.StartBody, {"balance": "1.00", "colour": "red"}),
        (r.StartBody, {"balance": 1.0}),
        (r.StartBody, {"balance": "-1"}),
        (r.StartBody, {"parallel_with": [0]}),
        (r.StartBody, {"parallel_with": [1, 2, 3, 4]}),
        (r.BalanceBody, {}),
        (r.CardBody, {"card_uid": "0" * 17}),
        (r.CardBody, {"card_uid": "AB", "logic_card": "x"}),
        (r.CardsBody, {"cards": []}),
        (r.UidsBody, {"card_uids": ["AB"] * 1_001}),
        (r.WorkBody, {"max_power_percent": 29}),
        (r.LockBody, {"action": "open"}),
        (r.UpdateBody, {"current": "DC", "power_kw": 1, "host": "a" * 17, "path": "x"}),
        (r.UpdateBody, {"current": "DC", "power_kw": 1, "host": "a b", "path": "x"}),
        (r.UpdateBody, {"current": "DC", "power_kw": 70_000, "host": "a", "path": "x"}),
        (r.QrBody, {"prefix": "x" * 201}),
        (r.QrBody, {"prefix": ""}),
        (r.AccountBody, {"balance": "1.005"}),
    ],
)
def test_it_is_refused(kind, values):
    with pytest.raises(ValidationError):
        kind(**values)


def test_defaults_are_harmless():
    assert r.RebootBody().is_immediate is False
    assert r.WorkBody().is_disabled is False
    assert r.StartBody().parallel_with == []
    assert r.AccountBody().balance == "0.00"
