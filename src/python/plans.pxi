# Names in a plan as the numbers C has for them.

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
_PLACES = {
    **dict.fromkeys(("kernel", "gamma", "scale", "alpha", "embeddings"), 0),
    **dict.fromkeys(("bias", "beta", "offset"), 1),
    **dict.fromkeys(("mean", "moving_mean"), 2),
    **dict.fromkeys(("variance", "moving_variance"), 3),
}


cdef fm_op _op(node) except *:
    if node.op not in _OPS or node.op in ROWWISE:
        raise ValueError(f"the engine has no node {node.op!r}")
    name = node.activation if node.op == "activation" and node.activation in ROWWISE else node.op
    return <fm_op><int>_OPS[name]


cdef fm_mode _mode(node) except *:
    if node.mode not in _MODES:
        raise ValueError(f"the engine has no mode {node.mode!r} of {node.op}")
    return <fm_mode><int>_MODES[node.mode]


cdef int _fill_table(fm_table *to, table, list kept) except -1:
    """Describes a table, and keeps the arrays that C copies."""
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
    """Notes which parameter of the node this is."""
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
