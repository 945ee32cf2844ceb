"""Transaction ids that this gateway issues: pile 14 + connector 2 + yyMMddHHmmss 12 + counter 4."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from billing_core.civil import Zone

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class TransactionNumbers:
    """Gives every start a number of its own.

    Args:
        zone: the site's zone; the number shows local time.
        is_taken: whether an id is in use already, by this run or a former one.
    """

    def __init__(self, zone: Zone, is_taken: Callable[[str], bool]) -> None:
        self._zone = zone
        self._is_taken = is_taken
        self._given: str | None = None

    def next(self, pile_id: str, connector: int, at_ms: int, *, pile_digits: int = 14) -> str:
        """A fresh id for a start at ``at_ms`` (Unix ms), which shows the last ``pile_digits`` of the pile's number.

        Raises ``OverflowError`` after 9,999 in a second.
        """
        local = _EPOCH + timedelta(milliseconds=self._zone.civil_ms(at_ms))
        pile = "".join(letter for letter in pile_id if letter.isascii() and letter.isalnum())[-pile_digits:]
        prefix = f"{pile:0>{pile_digits}}{connector:02d}{local:%y%m%d%H%M%S}"
        for counter in range(1, 10_000):
            candidate = f"{prefix}{counter:04d}"
            if (self._given is None or candidate > self._given or not self._given.startswith(prefix)) and not (
                self._is_taken(candidate)
            ):
                self._given = candidate
                return candidate
        raise OverflowError(f"9,999 starts within one second on connector {connector} of pile {pile_id}")
