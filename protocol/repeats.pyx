"""Frames that say again what was said before, and bring new measurements at most.

Nearly all that piles send is of that kind: a heartbeat, a sample of the same charge, a report of the same battery. A
``Repeat`` remembers a frame that went the long way, to an event and through every rule, and after which the rules
found that the same frame again would decide nothing. A later frame that equals it in every byte but the sequence, the
checksum and the measurements is a repeat: its checksum is verified, its measurements are read by the offsets of the
declaration, and they are handed on as integers, without an object for frame, event or field.

Whoever takes repeats (``Taker``) may refuse at any time; the frame then goes the long way like any other. So nothing is
decided here, and nothing but the way is shorter.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint64_t
from libc.string cimport memcpy

from protocol.codec cimport crc16
from protocol.envelope cimport Envelope

cdef enum:
    SEQUENCE_AT = 2
    HEAD = 2  # start byte and length, before what the checksum covers

BEAT, SAMPLE, REPORT, SENT = IS_BEAT, IS_SAMPLE, IS_REPORT, IS_SENT
KEPT_MAX = KEPT_AT_MOST


cdef class Taker:
    """Where repeats of one connector go; the gateway derives from it. By itself it refuses them all."""

    cdef int take(self, int role, int64_t at_ms, const int64_t* values) except -1:
        return 0


cdef class Noted(Taker):
    """Takes repeats into Python, for those who are in no hurry.

    Args:
        roles: which it takes.
        values: how many of a sample's values.

    Attributes:
        taken: (role, moment, values of a sample) of each, in order.
    """

    cdef readonly list taken
    cdef frozenset _roles
    cdef int _count

    def __init__(self, roles, int values=5):
        assert 0 <= values <= VALUES_MAX
        self.taken = []
        self._roles = frozenset(roles)
        self._count = values

    cdef int take(self, int role, int64_t at_ms, const int64_t* values) except -1:
        if role not in self._roles:
            return 0
        count = self._count if role == IS_SAMPLE else 0
        self.taken.append((role, at_ms, tuple([values[i] for i in range(count)])))
        return 1


cdef class Shape:
    """What may differ between two frames of one layout that say the same.

    Args:
        role: what a taker is told that it is.
        layout: of the body; a fixed one.
        envelope: around it.
        fixed: fields that must be equal.
        values: integer fields that the taker gets, in this order; a trailing ``*`` marks those which a pile with fewer
            decimals sends scaled down.
    """

    def __init__(self, int role, layout not None, Envelope envelope not None, fixed, values=()):
        cdef int at
        assert not layout.is_open and len(values) <= VALUES_MAX
        self.role = role
        self._envelope = envelope
        head = envelope.head_bytes
        marks = bytearray(b"\xff" * head)
        marks[SEQUENCE_AT : SEQUENCE_AT + 2] = bytes(2)
        places = {}
        for name, kind in layout.fields:
            places[name] = (len(marks), kind)
            marks += (b"\xff" if name in fixed else b"\0") * kind.width
        marks += bytes(envelope.tail_bytes)
        assert set(fixed) <= set(places), "a fixed field is one of the layout's"
        self.mask = bytes(marks)
        self._size = len(marks)
        self._count = len(values)
        for at, name in enumerate(values):
            offset, kind = places[name.removesuffix("*")]
            assert int(kind.op) == 0 and kind.width <= 4, "a little-endian integer"
            self._offsets[at], self._widths[at], self._is_scaled[at] = offset, kind.width, name.endswith("*")


# At most four bytes.
@cython.overflowcheck(False)
cdef inline int64_t _value(const uint8_t* at, int width) noexcept nogil:
    cdef int64_t value = 0
    cdef int i
    for i in range(width - 1, -1, -1):
        value = (value << 8) | at[i]
    return value


cdef class Repeat:
    """One remembered frame.

    Args:
        shape: of its layout.
        frame: whole, as it came, its checksum verified.
        taker: who gets its repeats.
        scale: what scaled values are multiplied by.
        answer: what every repeat is answered with, whole; its sequence is that of the repeat.
    """

    def __init__(self, Shape shape not None, bytes frame not None, Taker taker not None, int64_t scale=1, answer=None):
        assert len(frame) == shape._size
        assert answer is None or len(answer) >= 8
        self._shape = shape
        self._frame = frame
        self._known = <const uint8_t*>PyBytes_AS_STRING(self._frame)
        self._mask = <const uint8_t*>PyBytes_AS_STRING(shape.mask)
        self._size = shape._size
        self._taker = taker
        self._scale = scale
        self._answer = answer
        if answer is not None:
            self._is_high_first = shape._envelope.order(
                <const uint8_t*>PyBytes_AS_STRING(self._answer), len(answer)
            ) == 1

    # Eight bytes a step, the last step laid back over bytes already compared; a frame has at least eight.
    @cython.overflowcheck(False)
    cdef inline int _likeness(self, const uint8_t* frame, Py_ssize_t size) noexcept:
        cdef Py_ssize_t at = 0
        cdef Py_ssize_t whole = self._size
        cdef uint64_t mine, other, kept, differing = 0
        if size < whole:
            return IS_OTHER
        while True:
            memcpy(&mine, self._known + at, 8)
            memcpy(&other, frame + at, 8)
            memcpy(&kept, self._mask + at, 8)
            mine ^= other
            if mine & kept:
                return IS_OTHER
            differing |= mine
            at += 8
            if at >= whole:
                return IS_EQUAL if differing == 0 else IS_REPEAT
            if at + 8 > whole:
                at = whole - 8

    # A value has 32 bits, a scale seven at most.
    @cython.overflowcheck(False)
    cdef int _take(self, const uint8_t* frame, int likeness, int64_t at_ms, bytearray answers) except -1:
        cdef int64_t values[VALUES_MAX]
        cdef int i
        cdef Shape shape = self._shape
        # the checksum of a frame that equals a verified one, checksum and all, is verified
        if likeness != IS_EQUAL and shape._envelope.order(frame, shape._size) < 0:
            return 0
        for i in range(shape._count):
            values[i] = _value(frame + shape._offsets[i], shape._widths[i])
            if shape._is_scaled[i]:
                values[i] *= self._scale
        if not self._taker.take(shape.role, at_ms, values):
            return 0
        if self._answer is not None:
            answers += self._answered(frame)
        return 1

    cdef bytes _answered(self, const uint8_t* frame):
        """The answer with the sequence of ``frame``."""
        cdef bytes answer = PyBytes_AS_STRING(self._answer)[: PyBytes_GET_SIZE(self._answer)]
        cdef uint8_t* out = <uint8_t*>PyBytes_AS_STRING(answer)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(answer)
        cdef uint16_t crc
        out[SEQUENCE_AT] = frame[SEQUENCE_AT]
        out[SEQUENCE_AT + 1] = frame[SEQUENCE_AT + 1]
        crc = crc16(out + HEAD, size - HEAD - 2)
        out[size - 2 + self._is_high_first] = crc & 0xFF
        out[size - 1 - self._is_high_first] = crc >> 8
        return answer


cdef class Repeats:
    """What one direction of one link may repeat.

    Attributes:
        answers: to the repeats taken since they were last cleared, in order.
        taken: how many repeats were taken, ever.
    """

    def __init__(self):
        self._kept = []
        self._count = 0
        self.answers = bytearray()
        self.taken = 0

    def remember(self, Repeat repeat not None):
        """Take frames like this one the short way from now on; it replaces the one of the same shape and taker."""
        cdef Repeat kept
        for at, each in enumerate(self._kept):
            kept = each
            if kept._shape is repeat._shape and kept._taker is repeat._taker:
                self._kept[at] = repeat
                self._row[<int>at] = <PyObject*>repeat
                return
        if self._count < KEPT_AT_MOST:
            self._kept.append(repeat)
            self._row[self._count] = <PyObject*>repeat
            self._count += 1

    def __len__(self):
        return self._count

    def forget(self):
        """Everything goes the long way again."""
        self._count = 0
        self._kept.clear()

    def take_answers(self):
        """The answers owed, which are no longer owed then."""
        cdef bytes owed = bytes(self.answers)
        self.answers.clear()
        return owed

    # No position leaves size.
    @cython.overflowcheck(False)
    cdef Py_ssize_t run(self, const uint8_t* data, Py_ssize_t size, int64_t at_ms, bint only_beats) except -1:
        cdef Py_ssize_t at = 0
        cdef int i = 0, likeness
        cdef Repeat repeat
        while i < self._count and at < size:
            likeness = (<Repeat>self._row[i])._likeness(data + at, size - at)
            if likeness == IS_OTHER:
                i += 1
                continue
            repeat = <Repeat>self._row[i]  # held: its taker may let this link forget
            if only_beats and repeat._shape.role != IS_BEAT:
                break
            if not repeat._take(data + at, likeness, at_ms, self.answers):
                break
            at += repeat._size
            self.taken += 1
            i = 0
        return at
