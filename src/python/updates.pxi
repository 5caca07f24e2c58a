# What surrounds a step of the optimizer, and what single parameters ask for, as C reads them.

cdef int _fill_update(fm_update_spec *c, update) except -1:
    c.kind = _index(OPTIMIZERS, "optimizer", update.kind)
    c.momentum, c.rho, c.beta_1, c.beta_2, c.epsilon = update.momentum, update.rho, update.beta_1, update.beta_2, update.epsilon
    c.nesterov, c.centered, c.amsgrad, c.rounded = update.nesterov, update.centered, update.amsgrad, update.rounded
    c.initial_accumulator, c.weight_decay = update.initial_accumulator, update.weight_decay
    c.l1, c.l2, c.shrinkage, c.power, c.beta = update.l1, update.l2, update.shrinkage, update.power, update.beta
    c.warmup, c.newton_steps = update.warmup, update.newton_steps
    c.coefficients[0], c.coefficients[1], c.coefficients[2] = update.coefficients
    c.rms_rate = -1.0 if update.rms_rate is None else update.rms_rate
    c.vector_rate, c.vector_decay = update.vector_rate, update.vector_decay
    c.beta_2_decay, c.epsilon_2, c.clip_threshold = update.beta_2_decay, update.epsilon_2, update.clip_threshold
    c.clipnorm, c.global_clipnorm, c.clipvalue = update.clipnorm, update.global_clipnorm, update.clipvalue
    c.accumulate, c.ema = update.accumulate, update.ema_momentum is not None
    c.ema_momentum, c.ema_overwrite_frequency = update.ema_momentum or 0.0, update.ema_overwrite_frequency
    return 0


cdef int _fill_rule(fm_parameter_rule *c, parameter) except -1:
    """What a parameter asks for; the rest stays zero."""
    if parameter.penalty is not None:
        c.l1, c.l2 = parameter.penalty.l1, parameter.penalty.l2
        c.orthogonal, c.orthogonal_columns = parameter.penalty.orthogonal, parameter.penalty.columns
    bounds = parameter.bounds
    if bounds is not None and bounds.function is None:
        c.constraint = FM_CONSTRAINT_NON_NEGATIVE if bounds.kind == "non_negative" else FM_CONSTRAINT_NORM
        c.axis = {0: FM_AXIS_EACH_UNIT, 1: FM_AXIS_EACH_INPUT, None: FM_AXIS_ALL}[bounds.axis]
        c.min_value, c.max_value, c.rate = bounds.min_value, bounds.max_value, bounds.rate
    return 0
