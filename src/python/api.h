/* The binding's side of fastmlp/include/fastmlp_api.h: handles on networks owned by Python objects, and the capsule for other modules. */
#ifndef FASTMLP_SRC_API_H
#define FASTMLP_SRC_API_H

#include "fastmlp.h"

#include <Python.h>

typedef struct fastmlp_network fastmlp_network;

/* A handle on a network that keeps its owner alive; NULL with MemoryError set. Needs the GIL. */
fastmlp_network *fm_api_handle(PyObject *owner, fm_network *network, int64_t inputs, int64_t outputs);

/* The capsule that holds the function table; `acquire` comes from the binding. */
PyObject *fm_api_capsule(fastmlp_network *(*acquire)(PyObject *model));

/* Lets calls from Python that wait for a network end when a signal handler raises, as Ctrl-C does. */
void fm_api_watch_signals(void);

#endif
