CRC_MODBUS: int
SUM_8: int

class Envelope:
    most: int
    head_bytes: int
    tail_bytes: int
    def __init__(
        self,
        start: bytes,
        *,
        length_at: int,
        length_width: int,
        around: int,
        least: int,
        most: int,
        check: int,
        check_from: int,
        type_at: int,
        type_width: int,
        flag_at: int,
        flag_most: int,
        secret: int = 0xFF,
        uncounted: int = 0,
    ) -> None: ...

YKC_ENVELOPE: Envelope
