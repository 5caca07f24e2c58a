# Optimizers and parameters' rules, from the contract's values to C's structs.

cdef tuple _read_hyperparameters():
    names = []
    while fm_hyperparameter_name(<int>len(names)) != NULL:
        names.append(fm_hyperparameter_name(<int>len(names)).decode())
    return tuple(names)


HYPERPARAMETERS = _read_hyperparameters()  # of src/kernels/kernels.def, which are fields of Update


cdef int _fill_update(fm_update_spec *c, update) except -1:
    cdef int i
    c.kind = _index(OPTIMIZERS, "optimizer", update.kind)
    for i, name in enumerate(HYPERPARAMETERS):
        value = getattr(update, name)
        c.hyperparameters[i] = -1.0 if value is None else value
    c.weight_decay = update.weight_decay
    c.clipnorm, c.global_clipnorm, c.clipvalue = update.clipnorm, update.global_clipnorm, update.clipvalue
    c.accumulate, c.ema = update.accumulate, update.ema_momentum is not None
    c.ema_momentum, c.ema_overwrite_frequency = update.ema_momentum or 0.0, update.ema_overwrite_frequency
    return 0


cdef tuple _slot_names(const fm_update_spec *update):
    names = []
    while fm_update_slot_name(update, <int>len(names)) != NULL:
        names.append(fm_update_slot_name(update, <int>len(names)).decode())
    return tuple(names)


cdef int _fill_rule(fm_parameter_rule *c, parameter) except -1:
    """The penalty and the constraint of a parameter; the other fields stay zero."""
    if parameter.penalty is not None:
        c.l1, c.l2 = parameter.penalty.l1, parameter.penalty.l2
        c.orthogonal, c.orthogonal_columns = parameter.penalty.orthogonal, parameter.penalty.columns
    bounds = parameter.bounds
    if bounds is not None and bounds.function is None:
        c.constraint = FM_CONSTRAINT_NON_NEGATIVE if bounds.kind == "non_negative" else FM_CONSTRAINT_NORM
        c.axis = {0: FM_AXIS_EACH_UNIT, 1: FM_AXIS_EACH_INPUT, None: FM_AXIS_ALL}[bounds.axis]
        c.min_value, c.max_value, c.rate = bounds.min_value, bounds.max_value, bounds.rate
    return 0
