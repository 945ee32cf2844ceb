"""What is left out while the store is behind: rows of samples, the oldest that wait first, before any record waits.

What a bill rests on is never thinned: the session in memory has every sample, and every read with one is kept as
evidence. The rows of samples are for people who look, and for a session that is taken up again after a restart. While
the store is behind, one a minute is written of each session, and every change of its state.
"""

from __future__ import annotations

from collections.abc import Sequence

from billing_core.session import Row as LiveState
from billing_core.session import pack_states, unpack_states
from gateway.outcome import Row, SamplesTaken

_APART_MS = 60_000


class Thinning:
    """Which samples are written.

    Attributes:
        left_out: how many were not, since the start.
    """

    def __init__(self) -> None:
        self.left_out = 0
        self._written: dict[str, LiveState] = {}  # by session, since the store fell behind

    @property
    def is_on(self) -> bool:
        """Whether anything was thinned since it was last ended."""
        return bool(self._written)

    def end(self) -> None:
        """The store has caught up."""
        self._written.clear()

    def thinned(self, rows: Sequence[Row]) -> list[Row]:
        """Rows in their order, without the samples that are left out."""
        kept: list[Row] = []
        for row in rows:
            if isinstance(row, SamplesTaken):
                states = self._of_session(row)
                if states:
                    kept.append(SamplesTaken(row.transaction_id, *pack_states(states)))
            else:
                kept.append(row)
        return kept

    def _of_session(self, row: SamplesTaken) -> list[LiveState]:
        found, states = unpack_states(row.states), []
        former = self._written.get(row.transaction_id)
        for state in found:
            if former is None or state[0] - former[0] >= _APART_MS or state[6:] != former[6:]:
                states.append(state)
                former = state
        if former is not None:
            self._written[row.transaction_id] = former
        self.left_out += len(found) - len(states)
        return states
