"""Turns the frames of one link into facts, those of known speakers without a detour through Python.

Who may speak on a link, what a checksum's byte order is, by which byte a connector goes: all that is settled when a
pile, or a connector of it, speaks for the first time. Such a frame goes through ``Link`` and the conversation of its
dialect. When nothing stood against it, the link tells the ear who spoke, and later frames of the same speaker need
nothing but their table. Where a frame may teach its link more than who speaks (the state of a connector, the card that
a charge runs on), its table names all fields that can, and only a frame that equals a former one in these is heard so.
Logins and all that is not in clear, too short, damaged or of no known type go the other way, always.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memcmp, memcpy

from protocol.facttable cimport LEARNT_MAX, Facts, FactTable, Heard, Speaker
from protocol.framer cimport Cut

cdef enum:
    FLAG_AT = 4

SPEAKERS_MAX = 8  # the connectors of a pile; a concentrator's many piles are heard the other way
LESSONS_MAX = 16  # what connectors of a pile said last, three types each
ASKED_MAX = 32


@cython.final
cdef class Lesson:
    """A frame that was heard the other way, and all that its link learnt from it."""

    cdef FactTable table
    cdef object fact
    cdef Py_ssize_t size
    cdef uint8_t flag
    cdef uint8_t learnt[LEARNT_MAX]


@cython.final
cdef class Asked:
    """The newest frames of a link, by the number under which an answer refers to them.

    Attributes:
        newest: the number of the last one, from 1 on.
    """

    cdef readonly int64_t newest
    cdef list _frames
    cdef list _moments

    def __init__(self):
        self.newest = 0
        self._frames = [None] * ASKED_MAX
        self._moments = [None] * ASKED_MAX

    cpdef int64_t note(self, bytes frame, object at_ms) except -1:
        """Remember one more; returns its number."""
        self.newest += 1
        self._frames[self.newest % ASKED_MAX] = frame
        self._moments[self.newest % ASKED_MAX] = at_ms
        return self.newest

    def look(self, int64_t number):
        """(frame, moment) of a number, ``None`` when it is forgotten or was taken."""
        frame = self._frames[number % ASKED_MAX] if 0 < number <= self.newest < number + ASKED_MAX else None
        return None if frame is None else (frame, self._moments[number % ASKED_MAX])

    def take(self, int64_t number):
        """The same, for the last time."""
        found = self.look(number)
        if found is not None:
            self._frames[number % ASKED_MAX] = None
        return found


@cython.final
cdef class Ear:
    """What one link has for its frames.

    Args:
        facts: of the dialect; ``None`` when all of its frames need the conversation.
        asked: where frames are kept that answers refer to by number, if the dialect counts them.

    Attributes:
        scale: what scaled values are multiplied by.
    """

    cdef Facts _facts
    cdef Asked _asked
    cdef list _speakers
    cdef list _lessons
    cdef public int64_t scale

    def __init__(self, Facts facts=None, Asked asked=None):
        self._facts = facts
        self._asked = asked
        self._speakers = []
        self._lessons = []
        self.scale = 1

    @property
    def facts(self):
        """Of the dialect."""
        return self._facts

    @facts.setter
    def facts(self, Facts facts not None):
        self._facts = facts
        self._lessons.clear()

    def forget(self):
        """What was learnt of the frames may tell something else from now on."""
        self._lessons.clear()

    def know(self, bytes frame not None, fact):
        """Who speaks in this frame may speak here, and all that there is to learn of it is learnt."""
        cdef FactTable table
        if self._facts is None:
            return
        table = self._facts.of(<const uint8_t*>PyBytes_AS_STRING(frame), PyBytes_GET_SIZE(frame))
        if table is None:
            return
        if table._span_count and type(fact) is table.kind:
            self._learn(table, frame, fact)
        elif table._speaker_width and len(self._speakers) < SPEAKERS_MAX:
            self._meet(table, frame, fact.pile_id)

    cdef int _meet(self, FactTable table, bytes frame, str pile_id) except -1:
        cdef Speaker speaker = Speaker.__new__(Speaker)
        speaker.width = table._speaker_width
        memcpy(speaker.name, PyBytes_AS_STRING(frame) + self._facts._head + table._speaker_at, speaker.width)
        speaker.pile_id = pile_id
        self._speakers.append(speaker)
        return 0

    cdef int _learn(self, FactTable table, bytes frame, object fact) except -1:
        """A lesson takes the place of what the same connector said in frames of that kind."""
        cdef const uint8_t* data = <const uint8_t*>PyBytes_AS_STRING(frame)
        cdef Lesson lesson = Lesson.__new__(Lesson)
        cdef Lesson former
        cdef list kept = []
        for former in self._lessons[-LESSONS_MAX + 1 :]:
            if former.table.kind is not table.kind or former.fact.connector != fact.connector:
                kept.append(former)
        lesson.table, lesson.fact = table, fact
        lesson.size, lesson.flag = PyBytes_GET_SIZE(frame) - self._facts._around, data[FLAG_AT]
        table.gather(data + self._facts._head, lesson.size, lesson.learnt)
        kept.append(lesson)
        self._lessons = kept
        return 0

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
        cdef Heard heard
        if table is None:
            return None
        heard.scale = self.scale
        heard.at_ms = <PyObject*>at_ms
        heard.former = NULL
        if table._span_count:
            return self._taught(table, frame, at_ms, &heard)
        if not table._speaker_width:
            return None
        name = data + self._facts._head + table._speaker_at
        for speaker in self._speakers:
            if table._speaker_width <= speaker.width and not memcmp(speaker.name, name, table._speaker_width):
                heard.speaker = <PyObject*>speaker
                return self._facts.tell(table, data, size, &heard)
        return None

    cdef object _taught(self, FactTable table, bytes frame, object at_ms, Heard* heard):
        cdef const uint8_t* data = <const uint8_t*>PyBytes_AS_STRING(frame)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(frame) - self._facts._around
        cdef Lesson lesson
        for lesson in self._lessons:
            if (
                lesson.table is table
                and lesson.size == size
                and lesson.flag == data[FLAG_AT]
                and table.teaches_nothing(data + self._facts._head, size, lesson.learnt)
            ):
                heard.speaker = heard.pile = heard.link = NULL
                heard.former = <PyObject*>lesson.fact
                heard.reference = self._asked.note(frame, at_ms) if self._asked is not None else 0
                return self._facts.tell(table, data, PyBytes_GET_SIZE(frame), heard)
        return None
