"""The README: its commands exist, its links lead somewhere, and the five steps are walked as they are written."""

import asyncio
import json
import re
import shlex

import httpx
import pytest

from gateway.simulator.faults import PROFILES
from tests.support import wire
from tests.support.commandline import ROOT, pilegate
from tests.support.daemon import Daemon
from tests.support.desk import start_answer
from tests.support.handpile import HandPile
from tests.support.site import TARIFF

PAGE = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = sorted(set(re.findall(r"`(?:TOKEN=\$\()?pilegate ([a-z][^`)]*)\)?`", PAGE)))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_and_option_exists(command):
    words = shlex.split(command)
    path = []
    for word in words:
        if not re.fullmatch(r"[a-z]+", word):
            break
        if pilegate(*path, word, "--help").status != 0:
            break
        path.append(word)
    assert path, command
    shown = pilegate(*path, "--help").out
    for option in (word for word in words if word.startswith("--")):
        assert option in shown, option
    if "--faults" in words:
        assert words[words.index("--faults") + 1] in PROFILES


def test_every_link_leads_somewhere():
    links = re.findall(r"\]\(([^)#]+)\)", PAGE)
    assert len(links) > 5
    missing = [link for link in links if not link.startswith("http") and not (ROOT / link).exists()]
    assert not missing


def test_every_target_of_make_exists():
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"make ([a-z]+)", PAGE):
        assert re.search(rf"^{target}:", makefile, re.M), target


def test_the_frame_that_is_shown_decodes():
    digits = re.search(r"pilegate decode ([0-9A-F]+)", PAGE)[1]
    assert pilegate("decode", digits).status == 0


def test_the_sample_configuration_holds():
    done = pilegate("check", "--config", ROOT / "gateway.toml")
    assert (done.status, done.err) == (0, "")
    assert "piles: tcp 0.0.0.0:8767" in done.out
    assert "HTTP: 127.0.0.1:8080" in done.out


def test_the_five_steps(tmp_path):
    config = tmp_path / "gateway.toml"
    config.write_text(
        f'[site]\nname = "mine"\ntimezone = "Asia/Shanghai"\n{TARIFF}\n[[listen]]\nhost = "127.0.0.1"\nport = 0\n'
        f'[store]\npath = "{tmp_path}/pilegate.db"\n[capture]\ndirectory = "{tmp_path}/capture"\n'
        '[api]\nport = 0\n[log]\nformat = "json"\n'
    )
    assert pilegate("check", "--config", config).status == 0
    daemon = Daemon(config)
    daemon.start()
    try:
        asyncio.run(_steps(daemon, config))
        assert daemon.stop() == 0
    finally:
        daemon.close()


async def _steps(daemon, config):
    def said(*arguments):
        done = pilegate(*arguments, "--config", config)
        assert done.status in (0, 1), done
        return done.out.strip()

    pile = HandPile("55031412782399")
    await pile.connect(daemon.port)
    pile.send(wire.login(pile.pile_id))
    await pile.expect_end()
    async with asyncio.timeout(10):
        while pile.pile_id not in said("pile", "unknown"):
            await asyncio.sleep(0.05)
    said("pile", "adopt", pile.pile_id)
    await pile.log_in(daemon.port)
    token = said("token", "create", "me")

    line = re.search(r"curl -X POST .*", PAGE)[0].replace("$TOKEN", token).replace("/ID/", f"/{pile.pile_id}/")
    words = shlex.split(line.replace("http://127.0.0.1:8080", f"http://127.0.0.1:{daemon.api_port}"))
    headers = dict(words[n + 1].split(": ", 1) for n, word in enumerate(words) if word == "-H")
    async with httpx.AsyncClient(trust_env=False) as client:
        made = await client.post(words[-1], headers=headers, content=words[words.index("-d") + 1])
    assert made.status_code == 202, made.text
    serial = made.json()["transaction_id"]
    order = await pile.expect(0x34)
    pile.send(start_answer(pile, serial, 1, order.sequence))
    pile.charge(serial, 10_000)
    pile.send(
        wire.bms_end(serial, pile.pile_id),
        wire.record(serial, pile.pile_id, start="2026-03-03T13:00:00", end="2026-03-03T13:30:00",
                    tiers=[(0, 0, 0), (0, 0, 0), (150_000, 10_000, 15_000), (0, 0, 0)], meter=(0, 10_000)),
    )  # fmt: skip
    await pile.expect(0x40)
    bill = json.loads(said("bills", "--json"))
    assert bill["transaction_id"] == serial
    told = said("bill", serial, "--explain")
    assert all(sentence in told for sentence in bill["explanation"]["zh"])
    await pile.close()
