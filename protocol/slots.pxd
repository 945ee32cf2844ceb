# Objects of frozen dataclasses with slots, made empty and filled slot by slot: no ``__init__`` runs.
from cpython.object cimport PyObject

cdef extern from *:
    """
    #include <structmember.h>

    /* Where the member of a slot stands in its object, -1 when this is no such member. */
    static inline Py_ssize_t slot_of(PyObject *member) {
        if (Py_TYPE(member) != &PyMemberDescr_Type) return -1;
        PyMemberDef *def = ((PyMemberDescrObject *)member)->d_member;
        return def->type == T_OBJECT_EX ? def->offset : -1;
    }
    static inline PyObject *blank_of(PyObject *type) {
        return ((PyTypeObject *)type)->tp_alloc((PyTypeObject *)type, 0);
    }
    /* The value is the slot's own from now on. */
    static inline void put(PyObject *object, Py_ssize_t slot, PyObject *value) {
        *(PyObject **)((char *)object + slot) = value;
    }
    /* What another object has in that slot, with a reference of its own. */
    static inline PyObject *taken(PyObject *from, Py_ssize_t slot) {
        PyObject *value = *(PyObject **)((char *)from + slot);
        Py_INCREF(value);
        return value;
    }
    """
    Py_ssize_t slot_of(object member)
    object blank_of(object kind)
    void put(object into, Py_ssize_t slot, PyObject* value) noexcept
    PyObject* taken(PyObject* origin, Py_ssize_t slot) noexcept
    PyObject* PyLong_FromLongLong(long long value) except NULL
    PyObject* PyTuple_GET_ITEM(PyObject* items, Py_ssize_t index) noexcept
    void Py_INCREF(PyObject* it) noexcept
    void Py_DECREF(PyObject* it) noexcept
