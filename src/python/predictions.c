/* A subclass of NumPy's array as cheap as the array itself. A class defined in Python would be tracked by the garbage collector, which
 * makes small arrays noticeably slower. */
#include "predictions.h"

#include <numpy/arrayobject.h>

static PyObject *to_plain(PyObject *self, PyObject *unused) {
    (void)unused;
    return PyArray_View((PyArrayObject *)self, NULL, &PyArray_Type);
}

static PyObject *reduce(PyObject *self, PyObject *unused) {
    PyObject *plain = to_plain(self, unused);
    if (!plain)
        return NULL;
    PyObject *result = PyObject_CallMethod(plain, "__reduce__", NULL);
    Py_DECREF(plain);
    return result;
}

static PyObject *repr(PyObject *self) {
    PyObject *plain = to_plain(self, NULL);
    if (!plain)
        return NULL;
    PyObject *result = PyObject_Repr(plain);
    Py_DECREF(plain);
    return result;
}

static PyMethodDef methods[] = {
    {"numpy", to_plain, METH_NOARGS, "numpy($self, /)\n--\n\nThe same numbers as a plain array."},
    {"__reduce__", reduce, METH_NOARGS, "__reduce__($self, /)\n--\n\nPickled as a plain array."},
    {NULL, NULL, 0, NULL},
};

static PyTypeObject predictions = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "fastmlp._core.Predictions",
    .tp_doc = "A NumPy array with the method numpy(); what a model returns when it is called.",
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_repr = repr,
    .tp_methods = methods,
};

PyTypeObject *fm_predictions_type(void) {
    if (_import_array() < 0)
        return NULL;
    predictions.tp_base = &PyArray_Type;
    return PyType_Ready(&predictions) < 0 ? NULL : (PyTypeObject *)Py_NewRef((PyObject *)&predictions);
}
