"""Conversations on loopback, captured by the real tcpdump."""

import asyncio
import json
import random
import socket
import threading

from gateway.clock import Clock
from gateway.config import load
from gateway.framelog import read_log
from gateway.replay import Replay
from gateway.simulator.fleet import Fleet
from gateway.simulator.scripts import card_uid, cast_fleet, vin
from tests.support.daemon import Daemon
from tests.support.operator import list_accounts
from tests.support.site import write_config
from tests.support.tcpdump import lines_upto_close, tcpdump
from tests.support.wire import frame, heartbeat, login

PILE = "55031412782305"
PILES = 4


def _answer(server):
    """The gateway's end: answers what comes with as many bytes as a heartbeat's answer has, then closes."""
    link, _ = server.accept()
    with link:
        while link.recv(4096):
            link.sendall(frame(0x04, bytes.fromhex(PILE) + b"\x01\x00"))


def test_a_conversation_captured_by_tcpdump_is_put_together(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        path = tmp_path / "lo.pcap"
        with tcpdump(path, port):
            thread = threading.Thread(target=_answer, args=(server,))
            thread.start()
            with socket.create_connection(("127.0.0.1", port)) as pile:
                name = f"127.0.0.1:{pile.getsockname()[1]}"
                for part in (login(PILE), heartbeat(PILE)[:7], heartbeat(PILE)[7:]):
                    pile.sendall(part)
                    pile.recv(4096)
            thread.join()
            lines = lines_upto_close(path)
    assert {line.link for line in lines} == {name}
    assert lines[0].kind == "open"
    assert b"".join(line.data for line in lines if line.kind == "up") == login(PILE) + heartbeat(PILE)
    assert [line.kind for line in lines].count("down") == 3
    assert list(read_log(path, pile_ports=[port])) == lines


def _charge(port):
    """A fleet's short day on the wall clock; returns how many links it opened, and its stories."""
    seed = random.SystemRandom().randrange(1_000_000)
    cast = cast_fleet(PILES, seed=seed, charge_ms=(2_000, 4_000))
    fleet = Fleet(cast, host="127.0.0.1", port=port, seed=seed, now_ms=Clock().now_ms)
    asyncio.run(asyncio.wait_for(fleet.run(), 60))
    return fleet.report().links_opened, fleet.oracle()


def _money(bill):
    return {key: bill[key] for key in ("status", "energy_kwh", "lines", "amount", "pile_amount", "vin", "card_uid")}


def test_a_day_of_the_daemon_captured_by_tcpdump_gives_its_bills(tmp_path):
    numbers = range(1, PILES + 1)
    config = write_config(tmp_path, PILES)
    list_accounts(tmp_path, cards=[card_uid(n) for n in numbers], vins=[vin(n) for n in numbers])
    daemon = Daemon(config)
    path = tmp_path / "lo.pcap"
    try:
        daemon.start()
        with tcpdump(path, daemon.port):
            links, stories = _charge(daemon.port)
            lines = lines_upto_close(path, links)
        assert daemon.stop() == 0
    finally:
        daemon.close()
    live = {key: _money(bill["document"]) for key, bill in daemon.bills().items()}
    findings = []
    told = load(config)
    replay = Replay(told.site, told.session, silence_ms_max=told.presence.silence_ms_max, on_finding=findings.append)
    replay.run(lines)
    replayed = {bill.transaction_id: _money(json.loads(bill.body)) for bill in replay.bills()}
    assert findings == []
    assert replayed == live
    assert {story.transaction_id for story in stories} == set(live)
    assert {bill["status"] for bill in live.values()} == {"normal"}
