"""Turns the frames of one link into facts, those of known speakers without a detour through Python.

Who may speak on a link, what a checksum's byte order is, by which byte a connector goes: all that is settled when a
pile, or a connector of it, speaks for the first time. Such a frame goes through ``Link`` and the conversation of its
dialect. When nothing stood against it, the link tells the ear who spoke, and later frames of the same speaker need
nothing but their table. Logins and all that is not in clear, too short, damaged or of no known type go the other way,
always.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memcmp, memcpy

from protocol.facttable cimport Facts, FactTable, Speaker
from protocol.framer cimport Cut

SPEAKERS_MAX = 8  # the connectors of a pile; a concentrator's many piles are heard the other way


@cython.final
cdef class Ear:
    """What one link has for its frames.

    Args:
        facts: of the dialect; ``None`` when all of its frames need the conversation.

    Attributes:
        scale: what scaled values are multiplied by.
    """

    cdef Facts _facts
    cdef list _speakers
    cdef public int64_t scale

    def __init__(self, Facts facts=None):
        self._facts = facts
        self._speakers = []
        self.scale = 1

    @property
    def facts(self):
        """Of the dialect."""
        return self._facts

    @facts.setter
    def facts(self, Facts facts not None):
        self._facts = facts

    def know(self, bytes frame not None, str pile_id not None):
        """Who speaks in this frame may speak here, and all that there is to learn of him is learnt."""
        cdef bytes name = b"" if self._facts is None else self._facts.speaker_of(frame)
        cdef Speaker speaker
        if not name or len(self._speakers) >= SPEAKERS_MAX:
            return
        speaker = Speaker.__new__(Speaker)
        speaker.width = PyBytes_GET_SIZE(name)
        memcpy(speaker.name, PyBytes_AS_STRING(name), speaker.width)
        speaker.pile_id = pile_id
        self._speakers.append(speaker)

    def hear(self, list cuts not None, at_ms, otherwise not None):
        """What was cut, as facts and refusals, in order.

        Args:
            otherwise: (cut, moment) → the fact or refusal, for every cut that a table alone does not settle.
        """
        cdef Cut cut
        cdef list told = [None] * len(cuts)
        cdef object fact
        cdef Py_ssize_t i
        # hot: a frame a round
        for i, cut in enumerate(cuts):
            fact = None if cut.reason or self._facts is None else self._known(cut.data, at_ms)
            told[i] = otherwise(cut, at_ms) if fact is None else fact
        return told

    cdef object _known(self, bytes frame, object at_ms):
        cdef const uint8_t* data = <const uint8_t*>PyBytes_AS_STRING(frame)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(frame)
        cdef FactTable table = self._facts.of(data, size)
        cdef const uint8_t* name
        cdef Speaker speaker
        if table is None or not table._speaker_width:
            return None
        name = data + self._facts._head + table._speaker_at
        for speaker in self._speakers:
            if table._speaker_width <= speaker.width and not memcmp(speaker.name, name, table._speaker_width):
                return self._facts.tell(table, data, size, at_ms, self.scale, speaker)
        return None
