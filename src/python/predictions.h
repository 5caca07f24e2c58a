/* The class of what a model returns when it is called. */
#ifndef FASTMLP_PREDICTIONS_H
#define FASTMLP_PREDICTIONS_H

#include <Python.h>

/* NumPy's array with a method numpy(), as tensors have it; NULL with an exception set if it can't be made. A new reference. */
PyTypeObject *fm_predictions_type(void);

#endif
