"""docs/upstream.md: its figures are the defaults, its configuration loads, its signature verifies."""

import json
import re
import tomllib
from dataclasses import replace

from gateway.forwarders.base import DrainConfig
from gateway.forwarders.webhook import UpstreamConfig, decode_secret, sign
from tests.support.commandline import ROOT

PAGE = (ROOT / "docs" / "upstream.md").read_text(encoding="utf-8")


def test_the_configuration_is_one():
    (table,) = tomllib.loads(re.search(r"```toml\n(.*?)```", PAGE, re.S)[1])["upstream"]
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in table.items()}
    assert UpstreamConfig(**values).types == ("pilegate.bill.*",)
    assert decode_secret(re.search(r"--secret (\S+)", PAGE)[1])


def test_the_figures_are_the_defaults():
    usual = DrainConfig()
    told = re.search(r"We try again after (.*?) and then every 12 h", PAGE, re.S)[1].split(", ")
    units = {"s": 1, "min": 60, "h": 3_600}
    steps = tuple(int(n) * units[unit] for n, unit in (step.split() for step in told))
    assert (*steps, 12 * 3_600) == usual.schedule_s
    assert (usual.expires_s, usual.perishable_expires_s) == (7 * 86_400, 86_400)
    assert (usual.breaker_failures, usual.breaker_first_s, usual.breaker_max_s) == (5, 30, 600)
    assert usual.disabled_after_s == 5 * 86_400
    assert usual.concurrency == 4
    upstream = UpstreamConfig("u", "https://example.org/")
    assert upstream.timeout_ms == 15_000
    assert replace(upstream, allow_http=True, url="http://example.org/")


def test_the_events_are_those_that_are_told():
    source = "".join(path.read_text() for path in (ROOT / "gateway").rglob("*.py"))
    for kind in re.findall(r"`(pilegate\.[a-z.]+)`", PAGE):
        stem = kind.rsplit(".", 1)[0] + "."
        assert f'"{kind}"' in source or f'f"{stem}' in source, kind


def test_the_event_shown_is_a_cloud_event():
    blocks = re.findall(r"```json\n(.*?)```", PAGE, re.S)
    event = json.loads(blocks[0])
    assert {"specversion", "id", "source", "type", "subject", "time", "sequence", "partitionkey", "data"} <= set(event)
    assert f"webhook-id: {event['id']}" in PAGE


def test_the_recipe_for_the_signature_is_the_one_we_use():
    import base64
    import hashlib
    import hmac

    key = decode_secret("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")
    content = b"id.5.body"
    by_recipe = "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    assert sign([key], "id", 5, b"body") == by_recipe
