"""Lines on socket pairs, with a link that notes what it is told."""

import asyncio
import gc
import os
import socket
import struct

import pytest
import uvloop

from gateway.alarms import Alarms
from gateway.lanes import Lane, Presence, Traffic
from gateway.listeners.lines import Line, Lines
from gateway.shortway import ShortWay, Volume
from gateway.story import Gathered, Story
from protocol.link import Link
from tests.support import wire

PILE, T0 = "55031412782305", 1_772_509_200_000
DROP = struct.pack("ii", 1, 0)  # SO_LINGER: closing resets


class Told:
    """A link that notes what it hears, and echoes it when it is asked to."""

    def __init__(self):
        self.heard, self.ends = [], []
        self.slow = 0
        self.on_data = None
        self.ended = asyncio.Event()

    def data_received(self, data):
        self.heard.append(data)
        if self.on_data is not None:
            self.on_data(data)

    def pause_writing(self):
        self.slow += 1

    def connection_lost(self, exc):
        self.ends.append(exc)
        self.ended.set()


class House:
    """Lines of one loop, and the peers at their other ends."""

    def __init__(self):
        self.now_ms = T0
        self.lines = Lines(asyncio.get_running_loop(), self.clock)
        self.peers = []

    def clock(self):
        self.now_ms += 1
        return self.now_ms

    def open(self):
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.settimeout(10)
        self.peers.append(theirs)
        link = Told()
        link.line = Line(self.lines, ours.detach(), link)
        return link, theirs


async def until(is_so):
    async with asyncio.timeout(10):
        while not is_so():
            await asyncio.sleep(0)


def run(story):
    async def work():
        house = House()
        try:
            await asyncio.wait_for(story(house), 30)
        finally:
            for peer in house.peers:
                peer.close()
            await until(lambda: house.lines.count == 0)  # nothing is left behind

    uvloop.run(work())


def test_bytes_come_and_go():
    async def story(house):
        link, peer = house.open()
        peer.sendall(b"one")
        await until(lambda: link.heard)
        link.line.write(b"two")
        assert (link.heard, peer.recv(9)) == ([b"one"], b"two")
        assert (link.line.is_closing(), link.line.is_reading(), house.lines.count) == (False, True, 1)

    run(story)


def test_many_lines_are_served_in_turns_and_none_twice_before_the_others():
    async def story(house):
        links = [house.open() for _ in range(600)]
        order = []
        for link, peer in links:
            link.on_data = lambda _, link=link: order.append(link)
            peer.sendall(bytes(100_000))  # more than one read takes
        await until(lambda: len(order) >= 600)
        assert len(set(order[:600])) == 600
        assert all(len(link.heard[0]) == 65_536 for link, _ in links)

    run(story)


def test_what_the_peer_does_not_take_waits_and_follows_in_order():
    async def story(house):
        link, peer = house.open()
        link.line.set_write_buffer_limits(high=10_000_000)
        sent = b"".join(bytes([number]) * 50_000 for number in range(40))
        for at in range(0, len(sent), 50_000):
            link.line.write(sent[at : at + 50_000])
        link.line.close()  # what waits is sent all the same
        link.line.write(b"too late")
        assert (link.line.is_closing(), link.ends, link.slow) == (True, [], 0)
        taken = b""
        while len(taken) < len(sent):
            taken += await asyncio.to_thread(peer.recv, 1 << 20)
        await asyncio.wait_for(link.ended.wait(), 10)
        assert (taken == sent, link.ends, peer.recv(9)) == (True, [None], b"")

    run(story)


def test_a_peer_that_takes_too_little_is_told_of():
    async def story(house):
        link, _ = house.open()
        link.line.set_write_buffer_limits(high=1_000)
        while not link.slow:
            link.line.write(bytes(10_000))
        link.line.abort()
        await asyncio.wait_for(link.ended.wait(), 10)
        assert link.ends == [None]

    run(story)


def test_a_peer_that_says_no_more_is_answered_before_its_line_ends():
    async def story(house):
        link, peer = house.open()
        link.on_data = link.line.write
        peer.sendall(b"last")
        peer.shutdown(socket.SHUT_WR)
        await asyncio.wait_for(link.ended.wait(), 10)
        assert (link.heard, link.ends, peer.recv(9), peer.recv(9)) == ([b"last"], [None], b"last", b"")

    run(story)


async def connected(house):
    """A line over TCP, where a peer may reset."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        peer = socket.create_connection(door.getsockname())
        ours, _ = door.accept()
    ours.setblocking(False)
    house.peers.append(peer)
    link = Told()
    link.line = Line(house.lines, ours.detach(), link)
    return link, peer


def drop(peer):
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, DROP)
    peer.close()


def test_a_line_that_is_reset_ends_with_the_reason():
    async def story(house):
        link, peer = await connected(house)
        drop(peer)
        await asyncio.wait_for(link.ended.wait(), 10)
        assert isinstance(link.ends[0], ConnectionResetError)

    run(story)


def test_a_write_to_a_dead_peer_ends_the_line_and_raises_nothing():
    async def story(house):
        link, peer = await connected(house)
        link.line.pause_reading()
        drop(peer)
        while not link.line.is_closing():
            link.line.write(b"x")
        assert link.ends == []  # the loop tells it, not the write
        await asyncio.wait_for(link.ended.wait(), 10)
        assert isinstance(link.ends[0], ConnectionError)

    run(story)


@pytest.mark.parametrize("is_owed", [False, True])
def test_a_line_that_is_not_read_keeps_nobody_busy_when_its_peer_dies(is_owed):
    async def story(house):
        link, peer = await connected(house)
        link.line.set_write_buffer_limits(high=100_000_000)
        link.line.pause_reading()
        while is_owed and not link.slow:
            link.line.set_write_buffer_limits(high=1)
            link.line.write(bytes(1 << 20))
        drop(peer)
        if is_owed:
            await asyncio.wait_for(link.ended.wait(), 10)
            return
        other, theirs = house.open()
        theirs.sendall(b"x")
        await until(lambda: other.heard)
        before = house.now_ms
        for _ in range(50):
            await asyncio.sleep(0)
        assert house.now_ms - before <= 1  # no turn is taken for it
        assert not link.ends
        link.line.resume_reading()
        await asyncio.wait_for(link.ended.wait(), 10)

    run(story)


def test_a_pause_leaves_bytes_in_the_kernel():
    async def story(house):
        link, peer = house.open()
        link.line.pause_reading()
        peer.sendall(b"later")
        other, theirs = house.open()
        theirs.sendall(b"now")
        await until(lambda: other.heard)
        assert (link.heard, link.line.is_reading()) == ([], False)
        link.line.resume_reading()
        await until(lambda: link.heard)
        assert link.heard == [b"later"]

    run(story)


def test_lines_that_end_within_a_turn_give_their_numbers_back_behind_it():
    async def story(house):
        links = [house.open() for _ in range(40)]
        lines = [link.line for link, _ in links]

        def end_all(_):
            for line in lines:
                line.abort()
            fresh = os.dup(0)
            os.close(fresh)
            assert fresh not in {line.fileno() for line in lines}

        for link, peer in links:
            link.on_data = end_all
            peer.sendall(b"x")
        await asyncio.gather(*(asyncio.wait_for(link.ended.wait(), 10) for link, _ in links))
        assert [link.ends for link, _ in links] == [[None]] * 40
        assert sum(len(link.heard) for link, _ in links) == 1  # the others had ended when their event came

    run(story)


def test_one_links_trouble_is_told_and_costs_nobody_else():
    async def story(house):
        told = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["exception"]))
        (bad, bad_peer), (good, good_peer) = house.open(), house.open()
        bad.on_data = lambda _: 1 // 0
        bad_peer.sendall(b"x")
        good_peer.sendall(b"x")
        await asyncio.wait_for(bad.ended.wait(), 10)
        await until(lambda: good.heard)
        assert [type(each) for each in told] == [ZeroDivisionError]

    run(story)


class Way(ShortWay):
    """Heartbeats of one pile repeat; deadlines take a while."""

    def __init__(self):
        self.alarms, traffic, presence = Alarms(), Traffic(), Presence(PILE, 30_000)
        self.captured, self.said, self.advanced = [], [], []
        super().__init__(
            self, self.alarms, traffic, Volume(), self, self.said.append,
            link_no=7, address="a:1", at_ms=T0, frames_max=20,
        )  # fmt: skip
        presence.is_online = True
        lane = Lane(presence, traffic)
        lane.take_beats()
        link = Link()
        link.receive(wire.login(PILE), T0)
        (fact,) = link.receive(wire.heartbeat(PILE), T0)
        link.remember(0, fact, lane)
        self.follow(link.framers[0], Story(PILE, Gathered(print), 1), "ykc")

    def advance(self, at_ms):
        self.advanced.append(at_ms)
        self.alarms.fire(at_ms)

    def append(self, *record):
        self.captured.append(record)


def test_what_repeats_is_answered_without_the_link_and_the_rest_is_given_to_it():
    async def story(house):
        link, peer = house.open()
        way = Way()
        link.line.follow(way)
        beat = wire.heartbeat(PILE)
        peer.sendall(beat)
        (answer,) = [await asyncio.to_thread(peer.recv, 99)]
        assert (answer[5], link.heard) == (0x04, [])
        assert [record[2:4] for record in way.captured] == [("up", beat), ("down", answer)]
        peer.sendall(beat + b"\x68\x0c")
        await until(lambda: link.heard)
        assert link.heard == [b"\x68\x0c"]
        way.pace_ms = 5  # then each answer is a matter of the link
        peer.sendall(beat)
        await until(lambda: way.said)
        assert way.said[0][5] == 0x04

    run(story)


def test_no_read_is_dated_before_a_deadline_that_fired_before_it():
    async def story(house):
        link, peer = house.open()
        way = Way()
        link.line.follow(way)
        way.alarms.arm("t", T0)
        peer.sendall(wire.heartbeat(PILE))
        await until(lambda: way.captured)
        assert way.captured[0][0] > way.advanced[0]
        way.carried_by(None)

    run(story)


def test_a_line_that_ended_holds_on_to_nothing():
    async def story(house):
        link, peer = house.open()
        way = Way()
        link.line.follow(way)
        peer.close()
        await asyncio.wait_for(link.ended.wait(), 10)
        assert not [each for each in gc.get_referents(link.line) if each in (link, way)]

    run(story)
