import pytest

from gateway.config import Config, load, parse, read_config
from gateway.errors import ConfigError
from gateway.tomlfile import TomlFile
from tests.support.site import TARIFF, site_text

UPSTREAM = '[[upstream]]\nname = "a"\nurl = "https://a.example"\n'


def told(text):
    return parse(TomlFile(text, "gateway.toml"))


def test_an_empty_file_is_the_defaults():
    assert told("") == Config()


def test_keys_arrive_where_they_belong():
    config = told(
        f'[limits]\nframes_per_s_max = 5\n[log]\nlevel = "debug"\n{UPSTREAM}[upstream.drain]\nconcurrency = 9\n'
    )
    assert config.limits.frames_per_s_max == 5
    assert config.limits.links_max == Config().limits.links_max
    assert config.log.level == "debug"
    assert (config.upstream[0].name, config.upstream[0].drain.concurrency) == ("a", 9)


def test_offline_is_so_many_heartbeats():
    assert (
        told("[presence]\nheartbeat_interval_ms = 5000\nheartbeats_missed_max = 4\n").presence.silence_ms_max == 20_000
    )


def test_site_tables_stand_beside_the_others():
    config = told(site_text(3) + "\n[store]\npath = 'x.db'\n")
    assert (config.store.path, len(config.site.piles), len(config.site.book.tariffs)) == ("x.db", 3, 1)


@pytest.mark.parametrize(
    ("text", "code", "line", "words"),
    [
        ("[stores]\npath = 'x'\n", "key_unknown", 1, "unknown table"),
        ("[limits]\n\nidle_timeout_s = 180\n", "key_unknown", 3, "did you mean idle_timeout_ms?"),
        ("[limits]\nspeed = 1\n", "key_unknown", 2, "known here: buffer_bytes_max"),
        ('[limits]\nidle_timeout_ms = "180s"\n', "type_wrong", 2, "a whole number"),
        ("[limits]\nidle_timeout_ms = 1.8e5\n", "float_refused", 2, "binary float"),
        ("[limits]\nframes_per_s_max = 0\n", "out_of_bounds", 2, "0 is not 1 or more"),
        ("[limits]\nbuffer_bytes_max = 10\n", "out_of_bounds", 2, "1024 or more"),
        ("[store]\nkeep_samples_days = -1\n", "out_of_bounds", 2, "-1 is not 1 or more"),
        ("[[listen]]\nport = 65536\n", "out_of_bounds", 2, "from 0 to 65535"),
        ("[[listen]]\n[[listen]]\n\nport = 8767\n", "port_twice", 4, "listed twice"),
        ("[listen]\nport = 1\n", "type_wrong", 1, "write [[listen]]"),
        ('[[listen]]\ntls_cert_file = "c.pem"\n', "value_invalid", 2, "belong together"),
        ("store = 5\n", "type_wrong", 1, "not a table"),
        ("site = 5\n", "type_wrong", 1, "not a table"),
        ("listen = [5]\n", "type_wrong", 1, "not a table"),
        ("pile = 5\n", "type_wrong", 1, "write [[pile]]"),
        ("tariff = 5\n", "type_wrong", 1, "write [[tariff]]"),
        ("campaign = 5\n", "type_wrong", 1, "write [[campaign]]"),
        ("[session]\nsilence_ms = 0\n", "value_invalid", 2, "above 0"),
        ('[log]\nlevel = "loud"\n', "value_invalid", 2, "debug, info"),
        ('[site]\nname = "s"\ntimezone = "Asia/Nowhere"\n', "zone_unknown", 3, "Asia/Nowhere"),
        ('[billing]\ntariff_binding = "end"\n', "value_invalid", 2, "session_start"),
        ('[[pile]]\nid = "1"\n[[pile]]\nid = "1"\n', "pile_twice", 4, "listed twice"),
        ('[[pile]]\nid = "1"\n[[pile.connector]]\nno = 1\nrated_kw = "seven"\n', "value_invalid", 5, "seven"),
        ('[[pile]]\nid = "1"\n[[pile.connector]]\nno = 1\nrated_kw = 7.2\n', "float_refused", 5, "binary float"),
        (UPSTREAM + UPSTREAM, "name_twice", 5, "listed twice"),
        ('[[upstream]]\nname = "a"\nurl = "http://a.example"\n', "value_invalid", 1, "https"),
        ("[limits]\nlinks_max = 1\nlinks_max = 2\n", "toml_invalid", 3, "not valid TOML"),
    ],
)
def test_what_does_not_fit_is_told_with_its_place(text, code, line, words):
    with pytest.raises(ConfigError) as caught:
        told(text)
    assert (caught.value.code, caught.value.line) == (code, line), str(caught.value)
    assert words in str(caught.value)
    assert str(caught.value).startswith(f"gateway.toml:{line}: ")


def line_of(text, words):
    return text.splitlines().index(words) + 1


@pytest.mark.parametrize(
    ("old", "new", "code", "words"),
    [
        ('to = "10:00"', 'to = "09:30"', "slot_gap", "09:30"),
        ('to = "10:00"', 'to = "10:30"', "slot_overlap", "10:"),
        ('to = "24:00"', 'to = "23:30"', "slot_gap", "23:30"),
        ('to = "24:00"', 'to = "25:00"', "clock_invalid", "25:00"),
        ('rate = "peak"', 'rate = "normal"', "rate_unknown", "normal"),
        ('peak = { energy = "1.10000"', "peak = { energy = 1.1", "float_refused", "1.1"),
        ('peak = { energy = "1.10000"', 'peak = { energy = "1.100001"', "decimal_invalid", "1.100001"),
        ('model_no = "0100"', 'model_no = "1"', "model_no_invalid", "four hex digits"),
        ("loss_ratio_percent = 0", "loss_ratio_percent = 101", "loss_ratio_range", "0 to 100"),
        ('scope = ["*"]', 'scope = "*"', "scope_invalid", "list"),
        ('valid_from = "2020-01-01T00:00:00+08:00"', 'valid_from = "2020-01-01"', "time_naive", "offset"),
    ],
)
def test_a_tariff_that_does_not_hold_is_told_with_its_place(old, new, code, words):
    assert old in TARIFF
    text = TARIFF.replace(old, new)
    with pytest.raises(ConfigError) as caught:
        told(text)
    place = caught.value.line
    assert words in str(caught.value)
    assert caught.value.code == code
    expected = next(number for number, each in enumerate(text.splitlines(), 1) if new.split(" = {")[0] in each)
    assert abs(place - expected) <= 4, (place, expected)  # a gap shows at the slot behind it


def test_two_tariffs_of_one_scope_and_moment_are_refused():
    with pytest.raises(ConfigError, match="same time"):
        told(TARIFF + TARIFF)


def test_the_file_beside_us_is_taken(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert read_config(None) == (Config(), None)
    (tmp_path / "gateway.toml").write_text('[store]\npath = "here.db"\n')
    config, path = read_config(None)
    assert (config.store.path, str(path)) == ("here.db", "gateway.toml")
    (tmp_path / "other.toml").write_text('[store]\npath = "there.db"\n')
    assert read_config(tmp_path / "other.toml")[0].store.path == "there.db"


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ConfigError, match="No such file"):
        load(tmp_path / "none.toml")
