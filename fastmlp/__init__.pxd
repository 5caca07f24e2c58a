# Cython's view of include/fastmlp_api.h, which says what each function does: cimport fastmlp, then fastmlp.import_api().
from libc.stdint cimport int64_t

cdef extern from "fastmlp_api.h":
    ctypedef struct network "fastmlp_network":
        pass

    int import_api "fastmlp_import"() except -1
    network *acquire "fastmlp_acquire"(object model) except NULL

cdef extern from "fastmlp_api.h" nogil:
    enum:
        OK "FASTMLP_OK"
        NO_MEMORY "FASTMLP_NO_MEMORY"
        BAD_ARGUMENT "FASTMLP_BAD_ARGUMENT"
        BUSY "FASTMLP_BUSY"
        REENTERED "FASTMLP_REENTERED"

    void release "fastmlp_release"(network *network)
    int64_t inputs "fastmlp_inputs"(const network *network)
    int64_t outputs "fastmlp_outputs"(const network *network)
    int predict "fastmlp_predict"(network *network, int64_t rows, const float *x, float *out)
    int try_predict "fastmlp_try_predict"(network *network, int64_t rows, const float *x, float *out)
    const char *status_text "fastmlp_status_text"(int status)
