"""Runs fact tables: the fields of a body straight into the attributes of an event.

A table is what ``attributes.py`` flattened from a declaration: one row per attribute. The event is a frozen dataclass
with slots like any other; its values are written where its slots are, and no ``__init__`` runs, which would cost more
than reading the frame. No object is made for the frame, its raw values, or anything else that the event does not hold.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memchr, memcmp, memcpy

from protocol.codec cimport ascii_text, hex_text, signed_little, unsigned_big, unsigned_little, unsigned_wide
from protocol.envelope cimport Envelope
from protocol.readings cimport bcd_time, cp56
from protocol.slots cimport Py_DECREF, Py_INCREF, PyLong_FromLongLong, PyTuple_GET_ITEM, blank_of, put, slot_of, taken

from collections.abc import Mapping
from dataclasses import fields, is_dataclass

cdef enum:
    MOMENT = 0
    SEQUENCE = 1
    PILE = 2
    UINT = 3
    UINT_BE = 4
    SCALED = 5
    CHOICE = 6
    DIGITS = 7
    IDENTIFIER = 8
    GIVEN = 9
    CHARS = 10
    MADE = 11
    WHOLE = 12
    EACH = 13
    SHOWN = 14
    SURPLUS = 15
    BODY = 16
    SCALE = 17
    CP56_TIME = 18
    DIGITS_TIME = 19
    TEXT = 20
    REGISTER = 21
    REFERENCE = 22
    LINK = 23
    LINK_PILE = 24
    SINT = 25
    WIDE = 26
    REACHED = 27
    EITHER = 28
    SUM = 29
    VALUES = 30
    BLANK = 31

cdef enum:  # how a text is taken, in the ``add`` of its row
    IS_CUT = 1
    IS_REVERSED = 2

cdef enum:
    SEQUENCE_AT = 2
    TEXT_MAX = 64
    REGISTER_PARTS = 3  # at the start, at the end, what was counted in between

cdef extern from "Python.h":
    tuple PyTuple_New(Py_ssize_t size)
    void PyTuple_SET_ITEM(tuple into, Py_ssize_t index, object value) noexcept

_OF_FIELDS = frozenset((
    UINT, UINT_BE, SINT, WIDE, SCALED, CHOICE, EITHER, DIGITS, IDENTIFIER, PILE, CHARS, TEXT, CP56_TIME, DIGITS_TIME,
    BLANK,
))
cdef int64_t FAR = 0x100000000000000  # further than any number falls
cdef object _OTHERWISE = object()
OTHERWISE = _OTHERWISE  # an entry of a choice that another row decides


@cython.final
cdef class Speaker:
    """Who speaks on a link: a pile, or a connector of it."""


@cython.final
@cython.freelist(32)
cdef class Rendering:
    """The values of a body in the forms that ``decode`` prints, rendered when somebody first looks."""

    cdef object _show
    cdef bytes _body
    cdef dict _values

    def __init__(self, show, bytes body not None):
        self._show = show
        self._body = body
        self._values = None

    cdef dict _all(self):
        if self._values is None:
            self._values = self._show(self._body)
        return self._values

    def __getitem__(self, name):
        return self._all()[name]

    def __iter__(self):
        return iter(self._all())

    def __len__(self):
        return len(self._all())

    def __contains__(self, name):
        return name in self._all()

    def __eq__(self, other):
        return self._all() == ((<Rendering>other)._all() if isinstance(other, Rendering) else other)

    __hash__ = None

    def __repr__(self):
        return repr(self._all())

    def __reduce__(self):
        return dict, (self._all(),)

    def get(self, name, default=None):
        """The value of a field, ``default`` when there is none."""
        return self._all().get(name, default)

    def keys(self):
        """The names of all fields."""
        return self._all().keys()

    def values(self):
        """The values of all fields."""
        return self._all().values()

    def items(self):
        """(name, value) of all fields."""
        return self._all().items()


Mapping.register(Rendering)


cdef Rendering _rendering(object show, bytes body):
    cdef Rendering made = Rendering.__new__(Rendering)
    made._show = show
    made._body = body
    return made


cdef inline bint _is_zero(const uint8_t* at, int width) noexcept nogil:
    cdef int i
    for i in range(width):
        if at[i]:
            return False
    return True


cdef str _kept(const uint8_t* at, int width, PyObject* who):
    """The digits of a number; the same object as before when the speaker, if one is known, named the same one last."""
    cdef Speaker speaker
    if who == NULL or width != KEPT_BYTES:
        return hex_text(at, width)
    speaker = <Speaker>who
    if speaker.kept_text is None or memcmp(speaker.kept, at, KEPT_BYTES):
        memcpy(speaker.kept, at, KEPT_BYTES)
        speaker.kept_text = hex_text(at, width)
    return speaker.kept_text


@cython.final
cdef class FactTable:
    """How the fields of one body become one event.

    Args:
        kind: the event's class, a frozen dataclass with slots.
        rows: (attribute or ``None``, op, at, width, add, blank or ``None``, row of the otherwise or -1, object); the
            attributes first.
        size: bytes that a body must have.
        sizes: those that it may have; ``None``: any.
        speaker: (first byte, bytes) of what says in the body who speaks; ``(0, 0)`` when the link itself must look at
            every such frame, or at ``learnt``.
        learnt: (first byte, bytes) of all that a link must look at, as far as a body goes.
        same: attributes that ``learnt`` alone decides.
        only: (first byte, bytes, value) of the bodies that it is for.
    """

    def __init__(self, type kind not None, rows, Py_ssize_t size, *, frozenset sizes=None, speaker=(0, 0), learnt=(),
                 same=(), only=(0, 0, 0)):
        assert is_dataclass(kind) and kind.__dataclass_params__.frozen and not hasattr(kind, "__post_init__")
        assert {each[0] for each in rows} - {None} == {each.name for each in fields(kind)}, "a row for each attribute"
        assert len(rows) <= ROWS_MAX and len(learnt) <= SPANS_MAX
        assert sizes is None or min(sizes) >= size
        self.kind, self.size, self.sizes = kind, size, sizes
        self._speaker_at, self._speaker_width = speaker
        assert 0 <= self._speaker_at <= size - self._speaker_width and self._speaker_width <= KEPT_BYTES
        self._only_at, self._only_width, self._only_value = only
        assert 0 <= self._only_at <= size - self._only_width and self._only_width <= 4
        self._is_choosy = sizes is not None or self._only_width > 0
        self._span_count = len(learnt)
        for i, (at, width) in enumerate(learnt):
            self._span_at[i], self._span_width[i] = at, width
            assert 0 <= at and 0 < width
        assert sum([width for _, width in learnt]) <= LEARNT_MAX
        self._other = None
        self._objects = tuple([each[7] for each in rows])
        assert self._rows == NULL
        self._rows = <Row*>PyMem_Calloc(len(rows), sizeof(Row))
        if self._rows == NULL:
            raise MemoryError
        self._count = 0
        ends = [size] * len(rows)
        for i, row in enumerate(rows):
            self._fill(i, len(rows), ends, *row)
            self._rows[i].is_same = row[0] is not None and row[0] in same

    def __dealloc__(self):
        PyMem_Free(self._rows)

    def _fill(self, int i, int count, list ends, name, int op, int at, int width, int64_t add, blank, int otherwise,
              thing):
        """One row; what it reads ends within what the body has by then, by ``ends``."""
        cdef Row* row = &self._rows[i]
        row.op, row.at, row.width, row.add = op, at, width, add
        row.thing = PyTuple_GET_ITEM(<PyObject*>self._objects, i)
        row.has_blank, row.blank, row.otherwise = blank is not None, blank or 0, otherwise
        row.slot = -1 if name is None else slot_of(_member(self.kind, name))
        row.times, row.per, row.least = (1, 1, -FAR) if op not in (UINT, SINT) or thing is None else thing
        assert name is None or (row.slot > 0 and self._count == i), "a slot each, the attributes first"
        self._count += name is not None
        assert otherwise == -1 or i < otherwise < count, "a row that is reached from above"
        if otherwise > 0:
            ends[otherwise] = ends[i]
        if op in (MADE, REGISTER, REACHED, SUM):
            parts = {MADE: width, SUM: width, REGISTER: REGISTER_PARTS, REACHED: 2}[op]
            assert i < at <= count - parts and (op != REGISTER or 0 <= width < REGISTER_PARTS - 1)
            for part in range(at, at + parts):
                ends[part] = ends[i]
            if op == REACHED:
                ends[at] = width
        elif op in _OF_FIELDS:
            assert 0 <= at <= ends[i] - width, "within that part of the body which is there"
            assert op not in (UINT, UINT_BE, SINT) or 1 <= width <= 7
            assert op not in (UINT, SINT) or width <= 4 or thing is None, "a product fits"
            assert row.per > 0 and (op != WIDE or width == 8)
            assert op != TEXT or width <= TEXT_MAX and (blank is None or isinstance(thing, bytes))
            assert (op != CP56_TIME or width == 7) and (op != DIGITS_TIME or width == 8)
            assert op != SCALED or 1 <= width <= 4
            assert op != CHOICE or (width == 1 and len(thing) == 256 and (otherwise > i or OTHERWISE not in thing))
            assert op != EITHER or (width == 1 and len(thing) == 256 and not thing.strip(b"\0\1"))
            assert op != EITHER or i < otherwise < count - 1
            if op == EITHER:
                ends[otherwise + 1] = ends[i]
        elif op == SURPLUS:
            assert otherwise > i
        elif op == EACH:
            assert isinstance(thing, FactTable) and at + width * (<FactTable>thing).size <= ends[i]
        elif op == VALUES:
            assert 1 <= thing[0] <= 4 and at + width * thing[0] <= ends[i]

    cdef bint suits(self, const uint8_t* body, Py_ssize_t size) except -1:
        if self.sizes is not None and size not in self.sizes:
            return False
        if not self._only_width or size < self.size:
            return True
        return unsigned_little(body + self._only_at, self._only_width) == self._only_value

    # All of it is within the body, and the sum of the widths within LEARNT_MAX.
    @cython.overflowcheck(False)
    cdef void gather(self, const uint8_t* body, Py_ssize_t size, uint8_t* into) noexcept:
        cdef int i
        for i in range(self._span_count):
            if self._span_at[i] + self._span_width[i] <= size:
                memcpy(into, body + self._span_at[i], self._span_width[i])
                into += self._span_width[i]

    # As in gather.
    @cython.overflowcheck(False)
    cdef bint teaches_nothing(self, const uint8_t* body, Py_ssize_t size, const uint8_t* learnt) noexcept:
        cdef int i
        for i in range(self._span_count):
            if self._span_at[i] + self._span_width[i] <= size:
                if memcmp(learnt, body + self._span_at[i], self._span_width[i]):
                    return False
                learnt += self._span_width[i]
        return True

    cdef object make(self, const Heard* heard):
        """The event in a body of at least ``size`` bytes."""
        cdef object made = blank_of(self.kind)
        cdef const Row* row
        cdef int i
        # hot: a row an attribute
        for i in range(self._count):
            row = &self._rows[i]
            if heard.former != NULL and row.is_same:
                put(made, row.slot, taken(heard.former, row.slot))
            else:
                put(made, row.slot, self._value(row, heard))
        return made

    # Numbers have 56 bits at most and small offsets; what is scaled has 32, a scale seven.
    @cython.overflowcheck(False)
    cdef PyObject* _value(self, const Row* row, const Heard* heard) except NULL:
        """A reference of its own to the value of one row; its places lie within ``size`` bytes, which the body has."""
        cdef const uint8_t* field = heard.body + row.at
        cdef PyObject* value
        cdef int64_t number
        cdef int op = row.op
        if op == UINT:
            number = unsigned_little(field, row.width)
            if not row.has_blank or number != row.blank:
                number = (number + row.add) * row.times
                return PyLong_FromLongLong(number // row.per if row.per != 1 else number)
            value = <PyObject*>None
        elif op == SCALED:
            return PyLong_FromLongLong(unsigned_little(field, row.width) * heard.scale)
        elif op == CHOICE:
            value = PyTuple_GET_ITEM(row.thing, field[0])
            if value == <PyObject*>_OTHERWISE:
                return self._value(&self._rows[row.otherwise], heard)
        elif op == GIVEN:
            value = row.thing
        elif op == MOMENT:
            value = heard.at_ms
        elif op == SEQUENCE:
            return PyLong_FromLongLong(heard.frame[SEQUENCE_AT] | <int>heard.frame[SEQUENCE_AT + 1] << 8)
        elif op == PILE and heard.speaker != NULL:
            value = <PyObject*>(<Speaker>heard.speaker).pile_id
        elif op == REFERENCE:
            return PyLong_FromLongLong(heard.reference)
        elif op == REACHED:
            return self._value(&self._rows[row.at + (heard.size < row.width)], heard)
        elif op == EITHER:
            return self._value(&self._rows[row.otherwise + 1 - PyBytes_AS_STRING(<object>row.thing)[field[0]]], heard)
        elif op == LINK_PILE and heard.pile != NULL:
            value = heard.pile
        elif op == LINK and heard.link != NULL:
            value = heard.link
        else:
            made = self._made(row, heard)
            value = <PyObject*>made
        Py_INCREF(value)
        return value

    cdef object _made(self, const Row* row, const Heard* heard):
        """Values that are objects of their own."""
        cdef const uint8_t* field = heard.body + row.at
        cdef int op = row.op
        if op == IDENTIFIER:
            return None if _is_zero(field, row.width) else _kept(field, row.width, heard.speaker)
        elif op == PILE or op == DIGITS:
            return _kept(field, row.width, heard.speaker)
        elif op == CP56_TIME:
            return cp56(field)
        elif op == DIGITS_TIME:
            return bcd_time(field)
        elif op == TEXT:
            text = _text(row, field)
            return text if text is not None or row.otherwise < 0 else self._part(row.otherwise, heard)
        elif op == SUM:
            return self._sum(row, heard)
        elif op == SINT:
            return max(signed_little(field, row.width) * row.times, row.least)
        elif op == VALUES:
            width, times = <object>row.thing
            return tuple([unsigned_little(field + i * <int>width, width) * <int64_t>times for i in range(row.width)])
        elif op == BLANK:
            return _is_zero(field, row.width)
        elif op == WIDE:
            return unsigned_wide(field) * <object>row.thing
        elif op == REGISTER:
            return self._register(row, heard)
        elif op == EACH:
            return self._each(row, heard)
        elif op == CHARS:
            return PyBytes_FromStringAndSize(<const char*>field, row.width)
        elif op == BODY:
            return PyBytes_FromStringAndSize(<const char*>heard.body, heard.size)
        elif op == SHOWN:
            return _rendering(<object>row.thing, PyBytes_FromStringAndSize(<const char*>heard.body, heard.size))
        elif op == SURPLUS:
            return <object>row.thing if heard.size > self.size else self._part(row.otherwise, heard)
        elif op == UINT_BE:
            return unsigned_big(field, row.width) + row.add
        elif op == SCALE:
            return heard.scale
        elif op == MADE:
            return (<object>row.thing)(*[self._part(row.at + i, heard) for i in range(row.width)])
        assert op == WHOLE
        return (<object>row.thing)(PyBytes_FromStringAndSize(<const char*>heard.body, heard.size))

    cdef object _part(self, int index, const Heard* heard):
        """The value of a row that is part of another's."""
        cdef PyObject* value = self._value(&self._rows[index], heard)
        cdef object part = <object>value
        Py_DECREF(value)
        return part

    cdef object _sum(self, const Row* row, const Heard* heard):
        """Two numbers of a frame, or more, in one unit."""
        cdef object total = self._part(row.at, heard)
        cdef int i
        for i in range(1, row.width):
            total += self._part(row.at + i, heard)
        return total

    cdef object _each(self, const Row* row, const Heard* heard):
        """What the repetitions of a group tell."""
        cdef FactTable inner = <FactTable>row.thing
        cdef Heard part = heard[0]
        cdef tuple told = PyTuple_New(row.width)
        cdef int i
        for i in range(row.width):
            part.body, part.size = heard.body + row.at + i * inner.size, inner.size
            each = inner.make(&part)
            Py_INCREF(<PyObject*>each)
            PyTuple_SET_ITEM(told, i, each)
        return told

    # Registers and their difference have 40 bits, a scale seven.
    @cython.overflowcheck(False)
    cdef object _register(self, const Row* row, const Heard* heard):
        """The reading at the start (part 0) or the end (part 1), part 2 being what was counted in between."""
        cdef int64_t parts[REGISTER_PARTS]
        cdef const Row* part
        cdef int i
        for i in range(REGISTER_PARTS):
            part = &self._rows[row.at + i]
            parts[i] = unsigned_little(heard.body + part.at, part.width)
        cdef bint is_shifted = (
            not (parts[0] | parts[1]) & 0xFF
            and (parts[1] >> 8) - (parts[0] >> 8) == parts[2]
            and parts[1] - parts[0] != parts[2]
        )
        return (parts[row.width] >> 8 if is_shifted else parts[row.width]) * heard.scale


# A field's bytes lie within the body, and no text is longer than the field.
@cython.overflowcheck(False)
cdef object _text(const Row* row, const uint8_t* at):
    """The characters of a field, ``None`` when there are none but those that say nothing."""
    cdef uint8_t turned[TEXT_MAX]
    cdef Py_ssize_t size = row.width
    cdef Py_ssize_t i
    cdef const uint8_t* end
    if row.add & IS_CUT:
        end = <const uint8_t*>memchr(at, 0, size)
        size = end - at if end != NULL else size
        while size and at[size - 1] == 0x20:
            size -= 1
    while size and at[size - 1] == 0:
        size -= 1
    if row.add & IS_REVERSED:
        while size and at[0] == 0:
            at += 1
            size -= 1
        for i in range(size):
            turned[i] = at[size - 1 - i]
        at = turned
    if row.has_blank and _says_nothing(at, size, <bytes>row.thing):
        return None
    return ascii_text(at, size)


cdef bint _says_nothing(const uint8_t* at, Py_ssize_t size, bytes nothing):
    cdef Py_ssize_t i
    for i in range(size):
        if memchr(PyBytes_AS_STRING(nothing), at[i], PyBytes_GET_SIZE(nothing)) == NULL:
            return False
    return True


def _member(type kind, str name):
    """The member that stands for an attribute's slot."""
    return next((base.__dict__[name] for base in kind.__mro__ if name in base.__dict__), None)


@cython.final
cdef class Facts:
    """The fact tables of one dialect.

    Args:
        envelope: around the bodies.
        tables: by type; those for certain bodies before those for any.
    """

    def __init__(self, Envelope envelope not None, tables):
        self._envelope = envelope
        self._head = envelope.head_bytes
        self._around = envelope.head_bytes + envelope.tail_bytes
        self._tables = [tuple(each) for each in tables.values()]
        for kind in range(KINDS_MAX):
            self._first[kind] = NULL
        for kind, each in tables.items():
            assert 0 <= kind < KINDS_MAX
            self._first[kind] = <PyObject*>each[0]
            for table, other in zip(each, each[1:]):
                (<FactTable>table)._other = other

    cdef FactTable of(self, const uint8_t* frame, Py_ssize_t size):
        cdef Py_ssize_t body = size - self._around
        cdef int kind
        cdef FactTable table
        if body < 0 or frame[self._envelope._flag_at] & self._envelope._secret:
            return None
        kind = self._envelope.type_of(frame)
        if kind >= KINDS_MAX:
            return None
        if self._first[kind] == NULL:
            return None
        table = <FactTable>self._first[kind]
        while table._is_choosy and not table.suits(frame + self._head, body):
            table = table._other
            if table is None:
                return None
        return table if body >= table.size else None

    cdef object tell(self, FactTable table, const uint8_t* frame, Py_ssize_t size, Heard* heard):
        heard.frame = frame
        heard.body = frame + self._head
        heard.size = size - self._around
        return table.make(heard)

    def read(self, bytes frame not None, at_ms, int64_t scale=1, int64_t reference=0, str pile=None, link=None):
        """The fact in a whole frame; ``None`` when it is not in clear, of a type that tells none, or too short.

        Args:
            at_ms: when it was received, Unix ms.
            scale: what scaled values are multiplied by.
            reference: what an answer hands back, where the link counts.
            pile: whose link it is, where frames need not say so.
            link: what knows more than the frame says.
        """
        cdef const uint8_t* data = <const uint8_t*>PyBytes_AS_STRING(frame)
        cdef FactTable table = self.of(data, PyBytes_GET_SIZE(frame))
        cdef Heard heard
        if table is None:
            return None
        heard.scale, heard.reference = scale, reference
        heard.at_ms, heard.pile, heard.link = <PyObject*>at_ms, <PyObject*>pile, <PyObject*>link
        heard.speaker = heard.former = NULL
        return self.tell(table, data, PyBytes_GET_SIZE(frame), &heard)

    def speaker_of(self, bytes frame not None):
        """What says in a frame who speaks, as it stands; empty when the frame tells no fact, or nobody is named."""
        cdef const uint8_t* data = <const uint8_t*>PyBytes_AS_STRING(frame)
        cdef FactTable table = self.of(data, PyBytes_GET_SIZE(frame))
        if table is None:
            return b""
        return frame[self._head + table._speaker_at :][: table._speaker_width]
