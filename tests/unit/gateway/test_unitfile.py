import shutil
import subprocess
import sys

import pytest

from gateway.unitfile import unit_text


def sections(text):
    found, here = {}, None
    for line in text.splitlines():
        if line.startswith("["):
            here = found.setdefault(line.strip("[]"), {})
        elif line:
            key, _, value = line.partition("=")
            here.setdefault(key, []).append(value)
    return found


def unit(**keys):
    told = {"executable": "/opt/pilegate/bin/pilegate", "config_path": "/etc/pilegate/gateway.toml", "user": "pilegate"}
    return unit_text(**{**told, **keys})


def test_it_runs_the_daemon_as_its_user():
    service = sections(unit())["Service"]
    assert service["ExecStart"] == ["/opt/pilegate/bin/pilegate run --config /etc/pilegate/gateway.toml"]
    assert service["ExecReload"] == ["/bin/kill -HUP $MAINPID"]
    assert service["User"] == ["pilegate"]
    assert service["RestartPreventExitStatus"] == ["2"]
    assert int(service["TimeoutStopSec"][0]) > 20, "less than the daemon may take to leave in order"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("NoNewPrivileges", "yes"),
        ("ProtectSystem", "strict"),
        ("ProtectHome", "yes"),
        ("PrivateTmp", "yes"),
        ("PrivateDevices", "yes"),
        ("CapabilityBoundingSet", ""),
        ("RestrictAddressFamilies", "AF_INET AF_INET6 AF_UNIX"),
        ("SystemCallArchitectures", "native"),
        ("StateDirectory", "pilegate"),
    ],
)
def test_it_is_hardened(key, value):
    assert sections(unit())["Service"][key] == [value]


def test_words_with_blanks_and_signs_stay_words():
    service = sections(unit(executable="/opt/my gate/pilegate", config_path="/etc/100%.toml"))["Service"]
    assert service["ExecStart"] == ['"/opt/my gate/pilegate" run --config /etc/100%%.toml']


def test_the_command_is_made_absolute(tmp_path, monkeypatch):
    (tmp_path / "pilegate").write_text("")
    monkeypatch.chdir(tmp_path)
    assert f"ExecStart={tmp_path}/pilegate run" in unit(executable="./pilegate")


def test_systemd_takes_it(tmp_path):
    """systemd-analyze reads it as systemd would; without it the parts above must do."""
    analyze = shutil.which("systemd-analyze")
    path = tmp_path / "pilegate.service"
    path.write_text(unit(executable=sys.executable))
    told = sections(path.read_text())
    assert set(told) == {"Unit", "Service", "Install"}
    if analyze is not None:
        done = subprocess.run([analyze, "verify", path], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        assert path.name not in done.stderr
