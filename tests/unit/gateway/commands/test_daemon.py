"""``check`` says what would listen where and what is wrong; ``systemd`` prints a unit."""

import json

from tests.support.commandline import pilegate
from tests.support.site import write_config

UPSTREAM = '[[upstream]]\nname = "books"\nurl = "https://example.org/x"\nsecret_envs = ["PILEGATE_NO_SUCH"]\n'


def test_check_says_what_would_listen_where(tmp_path):
    config = write_config(tmp_path, 2)
    done = pilegate("check", "--config", config)
    assert (done.status, done.err) == (0, "")
    for text in ("piles: tcp 127.0.0.1:0", "HTTP: 127.0.0.1:0", f"database: {tmp_path}/pilegate.db", "2 piles listed",
                 "0100"):  # fmt: skip
        assert text in done.out
    shown = json.loads(pilegate("check", "--config", config, "--json").out)
    assert shown["api"]["host"] == "127.0.0.1"
    assert shown["findings"] == []


def test_check_finds_a_secret_that_is_not_set(tmp_path):
    done = pilegate("check", "--config", write_config(tmp_path, 1, more=UPSTREAM))
    assert done.status == 1
    assert "PILEGATE_NO_SUCH is not set" in done.out
    assert "upstream: books → https://example.org/x" in done.out


def test_check_names_file_line_and_reason(tmp_path):
    config = write_config(tmp_path, 1, more="[routine]\nqr_prefxi = 1\n")
    done = pilegate("check", "--config", config)
    assert done.status == 2
    line = config.read_text().splitlines().index("qr_prefxi = 1") + 1
    assert f"{config}:{line}: routine.qr_prefxi: " in done.err


def test_systemd_prints_a_unit():
    done = pilegate("systemd", "--user", "gate", "--config", "/etc/g.toml")
    assert done.status == 0
    assert "User=gate" in done.out
    assert "run --config /etc/g.toml" in done.out
