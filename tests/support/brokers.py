"""Real MQTT brokers in processes of their own: Mosquitto, and aMQTT from the package index."""

import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

_START_S = 20
_SBIN = "/usr/sbin:/usr/local/sbin:/sbin"
MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path=_SBIN)
needs_mosquitto = pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed (apt-get install mosquitto)")


def free_port() -> int:
    """A port that nobody had a moment ago; a broker cannot be told to take any."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


class _Process:
    """A broker over its several lives, on one port."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        raise AssertionError("each broker has its own")

    def start(self) -> None:
        """Start and wait until it takes connections."""
        with (self.directory / "broker.log").open("ab") as log:
            self._process = subprocess.Popen(self.command(), cwd=self.directory, stdout=log, stderr=log)
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline:
            assert self._process.poll() is None, (self.directory / "broker.log").read_text()[-2_000:]
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except ConnectionRefusedError:
                time.sleep(0.02)
        raise AssertionError("the broker does not listen")

    def kill(self) -> None:
        """``kill -9``."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(30)

    def stop(self) -> None:
        """SIGTERM: a broker that keeps sessions writes them down."""
        assert self._process is not None
        self._process.terminate()
        self._process.wait(30)

    def close(self) -> None:
        """Leave nothing running, whatever happened."""
        if self._process is not None and self._process.poll() is None:
            self.kill()


class Mosquitto(_Process):
    """Eclipse Mosquitto.

    Args:
        more: further lines of its configuration.
        is_forgetful: sessions do not outlive the process.
    """

    def __init__(self, directory: Path, *, more: str = "", is_forgetful: bool = False) -> None:
        super().__init__(directory)
        self.config = directory / "mosquitto.conf"
        kept = "" if is_forgetful else f"persistence true\npersistence_location {directory}/\nautosave_interval 1\n"
        access = "" if "allow_anonymous" in more else "allow_anonymous true\n"
        self.config.write_text(
            f"listener {self.port} 127.0.0.1\n{access}set_tcp_nodelay true\nmax_queued_messages 0\n"
            f"user root\n{kept}log_type error\nlog_type warning\n{more}"
        )

    def command(self) -> list[str]:
        assert MOSQUITTO is not None
        return [MOSQUITTO, "-c", str(self.config)]


class Amqtt(_Process):
    """aMQTT, a broker written in Python; speaks MQTT 3.1.1."""

    def command(self) -> list[str]:
        config = self.directory / "amqtt.yaml"
        config.write_text(
            f'listeners:\n  default:\n    type: tcp\n    bind: "127.0.0.1:{self.port}"\n'
            "plugins:\n  amqtt.plugins.authentication.AnonymousAuthPlugin:\n    allow_anonymous: true\n"
        )
        return [str(Path(sys.executable).parent / "amqtt"), "-c", str(config)]
