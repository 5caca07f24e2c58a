/* The binding's half of fastmlp/include/fastmlp_api.h: a network that a Python object owns, and the capsule other modules look for. */
#ifndef FASTMLP_SRC_API_H
#define FASTMLP_SRC_API_H

#include "fastmlp.h"

#include <Python.h>

typedef struct fastmlp_network fastmlp_network;

/* A handle on a network that keeps its owner alive; NULL with MemoryError set. Needs the GIL. */
fastmlp_network *fm_api_handle(PyObject *owner, fm_network *network, int64_t inputs, int64_t outputs);

/* The capsule of the table, whose acquire is the binding's. */
PyObject *fm_api_capsule(fastmlp_network *(*acquire)(PyObject *model));

/* Lets calls from Python that wait for a network end when a signal handler raises, as Ctrl-C does. */
void fm_api_watch_signals(void);

#endif
