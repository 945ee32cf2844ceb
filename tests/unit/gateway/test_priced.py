import pytest

from gateway.errors import ConfigError
from gateway.priced import key_of, refuse_edits, terms_of
from gateway.site import site_from_file
from gateway.tomlfile import TomlFile
from tests.support.site import TARIFF


def book_of(text):
    return site_from_file(TomlFile(text, "gateway.toml")).book


def row_of(tariff):
    model_no, valid_from_ms, scope = key_of(tariff)
    return {"model_no": model_no, "valid_from_ms": valid_from_ms, "scope": scope, "terms": terms_of(tariff)}


PRICED = [row_of(book_of(TARIFF).tariffs[0])]


def refused(text, tmp_path):
    path = tmp_path / "gateway.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        refuse_edits(book_of(text), PRICED, path)
    return str(caught.value)


def test_the_same_tariff_in_other_words_is_no_edit(tmp_path):
    text = TARIFF.replace('"1.30000"', '"1.3"').replace("2020-01-01T00:00:00+08:00", "2019-12-31T16:00:00Z")
    assert text != TARIFF
    refuse_edits(book_of(text), PRICED, None)


def test_a_newer_tariff_beside_it_is_welcome():
    newer = TARIFF.replace("2020-01-01", "2027-01-01").replace('"1.30000"', '"1.50000"')
    refuse_edits(book_of(TARIFF + newer), PRICED, None)


def test_a_tariff_that_priced_nothing_may_change():
    refuse_edits(book_of(TARIFF.replace('"1.30000"', '"1.50000"')), [], None)


def test_another_price_is_refused_with_file_line_and_rate(tmp_path):
    told = refused("# site\n" + TARIFF.replace('"1.10000"', '"1.20000"'), tmp_path)
    assert f"{tmp_path}/gateway.toml:3" in told
    assert "price of peak" in told
    assert "later valid_from" in told


@pytest.mark.parametrize(
    ("old", "new", "name"),
    [
        ("loss_ratio_percent = 0", "loss_ratio_percent = 3", "loss_ratio_e4"),
        ('to = "10:00"\nrate = "flat"', 'to = "10:00"\nrate = "sharp"', "slots"),
    ],
)
def test_other_slots_or_losses_are_refused_by_name(old, new, name, tmp_path):
    assert old in TARIFF
    assert name in refused(TARIFF.replace(old, new), tmp_path)


def test_a_rate_taken_away_is_refused(tmp_path):
    text = TARIFF.replace('sharp = { energy = "1.30000", service = "0.80000" }\n', "")
    assert text != TARIFF
    assert "price of sharp" in refused(text, tmp_path)
