from billing_core.session import ChargingSession
from protocol.repeats import Taker

class Presence:
    pile_id: str
    heard_ms: int
    silence_ms: int
    is_online: bool
    def __init__(self, pile_id: str, silence_ms: int) -> None: ...
    @property
    def timer_at_ms(self) -> int | None: ...

class Traffic:
    beats: int
    samples: int
    reports: int
    sent: int
    fed: int
    @property
    def frames(self) -> int: ...
    @property
    def unkept(self) -> int: ...
    def take_fed(self, count: int = -1) -> list[ChargingSession]: ...

class Lane(Taker):
    presence: Presence
    sampled_ms: int
    voltage_dv: int
    current_da: int
    soc_percent: int
    def __init__(self, presence: Presence, traffic: Traffic) -> None: ...
    def note(self, at_ms: int, voltage_dv: int, current_da: int, soc_percent: int) -> None: ...
    def take_beats(self) -> None: ...
    def follow(
        self, session: ChargingSession, is_plugged: bool | None, energy_most_e4kwh: int | None = None
    ) -> None: ...
    def idle(self) -> None: ...
    def rest(self) -> None: ...
    @property
    def session(self) -> ChargingSession | None: ...
