"""Conversations on loopback, captured by the real tcpdump."""

import asyncio
import json
import random
import socket
import threading

from gateway.clock import Clock
from gateway.config import load
from gateway.replay import Replay
from gateway.simulator.fleet import Fleet
from gateway.simulator.lines import TcpLine
from gateway.simulator.scripts import card_uid, cast_fleet, vin
from tests.support.daemon import Daemon
from tests.support.operator import list_accounts
from tests.support.site import write_config
from tests.support.tcpdump import lines_of, lines_upto_close, tcpdump
from tests.support.wire import frame, heartbeat, login

PILE = "55031412782305"
PILES = 4


def _answer(server, pile):
    """The gateway's end of a link: answers what comes with as many bytes as a heartbeat's answer has, then closes."""
    link, address = server.accept()
    while address != pile:  # somebody who looks for a gateway that had this port before
        link.close()
        link, address = server.accept()
    with link:
        while link.recv(4096):
            link.sendall(frame(0x04, bytes.fromhex(PILE) + b"\x01\x00"))


def test_a_conversation_captured_by_tcpdump_is_put_together(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        path = tmp_path / "lo.pcap"
        with tcpdump(path, port):
            with socket.create_connection(("127.0.0.1", port)) as pile:
                thread = threading.Thread(target=_answer, args=(server, pile.getsockname()))
                thread.start()
                name = f"127.0.0.1:{pile.getsockname()[1]}"
                for part in (login(PILE), heartbeat(PILE)[:7], heartbeat(PILE)[7:]):
                    pile.sendall(part)
                    pile.recv(4096)
            thread.join()
            lines = lines_upto_close(path, {name})
    assert lines[0].kind == "open"
    assert b"".join(line.data for line in lines if line.kind == "up") == login(PILE) + heartbeat(PILE)
    assert [line.kind for line in lines].count("down") == 3
    assert lines_of({name}, path, pile_ports=[port]) == lines


def _charge(port):
    """A fleet's short day on the wall clock; returns the links that it opened, and its stories."""
    seed = random.SystemRandom().randrange(1_000_000)
    cast = cast_fleet(PILES, seed=seed, charge_ms=(2_000, 4_000))
    links = set()

    async def dial(_):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        links.add("{}:{}".format(*writer.get_extra_info("sockname")))
        return TcpLine(reader, writer)

    fleet = Fleet(cast, seed=seed, now_ms=Clock().now_ms, dial=dial)
    asyncio.run(asyncio.wait_for(fleet.run(), 60))
    return links, fleet.oracle()


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
