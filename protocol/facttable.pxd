cimport cython
from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint8_t

from protocol.envelope cimport Envelope

cdef enum:
    ROWS_MAX = 128
    KEPT_BYTES = 16
    KINDS_MAX = 2048
    SPANS_MAX = 8
    LEARNT_MAX = 128


# Who speaks on a link: a pile, or a connector of it; and the number that it named last.
@cython.final
cdef class Speaker:
    cdef uint8_t name[KEPT_BYTES]
    cdef Py_ssize_t width
    cdef str pile_id
    cdef uint8_t kept[KEPT_BYTES]
    cdef str kept_text


cdef struct Row:
    int op
    Py_ssize_t slot  # where in the object the value belongs, -1 for a part of another row's value
    int at  # the field's place in the body, or the row of the first part
    int width  # bytes of the field, how many parts, or which
    int64_t add  # to a number; how a text is taken
    int64_t blank
    bint has_blank
    int otherwise  # the row that tells when this one does not
    bint is_same  # whether a frame that teaches nothing tells the same here as the one that did
    int64_t times, per, least  # a number is multiplied, divided and kept from falling below
    PyObject* thing  # held by the table


# One frame while it is read.
cdef struct Heard:
    const uint8_t* frame
    const uint8_t* body
    Py_ssize_t size  # of the body
    int64_t scale
    int64_t reference
    PyObject* at_ms
    PyObject* speaker  # NULL for one who is not known
    PyObject* former  # the fact of a frame that taught all that there is to learn of this one, or NULL
    PyObject* pile  # whose link it is, where frames need not say so
    PyObject* link  # what knows more than the frame says


@cython.final
cdef class FactTable:
    cdef readonly Py_ssize_t size
    cdef readonly frozenset sizes
    cdef readonly type kind
    cdef Py_ssize_t _speaker_at
    cdef Py_ssize_t _speaker_width
    cdef int _span_count
    cdef int _span_at[SPANS_MAX]
    cdef int _span_width[SPANS_MAX]
    cdef int _only_at
    cdef int _only_width  # 0: whatever stands in the body
    cdef int64_t _only_value
    cdef bint _is_choosy  # whether it is for some bodies of its type only
    cdef FactTable _other  # for other bodies of the same type
    cdef int _count
    cdef tuple _objects
    cdef Row* _rows

    # Whether a body of this size is read by this table; ``size`` may still be too much for it.
    cdef bint suits(self, const uint8_t* body, Py_ssize_t size) except -1
    # Copies what a link must learn of a body, as far as that goes.
    cdef void gather(self, const uint8_t* body, Py_ssize_t size, uint8_t* into) noexcept
    # Whether a body says the same as what was gathered from another one of that size.
    cdef bint teaches_nothing(self, const uint8_t* body, Py_ssize_t size, const uint8_t* learnt) noexcept
    cdef object make(self, const Heard* heard)
    cdef PyObject* _value(self, const Row* row, const Heard* heard) except NULL
    cdef object _made(self, const Row* row, const Heard* heard)
    cdef object _part(self, int index, const Heard* heard)
    cdef object _sum(self, const Row* row, const Heard* heard)
    cdef object _each(self, const Row* row, const Heard* heard)
    cdef object _register(self, const Row* row, const Heard* heard)


@cython.final
cdef class Facts:
    cdef Envelope _envelope
    cdef Py_ssize_t _head, _around
    cdef list _tables
    cdef PyObject* _first[KINDS_MAX]  # of each type; held by _tables

    # The table for a whole frame in clear; ``None`` when no fact can be told from it.
    cdef FactTable of(self, const uint8_t* frame, Py_ssize_t size)
    # What a heard frame tells; who and what is known of it is filled in by the caller.
    cdef object tell(self, FactTable table, const uint8_t* frame, Py_ssize_t size, Heard* heard)
