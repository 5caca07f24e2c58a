/* The class of the array that calling a model returns. */
#ifndef FASTMLP_PREDICTIONS_H
#define FASTMLP_PREDICTIONS_H

#include <Python.h>

/* A subclass of NumPy's array with a method numpy(), like tensors; NULL with an exception set on failure. A new reference. */
PyTypeObject *fm_predictions_type(void);

#endif
