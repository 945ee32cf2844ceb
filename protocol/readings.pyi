from protocol.events import PileTime

def cp56_time(raw: bytes) -> PileTime:
    """The reading in the seven bytes of a CP56Time2a."""

def digits_time(raw: bytes) -> PileTime:
    """The reading in eight bytes of digits, ``YYYY MM DD hh mm ss xx``."""
