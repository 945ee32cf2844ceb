import tomllib

import pytest

from billing_core.errors import TariffError
from billing_core.tables import campaign_from_table, tariff_from_table
from billing_core.tariff import Rate

GOOD = """
model_no = "00a1"
valid_from = 2026-01-01T00:00:00+08:00
scope = ["demo"]
loss_ratio_percent = "2.50"
rates.peak = { energy = "1.10250", service = "0.45000" }
rates.valley = { energy = "0.26120", service = "0.35" }
slot = [{ from = "00:00", to = "08:00", rate = "valley" }, { from = "08:00", to = "24:00", rate = "peak" }]
"""
CAMPAIGN = """
id = "half"
factor = "0.5"
valid_from = "2026-01-01T00:00:00+08:00"
valid_to = "2026-02-01T00:00:00+08:00"
"""
JANUARY = 1_767_196_800_000  # 2026-01-01T00:00:00+08:00


def test_a_table_is_a_tariff():
    found = tariff_from_table(tomllib.loads(GOOD), "tariff[0]")
    assert (found.model_no, found.valid_from_ms, found.scope) == ("00A1", JANUARY, ("demo",))
    assert found.loss_ratio_e4 == 250
    assert dict(found.prices_e5) == {Rate.PEAK: (110_250, 45_000), Rate.VALLEY: (26_120, 35_000)}
    assert found.slots == ((0, 480, Rate.VALLEY), (480, 1440, Rate.PEAK))


def changed(text, old, new):
    assert old in text
    return tomllib.loads(text.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "code", "path"),
    [
        ("scope =", "skope =", "key_unknown", "t.skope"),
        ('model_no = "00a1"\n', "", "key_missing", "t"),
        ('"00a1"', '"0a1"', "model_no_invalid", "t.model_no"),
        ('"00a1"', '"00g1"', "model_no_invalid", "t.model_no"),
        ('"00a1"', "1", "model_no_invalid", "t.model_no"),
        ('["demo"]', "[]", "scope_invalid", "t.scope"),
        ('["demo"]', '"demo"', "scope_invalid", "t.scope"),
        ('["demo"]', '[""]', "scope_invalid", "t.scope"),
        ("2026-01-01T00:00:00+08:00", "2026-01-01T00:00:00", "time_naive", "t.valid_from"),
        ("2026-01-01T00:00:00+08:00", '"soon"', "time_invalid", "t.valid_from"),
        ("2026-01-01T00:00:00+08:00", "5", "time_invalid", "t.valid_from"),
        ('"1.10250"', "1.1025", "float_refused", "t.rates.peak.energy"),
        ('"1.10250"', "1", "type_wrong", "t.rates.peak.energy"),
        ('"1.10250"', '"1.102505"', "decimal_invalid", "t.rates.peak.energy"),
        ('"1.10250"', '"42949.67296"', "price_range", "t.rates.peak.energy"),
        ('service = "0.45000"', 'fee = "0.45000"', "key_unknown", "t.rates.peak.fee"),
        (', service = "0.45000"', "", "key_missing", "t.rates.peak"),
        ("rates.peak", "rates.noon", "rate_unknown", "t.rates.noon"),
        ('rate = "valley"', 'rate = "noon"', "rate_unknown", "t.slot[0].rate"),
        ('rate = "valley"', "rate = 3", "type_wrong", "t.slot[0].rate"),
        ('"08:00", rate', '"8:00", rate', "clock_invalid", "t.slot[0].to"),
        ('"24:00"', '"24:01"', "clock_invalid", "t.slot[1].to"),
        ('"24:00"', '"23:60"', "clock_invalid", "t.slot[1].to"),
        ('"24:00"', "24", "clock_invalid", "t.slot[1].to"),
        ('to = "24:00"', 'until = "24:00"', "key_unknown", "t.slot[1].until"),
        ('"2.50"', '"100.01"', "loss_ratio_range", "t.loss_ratio_percent"),
        ('"2.50"', "-1", "loss_ratio_range", "t.loss_ratio_percent"),
        ('"2.50"', "true", "type_wrong", "t.loss_ratio_percent"),
        ('"2.50"', "2.5", "float_refused", "t.loss_ratio_percent"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(old, new, code, path):
    with pytest.raises(TariffError) as caught:
        tariff_from_table(changed(GOOD, old, new), "t")
    assert (caught.value.code, caught.value.path) == (code, path)
    assert caught.value.text


@pytest.mark.parametrize(
    ("table", "code"),
    [
        ({"rates": {}}, "rates_missing"),
        ({"rates": 5}, "rates_missing"),
        ({"slot": {}}, "type_wrong"),
        ({"slot": [5]}, "type_wrong"),
        ({"rates": {"peak": 5}}, "type_wrong"),
    ],
)
def test_a_value_of_another_kind_is_refused(table, code):
    with pytest.raises(TariffError) as caught:
        tariff_from_table({**tomllib.loads(GOOD), **table}, "t")
    assert caught.value.code == code


@pytest.mark.parametrize(("text", "ratio_e4"), [("0", 0), ('"0"', 0), ("3", 300), ('"100"', 10_000), ("100", 10_000)])
def test_losses_are_percent(text, ratio_e4):
    assert tariff_from_table(changed(GOOD, '"2.50"', text), "t").loss_ratio_e4 == ratio_e4


def test_a_campaign_is_on_the_service_for_everybody_unless_told():
    found = campaign_from_table(tomllib.loads(CAMPAIGN), "c")
    assert (found.id, found.component, found.factor_e4, found.scope) == ("half", "service", 5_000, ("*",))
    assert (found.valid_from_ms, found.valid_to_ms) == (JANUARY, JANUARY + 31 * 86_400_000)


@pytest.mark.parametrize(
    ("old", "new", "code", "path"),
    [
        ('id = "half"', 'id = ""', "type_wrong", "c.id"),
        ('id = "half"', "id = 5", "type_wrong", "c.id"),
        ('id = "half"', 'id = "half"\ncomponent = "all"', "component_unknown", "c.component"),
        ('"0.5"', '"1.0001"', "factor_range", "c.factor"),
        ('"0.5"', "0.5", "float_refused", "c.factor"),
        ('"2026-02-01T00:00:00+08:00"', '"2026-01-01T00:00:00+08:00"', "window_empty", "c.valid_to"),
        ("valid_to", "valid_until", "key_unknown", "c.valid_until"),
    ],
)
def test_a_campaign_that_cannot_be_is_refused(old, new, code, path):
    with pytest.raises(TariffError) as caught:
        campaign_from_table(changed(CAMPAIGN, old, new), "c")
    assert (caught.value.code, caught.value.path) == (code, path)


@pytest.mark.parametrize(("text", "factor"), [('"1"', 10_000), ('"0"', 0), ('"0.88"', 8_800)])
def test_a_factor_is_what_remains(text, factor):
    assert campaign_from_table(changed(CAMPAIGN, '"0.5"', text), "c").factor_e4 == factor
