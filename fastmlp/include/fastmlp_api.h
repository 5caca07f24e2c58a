/* fastmlp_api.h: predictions of a fastmlp model from C, C++ or Cython, without the GIL and without NumPy.
 *
 *     #include <fastmlp_api.h>                             // compile with -I, from python -c "import fastmlp; print(fastmlp.get_include())"
 *
 *     if (fastmlp_import() < 0) return NULL;               // once in every file that includes this header, in its module's init function
 *     fastmlp_network *policy = fastmlp_acquire(model);    // GIL held; a built fastmlp model
 *     if (!policy) return NULL;                            // with a Python exception set
 *     float x[17], out[6];                                 // as many as fastmlp_inputs(policy) and fastmlp_outputs(policy)
 *     Py_BEGIN_ALLOW_THREADS
 *     status = fastmlp_predict(policy, 1, x, out);         // any thread, no GIL, many at once
 *     Py_END_ALLOW_THREADS
 *     fastmlp_release(policy);                             // once for each acquire
 *
 * Nothing is linked: the functions come from the installed fastmlp, through a table that fastmlp_import() finds. An extension module
 * built against one fastmlp runs with every later one of the same FASTMLP_ABI_VERSION.
 *
 * A handle stands for the network that the model has when it is acquired. It sees the model's weights as they are at each call: training
 * and set_weights change what it predicts, compiling anew does not. A model whose layers or engine are changed gets another network; the
 * handle keeps the old one, as it was, until it is released. A handle stays usable when the model is gone, and in a child after fork.
 */
#ifndef FASTMLP_API_H
#define FASTMLP_API_H

#include <Python.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Another number when a function of the table below is changed or taken away. New ones are added at its end and make it larger. */
#define FASTMLP_ABI_VERSION 1

typedef struct fastmlp_network fastmlp_network;

/* What a prediction returns. */
enum {
    FASTMLP_OK = 0,
    FASTMLP_NO_MEMORY = 1,    /* an allocation failed; out is undefined */
    FASTMLP_BAD_ARGUMENT = 2, /* rows is negative or too large, or a pointer is NULL; nothing is written */
    FASTMLP_BUSY = 3,         /* try_predict only: the model is being trained or changed just now; nothing is written */
    FASTMLP_REENTERED = 4,    /* called from a loss function of the model that is being trained, on its thread; nothing is written */
};

typedef struct fastmlp_api {
    uint32_t abi_version; /* FASTMLP_ABI_VERSION of the fastmlp that is installed */
    uint32_t size;        /* bytes of its table */
    const char *version;  /* of fastmlp: "0.1.0" */
    fastmlp_network *(*acquire)(PyObject *model);
    void (*release)(fastmlp_network *network);
    int64_t (*inputs)(const fastmlp_network *network);
    int64_t (*outputs)(const fastmlp_network *network);
    int (*predict)(fastmlp_network *network, int64_t rows, const float *x, float *out);
    int (*try_predict)(fastmlp_network *network, int64_t rows, const float *x, float *out);
    const char *(*status_text)(int status);
} fastmlp_api;

/* The table, one pointer for each file that includes this header. */
static const fastmlp_api *fastmlp_table = NULL;

/* Finds the table of the installed fastmlp. 0, or -1 with an ImportError set. Call it with the GIL, before any other function here. */
static inline int fastmlp_import(void) {
    PyObject *core = PyImport_ImportModule("fastmlp._core");
    PyObject *capsule;
    const fastmlp_api *api;
    if (!core)
        return -1;
    capsule = PyObject_GetAttrString(core, "_c_api");
    Py_DECREF(core);
    if (!capsule) {
        PyErr_SetString(PyExc_ImportError,
                        "the installed fastmlp has no C API, which this extension module needs; install a newer fastmlp");
        return -1;
    }
    api = (const fastmlp_api *)PyCapsule_GetPointer(capsule, "fastmlp._core._c_api");
    Py_DECREF(capsule);
    if (!api)
        return -1;
    if (api->abi_version != FASTMLP_ABI_VERSION) {
        PyErr_Format(PyExc_ImportError,
                     "this extension module was built for version %d of fastmlp's C ABI, but fastmlp %s has version %d; build it again",
                     FASTMLP_ABI_VERSION, api->version, (int)api->abi_version);
        return -1;
    }
    if (api->size < sizeof(fastmlp_api)) {
        PyErr_Format(PyExc_ImportError, "this extension module was built with a newer fastmlp than %s, which is installed; upgrade fastmlp",
                     api->version);
        return -1;
    }
    fastmlp_table = api;
    return 0;
}

/* A handle for a built model that runs on the native engine; NULL with a Python exception set. Needs the GIL. */
static inline fastmlp_network *fastmlp_acquire(PyObject *model) { return fastmlp_table->acquire(model); }

/* Gives a handle back; it must not be used afterwards. NULL is ignored. Takes the GIL where the caller does not hold it. */
static inline void fastmlp_release(fastmlp_network *network) { fastmlp_table->release(network); }

/* Numbers in a row of x and of out; they never change. No GIL. */
static inline int64_t fastmlp_inputs(const fastmlp_network *network) { return fastmlp_table->inputs(network); }
static inline int64_t fastmlp_outputs(const fastmlp_network *network) { return fastmlp_table->outputs(network); }

/* out[rows][outputs] from x[rows][inputs], the same bits as model(x). Both are contiguous, and do not overlap. Many threads may
 * predict at once, with or without the GIL; a prediction waits while the model is trained or changed, at most some 50 ms between two looks
 * of the training loop, and lets go of the GIL meanwhile. NaN gives NaN. Returns FASTMLP_OK or what went wrong. */
static inline int fastmlp_predict(fastmlp_network *network, int64_t rows, const float *x, float *out) {
    return fastmlp_table->predict(network, rows, x, out);
}

/* The same, but returns FASTMLP_BUSY at once where fastmlp_predict would wait. */
static inline int fastmlp_try_predict(fastmlp_network *network, int64_t rows, const float *x, float *out) {
    return fastmlp_table->try_predict(network, rows, x, out);
}

/* A status in words. No GIL. */
static inline const char *fastmlp_status_text(int status) { return fastmlp_table->status_text(status); }

#ifdef __cplusplus
}
#endif

#endif
