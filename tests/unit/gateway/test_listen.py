"""``pilegate listen``: trusts what verifies, says what it cannot trust."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys

import httpx
import pytest

from gateway.errors import ConfigError
from gateway.forwarders.webhook import decode_secret, sign
from gateway.listen import _line, example_secret, make_receiver, run_listener, verify
from tests.support.commandline import ROOT

SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
KEY = decode_secret(SECRET)
NOW_S = 1_772_512_818


def headers(body, *, at_s=NOW_S, keys=(KEY,), event_id="e1"):
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(at_s),
        "webhook-signature": sign(keys, event_id, at_s, body),
    }


@pytest.mark.parametrize(("off_s", "is_good"), [(0, True), (300, True), (-300, True), (301, False), (-301, False)])
def test_timestamps_are_good_for_five_minutes(off_s, is_good):
    assert verify(headers(b"{}", at_s=NOW_S + off_s), b"{}", [KEY], NOW_S).is_good is is_good


def test_any_of_several_signatures_will_do_and_unknown_kinds_are_skipped():
    told = headers(b"{}", keys=(b"k" * 24, KEY))
    told["webhook-signature"] = "v1a,xyz v9,abc " + told["webhook-signature"]
    assert verify(told, b"{}", [KEY], NOW_S).is_good
    assert not verify(told, b"{} ", [KEY], NOW_S).is_good


@pytest.mark.parametrize(
    "change",
    [{"webhook-id": ""}, {"webhook-timestamp": "soon"}, {"webhook-timestamp": ""}, {"webhook-signature": ""},
     {"webhook-signature": "v1,"}, {"webhook-timestamp": "9" * 30}],
)  # fmt: skip
def test_headers_that_are_wrong_are_refused(change):
    assert not verify({**headers(b"{}"), **change}, b"{}", [KEY], NOW_S).is_good


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (None, "not an event"),
        ([], "not an event"),
        ({}, "specversion, id, source, type missing"),
        ({"specversion": "1.0", "id": "e", "source": "/s", "type": "t"}, "t e"),
        ({"specversion": "1.0", "id": "e", "source": "/s", "type": "t", "data": "amount"}, "t e"),
        (
            {
                "specversion": "1.0",
                "id": "e",
                "source": "/s",
                "type": "t",
                "data": {"status": "normal", "amount": "1.00"},
            },
            "t e normal 1.00 yuan",
        ),
    ],
)
def test_lines_for_people(event, text):
    assert _line(None, event, as_json=False).endswith(text)


def test_a_request_that_cannot_be_trusted_is_a_401(capsys):
    async def story():
        transport = httpx.ASGITransport(make_receiver([KEY], as_json=True))
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            for body in (b"{}", b"\xff", b"[]"):
                assert (await client.post("/any/path", content=body)).status_code == 401

    asyncio.run(story())
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert all(line["signature"].startswith("REFUSED") for line in lines)


def test_a_secret_that_is_none_is_refused():
    with pytest.raises(ConfigError):
        asyncio.run(run_listener(host="127.0.0.1", port=0, secret="whsec_x", as_json=False))
    assert decode_secret(example_secret())


def test_it_verifies_what_the_daemon_sends(tmp_path, monkeypatch):
    from tests.support.desk import in_process

    command = [sys.executable, "-m", "gateway", "listen", "--port", "0", "--secret", SECRET, "--json"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    listener = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    monkeypatch.setenv("PILEGATE_T", SECRET)
    try:
        said = listener.stderr.readline()
        assert "(verifying)" in said
        url = said.split()[2]

        async def story():
            more = f'[[upstream]]\nname = "u"\nurl = "{url}"\nsecret_envs = ["PILEGATE_T"]\n'
            async with in_process(tmp_path, more=more) as (desk, _):
                made = await desk.post("/outbox/test", None, 202)
                await desk.until("/outbox", lambda page: page["items"][0]["state"] == "delivered")
                return made["event_id"]

        event_id = asyncio.run(story())
        line = json.loads(listener.stdout.readline())
        assert (line["signature"], line["event"]["id"], line["event"]["type"]) == (
            "verified",
            event_id,
            "pilegate.test",
        )
        listener.send_signal(signal.SIGINT)
        assert listener.wait(15) == 0
    finally:
        with contextlib.suppress(ProcessLookupError):
            listener.kill()
        listener.wait(15)
        listener.stdout.close()
        listener.stderr.close()
