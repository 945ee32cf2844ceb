"""Logs of piles that have to do with each other in every way that a wire allows, drawn from a seed."""

import json
from datetime import UTC, datetime, timedelta, timezone

from gateway.framelog.capture import file_header, pack
from tests.support import wire

DAY_MS = 1_772_467_200_000  # 2026-03-03T00:00:00+08:00
PILES = [f"5503141278230{no}" for no in range(6)]
NAMESAKES = ["15031412782309", "25031412782309"]  # whose numbers end alike: a transaction could be named after either
MISCHIEF = ("namesakes", "cards", "stolen", "guests", "hub", "names", "strange", "zeros", "noise", "back", "split")
PRICES = (100_000, 100_000, 100_000, 100_000)


def _text(at_ms):
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(timezone(timedelta(hours=8))):%Y-%m-%dT%H:%M:%S}"


class Yarn:
    """One log.

    Args:
        mischief: which of ``MISCHIEF`` happen.
    """

    def __init__(self, rng, mischief):
        self.rng, self.mischief = rng, mischief
        self.lines = []  # (moment, link, kind, data)
        self.serials = []
        self.link_of = {}
        self.meters = {}
        piles = PILES + (NAMESAKES if "namesakes" in mischief else [])
        for number, pile in enumerate(piles):
            is_hub = "hub" in mischief and number in (2, 3, 4)
            self.link_of[pile] = "hub:1" if is_hub else f"10.0.0.{number}:4001"
        for pile in piles:
            at_ms = DAY_MS + rng.randrange(60_000)
            self._open(at_ms, pile)
            for _ in range(rng.randrange(1, 4)):
                at_ms = self._charge(at_ms + rng.randrange(10_000, 90_000), pile, piles)

    def _say(self, at_ms, link, kind, data=b""):
        if kind == "up" and "noise" in self.mischief and self.rng.random() < 0.05:
            data = self.rng.randbytes(9) + data
        if kind == "up" and "split" in self.mischief and self.rng.random() < 0.2:
            cut = self.rng.randrange(len(data))
            self.lines.append((at_ms, link, kind, data[:cut]))
            data = data[cut:]
        self.lines.append((at_ms, link, kind, data))

    def _open(self, at_ms, pile):
        link = self.link_of[pile]
        if link != "hub:1" or all(line[1] != link for line in self.lines):
            self._say(at_ms, link, "open")
        self._say(at_ms + 1, link, "up", wire.login(pile))
        self._say(at_ms + 2, link, "down", wire.frame(0x02, wire.bcd(pile) + b"\0"))

    def _serial(self, pile, at_ms):
        if "zeros" in self.mischief and self.rng.random() < 0.1:
            return "0" * 32
        if "stolen" in self.mischief and self.serials and self.rng.random() < 0.15:
            return self.rng.choice(self.serials)
        if "strange" in self.mischief and self.rng.random() < 0.3:
            return f"{self.rng.randrange(1, 9):032d}"
        return f"{pile}01{_text(at_ms)[2:].translate(str.maketrans('', '', '-:T'))}0001"

    def _charge(self, at_ms, pile, piles):
        rng = self.rng
        serial = self._serial(pile, at_ms)
        self.serials.append(serial)
        card = f"{rng.randrange(2):016d}" if "cards" in self.mischief else "0" * 16
        link = self.link_of[pile]
        if rng.random() < 0.6:
            self._say(at_ms, link, "down", wire.start_order(serial, pile, card=card))
            self._say(at_ms + 500, link, "up", wire.start_answer(serial, pile, ok=int(rng.random() < 0.9)))
        elif rng.random() < 0.7:
            self._say(at_ms, link, "up", wire.start_request(pile, card=card))
            self._say(at_ms + 300, link, "down", wire.authorise(serial, pile, ok=int(rng.random() < 0.9)))
        began_ms, energy = at_ms + 1_000, 0
        at_ms = began_ms
        for _ in range(rng.randrange(12)):
            at_ms += rng.choice((10_000, 15_000, 15_000, 45_000))
            energy = (at_ms - began_ms) // 30
            speaker = link
            if "guests" in self.mischief and rng.random() < 0.08:
                speaker = self.link_of[rng.choice(piles)]
                if rng.random() < 0.5:
                    self._say(at_ms - 1, speaker, "up", wire.login(pile))
            if rng.random() < 0.3:
                self._say(at_ms, speaker, "up", wire.heartbeat(pile))
            self._say(at_ms, speaker, "up", wire.sample(serial, pile, energy=energy, amount=energy * 2, amps=300))
            if "names" in self.mischief and rng.random() < 0.1:
                link = self._move(at_ms + 100, pile, piles)
        if rng.random() < 0.8:
            start, end = _text(began_ms), _text(at_ms)
            meter = self.meters.get(pile, 10_000_000)
            self.meters[pile] = meter + energy
            tiers = [(PRICES[0], energy, energy), *((price, 0, 0) for price in PRICES[1:])]
            told = wire.record(
                serial, pile, start=start, end=end, tiers=tiers, meter=(meter, meter + energy), card=card
            )
            for _ in range(rng.choice((1, 1, 2))):
                at_ms += rng.choice((2_000, 200_000))
                self._say(at_ms, link, "up", told)
        return at_ms

    def _move(self, at_ms, pile, piles):
        """The link breaks, is not always seen to, and the next one may have a name that another pile had."""
        if self.rng.random() < 0.6:
            self._say(at_ms, self.link_of[pile], "close")
        name = self.rng.choice([f"10.0.9.{self.rng.randrange(4)}:1", self.link_of[self.rng.choice(piles)]])
        self.link_of[pile] = name
        self._say(at_ms + 50, name, "open")
        self._say(at_ms + 51, name, "up", wire.login(pile))
        return name

    def write(self, directory, *, is_text, files=1):
        """The log as so many files; returns their paths."""
        lines = sorted(self.lines, key=lambda line: line[0])
        if "back" in self.mischief:
            lines = [(line[0] - self.rng.choice((0, 0, 0, 9_000)), *line[1:]) for line in lines]
        numbers = {link: number for number, link in enumerate(dict.fromkeys(line[1] for line in lines))}
        paths = [directory / f"part-{number}.log" for number in range(files)]
        for number, path in enumerate(paths):
            own = [line for line in lines if numbers[line[1]] % files == number]
            path.write_bytes(_as_text(own) if is_text else _as_capture(own, numbers))
        return paths


def _as_text(lines):
    rows = []
    for at_ms, link, kind, data in lines:
        told = {"event": kind} if kind in ("open", "close") else {"dir": kind, "hex": data.hex()}
        moment = datetime.fromtimestamp(at_ms / 1000, UTC).isoformat()
        rows.append(json.dumps({"at": moment, "link": link, **told}) + "\n")
    return "".join(rows).encode()


def _as_capture(lines, numbers):
    records = [
        pack(at_ms, numbers[link], kind, link.encode() if kind == "open" else data) for at_ms, link, kind, data in lines
    ]
    return file_header() + b"".join(records)
