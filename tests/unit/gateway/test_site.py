import pytest

from billing_core.tolerances import Tolerances
from gateway.errors import ConfigError
from gateway.site import ConnectorEntry, PileEntry, Site, instant_of, parse_kw, zone_of
from tests.support.yard import DAY_MS, HOUR, OCCUPANCY, PILE, SITE, site_of

HEAD = '[site]\ntimezone = "Asia/Shanghai"\n'


def test_a_file_becomes_a_site():
    site = site_of(SITE.replace("[site]", '[site]\nname = "demo-site"'))
    assert (site.name, site.zone_name, site.tariff_binding, site.stops_prepaid) == (
        "demo-site",
        "Asia/Shanghai",
        "session_start",
        True,
    )
    assert list(site.piles) == [PILE]
    assert [tariff.model_no for tariff in site.book.tariffs] == ["0100"]
    assert set(site.tables) == {"site", "tariff", "pile"}
    assert (site.station_of(PILE), site.station_of("other")) == ("demo", "")


def test_an_empty_file_is_a_site_too():
    assert site_of("") == Site()


def test_tables_of_others_are_left_to_them():
    assert set(site_of("[listen]\n" + HEAD).tables) == {"site"}


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ('[site]\ntimezone = "Mars/Olympus"\n', "zone_unknown", 2),
        (HEAD + "[pile]\nid = 1\n", "type_wrong", 3),
        (HEAD + "[tariff]\n", "type_wrong", 3),
        (HEAD + "[campaign]\n", "type_wrong", 3),
        (HEAD + '[[pile]]\nid = "a"\n[[pile]]\nid = "a"\n', "pile_twice", 6),
        (HEAD + "[site.more]\na = 1\n", "key_unknown", 3),
        ('[billing]\ntariff_bindings = "instant"\n', "key_unknown", 2),
        (SITE.replace('energy = "0.70000"', "energy = 0.7"), "float_refused", 8),
        (SITE.replace('to = "24:00"', 'to = "23:30"'), "slot_gap", 11),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_its_line(text, code, line):
    with pytest.raises(ConfigError) as refused:
        site_of(text)
    assert (refused.value.code, refused.value.line, refused.value.file) == (code, line, "site.toml")


@pytest.mark.parametrize(
    "text",
    [
        '[[pile]]\nid = ""\n',
        '[[pile]]\nid = "a"\nprotocol = "morse"\n',
        '[[pile]]\nid = "a"\ncommissioned = "yesterday"\n',
        '[[pile]]\nid = "a"\n[[pile.connector]]\nno = 0\n',
        '[[pile]]\nid = "a"\n[[pile.connector]]\nno = 1\ncurrent = "XC"\n',
        '[[pile]]\nid = "a"\n[[pile.connector]]\nno = 1\nrated_kw = "7,2"\n',
        '[billing]\ntariff_binding = "sometimes"\n',
    ],
)
def test_values_that_cannot_be_are_refused(text):
    with pytest.raises(ConfigError) as refused:
        site_of(text)
    assert refused.value.code == "value_invalid"


@pytest.mark.parametrize(("text", "watts"), [("7.2", 7_200), ("60", 60_000), ("0.125", 125), ("120.5", 120_500)])
def test_kilowatts(text, watts):
    assert parse_kw(text) == watts


@pytest.mark.parametrize("text", ["", "7.", ".5", "7.2345", "-7", "7e1", "7.2 ", "½"])
def test_what_is_no_power(text):
    with pytest.raises(ValueError, match="is not a decimal number of kW"):
        parse_kw(text)


def test_master_data_of_a_pile():
    pile = PileEntry("p", connector=(ConnectorEntry(1, "7.2"), ConnectorEntry(2)))
    assert [pile.rated_w(no) for no in (1, 2, 3)] == [7_200, None, None]


@pytest.mark.parametrize(("model", "clock_ms"), [('model = "X1"\n', 60_000), ('model = "X2"\n', 90_000), ("", 90_000)])
def test_tolerances_are_those_of_the_model_else_those_for_all(model, clock_ms):
    text = SITE.replace('station = "demo"\n', f'station = "demo"\n{model}')
    text += '[[tolerance]]\nclock_ms = 90000\n[[tolerance]]\nmodel = "X1"\nclock_ms = 60000\n'
    assert site_of(text).tolerances_of(PILE).clock_ms == clock_ms
    assert site_of(SITE).tolerances_of(PILE) == Tolerances()


def test_the_most_specific_occupancy_terms_count():
    text = SITE + OCCUPANCY
    for scope, price in (("demo", "1"), (PILE, "2")):
        text += f'[[occupancy]]\nscope = ["{scope}"]\nprice_per_min = "{price}"\n'
    site = site_of(text)
    assert site.occupancy_of(PILE).price_per_min_e5 == 200_000
    assert site.occupancy_of("other").price_per_min_e5 == 50_000
    assert site_of(SITE).occupancy_of(PILE) is None
    nobody = site_of(SITE + '[[occupancy]]\nscope = ["elsewhere"]\nprice_per_min = "1"\n')
    assert nobody.occupancy_of(PILE) is None


def test_deviations_protocol_and_age_of_a_pile():
    text = SITE.replace(
        "register_decimals = 4", 'options = ["five-rate"]\nprotocol = "aaf5-sh52"\ncommissioned = "2024-06-01"'
    )
    site = site_of(text)
    assert (site.options_of(PILE), site.protocol_of(PILE)) == (frozenset({"five-rate"}), "aaf5-sh52")
    assert site.commissioned_ms(PILE) == 1_717_171_200_000  # 2024-06-01T00:00:00+08:00
    assert (site.options_of("other"), site.protocol_of("other"), site.commissioned_ms("other")) == (
        frozenset(),
        None,
        None,
    )


def test_a_deviation_that_no_dialect_knows_is_refused_with_those_that_there_are():
    with pytest.raises(ConfigError, match=r"'balance_be' is not known; there are: balance-be, f26, "):
        site_of(SITE.replace("register_decimals = 4", 'options = ["balance_be"]'))


def test_cards_are_found_by_sixteen_digits():
    site = site_of(HEAD + '[[card]]\nuid = "d14b0a54"\n[[card]]\nuid = "1"\nlogic = "5"\n')
    assert site.cards == {"00000000D14B0A54": "0" * 16, "0000000000000001": "5"}


def test_a_zone_knows_its_changes_to_the_second():
    zone = zone_of("Europe/Berlin")
    change_ms = 1_774_746_000_000  # 2026-03-29T01:00:00Z
    assert zone.civil_ms(change_ms - 1) - (change_ms - 1) == HOUR
    assert zone.civil_ms(change_ms) - change_ms == 2 * HOUR
    assert zone_of("Europe/Berlin") is zone
    assert zone_of("Asia/Shanghai").civil_ms(DAY_MS) == DAY_MS + 8 * HOUR


@pytest.mark.parametrize("name", ["Mars/Olympus", "../etc/passwd", ""])
def test_a_zone_that_does_not_exist(name):
    with pytest.raises(ValueError, match="unknown time zone"):
        zone_of(name)


@pytest.mark.parametrize("text", ["2026-03-03T00:00:00+08:00", "2026-03-02T16:00:00.000+00:00"])
def test_an_instant_needs_its_offset(text):
    assert instant_of(text) == DAY_MS


@pytest.mark.parametrize("text", ["2026-03-03T00:00:00", "tomorrow", "2026-13-01T00:00:00+08:00"])
def test_what_is_no_instant(text):
    with pytest.raises(ConfigError) as refused:
        instant_of(text)
    assert refused.value.code == "time_invalid"
