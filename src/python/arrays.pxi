# Checked arrays, pointers to them, and exceptions for statuses.

cdef cnp.dtype _FLOAT32 = np.dtype(np.float32), _FLOAT64 = np.dtype(np.float64), _UINT8 = np.dtype(np.uint8)
cdef cnp.dtype _INT32 = np.dtype(np.int32), _INT64 = np.dtype(np.int64), _UINT32 = np.dtype(np.uint32)


cdef cnp.ndarray _checked(str name, array, cnp.dtype dtype, int ndim, bint writable):
    """The array itself if C can read it, with ``ndim`` axes, any number if that is negative; raises TypeError or ValueError otherwise."""
    cdef int needed = cnp.NPY_ARRAY_C_CONTIGUOUS | cnp.NPY_ARRAY_ALIGNED | (cnp.NPY_ARRAY_WRITEABLE if writable else 0)
    if not isinstance(array, cnp.ndarray):
        raise TypeError(f"{name} must be a NumPy array, got {type(array).__name__}")
    cdef cnp.ndarray given = array
    if given.descr is dtype and (ndim < 0 or cnp.PyArray_NDIM(given) == ndim) and cnp.PyArray_CHKFLAGS(given, needed):
        return given  # at once: the checks below, in Python, take longer than a small network
    if array.dtype != dtype:
        raise TypeError(f"{name} must have dtype {dtype}, got {array.dtype}")
    if ndim >= 0 and array.ndim != ndim:
        raise ValueError(f"{name} must have {ndim} dimensions, got {array.ndim}")
    if not array.flags.c_contiguous:
        raise ValueError(f"{name} is not C-contiguous; pass np.ascontiguousarray({name})")
    if not array.flags.aligned:
        raise ValueError(f"{name} is not aligned in memory; pass {name}.copy()")
    if writable and not array.flags.writeable:
        raise ValueError(f"{name} is read-only")
    return array


cdef object _numbers(x):
    """Converts an array of real numbers to one that C can read."""
    if "numpy.ma" in sys.modules and np.ma.is_masked(x):  # nothing is masked before that module is there, and it is slow to import
        raise ValueError("x has masked elements; fill them first, for example with x.filled(0)")
    x = np.asarray(x)
    if x.dtype.kind not in "biuf":
        raise TypeError(f"x must hold real numbers, got dtype {x.dtype}")
    return as_native(x, np.uint8 if x.dtype == np.uint8 else np.float32)


cdef int _raise(fm_status status) except -1:
    if status == FM_STATUS_OK:
        return 0
    if status == FM_STATUS_NO_MEMORY:
        raise MemoryError("fastmlp could not allocate memory for this network and batch size; make either smaller")
    if status == FM_STATUS_BAD_ROW:
        raise ValueError("a label is outside 0 … outputs − 1, an entry of order outside the rows, or a sparse row not in order")
    if status == FM_STATUS_NOT_READY:
        raise RuntimeError("the network has no loss and optimizer yet; call configure(objective, update) first")
    if status == FM_STATUS_STOPPED:
        return -1  # with what a signal handler raised, such as KeyboardInterrupt
    if status == FM_STATUS_STALE:
        raise RuntimeError(errors.STALE)
    if status == FM_STATUS_REENTERED:
        raise RuntimeError(errors.INSIDE_FUNCTION)
    if status == FM_STATUS_OCCUPIED:
        raise RuntimeError(errors.OCCUPIED)
    if status == FM_STATUS_INTERRUPTED:
        raise RuntimeError("this process was forked inside a loss function, so it can't go on with the training that goes on in its parent")
    raise ValueError("the plan, objective or index does not fit the network")


cdef void *_rows_of(str name, array, cnp.dtype dtype, int ndim, int64_t rows) except NULL:
    cdef cnp.ndarray checked = _checked(name, array, dtype, ndim, False)
    if cnp.PyArray_DIM(checked, 0) != rows:
        raise ValueError(f"{name} has {len(array)} rows, but x has {rows}")
    return cnp.PyArray_DATA(checked)


cdef void _point(fm_input *c, cnp.ndarray array, int64_t rows) noexcept:
    c.rows, c.x, c.x_uint8, c.x_csr = rows, NULL, NULL, NULL
    if cnp.PyArray_TYPE(array) == cnp.NPY_UINT8:
        c.x_uint8 = <const uint8_t *>cnp.PyArray_DATA(array)
    else:
        c.x = <const float *>cnp.PyArray_DATA(array)


cdef int64_t _point_csr(fm_csr *c, x) except -1:
    """Points C at the arrays of a SparseRows; the number of its rows."""
    cdef cnp.ndarray starts = _checked("x.starts", x.starts, _INT64, 1, False)
    cdef cnp.ndarray columns = _checked("x.columns", x.columns, _INT32, 1, False)
    cdef cnp.ndarray values = _checked("x.values", x.values, _FLOAT32, 1, False)
    if not len(starts) or len(columns) != len(values):
        raise ValueError(f"x has {len(starts)} row starts, {len(columns)} columns and {len(values)} values")
    c.begin, c.column = <const int64_t *>cnp.PyArray_DATA(starts), <const int32_t *>cnp.PyArray_DATA(columns)
    c.value, c.entries = <const float *>cnp.PyArray_DATA(values), cnp.PyArray_DIM(values, 0)
    return cnp.PyArray_DIM(starts, 0) - 1


cdef float *_predictions_of(predictions, int64_t rows, int64_t columns) except? NULL:
    cdef cnp.ndarray out = _checked("predictions", predictions, _FLOAT32, 2, True)
    if cnp.PyArray_DIM(out, 0) < rows or cnp.PyArray_DIM(out, 1) != columns:
        raise ValueError(f"predictions has shape {predictions.shape}, but these batches fill ({rows}, {columns})")
    return <float *>cnp.PyArray_DATA(out)
