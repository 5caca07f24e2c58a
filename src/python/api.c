/* The function table of fastmlp_api.h, which documents what the functions promise. */
#include "api.h"
#include "../../fastmlp/include/fastmlp_api.h"

struct fastmlp_network {
    fm_network *network;
    int64_t inputs, outputs;
    int64_t max_rows; /* maximum rows whose size in bytes fits size_t */
    PyObject *owner;
};

fastmlp_network *fm_api_handle(PyObject *owner, fm_network *network, int64_t inputs, int64_t outputs) {
    fastmlp_network *handle = PyMem_RawMalloc(sizeof *handle);
    if (!handle) {
        PyErr_NoMemory();
        return NULL;
    }
    const int64_t widest = inputs > outputs ? inputs : outputs;
    *handle = (fastmlp_network){network, inputs, outputs, PTRDIFF_MAX / (int64_t)sizeof(float) / widest, Py_NewRef(owner)};
    return handle;
}

static void api_release(fastmlp_network *handle) {
    if (!handle)
        return;
    if (Py_IsInitialized()) { /* a handle may outlive the interpreter, which has then freed the owner */
        const PyGILState_STATE state = PyGILState_Ensure();
        Py_DECREF(handle->owner);
        PyGILState_Release(state);
    }
    PyMem_RawFree(handle);
}

static int64_t api_inputs(const fastmlp_network *handle) { return handle->inputs; }

static int64_t api_outputs(const fastmlp_network *handle) { return handle->outputs; }

static int status_of(fm_status status) {
    switch (status) {
    case FM_STATUS_OK:
        return FASTMLP_OK;
    case FM_STATUS_BUSY:
        return FASTMLP_BUSY;
    case FM_STATUS_REENTERED:
        return FASTMLP_REENTERED;
    default:
        return FASTMLP_NO_MEMORY; /* the only other error of a prediction */
    }
}

/* -- waiting ----------------------------------------------------------------------------------------------------------------------- */

static _Thread_local int in_c_api; /* this thread waits on behalf of a C caller, which does not expect a Python exception */

/* Lets a call that waits for the network end with the exception of a signal handler, such as KeyboardInterrupt. */
static int check_signals(void) {
    if (in_c_api || !Py_IsInitialized())
        return 0;
    const PyGILState_STATE state = PyGILState_Ensure();
    const int raised = PyErr_CheckSignals() != 0;
    PyGILState_Release(state);
    return raised;
}

void fm_api_watch_signals(void) { fm_set_wait_hook(check_signals); }

static int holds_gil(void) { return Py_IsInitialized() && PyGILState_GetThisThreadState() && PyGILState_Check(); }

/* Waits without the GIL, which the thread that holds the network may need to release it: a loss written in Python does. */
static fm_status wait_and_predict(fm_network *network, const fm_input *input, float *out) {
    PyThreadState *held = holds_gil() ? PyEval_SaveThread() : NULL;
    in_c_api = 1;
    const fm_status status = fm_network_predict(network, input, out);
    in_c_api = 0;
    if (held)
        PyEval_RestoreThread(held);
    return status;
}

static int validate_arguments(const fastmlp_network *handle, int64_t rows, const float *x, const float *out) {
    return handle && rows >= 0 && rows <= handle->max_rows && (rows == 0 || (x && out));
}

static int api_predict(fastmlp_network *handle, int64_t rows, const float *x, float *out) {
    if (!validate_arguments(handle, rows, x, out))
        return FASTMLP_BAD_ARGUMENT;
    const fm_input input = {.rows = rows, .x = x};
    fm_status status = fm_network_try_predict(handle->network, &input, out);
    if (status == FM_STATUS_BUSY)
        status = wait_and_predict(handle->network, &input, out);
    return status_of(status);
}

static int api_try_predict(fastmlp_network *handle, int64_t rows, const float *x, float *out) {
    if (!validate_arguments(handle, rows, x, out))
        return FASTMLP_BAD_ARGUMENT;
    const fm_input input = {.rows = rows, .x = x};
    return status_of(fm_network_try_predict(handle->network, &input, out));
}

static const char *api_status_text(int status) {
    switch (status) {
    case FASTMLP_OK:
        return "done";
    case FASTMLP_NO_MEMORY:
        return "fastmlp could not allocate memory for this many rows; pass fewer at a time";
    case FASTMLP_BAD_ARGUMENT:
        return "a pointer is NULL, or the number of rows is negative or too large";
    case FASTMLP_BUSY:
        return "the model is being trained or changed; try again later, or call fastmlp_predict, which waits";
    case FASTMLP_REENTERED:
        return "a loss function can't use the model that is being trained with it; it gets the predictions as an argument";
    }
    return "no status of fastmlp";
}

PyObject *fm_api_capsule(fastmlp_network *(*acquire)(PyObject *model)) {
    static fastmlp_api table = {
        .abi_version = FASTMLP_ABI_VERSION,
        .size = sizeof table,
        .release = api_release,
        .inputs = api_inputs,
        .outputs = api_outputs,
        .predict = api_predict,
        .try_predict = api_try_predict,
        .status_text = api_status_text,
    };
    table.version = fm_version();
    table.acquire = acquire;
    return PyCapsule_New(&table, "fastmlp._core._c_api", NULL);
}
