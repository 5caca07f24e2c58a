# Losses and metrics, from the contract's values to C's structs; and user-defined losses, which C calls.

cdef class _LossFunction:
    """A user-defined loss, to which C keeps a pointer."""

    cdef object function
    cdef ptrdiff_t targets  # columns of the targets; 0: those of the predictions
    cdef object failure  # what it raised

    def __cinit__(self, function, ptrdiff_t targets):
        self.function, self.targets = function, targets


cdef int _call_loss_function(void *context, const fm_loss *a) noexcept with gil:
    """Calls a user-defined loss with NumPy arrays and copies its results to the engine."""
    cdef _LossFunction own = <_LossFunction>context
    cdef ptrdiff_t row_bytes = a.cols * sizeof(float), targets = own.targets or a.cols, r
    try:  # around everything: an exception outside would be printed and forgotten
        y = np.empty((a.rows, targets), np.float32)
        predictions = np.empty((a.rows, a.cols), np.float32)
        for r in range(a.rows):
            memcpy(cnp.PyArray_GETPTR2(<cnp.ndarray>y, r, 0), a.y + r * a.y_row, targets * sizeof(float))
            memcpy(cnp.PyArray_GETPTR2(<cnp.ndarray>predictions, r, 0), a.x + r * a.x_row, row_bytes)
        values, slopes = own.function(y, predictions)
        memcpy(a.loss, _rows_of("loss", values, _FLOAT32, 1, a.rows), a.rows * sizeof(float))
        _rows_of("gradient", slopes, _FLOAT32, 2, a.rows)
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
    """The number of the loss of an Objective or a Metric."""
    return _index(LOSSES, what, (spec.loss if what == "loss" else spec.kind) + ("_from_logits" if spec.from_logits else ""))


cdef int _set_parameters(float *target, parameters) except -1:
    for i in range(FM_LOSS_PARAMETERS):
        target[i] = parameters[i] if i < len(parameters) else 0.0
    return 0


cdef class _ObjectiveStructs:
    """Objectives and their metrics as C reads them. Owns the arrays, which ``fm_network_configure`` copies."""

    cdef fm_objective *objectives
    cdef fm_metric_spec *metrics
    cdef int count, metric_count
    cdef dict functions  # a _LossFunction for each term whose loss is the user's

    def __cinit__(self, tuple terms, int output):
        cdef int t, m = 0
        self.count, self.metric_count = len(terms), sum(len(term.metrics) for term in terms)
        self.functions = {t: _LossFunction(term.function, term.targets) for t, term in enumerate(terms) if term.function}
        self.objectives = <fm_objective *>calloc(self.count + 1, sizeof(fm_objective))
        self.metrics = <fm_metric_spec *>calloc(self.metric_count + 1, sizeof(fm_metric_spec))
        if self.objectives == NULL or self.metrics == NULL:
            raise MemoryError("fastmlp could not allocate memory for the losses and metrics")
        for t, term in enumerate(terms):
            _fill_objective(&self.objectives[t], term, output)
            if t in self.functions:
                self.objectives[t].loss = -1
                self.objectives[t].function, self.objectives[t].context = _call_loss_function, <void *>self.functions[t]
            self.objectives[t].metric_count, self.objectives[t].metrics = len(term.metrics), self.metrics + m
            for metric in term.metrics:
                _fill_metric(&self.metrics[m], metric, self.objectives[t].output)
                m += 1

    def __dealloc__(self):
        free(self.objectives)
        free(self.metrics)


cdef int _fill_objective(fm_objective *c, term, int output) except -1:
    if not term.function:
        c.loss = _loss_index("loss", term)
    c.source, c.weight, c.smoothing = term.source, term.weight, term.smoothing
    c.output = output if term.output is None else term.output
    c.targets = term.targets
    c.ignores, c.ignored = term.ignored is not None, term.ignored or 0
    return _set_parameters(c.parameter, term.parameters)


cdef int _fill_metric(fm_metric_spec *c, metric, int output) except -1:
    c.kind = _loss_index("metric", metric)
    c.source = output if metric.source is None else metric.source
    c.weighted, c.threshold, c.smoothing = metric.weighted, metric.threshold, metric.smoothing
    return _set_parameters(c.parameter, metric.parameters)


cdef int _raise_from_loss(_Task task, fm_status status) except -1:
    """Like ``_raise``, but raises the exception of a user-defined loss if there was one."""
    cdef _LossFunction function
    for function in task.functions:
        if function.failure is not None:
            error, function.failure = function.failure, None
            raise error
    return _raise(status)
