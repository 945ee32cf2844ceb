import asyncio
import contextlib
import gc
import itertools
import os
import resource
import socket
import ssl

import pytest
import trustme
import uvloop
from structlog.testing import capture_logs

from gateway.errors import ListenerError
from gateway.listeners.lines import Line
from gateway.listeners.tcp import TcpLink, TcpListenConfig, TcpListener
from gateway.metrics import Metrics
from gateway.pipeline import LimitsConfig

LOCAL = "127.0.0.1"


class StubClock:
    spent_us = 0

    def now_ms(self):
        return 7

    def steady_us(self):
        return self.spent_us


class StubPipeline:
    """Echoes what it hears, and remembers what happened to it."""

    def __init__(self, no, address, write, hang_up, only_pile, protocol):
        assert (only_pile, protocol) == (None, None)
        self.no, self.address, self.write, self.hang_up = no, address, write, hang_up
        self.pace_ms = 0
        self.has_news = False
        self.heard = b""
        self.checked_at_ms = []
        self.reasons = []
        self.closed_at_ms = None
        self.ended = asyncio.Event()

    def take_repeats(self, data, at_ms):
        beats = len(data) - len(data.lstrip(b"*"))
        self.heard += data[:beats]
        if beats and self.has_news:
            self.write(data[:beats])
        return data[beats:]

    def take_beats(self, news, at_ms):
        assert self.has_news
        if b"*" in news:
            self.write(b"*" * news.count(b"*"))
        return news.replace(b"*", b"")

    def received(self, data, at_ms):
        assert (at_ms, self.has_news) == (7, False)
        self.heard += data
        self.write(data)

    def check(self, at_ms):
        self.checked_at_ms.append(at_ms)

    def close(self, reason):
        self.reasons.append(reason)
        self.hang_up()

    def closed(self, at_ms):
        self.closed_at_ms = at_ms
        self.ended.set()


class House:
    """A listener with stub pipelines."""

    def __init__(self, limits=None, **keys):
        self.pipelines = []
        self.writers = []
        self.metrics = Metrics()
        numbers = iter(range(1, 1000))
        config = TcpListenConfig(host=LOCAL, port=0, **keys)
        self.listener = TcpListener(
            config, limits or LimitsConfig(), StubClock(), self.make, lambda: next(numbers), self.metrics
        )
        self.port = 0

    def make(self, *arguments):
        self.pipelines.append(StubPipeline(*arguments))
        return self.pipelines[-1]

    async def connect(self, **keys):
        reader, writer = await asyncio.open_connection(LOCAL, self.port, **keys)
        self.writers.append(writer)
        return reader, writer

    async def hang_up(self):
        for writer in self.writers:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


@contextlib.asynccontextmanager
async def open_house(limits=None, **keys):
    house = House(limits, **keys)
    house.port = await house.listener.start()
    try:
        yield house
    finally:
        await house.hang_up()
        await house.listener.stop_accepting()
        await house.listener.close_all("the test is over")
        for pipeline in house.pipelines:
            await asyncio.wait_for(pipeline.ended.wait(), 10)


async def ended(reader):
    with contextlib.suppress(ConnectionError):
        return await asyncio.wait_for(reader.read(), 10) == b""
    return True


async def echoed(reader, writer, data=b"abc"):
    writer.write(data)
    return await asyncio.wait_for(reader.readexactly(len(data)), 10)


def run(work):
    return uvloop.run(asyncio.wait_for(work, 30))  # as the daemon does


def test_bytes_go_to_a_pipeline_of_their_own_and_back():
    async def work():
        async with open_house() as house:
            one, other = await house.connect(), await house.connect()
            assert await echoed(*one, b"one") == b"one"
            assert await echoed(*other, b"other") == b"other"
            assert {each.heard for each in house.pipelines} == {b"one", b"other"}
            assert {each.no for each in house.pipelines} == {1, 2}
            names = {"{}:{}".format(*each[1].get_extra_info("sockname")) for each in (one, other)}
            assert {each.address for each in house.pipelines} == names

    run(work())


def test_a_link_that_ends_is_forgotten_and_told():
    async def work():
        async with open_house() as house:
            _, writer = await house.connect()
            while not house.pipelines:
                await asyncio.sleep(0)
            writer.close()
            await asyncio.wait_for(house.pipelines[0].ended.wait(), 10)
            assert house.pipelines[0].closed_at_ms == 7
            assert not house.listener.links
            assert not house.listener.per_address

    run(work())


def options(house):
    (link,) = house.listener.links
    transport = link._transport
    file = transport.fileno() if isinstance(transport, Line) else transport.get_extra_info("socket").fileno()
    with socket.socket(fileno=os.dup(file)) as sock:
        return {
            "keepalive": sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE),
            "idle": sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
            "nodelay": sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY),
            "send": sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF),
        }


def test_links_are_kept_alive_prompt_and_bounded():
    async def work():
        limits = LimitsConfig(write_buffer_bytes_max=20_000)
        async with open_house(limits, keepalive_s=33) as house:
            reader, writer = await house.connect()
            await echoed(reader, writer)
            found = options(house)
            assert (bool(found["keepalive"]), found["idle"], bool(found["nodelay"])) == (True, 33, True)
            assert found["send"] <= 2 * 20_000  # Linux doubles what is asked for

    run(work())


@pytest.mark.parametrize("limits", [LimitsConfig(links_max=2), LimitsConfig(links_per_address_max=2)])
def test_a_link_too_many_is_refused_and_counted_and_room_comes_back(limits):
    async def work():
        async with open_house(limits) as house:
            links = [await house.connect() for _ in range(2)]
            for link in links:
                await echoed(*link)
            with capture_logs() as logs:
                refused = await house.connect()
                assert await ended(refused[0])
            assert [(line["event"], line["reason"]) for line in logs] == [("link_refused", "too many links")]
            assert house.metrics.closed == {"too many links": 1}
            links[0][1].close()
            await asyncio.wait_for(house.pipelines[0].ended.wait(), 10)
            again = await house.connect()
            assert await echoed(*again) == b"abc"

    run(work())


def test_a_pause_holds_links_old_and_new():
    async def work():
        async with open_house() as house:
            old = await house.connect()
            await echoed(*old)
            house.listener.pause(is_paused=True)
            new = await house.connect()
            while len(house.pipelines) < 2:
                await asyncio.sleep(0)
            for _, writer in (old, new):
                writer.write(b"late")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(new[0].read(1), 0.1)
            assert [each.heard for each in house.pipelines] == [b"abc", b""]
            house.listener.pause(is_paused=False)
            for reader, _ in (old, new):
                assert await asyncio.wait_for(reader.readexactly(4), 10) == b"late"

    run(work())


def test_a_reader_that_never_reads_is_cut():
    async def work():
        async with open_house(LimitsConfig(write_buffer_bytes_max=1024)) as house:
            sock = socket.socket()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            sock.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(sock, (LOCAL, house.port))
            with contextlib.suppress(ConnectionError), sock:
                while True:
                    await loop.sock_sendall(sock, bytes(4096))
            await asyncio.wait_for(house.pipelines[0].ended.wait(), 10)
            assert house.pipelines[0].reasons[0] == "a slow reader"

    run(work())


def test_checks_and_closings_reach_every_link():
    async def work():
        async with open_house() as house:
            links = [await house.connect() for _ in range(3)]
            for link in links:
                await echoed(*link)
            list(house.listener.check(99))
            assert [each.checked_at_ms for each in house.pipelines] == [[99]] * 3
            await house.listener.close_all("because")
            for reader, _ in links:
                assert await ended(reader)
            assert [each.reasons for each in house.pipelines] == [["because"]] * 3

    run(work())


def test_after_the_end_of_accepting_nobody_gets_in_and_links_stay():
    async def work():
        async with open_house() as house:
            link = await house.connect()
            await echoed(*link)
            await house.listener.stop_accepting()
            with pytest.raises(ConnectionError):
                await house.connect()
            assert await echoed(*link) == b"abc"

    run(work())


def test_without_a_free_descriptor_nobody_is_let_in_until_there_is_one(monkeypatch):
    monkeypatch.setattr("gateway.listeners.tcp._ACCEPT_AGAIN_S", 0.05)

    async def work():
        async with open_house() as house:
            loop = asyncio.get_running_loop()
            with socket.socket() as sock, socket.socket() as former:
                for each in (former, sock):
                    each.setblocking(False)
                await loop.sock_connect(former, (LOCAL, house.port))  # who connects first imports what it takes
                with every_descriptor_taken(), capture_logs() as logs:
                    await loop.sock_connect(sock, (LOCAL, house.port))
                    async with asyncio.timeout(10):
                        while len(logs) < 2:
                            await asyncio.sleep(0.01)
                assert {line["event"] for line in logs} == {"accepting_paused"}
                assert "Too many open files" in logs[0]["reason"]
                await loop.sock_sendall(sock, b"abc")
                assert await asyncio.wait_for(loop.sock_recv(sock, 9), 10) == b"abc"

    run(work())


@contextlib.contextmanager
def every_descriptor_taken():
    gc.collect()  # nothing that others left may come free meanwhile
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = [os.dup(0)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/proc/self/fd"))) + 2, before[1]))
    try:
        with contextlib.suppress(OSError):
            while True:
                taken.append(os.dup(0))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        for file in taken:
            os.close(file)


def test_a_name_with_several_addresses_is_listened_on_at_each(monkeypatch):
    async def work():
        house = House()
        house.listener.config = TcpListenConfig(host="localhost", port=0)

        async def found(*_, **__):
            addresses = [("127.0.0.2", 0), ("127.0.0.3", 0), ("127.0.0.2", 0)]
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", each) for each in addresses]

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", found, raising=False)
        await house.listener.start()
        assert [door.getsockname()[0] for door in house.listener._doors] == ["127.0.0.2", "127.0.0.3"]
        await house.listener.stop_accepting()

    asyncio.run(work())


def test_a_port_that_is_taken_is_told():
    async def work():
        async with open_house() as house:
            other = House()
            other.listener.config = TcpListenConfig(host=LOCAL, port=house.port)
            with pytest.raises(ListenerError, match=f"cannot listen on {LOCAL}:{house.port}"):
                await other.listener.start()

    run(work())


# -- TLS ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def files(authority, tmp_path):
    certificate = authority.issue_cert(LOCAL)
    (tmp_path / "cert.pem").write_bytes(b"".join(each.bytes() for each in certificate.cert_chain_pems))
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    return {"tls_cert_file": str(tmp_path / "cert.pem"), "tls_key_file": str(tmp_path / "key.pem")}


def test_a_port_with_a_certificate_speaks_tls(authority, files):
    async def work():
        trusting = ssl.create_default_context()
        authority.configure_trust(trusting)
        async with open_house(**files) as house:
            link = await house.connect(ssl=trusting)
            assert await echoed(*link) == b"abc"
            assert link[1].get_extra_info("ssl_object").version() in ("TLSv1.2", "TLSv1.3")
            assert options(house)["idle"] == 60

    run(work())


def test_a_port_that_speaks_tls_speaks_nothing_else(authority, files):
    async def work():
        async with open_house(**files) as house:
            reader, writer = await house.connect()
            writer.write(b"\x68\x0c" * 200)
            assert await ended(reader)
            with pytest.raises(ssl.SSLError):
                await house.connect(ssl=ssl.create_default_context())  # it does not trust our authority
            assert house.pipelines == []

    run(work())


@pytest.mark.parametrize("spoil", ["cert.pem", "key.pem"])
@pytest.mark.parametrize("content", [None, b"no certificate"])
def test_a_certificate_that_cannot_be_used_is_told(files, tmp_path, spoil, content):
    (tmp_path / spoil).unlink()
    if content is not None:
        (tmp_path / spoil).write_bytes(content)

    async def work():
        with pytest.raises(ListenerError, match="TLS certificate or key cannot be used"):
            await House(**files).listener.start()

    run(work())


def test_a_certificate_needs_its_key():
    with pytest.raises(ValueError, match="belong together"):
        TcpListenConfig(tls_cert_file="c.pem")


@pytest.mark.parametrize("pace_ms", [0, 40])
def test_a_paced_link_writes_one_piece_at_a_time(pace_ms):
    """Each in a segment of its own where the dialect wants a pause between them."""
    written = []

    class Transport:
        def is_closing(self):
            return False

        def write(self, data):
            written.append((asyncio.get_running_loop().time(), data))

    async def story():
        link = TcpLink(House().listener)
        link._transport = Transport()
        link.pipeline = StubPipeline(1, "a", link._write, None, None, None)
        link.pipeline.pace_ms = pace_ms
        for data in (b"one", b"two", b"three"):
            link._write(data)
        async with asyncio.timeout(5):
            while len(written) < 3:
                await asyncio.sleep(0.005)

    asyncio.run(story())
    assert [data for _, data in written] == [b"one", b"two", b"three"]
    pauses = [later[0] - sooner[0] for sooner, later in itertools.pairwise(written)]
    assert all(pause >= pace_ms / 1000 * 0.9 for pause in pauses)


def test_what_waits_for_a_pause_is_bounded_like_any_slow_reader():
    async def work():
        async with open_house(limits=LimitsConfig(write_buffer_bytes_max=1_024)) as house:
            await house.connect()
            while not house.pipelines:
                await asyncio.sleep(0)
            (pipeline,) = house.pipelines
            pipeline.pace_ms = 60_000
            for _ in range(9):
                pipeline.write(bytes(128))
            assert pipeline.reasons[0] == "a slow reader"

    run(work())


def test_news_wait_for_their_turn_and_of_their_link_only_heartbeats_are_taken_meanwhile():
    async def work():
        async with open_house() as house:
            first, second = await house.connect(), await house.connect()
            assert await echoed(*first) == await echoed(*second) == b"abc"
            turns = house.listener.turns
            turns._spent_us = 10_000_000  # the share of this pass is used up
            turns._is_armed = True  # and no other comes by itself
            first[1].write(b"one")
            while len(turns) < 1:
                await asyncio.sleep(0.001)
            second[1].write(b"two*")  # behind news in the same bytes: it waits for nobody all the same
            assert await asyncio.wait_for(second[0].readexactly(1), 10) == b"*"
            assert len(turns) == 2
            assert await echoed(*first, b"***") == b"***"  # heartbeats wait for nobody
            first[1].write(b"*three" + bytes(house.listener.limits.buffer_bytes_max))
            assert await asyncio.wait_for(first[0].readexactly(1), 10) == b"*"
            while all(link._transport.is_reading() for link in house.listener.links):
                await asyncio.sleep(0.001)
            assert [link.is_waiting for link in house.listener.links] == [True, True]
            list(house.listener.check(7))
            assert [each.checked_at_ms for each in house.pipelines] == [[], []]
            house.listener.pause(is_paused=True)
            house.listener.pause(is_paused=False)  # who has brought too much meanwhile is not read from all the same
            assert sorted(link._transport.is_reading() for link in house.listener.links) == [False, True]
            assert b"".join(each.heard for each in house.pipelines).replace(b"*", b"") == b"abcabc"
            turns._pass()
            assert await asyncio.wait_for(first[0].readexactly(8), 10) == b"onethree"
            assert await asyncio.wait_for(second[0].readexactly(3), 10) == b"two"

    run(work())


def test_news_that_wait_when_their_link_ends_are_taken_before_its_end():
    async def work():
        async with open_house() as house:
            reader, writer = await house.connect()
            await echoed(reader, writer)
            turns = house.listener.turns
            turns._spent_us, turns._is_armed = 10_000_000, True
            writer.write(b"record")
            while not len(turns):
                await asyncio.sleep(0.001)
            house.pipelines[0].hang_up()
            await asyncio.wait_for(house.pipelines[0].ended.wait(), 10)
            assert house.pipelines[0].heard == b"abcrecord"
            turns._pass()
            assert house.pipelines[0].heard == b"abcrecord"

    run(work())


def test_a_link_that_ended_is_gone_without_the_collector():
    async def work():
        async with open_house() as house:
            reader, writer = await house.connect()
            await echoed(reader, writer)
            (link,) = house.listener.links
            number = id(link)
            del link
            writer.close()
            await asyncio.wait_for(house.pipelines[0].ended.wait(), 10)
            await asyncio.sleep(0)
            house.pipelines[0].write = house.pipelines[0].hang_up = None
            assert number not in {id(each) for each in gc.get_objects() if type(each) is TcpLink}

    gc.disable()
    try:
        run(work())
    finally:
        gc.enable()
