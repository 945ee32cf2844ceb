"""M1: piles behind a broker, beside a bare aiomqtt consumer, beside TCP, and flooded."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.daemon import Gateway, write_config
from bench.measure import Measure, Usage
from bench.size import Size

_ROOT = Path(__file__).parents[2]
_PACED, _FLOOD = 256, 20_000
_WAIT_S = 20
_SBIN = "/usr/sbin:/usr/local/sbin:/sbin"
MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path=_SBIN)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _await(is_so: object, what: str) -> None:
    deadline_s = time.monotonic() + _WAIT_S
    while not is_so():  # type: ignore[operator]
        if time.monotonic() > deadline_s:
            raise RuntimeError(f"{what} does not come up")
        time.sleep(0.02)


@contextmanager
def _broker(place: Path) -> Iterator[int]:
    """Mosquitto as docs/mqtt.md wants it, on a free port."""
    assert MOSQUITTO is not None
    port = _free_port()
    config = place / "mosquitto.conf"
    config.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\n"
        "max_inflight_messages 256\nmax_queued_messages 0\nlog_type error\n"
    )
    process = subprocess.Popen([MOSQUITTO, "-c", str(config)], stderr=subprocess.DEVNULL)

    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        _await(listens, "the broker")
        yield port
    finally:
        process.kill()
        process.wait()


@contextmanager
def _daemon(place: Path, broker: int, piles: int) -> Iterator[Gateway]:
    config = write_config(place, piles)
    with config.open("a") as stream:
        stream.write(f'[[mqtt]]\nurl = "mqtt://127.0.0.1:{broker}"\nclient_id = "bench"\n')
    gateway = Gateway(place, piles)
    try:
        _await(lambda: b'"broker_subscribed"' in (place / "daemon.log").read_bytes(), "the daemon's subscription")
        yield gateway
    finally:
        gateway.close()


@contextmanager
def _bare(port: int, *words: str) -> Iterator[int]:
    command = [sys.executable, "-m", "bench.mqttbare", str(port), *words]
    process = subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield process.pid
    finally:
        process.kill()
        process.communicate()


def _rate(host: str, port: int, size: Size, window: int) -> float:
    """Frames a second from the first to the last answer."""
    command = [sys.executable, "-m", "bench.mqttload", host, str(port), str(size.mqtt_piles)]
    command += [str(size.mqtt_frames), str(window)]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, timeout=200, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr[-1000:]}")
    return size.mqtt_frames / float(done.stdout)


def measure_m1(size: Size, place: Path) -> list[Measure]:
    """Frames a second through the listener, capture, sessions and store; and what a frame costs."""
    if MOSQUITTO is None:
        sys.stderr.write("M1 is not measured: mosquitto is missing (apt-get install mosquitto)\n")
        return []
    beside = Measure("M1", "MQTT in, flooded", "frames/s", "bare aiomqtt consumer", 0.7, is_least=True)
    cost = Measure("M1", "CPU of a frame, all threads", "µs", "bare aiomqtt consumer", 1 / 0.7)
    paced = Measure("M1", "flooded: no collapse", "frames/s", "the same, paced by acknowledgements", 0.7, is_least=True)
    clients = Measure("M1", "the client alone, both bare", "frames/s", "bare aiomqtt consumer", 1, is_least=True)
    tcp = Measure("M1", "MQTT in beside TCP", "frames/s", "the same frames by TCP", 0.1, is_least=True)
    for number in range(size.live_rounds):
        with _broker(place) as port:
            with _bare(port) as pid:
                theirs, their_ns = _driven(pid, port, size)
            with _bare(port, "own") as pid:
                clients.add(_driven(pid, port, size)[0], theirs)
            room = place / f"m1-{number}"
            room.mkdir()
            with _daemon(room, port, size.mqtt_piles) as gateway:
                ours, our_ns = _driven(gateway.pid, port, size)
                paced.add(ours, _rate("127.0.0.1", port, size, _PACED))
                tcp.add(ours, _rate("tcp", gateway.port, size, 0))
            beside.add(ours, theirs)
            cost.add(our_ns / 1_000, their_ns / 1_000)
    return [beside, cost, paced, tcp, clients]


def _driven(pid: int, port: int, size: Size) -> tuple[float, float]:
    """Frames a second when flooded, and nanoseconds of CPU that one cost."""
    before = Usage.of(pid)
    rate = _rate("127.0.0.1", port, size, _FLOOD)
    return rate, Usage.of(pid).since(before).total_ns / size.mqtt_frames
