"""The step of ``make test`` that sees to the programs which tests need, with stand-ins for all of them."""

import os
import subprocess
import time
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "support" / "tools.sh"
TOOLS = ("tcpdump", "tshark", "mosquitto")


class Machine:
    """A PATH with nothing on it but what a test puts there."""

    def __init__(self, folder: Path) -> None:
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.stamp = folder / "state" / "tried"
        self.asked = folder / "asked"
        for name in ("timeout", "mkdir", "dirname", "touch", "chmod", "rm", "cat"):
            found = next(Path(each, name) for each in ("/usr/bin", "/bin") if Path(each, name).exists())
            (self.bin / name).symlink_to(found)
        self.put("id", "echo 0")

    def put(self, name: str, text: str) -> None:
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def run(self) -> str:
        # the script adds the system's own folders; here they must not count
        text = SCRIPT.read_text().replace(":/usr/local/sbin:/usr/sbin:/sbin", "")
        done = subprocess.run(
            ["/bin/sh", "-c", text, "tools.sh", str(self.stamp)],
            env={"PATH": str(self.bin), "TOOLS_POLICY": "no", "ASKED": str(self.asked), "BIN": str(self.bin)},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.returncode == 0
        assert done.stderr == ""
        return done.stdout

    def requests(self) -> int:
        return self.asked.read_text().count(" install ") if self.asked.exists() else 0


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def test_where_nothing_is_missing_nothing_is_said(machine):
    for tool in TOOLS:
        machine.put(tool, "exit 0")
    assert machine.run() == ""


def test_what_is_missing_is_installed_once(machine):
    machine.put(
        "apt-get",
        'echo "$@" >>"$ASKED"; for last; do :; done; printf "#!/bin/sh\\n" >"$BIN/$last"; chmod 755 "$BIN/$last"',
    )
    assert machine.run().splitlines() == ["installing tcpdump tshark mosquitto for tests that need it (once)"]
    assert machine.requests() == 3
    assert machine.run() == ""


def test_what_cannot_be_had_is_one_line_each_and_is_not_tried_again(machine):
    machine.put("tshark", "exit 0")
    machine.put("apt-get", 'echo "$@" >>"$ASKED"; exit 100')
    first = machine.run().splitlines()
    tried = machine.requests()
    assert tried > 0
    lines = machine.run().splitlines()
    assert machine.requests() == tried
    assert first[1:] == lines
    assert [line.split(" is missing: not run are ")[0] for line in lines] == ["tcpdump", "mosquitto"]
    assert lines[0].endswith("install it with: apt-get install tcpdump")


def test_nobody_but_root_installs(machine):
    machine.put("id", "echo 1000")
    machine.put("apt-get", 'echo "$@" >>"$ASKED"')
    assert len(machine.run().splitlines()) == 3
    assert machine.requests() == 0


def test_a_run_that_has_nothing_to_do_costs_next_to_nothing(tmp_path):
    costs = []
    for _ in range(5):
        began = time.perf_counter()
        subprocess.run([SCRIPT, str(tmp_path)], env=os.environ, timeout=10, check=True, stdout=subprocess.DEVNULL)
        costs.append(time.perf_counter() - began)
    assert min(costs) < 0.1
