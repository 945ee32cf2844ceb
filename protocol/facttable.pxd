cimport cython
from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint8_t

from protocol.envelope cimport Envelope

cdef enum:
    ROWS_MAX = 64
    KEPT_BYTES = 16
    KINDS_MAX = 256


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
    PyObject* thing  # held by the table


# One frame while it is read.
cdef struct Heard:
    const uint8_t* frame
    const uint8_t* body
    Py_ssize_t size  # of the body
    int64_t scale
    PyObject* at_ms
    PyObject* speaker  # NULL for one who is not known


@cython.final
cdef class FactTable:
    cdef readonly Py_ssize_t size
    cdef readonly bint is_exact
    cdef readonly type kind
    cdef Py_ssize_t _speaker_at
    cdef Py_ssize_t _speaker_width
    cdef FactTable _other  # for bodies of another size of the same type
    cdef int _count
    cdef tuple _objects
    cdef Row _rows[ROWS_MAX]

    cdef object make(self, const Heard* heard)
    cdef PyObject* _value(self, const Row* row, const Heard* heard) except NULL
    cdef object _made(self, const Row* row, const Heard* heard)
    cdef object _part(self, int index, const Heard* heard)
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
    cdef object tell(self, FactTable table, const uint8_t* frame, Py_ssize_t size, object at_ms, int64_t scale,
                     Speaker speaker)
