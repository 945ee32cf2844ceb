import pytest

from gateway.errors import ConfigError, ForwardError, GatewayError, ListenerError, StoreError


@pytest.mark.parametrize("cls", [ConfigError, ListenerError, StoreError, ForwardError])
def test_every_error_has_a_code_for_programs_and_a_text_for_people(cls):
    error = cls("disk_full", "the disk is full")
    assert isinstance(error, GatewayError)
    assert (error.code, str(error)) == ("disk_full", "the disk is full")


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ({}, "no"),
        ({"file": "a.toml"}, "a.toml: no"),
        ({"file": "a.toml", "line": 7}, "a.toml:7: no"),
        ({"path": "tariff[0].rates"}, "tariff[0].rates: no"),
        ({"file": "a.toml", "line": 7, "path": "site"}, "a.toml:7: site: no"),
    ],
)
def test_a_configuration_error_says_where(place, text):
    error = ConfigError("key_unknown", "no", **place)
    assert str(error) == text
    assert (error.file, error.line, error.path) == (place.get("file"), place.get("line"), place.get("path", ""))
