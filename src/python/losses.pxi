# Losses as C reads them, and those of the user's own, which C calls.

cdef class _LossFunction:
    """A loss of the user's own, as C knows it."""

    cdef object function
    cdef object failure  # what it raised

    def __cinit__(self, function):
        self.function = function


cdef int _call_loss_function(void *context, const fm_loss *a) noexcept with gil:
    """The user's own loss function, called by the engine: NumPy arrays for it, and its answers where the engine wants them."""
    cdef _LossFunction own = <_LossFunction>context
    cdef ptrdiff_t row_bytes = a.cols * sizeof(float), r
    try:  # around everything: an exception outside would be printed and forgotten
        y = np.empty((a.rows, a.cols), np.float32)
        predictions = np.empty((a.rows, a.cols), np.float32)
        for r in range(a.rows):
            memcpy(cnp.PyArray_GETPTR2(<cnp.ndarray>y, r, 0), a.y + r * a.y_row, row_bytes)
            memcpy(cnp.PyArray_GETPTR2(<cnp.ndarray>predictions, r, 0), a.x + r * a.x_row, row_bytes)
        values, slopes = own.function(y, predictions)
        memcpy(a.loss, _rows_of("loss", values, np.float32, 1, a.rows), a.rows * sizeof(float))
        _rows_of("gradient", slopes, np.float32, 2, a.rows)
        if slopes.shape[1] != a.cols:
            raise ValueError(f"gradient has {slopes.shape[1]} columns, but the predictions have {a.cols}")
        if a.grad != NULL:
            for r in range(a.rows):
                memcpy(a.grad + r * a.grad_row, cnp.PyArray_GETPTR2(<cnp.ndarray>slopes, r, 0), row_bytes)
    except BaseException as error:  # raised again once the engine has returned
        own.failure = error
        return 1
    return 0


cdef int _loss_index(str what, spec) except -1:
    """Of an Objective or a Metric."""
    return _index(LOSSES, what, (spec.loss if what == "loss" else spec.kind) + ("_from_logits" if spec.from_logits else ""))


cdef int _set_parameters(float *target, parameters) except -1:
    for i in range(FM_LOSS_PARAMETERS):
        target[i] = parameters[i] if i < len(parameters) else 0.0
    return 0
