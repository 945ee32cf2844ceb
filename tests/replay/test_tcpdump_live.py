"""A conversation on loopback, captured by the real tcpdump."""

import shutil
import socket
import subprocess
import threading
import time

import pytest

from gateway.framelog import read_log
from tests.support.wire import frame, heartbeat, login

PILE = "55031412782305"
DEADLINE_S = 20


def _start_tcpdump(path, port):
    """tcpdump once it listens; skips when it is missing or may not capture."""
    if shutil.which("tcpdump") is None:
        pytest.skip("tcpdump: not run, it is not installed")
    command = ["tcpdump", "-i", "lo", "--immediate-mode", "-U", "-w", str(path), "tcp", "port", str(port)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    said = ""
    for line in process.stderr:
        said = line.strip()
        if "listening on" in line:
            return process
    process.wait()
    process.stderr.close()
    pytest.skip(f"tcpdump: not run, it may not capture here ({said})")


def _answer(server):
    """The gateway's end: answers what comes with as many bytes as a heartbeat's answer has, then closes."""
    link, _ = server.accept()
    with link:
        while link.recv(4096):
            link.sendall(frame(0x04, bytes.fromhex(PILE) + b"\x01\x00"))


def _lines_upto_close(path):
    """The capture's lines once it holds the closing of the link; tcpdump writes a moment later."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        lines = list(read_log(path))
        if lines and getattr(lines[-1], "kind", "") == "close":
            return lines
        time.sleep(0.02)
    raise AssertionError(f"the capture never held the closing of the link: {lines}")


def test_a_conversation_captured_by_tcpdump_is_put_together(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        path = tmp_path / "lo.pcap"
        process = _start_tcpdump(path, port)
        try:
            thread = threading.Thread(target=_answer, args=(server,))
            thread.start()
            with socket.create_connection(("127.0.0.1", port)) as pile:
                name = f"127.0.0.1:{pile.getsockname()[1]}"
                for part in (login(PILE), heartbeat(PILE)[:7], heartbeat(PILE)[7:]):
                    pile.sendall(part)
                    pile.recv(4096)
            thread.join()
            lines = _lines_upto_close(path)
        finally:
            process.terminate()
            process.wait()
            process.stderr.close()
    assert {line.link for line in lines} == {name}
    assert lines[0].kind == "open"
    assert b"".join(line.data for line in lines if line.kind == "up") == login(PILE) + heartbeat(PILE)
    assert [line.kind for line in lines].count("down") == 3
    assert list(read_log(path, pile_ports=[port])) == lines
