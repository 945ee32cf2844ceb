"""A site for whole-daemon tests: tariff, simulated piles, their cards, as a configuration file."""

from pathlib import Path

from gateway.simulator.scripts import card_uid, site_tables

TARIFF = """
[[tariff]]
model_no = "0100"
valid_from = "2020-01-01T00:00:00+08:00"
scope = ["*"]
loss_ratio_percent = 0
[tariff.rates]
sharp = { energy = "1.30000", service = "0.80000" }
peak = { energy = "1.10000", service = "0.80000" }
flat = { energy = "0.70000", service = "0.80000" }
valley = { energy = "0.30000", service = "0.80000" }
[[tariff.slot]]
from = "00:00"
to = "08:00"
rate = "valley"
[[tariff.slot]]
from = "08:00"
to = "10:00"
rate = "flat"
[[tariff.slot]]
from = "10:00"
to = "12:00"
rate = "peak"
[[tariff.slot]]
from = "12:00"
to = "24:00"
rate = "flat"
"""


def site_text(piles: int, protocol: str = "ykc") -> str:
    """Tariff, piles and offline cards of a simulated fleet."""
    cards = "".join(f'[[card]]\nuid = "{card_uid(number)}"\n' for number in range(1, piles + 1))
    return f'[site]\nname = "test"\ntimezone = "Asia/Shanghai"\n{TARIFF}\n{site_tables(piles, protocol)}\n{cards}'


def stalls(speed: int) -> str:
    """What a busy machine may hold a message up by, half a second of the wall, told to a gateway on a fast clock."""
    return f"[[tolerance]]\narrival_ms = {500 * speed}\n"


def write_config(directory: Path, piles: int, *, more: str = "", protocol: str = "ykc") -> Path:
    """A configuration on free ports of the loopback interface; everything else lies in ``directory``."""
    path = directory / "gateway.toml"
    path.write_text(
        f"""{site_text(piles, protocol)}
[[listen]]
host = "127.0.0.1"
port = 0
[store]
path = "{directory}/pilegate.db"
[capture]
directory = "{directory}/capture"
[api]
host = "127.0.0.1"
port = 0
[log]
level = "info"
format = "json"
{more}
"""
    )
    return path
