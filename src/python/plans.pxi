# Plans, from the contract's values to C's structs.

_OPS = {fm_op_name(<fm_op><int>op).decode(): op for op in range(FM_OP_COUNT)}
_MODES = {
    "": FM_MODE_NONE,
    "inference": FM_MODE_INFERENCE,
    "training": FM_MODE_TRAINING,
    "invert": FM_MODE_INVERT,
    "one_hot": FM_MODE_ONE_HOT,
    "multi_hot": FM_MODE_MULTI_HOT,
    "count": FM_MODE_COUNT,
}
_METHODS = {"floormod": FM_BUCKETING_FLOORMOD, "farmhash": FM_BUCKETING_FARMHASH, "siphash": FM_BUCKETING_SIPHASH}
_GATHERS = ("gather", "missing")
_BINNED = ("piecewise_linear", "piecewise_linear_embedding")
_PLACES = {
    **dict.fromkeys(("kernel", "gamma", "scale", "alpha", "embeddings", "coefficients"), 0),
    **dict.fromkeys(("bias", "beta", "offset"), 1),
    **dict.fromkeys(("mean", "moving_mean", "center"), 2),
    **dict.fromkeys(("variance", "moving_variance"), 3),
}

ROWWISE_ACTIVATIONS = tuple(name for name, op in _OPS.items() if fm_op_is_activation(<fm_op><int>op))  # ops of their own, by manifest


cdef class _PlanStructs:
    """A plan as C reads it. Owns the arrays that ``plan`` points to, which ``fm_network_new`` copies."""

    cdef fm_plan plan
    cdef fm_node_spec *nodes
    cdef int64_t *widths
    cdef int64_t[2] *shapes
    cdef uint8_t *trainable
    cdef list kept  # NumPy arrays that nodes point to
    cdef readonly list constants  # values of the nodes' constants, which are parameters to C and follow the plan's own

    def __cinit__(self, plan):
        self.kept = []
        self.constants = [values.spread() for node in plan.nodes for _, values in node.constants]
        cdef int nodes = len(plan.nodes), buffers = len(plan.widths), parameters = len(plan.parameters), i
        cdef int total = parameters + len(self.constants), constant = parameters
        self.nodes = <fm_node_spec *>calloc(nodes + 1, sizeof(fm_node_spec))
        self.widths = <int64_t *>calloc(buffers + 1, sizeof(int64_t))
        self.shapes = <int64_t[2] *>calloc(total + 1, 2 * sizeof(int64_t))
        self.trainable = <uint8_t *>calloc(total + 1, sizeof(uint8_t))
        if self.nodes == NULL or self.widths == NULL or self.shapes == NULL or self.trainable == NULL:
            raise MemoryError("fastmlp could not allocate memory for the plan of the network")
        for i, width in enumerate(plan.widths):
            self.widths[i] = width
        for i, parameter in enumerate(plan.parameters):
            is_matrix = len(parameter.shape) == 2 and not parameter.flat
            self.shapes[i][0], self.shapes[i][1] = parameter.shape if is_matrix else (1, math.prod(parameter.shape))
            self.trainable[i] = parameter.trainable
        for i, values in enumerate(self.constants, parameters):
            self.shapes[i][0], self.shapes[i][1] = 1, len(values)
        for i, node in enumerate(plan.nodes):
            _fill_node(&self.nodes[i], node, constant, self.kept)
            constant += len(node.constants)
            if node.op in _GATHERS and len(node.gathered) != plan.widths[node.output]:
                raise ValueError(f"node {i} gathers {len(node.gathered)} columns into {plan.widths[node.output]}")
            if node.op in _BINNED and len(node.edges) != plan.widths[node.inputs[0]]:
                raise ValueError(f"node {i} has edges for {len(node.edges)} columns, but reads {plan.widths[node.inputs[0]]}")
        self.plan.buffer_count, self.plan.node_count, self.plan.parameter_count = buffers, nodes, total
        self.plan.widths, self.plan.nodes, self.plan.output = self.widths, self.nodes, plan.output
        self.plan.shapes, self.plan.trainable = self.shapes, self.trainable

    def __dealloc__(self):
        free(self.nodes)
        free(self.widths)
        free(self.shapes)
        free(self.trainable)


cdef int _fill_node(fm_node_spec *c, node, int constant, list kept) except -1:
    """Fills a zeroed struct. The node's constants are the parameters from number ``constant``; ``kept`` receives the arrays it points to."""
    c.op = _op(node)
    if len(node.inputs) != fm_op_inputs(c.op):
        raise ValueError(f"a node {node.op!r} reads {fm_op_inputs(c.op)} buffers, got {len(node.inputs)}")
    c.input, c.other, c.output = node.inputs[0], node.inputs[-1], node.output
    c.column, c.depth, c.drops = node.column, node.depth, node.drops
    if node.op in _GATHERS:
        kept.append(np.array(node.gathered, np.int32))
        c.gathered = <const int32_t *>cnp.PyArray_DATA(<cnp.ndarray>kept[-1])
    if node.op in _BINNED:
        kept += [np.array(list(map(len, node.edges)), np.int32), np.concatenate([(), *node.edges]).astype(np.float32)]
        c.edge_counts = <const int32_t *>cnp.PyArray_DATA(<cnp.ndarray>kept[-2])
        c.edges = <const float *>cnp.PyArray_DATA(<cnp.ndarray>kept[-1])
    if node.table is not None:
        _fill_table(&c.table, node.table, kept)
    c.kernel = c.bias = c.mean = c.variance = -1
    for role, index in zip(node.roles or ("kernel", "bias")[: len(node.parameters)], node.parameters, strict=True):
        _place(c, role, index)
    for role, _ in node.constants:
        _place(c, role, constant)
        constant += 1
    c.activation = 0 if node.activation in ROWWISE_ACTIVATIONS else _index(ACTIVATIONS, "activation", node.activation)
    c.alpha, c.threshold, c.max_value, c.rate = node.alpha, node.threshold, node.max_value, node.rate
    c.epsilon, c.momentum, c.mode = node.epsilon, node.momentum, _mode(node)
    if node.penalty is not None:
        c.l1, c.l2 = node.penalty.l1, node.penalty.l2
    return 0


cdef fm_op _op(node) except *:
    name = node.activation if node.op == "activation" and node.activation in ROWWISE_ACTIVATIONS else node.op
    if name not in _OPS or node.op in ROWWISE_ACTIVATIONS:
        raise ValueError(f"the engine has no node {node.op!r}")
    return <fm_op><int>_OPS[name]


cdef fm_mode _mode(node) except *:
    if node.mode not in _MODES:
        raise ValueError(f"the engine has no mode {node.mode!r} of {node.op}")
    return <fm_mode><int>_MODES[node.mode]


cdef int _fill_table(fm_table *to, table, list kept) except -1:
    keys, values = np.array(table.keys, np.float32), np.array(table.values, np.float32)
    if len(values) not in (0, len(keys)):
        raise ValueError(f"a table has {len(keys)} keys, but {len(values)} values")
    kept += [keys, values]
    to.entries = len(keys)
    to.keys = <const float *>cnp.PyArray_DATA(<cnp.ndarray>keys)
    to.values = <const float *>cnp.PyArray_DATA(<cnp.ndarray>values) if len(values) else NULL
    to.first, to.buckets = table.first, table.buckets
    to.method = <fm_bucketing><int>_index(_METHODS, "method", table.method)
    to.salt[0], to.salt[1] = table.salt
    return 0


cdef int _place(fm_node_spec *spec, role, int index) except -1:
    """Stores the index of the node's parameter with this role."""
    cdef int place = _index(_PLACES, "parameter", role)
    if place == 0:
        spec.kernel = index
    elif place == 1:
        spec.bias = index
    elif place == 2:
        spec.mean = index
    else:
        spec.variance = index
    return 0


cdef int _index(dict table, str what, str name) except -1:
    if name not in table:
        raise ValueError(f"the engine has no {what} {name!r}; it has {', '.join(table)}")
    return table[name]
