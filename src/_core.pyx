# cython: language_level=3, freethreading_compatible=True
"""The native engine: checks arrays, releases the GIL, calls C, turns a status into an exception. No arithmetic lives here."""

import os
import sys

cimport numpy as cnp
from c_api cimport *
from cpython.pythread cimport PyThread_get_thread_ident
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t, uintptr_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

import numpy as np

from fastmlp.plan import SparseRows

cnp.import_array()

# Below this many multiplications a prediction is over before another thread could make use of the GIL.
cdef int64_t HOLD_GIL_BELOW = 200_000


# -- the build: instruction sets, threads, names -------------------------------------------------------------------------------------------

def _names(kind: str) -> list[str]:
    cdef const char *name
    names = []
    while True:
        if kind == "activation":
            name = fm_activation_name(<int>len(names))
        elif kind == "loss":
            name = fm_loss_name(<int>len(names))
        else:
            name = fm_optimizer_name(<int>len(names))
        if name == NULL:
            return names
        names.append(name.decode())


ACTIVATIONS = {name: index for index, name in enumerate(_names("activation"))}
LOSSES = {name: index for index, name in enumerate(_names("loss"))}
OPTIMIZERS = {name: index for index, name in enumerate(_names("optimizer"))}
_ROW_OPS = {"softmax": FM_OP_SOFTMAX, "log_softmax": FM_OP_LOG_SOFTMAX}
_SLOT_NAMES = {"sgd": ("momentum",), "rmsprop": ("velocity", "momentum"), "adam": ("momentum", "velocity")}


cdef const fm_kernels *_find_kernels(str isa) except? NULL:
    cdef int index = 0
    cdef const fm_kernels *kernels
    while True:
        kernels = fm_kernels_at(index)
        if kernels == NULL:
            return NULL
        if kernels.name.decode() == isa:
            return kernels
        index += 1


def compiled_isas() -> list[str]:
    """Names of the instruction sets this build has kernels for, worst first."""
    names = []
    while fm_kernels_at(<int>len(names)) != NULL:
        names.append(fm_kernels_at(<int>len(names)).name.decode())
    return names


def supported_isas() -> list[str]:
    """Those of :func:`compiled_isas` that this processor and operating system can run."""
    return [isa for isa in compiled_isas() if fm_kernels_supported(_find_kernels(isa))]


def kernel_addresses(isa: str) -> dict[str, int]:
    """Addresses of the C functions of one instruction set, by kernel name, for tests and benchmarks (see src/kernels/kernels.h)."""
    cdef const fm_kernels *kernels = _find_kernels(isa)
    if kernels == NULL:
        raise ValueError(f"no kernels for {isa!r} in this build; there are {', '.join(compiled_isas())}")
    addresses = {}
    cdef fm_kernel_entry entry = fm_kernel_entry_at(kernels, 0)
    while entry.name != NULL:
        addresses[entry.name.decode()] = <uintptr_t>entry.function
        entry = fm_kernel_entry_at(kernels, <int>len(addresses))
    return addresses


cdef const fm_kernels *_kernels = NULL


def _select_isa() -> tuple[str, str]:
    global _kernels
    supported = supported_isas()
    isa = supported[-1]
    reason = "the best this processor supports"
    wanted = os.environ.get("FASTMLP_ISA", "")
    if wanted:
        if wanted not in compiled_isas():
            raise ImportError(f"FASTMLP_ISA is {wanted!r}, but this build of fastmlp has {', '.join(compiled_isas())}; choose one or unset it")
        if wanted not in supported:
            raise ImportError(f"FASTMLP_ISA is {wanted!r}, which this processor cannot run; choose from {', '.join(supported)} or unset it")
        isa, reason = wanted, "FASTMLP_ISA asks for it"
    _kernels = _find_kernels(isa)
    return isa, reason


_ISA, _ISA_REASON = _select_isa()


def version() -> str:
    """The version this binary was built as."""
    return fm_version().decode()


def build_info() -> dict[str, object]:
    """Compiler, instruction sets compiled in, the one in use and why."""
    return {"version": version(), "compiler": fm_compiler().decode(), "isas": compiled_isas(), "isa": _ISA, "isa_reason": _ISA_REASON}


def multiply_adds(iterations: int) -> int:
    """Does nothing but multiply-adds in registers, as fast as a core can; returns how many. A thread that calls it lets the others run."""
    cdef float[FM_PEAK_MAX] out
    cdef fm_peak peak
    cdef ptrdiff_t count = 0
    peak.iterations = iterations
    peak.factor, peak.term = 0.5, 1.0  # every chain tends to 2: no infinity, no denormal
    peak.out, peak.count = out, &count
    with nogil:
        _kernels.peak(&peak)
    return count


def set_threads(count: int) -> None:
    """The most threads one call may use, the caller's included."""
    fm_set_threads(count)


def get_threads() -> int:
    """See :func:`set_threads`."""
    return fm_get_threads()


def shuffle(seed: int, epoch: int, order) -> None:
    """Fills ``order``, uint32 ``(rows,)``, with the permutation for this seed and epoch."""
    cdef cnp.ndarray array = _checked("order", order, np.uint32, 1, True)
    cdef uint64_t c_seed = seed, c_epoch = epoch
    cdef uint32_t *data = <uint32_t *>cnp.PyArray_DATA(array)
    cdef int64_t rows = cnp.PyArray_DIM(array, 0)
    with nogil:
        fm_shuffle(c_seed, c_epoch, data, rows)


def first_nonfinite(values) -> int:
    """Flat index of the first NaN or infinity in a C-contiguous float32 array, or -1."""
    cdef cnp.ndarray array = _checked("values", values, np.float32, None, False)
    cdef const float *data = <const float *>cnp.PyArray_DATA(array)
    cdef int64_t size = cnp.PyArray_SIZE(array), found
    with nogil:
        found = fm_first_nonfinite(data, size)
    return found


def first_bad_row(starts, columns, width: int) -> int:
    """The first row whose columns do not ascend, or that leaves the array or the width; -1 if all are as in a SparseRows."""
    cdef fm_csr csr
    csr.begin = <const int64_t *>cnp.PyArray_DATA(_checked("starts", starts, np.int64, 1, False))
    csr.column = <const int32_t *>cnp.PyArray_DATA(_checked("columns", columns, np.int32, 1, False))
    csr.entries = len(columns)
    cdef int64_t rows = len(starts) - 1, inputs = width, found
    with nogil:
        found = fm_first_bad_row(&csr, rows, inputs)
    return found


# -- checks --------------------------------------------------------------------------------------------------------------------------------

cdef cnp.ndarray _checked(str name, array, dtype, ndim, bint writable):
    """The array itself if it is what C reads; an error that says what is wrong otherwise."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{name} must be a NumPy array, not {type(array).__name__}")
    if array.dtype != dtype:
        raise TypeError(f"{name} has dtype {array.dtype}, but {np.dtype(dtype)} is wanted")
    if ndim is not None and array.ndim != ndim:
        raise ValueError(f"{name} has {array.ndim} dimensions, but {ndim} are wanted")
    if not array.flags.c_contiguous:
        raise ValueError(f"{name} is not C-contiguous; pass np.ascontiguousarray({name})")
    if writable and not array.flags.writeable:
        raise ValueError(f"{name} is read-only")
    return array


cdef object _numbers(x):
    """Anything that is an array of real numbers, as one that C reads."""
    if "numpy.ma" in sys.modules and np.ma.is_masked(x):  # nothing is masked before that module is there, and it is slow to import
        raise ValueError("x has masked elements; fill them first, for example with x.filled(0)")
    x = np.asarray(x)
    if x.dtype.kind not in "biuf":
        raise TypeError(f"x must hold real numbers, got dtype {x.dtype}")
    return np.ascontiguousarray(x, dtype=np.uint8 if x.dtype == np.uint8 else np.float32)


cdef int _raise(fm_status status) except -1:
    if status == FM_OK:
        return 0
    if status == FM_NO_MEMORY:
        raise MemoryError("fastmlp could not allocate memory for this network and batch size; make either smaller")
    if status == FM_BAD_ROW:
        raise ValueError("a label is outside 0 … outputs − 1, an entry of order outside the rows, or a sparse row not in order")
    if status == FM_NOT_READY:
        raise RuntimeError("the network has no loss and optimizer yet; call configure(objective, update) first")
    raise ValueError("the plan, objective or index does not fit the network")


# -- the network ---------------------------------------------------------------------------------------------------------------------------

cdef class Network:
    """A compiled plan. See fastmlp.reference.Network, its readable twin, for what every method computes."""

    cdef fm_network *network
    cdef readonly object plan
    cdef readonly tuple slot_names
    cdef object objective
    cdef object failure  # what the user's own loss function raised
    cdef long loss_thread  # which thread that function runs on, 0 when it does not
    cdef int64_t inputs, outputs, row_work

    def __cinit__(self, plan, seed=0):
        self.plan = plan
        self.slot_names = ()
        self.inputs = plan.widths[0]
        self.outputs = plan.widths[plan.output]
        self._create(plan)
        self.seed = seed

    cdef int _create(self, plan) except -1:
        cdef fm_plan c_plan
        constants = [constant.spread() for node in plan.nodes for _, constant in node.constants]  # they follow the parameters
        cdef int nodes = len(plan.nodes), parameters = len(plan.parameters), buffers = len(plan.widths), i, at = parameters
        cdef fm_node_spec *specs = <fm_node_spec *>calloc(nodes + 1, sizeof(fm_node_spec))
        cdef int64_t *widths = <int64_t *>calloc(buffers + 1, sizeof(int64_t))
        cdef int64_t[2] *shapes = <int64_t[2] *>calloc(parameters + len(constants) + 1, 2 * sizeof(int64_t))
        cdef uint8_t *trainable = <uint8_t *>calloc(parameters + len(constants) + 1, sizeof(uint8_t))
        try:
            if specs == NULL or widths == NULL or shapes == NULL or trainable == NULL:
                raise MemoryError("no memory for the plan")
            for i, width in enumerate(plan.widths):
                widths[i] = width
            for i, parameter in enumerate(plan.parameters):
                shapes[i][0] = parameter.shape[0] if len(parameter.shape) == 2 else 1
                shapes[i][1] = parameter.shape[-1]
                trainable[i] = parameter.trainable
                self.row_work += shapes[i][0] * shapes[i][1]
            for i, values in enumerate(constants, parameters):
                shapes[i][0], shapes[i][1] = 1, len(values)
            for i, node in enumerate(plan.nodes):
                specs[i].op = _op(node)
                if len(node.inputs) != 1:
                    raise ValueError(f"node {i} ({node.op}) reads {len(node.inputs)} buffers, but this engine runs nodes with one")
                specs[i].input, specs[i].output = node.inputs[0], node.output
                roles = node.roles or ("kernel", "bias")[: len(node.parameters)]
                specs[i].kernel = specs[i].bias = specs[i].mean = specs[i].variance = -1
                for role, index in zip(roles, node.parameters, strict=True):
                    _place(&specs[i], role, index)
                for role, _ in node.constants:
                    _place(&specs[i], role, at)
                    at += 1
                specs[i].activation = 0 if node.activation in _ROW_OPS else _index(ACTIVATIONS, "activation", node.activation)
                specs[i].alpha, specs[i].rate = node.alpha, node.rate
                specs[i].threshold, specs[i].max_value = node.threshold, node.max_value
                specs[i].epsilon, specs[i].momentum, specs[i].mode = node.epsilon, node.momentum, _mode(node)
            c_plan.buffer_count, c_plan.node_count, c_plan.parameter_count = buffers, nodes, parameters + len(constants)
            c_plan.widths, c_plan.nodes, c_plan.output = widths, specs, plan.output
            c_plan.shapes, c_plan.trainable = shapes, trainable
            _raise(fm_network_new(_kernels, &c_plan, &self.network))
        finally:
            free(specs)
            free(widths)
            free(shapes)
            free(trainable)
        for i, values in enumerate(constants, parameters):
            array = np.array(values, np.float32)
            _raise(fm_network_set(self.network, FM_VALUE, i, <const float *>cnp.PyArray_DATA(<cnp.ndarray>array)))
        return 0

    def __dealloc__(self):
        fm_network_free(self.network)

    @property
    def seed(self) -> int:
        return fm_network_state(self.network).seed

    @seed.setter
    def seed(self, value: int) -> None:
        fm_network_state(self.network).seed = value

    @property
    def iterations(self) -> int:
        return fm_network_state(self.network).iterations

    @iterations.setter
    def iterations(self, value: int) -> None:
        fm_network_state(self.network).iterations = value

    @property
    def learning_rate(self) -> float:
        return fm_network_state(self.network).learning_rate

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        fm_network_state(self.network).learning_rate = value

    def set_unfused(self, unfused: bool) -> None:
        """Keeps gradients and updates apart; the bits are the same."""
        fm_network_set_unfused(self.network, unfused)

    def set_skip_below(self, share: float) -> None:
        """Input with a smaller share of non-zeros is multiplied without its zeros; 0 never, above 1 always, below 0 as the engine thinks best.
        The bits are the same."""
        fm_network_set_skip_below(self.network, share)

    @property
    def skip_below(self) -> float:
        """The share of non-zeros below which an array is multiplied without its zeros."""
        return fm_network_skip_below(self.network)

    def settle(self) -> None:
        """Takes the steps that rows of the first kernel have put off. Needed only where bits should not depend on when somebody looks, and
        only with ``Update.rounded``."""
        with nogil:
            fm_network_settle(self.network)

    # parameters and slots

    cdef object _get(self, fm_array which, int index):
        values = np.empty(self._shape(index), dtype=np.float32)
        cdef float *data = <float *>cnp.PyArray_DATA(<cnp.ndarray>values)
        cdef fm_status status
        with nogil:
            status = fm_network_get(self.network, which, index, data)
        _raise(status)
        return values

    cdef int _set(self, fm_array which, int index, value) except -1:
        shape = self._shape(index)
        cdef cnp.ndarray array = _checked("value", value, np.float32, len(shape), False)
        if value.shape != shape:
            raise ValueError(f"value has shape {value.shape}, but parameter {self.plan.parameters[index].name!r} has shape {shape}")
        cdef const float *data = <const float *>cnp.PyArray_DATA(array)
        cdef fm_status status
        with nogil:
            status = fm_network_set(self.network, which, index, data)
        return _raise(status)

    cdef tuple _shape(self, int index):
        if not 0 <= index < len(self.plan.parameters):
            raise IndexError(f"there is no parameter {index}; the network has {len(self.plan.parameters)}")
        return self.plan.parameters[index].shape

    cdef fm_array _slot(self, str name) except *:
        if name not in self.slot_names:
            raise KeyError(f"the optimizer has no slot {name!r}; it has {self.slot_names}")
        return <fm_array>(<int>FM_SLOT_0 + <int>self.slot_names.index(name))

    def get_parameter(self, index: int):
        return self._get(FM_VALUE, index)

    def set_parameter(self, index: int, value) -> None:
        self._set(FM_VALUE, index, value)

    def get_slot(self, name: str, index: int):
        return self._get(self._slot(name), index)

    def set_slot(self, name: str, index: int, value) -> None:
        self._set(self._slot(name), index, value)

    # inference

    def __call__(self, x):
        cdef cnp.ndarray array
        cdef fm_input c_input
        if type(x) is SparseRows:
            return self.predict(x)
        if not (type(x) is np.ndarray and cnp.PyArray_TYPE(<cnp.ndarray>x) == cnp.NPY_FLOAT32 and cnp.PyArray_IS_C_CONTIGUOUS(<cnp.ndarray>x)):
            x = _numbers(x)
        array = x
        cdef int ndim = cnp.PyArray_NDIM(array)
        if ndim == 1 and cnp.PyArray_DIM(array, 0) == self.inputs:
            _point(&c_input, array, 1)
            return self._predict(&c_input, None)
        if ndim != 2 or cnp.PyArray_DIM(array, 1) != self.inputs:
            self._refuse(x)
        _point(&c_input, array, cnp.PyArray_DIM(array, 0))
        return self._predict(&c_input, None)

    def predict(self, x, out=None):
        cdef fm_input c_input
        cdef fm_csr csr
        self._point_input(&c_input, &csr, x)
        return self._predict(&c_input, out)

    def apply(self, x, training: bool):
        if not training:
            return self.predict(x)
        cdef fm_input c_input
        cdef fm_csr csr
        self._point_input(&c_input, &csr, x)
        cdef cnp.ndarray result = np.empty((len(x), self.outputs), dtype=np.float32)
        cdef float *data = <float *>cnp.PyArray_DATA(result)
        cdef fm_status status
        with nogil:
            status = fm_network_apply_training(self.network, &c_input, data)
        _raise(status)
        return result

    cdef int _point_input(self, fm_input *c, fm_csr *csr, x) except -1:
        """Points C at the arrays of x, which the caller keeps alive during the call."""
        if type(x) is SparseRows:
            if x.width != self.inputs:
                self._refuse(x)
            c.rows, c.x, c.x_uint8, c.x_csr = _point_csr(csr, x), NULL, NULL, csr
            return 0
        cdef cnp.ndarray array = _checked("x", x, np.uint8 if getattr(x, "dtype", None) == np.uint8 else np.float32, 2, False)
        if cnp.PyArray_DIM(array, 1) != self.inputs:
            self._refuse(x)
        _point(c, array, cnp.PyArray_DIM(array, 0))
        return 0

    cdef int _refuse(self, x) except -1:
        if x.ndim not in (1, 2):
            raise ValueError(f"x has shape {x.shape}, but the network takes (rows, {self.inputs}) or one row ({self.inputs},)")
        raise ValueError(f"x has {x.shape[-1]} columns, but the first layer expects {self.inputs}")

    cdef object _predict(self, const fm_input *c_input, out):
        cdef cnp.npy_intp[2] shape
        cdef cnp.ndarray result
        cdef int64_t rows = c_input.rows
        cdef float *data
        cdef fm_status status = FM_BUSY
        if out is None:
            shape[0], shape[1] = rows, self.outputs
            result = cnp.PyArray_EMPTY(2, shape, cnp.NPY_FLOAT32, 0)
        else:
            result = _checked("out", out, np.float32, 2, True)
            if out.shape != (rows, self.outputs):
                raise ValueError(f"out has shape {out.shape}, but ({rows}, {self.outputs}) is wanted")
        data = <float *>cnp.PyArray_DATA(result)
        if self.loss_thread and self.loss_thread == <long>PyThread_get_thread_ident():
            raise RuntimeError("a loss function can't use the model that is being trained with it; it gets the predictions as an argument")
        if rows * self.row_work < HOLD_GIL_BELOW:
            status = fm_network_try_predict(self.network, c_input, data)
        if status == FM_BUSY:
            with nogil:
                status = fm_network_predict(self.network, c_input, data)
        _raise(status)
        return result

    # training

    def configure(self, objective, update) -> None:
        cdef fm_objective c_objective
        cdef fm_update_spec c_update
        cdef fm_status status
        cdef int count = len(objective.metrics), i
        own = objective.function is not None
        c_objective.loss = -1 if own else _loss_index("loss", objective)
        c_objective.source = objective.source
        c_objective.metric_count = count
        c_objective.smoothing = objective.smoothing
        _set_parameters(c_objective.parameter, objective.parameters)
        c_objective.function = NULL
        if own:
            c_objective.function = _call_loss_function
        c_objective.context = <void *>self
        c_update.kind = _index(OPTIMIZERS, "optimizer", update.kind)
        c_update.momentum, c_update.rho, c_update.nesterov = update.momentum, update.rho, update.nesterov
        c_update.beta_1, c_update.beta_2, c_update.epsilon = update.beta_1, update.beta_2, update.epsilon
        c_update.rounded = update.rounded
        cdef fm_metric_spec *metrics = <fm_metric_spec *>calloc(count + 1, sizeof(fm_metric_spec))
        try:
            if metrics == NULL:
                raise MemoryError("no memory for the metrics")
            for i, metric in enumerate(objective.metrics):
                metrics[i].kind = _loss_index("metric", metric)
                metrics[i].weighted, metrics[i].threshold, metrics[i].smoothing = metric.weighted, metric.threshold, metric.smoothing
                _set_parameters(metrics[i].parameter, metric.parameters)
            c_objective.metrics = metrics
            with nogil:
                status = fm_network_configure(self.network, &c_objective, &c_update)
            _raise(status)
        finally:
            free(metrics)
        self.objective = objective
        names = _SLOT_NAMES[update.kind]
        self.slot_names = names if update.kind == "adam" or update.momentum else names[:-1]

    def train(self, batches, first: int, stop: int, seconds: float, totals) -> int:
        return self._run(batches, first, stop, seconds, totals, True)

    def evaluate(self, batches, first: int, stop: int, seconds: float, totals) -> int:
        return self._run(batches, first, stop, seconds, totals, False)

    cdef object _run(self, batches, int64_t first, int64_t stop, double seconds, totals, bint training):
        cdef fm_batches c_batches
        cdef fm_csr csr
        cdef cnp.ndarray sums = _checked("totals", totals, np.float64, 1, True)
        cdef double *data = <double *>cnp.PyArray_DATA(sums)
        cdef int64_t following = first
        cdef fm_status status
        self._point_batches(&c_batches, &csr, batches)
        if len(totals) != 2 + 2 * len(self.objective.metrics):
            raise ValueError(f"totals has {len(totals)} elements, but {2 + 2 * len(self.objective.metrics)} are wanted")
        with nogil:
            if training:
                status = fm_network_train(self.network, &c_batches, &following, stop, seconds, data)
            else:
                status = fm_network_evaluate(self.network, &c_batches, &following, stop, seconds, data)
        if status == FM_NON_FINITE:
            from fastmlp.errors import NonFiniteLossError

            raise NonFiniteLossError(batch=following)
        self._raise_from_loss(status)
        return following

    def gradients(self, batches):
        cdef fm_batches c_batches
        cdef fm_csr csr
        cdef double loss = 0.0
        cdef fm_status status
        self._point_batches(&c_batches, &csr, batches)
        with nogil:
            status = fm_network_gradients(self.network, &c_batches, &loss)
        if status == FM_NON_FINITE:
            from fastmlp.errors import NonFiniteLossError

            raise NonFiniteLossError(batch=0)
        self._raise_from_loss(status)
        return loss, [self._get(FM_GRADIENT, i) for i in range(len(self.plan.parameters))]

    cdef int _raise_from_loss(self, fm_status status) except -1:
        """Like ``_raise``, but with the exception that the user's own loss function ended with."""
        if status == FM_INTERRUPTED:
            error, self.failure = self.failure, None
            raise error
        return _raise(status)

    cdef int _point_batches(self, fm_batches *c, fm_csr *csr, batches) except -1:
        """Points C at the arrays of a Batches, which the caller keeps alive during the call."""
        if self.objective is None:
            return _raise(FM_NOT_READY)
        cdef fm_input c_input
        self._point_input(&c_input, csr, batches.x)
        cdef int64_t rows = c_input.rows
        c.rows, c.batch_size, c.x, c.x_uint8, c.x_csr = rows, batches.batch_size, c_input.x, c_input.x_uint8, c_input.x_csr
        c.y, c.labels, c.sample_weight, c.order, c.rates = NULL, NULL, NULL, NULL, NULL
        if self.objective.sparse:
            c.labels = <const int32_t *>_rows_of("y", batches.y, np.int32, 1, rows)
        else:
            c.y = <const float *>_rows_of("y", batches.y, np.float32, 2, rows)
            if batches.y.shape[1] * (2 if self.objective.loss == "gaussian_nll" else 1) != self.outputs:
                raise ValueError(f"y has {batches.y.shape[1]} columns, but the network has {self.outputs} outputs")
        if batches.sample_weight is not None:
            c.sample_weight = <const float *>_rows_of("sample_weight", batches.sample_weight, np.float32, 1, rows)
        if batches.order is not None:
            c.order = <const uint32_t *>_rows_of("order", batches.order, np.uint32, 1, rows)
        if batches.rates is not None:
            array = _checked("rates", batches.rates, np.float64, 1, False)
            if cnp.PyArray_DIM(array, 0) != batches.count:
                raise ValueError(f"rates has {len(batches.rates)} elements, but there are {batches.count} batches")
            c.rates = <const double *>cnp.PyArray_DATA(array)
        return 0


cdef void *_rows_of(str name, array, dtype, int ndim, int64_t rows) except NULL:
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
    cdef cnp.ndarray starts = _checked("x.starts", x.starts, np.int64, 1, False)
    cdef cnp.ndarray columns = _checked("x.columns", x.columns, np.int32, 1, False)
    cdef cnp.ndarray values = _checked("x.values", x.values, np.float32, 1, False)
    if not len(starts) or len(columns) != len(values):
        raise ValueError(f"x has {len(starts)} row starts, {len(columns)} columns and {len(values)} values")
    c.begin, c.column = <const int64_t *>cnp.PyArray_DATA(starts), <const int32_t *>cnp.PyArray_DATA(columns)
    c.value, c.entries = <const float *>cnp.PyArray_DATA(values), cnp.PyArray_DIM(values, 0)
    return cnp.PyArray_DIM(starts, 0) - 1


_OPS = {
    "dense": FM_OP_DENSE,
    "activation": FM_OP_ACTIVATION,
    "dropout": FM_OP_DROPOUT,
    "alpha_dropout": FM_OP_ALPHA_DROPOUT,
    "gaussian_dropout": FM_OP_GAUSSIAN_DROPOUT,
    "gaussian_noise": FM_OP_GAUSSIAN_NOISE,
    "batch_normalization": FM_OP_BATCH_NORMALIZATION,
    "layer_normalization": FM_OP_LAYER_NORMALIZATION,
    "rms_normalization": FM_OP_RMS_NORMALIZATION,
    "normalization": FM_OP_NORMALIZATION,
    "rescaling": FM_OP_RESCALING,
    "prelu": FM_OP_PRELU,
    "embedding": FM_OP_EMBEDDING,
    "category_encoding": FM_OP_CATEGORY_ENCODING,
}
_MODES = {
    "": FM_MODE_NONE,
    "inference": FM_MODE_INFERENCE,
    "invert": FM_MODE_INVERT,
    "one_hot": FM_MODE_ONE_HOT,
    "multi_hot": FM_MODE_MULTI_HOT,
    "count": FM_MODE_COUNT,
}
_PLACES = {
    **dict.fromkeys(("kernel", "gamma", "scale", "alpha", "embeddings"), 0),
    **dict.fromkeys(("bias", "beta", "offset"), 1),
    **dict.fromkeys(("mean", "moving_mean"), 2),
    **dict.fromkeys(("variance", "moving_variance"), 3),
}


cdef fm_op _op(node) except *:
    if node.op not in _OPS:
        raise ValueError(f"the engine has no node {node.op!r}")
    if node.op == "activation":
        return <fm_op><int>_ROW_OPS.get(node.activation, FM_OP_ACTIVATION)
    return <fm_op><int>_OPS[node.op]


cdef fm_mode _mode(node) except *:
    if node.mode not in _MODES:
        raise ValueError(f"the engine has no mode {node.mode!r} of {node.op}")
    return <fm_mode><int>_MODES[node.mode]


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


cdef int _call_loss_function(void *context, const fm_loss *a) noexcept with gil:
    """The user's own loss function, called by the engine: NumPy arrays for it, and its answers where the engine wants them."""
    cdef Network network = <Network>context
    cdef ptrdiff_t row_bytes = a.cols * sizeof(float), r
    y = np.empty((a.rows, a.cols), np.float32)
    predictions = np.empty((a.rows, a.cols), np.float32)
    for r in range(a.rows):
        memcpy(cnp.PyArray_GETPTR2(<cnp.ndarray>y, r, 0), a.y + r * a.y_row, row_bytes)
        memcpy(cnp.PyArray_GETPTR2(<cnp.ndarray>predictions, r, 0), a.x + r * a.x_row, row_bytes)
    network.loss_thread = PyThread_get_thread_ident()
    try:
        values, slopes = network.objective.function(y, predictions)
        memcpy(a.loss, _rows_of("loss", values, np.float32, 1, a.rows), a.rows * sizeof(float))
        _rows_of("gradient", slopes, np.float32, 2, a.rows)
    except BaseException as error:  # raised again once the engine has returned
        network.failure = error
        return 1
    finally:
        network.loss_thread = 0
    if a.grad != NULL:
        for r in range(a.rows):
            memcpy(a.grad + r * a.grad_row, cnp.PyArray_GETPTR2(<cnp.ndarray>slopes, r, 0), row_bytes)
    return 0


cdef int _loss_index(str what, spec) except -1:
    """Of an Objective or a Metric."""
    return _index(LOSSES, what, (spec.loss if what == "loss" else spec.kind) + ("_from_logits" if spec.from_logits else ""))


cdef int _set_parameters(float *target, parameters) except -1:
    for i in range(FM_LOSS_PARAMETERS):
        target[i] = parameters[i] if i < len(parameters) else 0.0
    return 0


cdef int _index(dict table, str what, str name) except -1:
    if name not in table:
        raise ValueError(f"the engine has no {what} {name!r}; it has {', '.join(table)}")
    return table[name]


# -- the C API of other extension modules: fastmlp/include/fastmlp_api.h -------------------------------------------------------------------

cdef extern from "api.h":
    ctypedef struct fastmlp_network:
        pass

    fastmlp_network *fm_api_handle(object owner, fm_network *network, int64_t inputs, int64_t outputs) except NULL
    object fm_api_capsule(fastmlp_network *(*acquire)(object model) except NULL)


cdef fastmlp_network *_acquire(object model) except NULL:
    """A handle for the network of a model, or for a Network itself."""
    engine_network = model if isinstance(model, Network) else getattr(model, "network", model)
    if engine_network is None:
        raise ValueError("the model is not built, so it has no network yet; begin it with Input(shape=...), or call build or fit")
    if not isinstance(engine_network, Network):
        if engine_network is model:
            raise TypeError(f"a fastmlp model is wanted, not {type(model).__name__}")
        raise TypeError("the model runs on the reference engine, which C cannot call; compile it with engine='native'")
    cdef Network network = engine_network
    return fm_api_handle(network, network.network, network.inputs, network.outputs)


_c_api = fm_api_capsule(_acquire)
