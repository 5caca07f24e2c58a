# cython: language_level=3, freethreading_compatible=True
"""The native engine: checks arrays, releases the GIL, calls C, raises an exception for a status. Contains no arithmetic."""

import math
import os
import sys

cimport cython
cimport numpy as cnp
from c_api cimport *
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t, uintptr_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

import numpy as np

from fastmlp import errors
from fastmlp._base.numeric import as_native
from fastmlp._engine.spec import SparseRows

cnp.import_array()

cdef extern from "predictions.h":
    type fm_predictions_type()


cdef type _Array = np.ndarray
cdef type _Predictions = fm_predictions_type()
Predictions = _Predictions

# With fewer multiplications, a prediction ends before another thread could use the GIL.
cdef int64_t HOLD_GIL_BELOW = 200_000

include "library.pxi"
include "arrays.pxi"
include "plans.pxi"
include "losses.pxi"
include "updates.pxi"


cdef class _Task:
    """What the network is configured for: losses, metrics and optimizer. Immutable once the network has it."""

    cdef uint64_t number  # of fm_network_configure
    cdef object objective  # the argument of configure
    cdef tuple terms  # an Objective for each loss
    cdef tuple functions  # user-defined losses, kept alive because C points to them
    cdef tuple slot_names
    cdef object update
    cdef bint labels  # whether the targets of the only loss are integer class labels
    cdef int64_t target_columns, totals
    cdef int64_t predicted_columns  # of the outputs that have a loss, side by side


cdef class Network:
    """A compiled plan. See fastmlp.reference.Network, its readable twin, for what every method computes."""

    cdef fm_network *network
    cdef readonly object plan
    cdef _Task task  # None before configure; read and replaced by _now and _adopt
    cdef int64_t inputs, outputs, row_work
    cdef int parameter_count  # of C, which counts the constants of nodes too

    def __cinit__(self, plan, seed=0):
        self.plan = plan
        self.inputs = plan.widths[0]
        self.outputs = plan.widths[plan.output]
        self._create(plan)
        self.seed = seed

    cdef int _create(self, plan) except -1:
        cdef int i, first = len(plan.parameters)
        cdef _PlanStructs structs = _PlanStructs(plan)
        for i in range(first):
            self.row_work += structs.shapes[i][0] * structs.shapes[i][1]
        _raise(fm_network_new(_kernels, &structs.plan, &self.network))
        self.parameter_count = first + len(structs.constants)
        for i, values in enumerate(structs.constants, first):
            array = as_native(values, np.float32)
            _raise(fm_network_set(self.network, 0, FM_ARRAY_VALUE, i, <const float *>cnp.PyArray_DATA(<cnp.ndarray>array)))
        return 0

    def __dealloc__(self):
        fm_network_free(self.network)

    cdef _Task _now(self):
        """The current configuration, which another thread may be replacing."""
        with cython.critical_section(self):
            return self.task

    cdef void _adopt(self, _Task task) noexcept:
        """Stores the configuration that C has; if two threads configured the network, the later one."""
        with cython.critical_section(self):
            if self.task is None or self.task.number < task.number:
                self.task = task

    @property
    def slot_names(self) -> tuple[str, ...]:
        task = self._now()
        return () if task is None else task.slot_names

    cdef int _set_state(self, fm_field field, fm_state state) except -1:
        cdef fm_status status
        with nogil:
            status = fm_network_set_state(self.network, field, state)
        return _raise(status)

    @property
    def seed(self) -> int:
        return fm_network_state(self.network).seed

    @seed.setter
    def seed(self, value: int) -> None:
        cdef fm_state state
        state.seed = value
        self._set_state(FM_FIELD_SEED, state)

    @property
    def iterations(self) -> int:
        return fm_network_state(self.network).iterations

    @iterations.setter
    def iterations(self, value: int) -> None:
        cdef fm_state state
        state.iterations = value
        self._set_state(FM_FIELD_ITERATIONS, state)

    @property
    def learning_rate(self) -> float:
        return fm_network_state(self.network).learning_rate

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        cdef fm_state state
        state.learning_rate = value
        self._set_state(FM_FIELD_LEARNING_RATE, state)

    def set_unfused(self, unfused: bool) -> None:
        """Stores gradients before updates instead of fusing them; the bits are the same."""
        cdef fm_state state
        state.unfused = unfused
        self._set_state(FM_FIELD_UNFUSED, state)

    def set_skip_below(self, share: float) -> None:
        """Skips zeros of input with a smaller fraction of non-zeros; 0 never, above 1 always, below 0 the engine's default. The bits are the
        same."""
        cdef fm_state state
        state.skip_below = share
        self._set_state(FM_FIELD_SKIP_BELOW, state)

    @property
    def skip_below(self) -> float:
        """The fraction of non-zeros below which the zeros of an array are skipped."""
        return fm_network_skip_below(self.network)

    @property
    def in_use_here(self) -> bool:
        """Whether this thread is inside a user-defined function that this network has called."""
        return fm_network_is_mine(self.network)

    def flush(self) -> None:
        """Applies the deferred updates of rows of the first kernel or of embeddings. Only with ``Update.rounded`` do bits depend on when that happens."""
        cdef fm_status status
        with nogil:
            status = fm_network_flush(self.network)
        _raise(status)

    # parameters and slots

    cdef object _get(self, uint64_t task, fm_array which, int index, tuple shape):
        values = np.empty(shape, dtype=np.float32)
        if values.size == 0:
            return values
        cdef float *data = <float *>cnp.PyArray_DATA(<cnp.ndarray>values)
        cdef fm_status status
        with nogil:
            status = fm_network_get(self.network, task, which, index, data)
        _raise(status)
        return values

    cdef int _set(self, uint64_t task, fm_array which, int index, tuple shape, value, str what) except -1:
        cdef cnp.ndarray array = _checked("value", value, _FLOAT32, len(shape), False)
        if value.shape != shape:
            raise ValueError(f"value has shape {value.shape}, but {what} {self.plan.parameters[index].name!r} has shape {shape}")
        if value.size == 0:
            return 0
        cdef const float *data = <const float *>cnp.PyArray_DATA(array)
        cdef fm_status status
        with nogil:
            status = fm_network_set(self.network, task, which, index, data)
        return _raise(status)

    cdef tuple _shape(self, int index):
        if not 0 <= index < len(self.plan.parameters):
            raise IndexError(f"there is no parameter {index}; the network has {len(self.plan.parameters)}")
        return self.plan.parameters[index].shape

    cdef fm_array _slot(self, _Task task, str name) except *:
        names = () if task is None else task.slot_names
        if name not in names:
            raise KeyError(f"the optimizer has no slot {name!r}; it has {names}")
        return <fm_array>(<int>FM_ARRAY_SLOT_0 + <int>names.index(name))

    def get_parameter(self, index: int):
        return self._get(0, FM_ARRAY_VALUE, index, self._shape(index))

    def set_parameter(self, index: int, value) -> None:
        self._set(0, FM_ARRAY_VALUE, index, self._shape(index), value, "parameter")

    def blend(self, Network source not None, share: float) -> None:
        cdef int count = len(self.plan.parameters)
        cdef float c_share = share
        cdef fm_status status
        with nogil:
            status = fm_network_blend(self.network, source.network, count, c_share)
        _raise(status)

    def slot_shape(self, name: str, index: int) -> tuple[int, ...]:
        cdef _Task task = self._now()
        self._slot(task, name)
        return task.update.slot_shape(name, index, self._shape(index))

    def get_slot(self, name: str, index: int):
        cdef _Task task = self._now()
        cdef fm_array slot = self._slot(task, name)
        return self._get(task.number, slot, index, task.update.slot_shape(name, index, self._shape(index)))

    def set_slot(self, name: str, index: int, value) -> None:
        cdef _Task task = self._now()
        cdef fm_array slot = self._slot(task, name)
        self._set(task.number, slot, index, task.update.slot_shape(name, index, self._shape(index)), value, f"{name} of parameter")

    # inference

    def __call__(self, x, out=None):
        cdef cnp.ndarray array
        cdef fm_input c_input
        if not (type(x) is _Array and cnp.PyArray_TYPE(<cnp.ndarray>x) == cnp.NPY_FLOAT32 and cnp.PyArray_ISCARRAY_RO(<cnp.ndarray>x)):
            if type(x) is SparseRows:
                return self.predict(x, out)
            if not isinstance(x, (np.ndarray, list, tuple)):
                raise TypeError("x must be an array")  # the columns of frames have names, which only the model knows
            x = _numbers(x)
        array = x
        cdef int ndim = cnp.PyArray_NDIM(array)
        if ndim == 1 and self.inputs > 1 and cnp.PyArray_DIM(array, 0) == self.inputs:  # of one feature, it is as many samples
            _point(&c_input, array, 1)
            return self._predict(&c_input, out, _Predictions)
        if ndim != 2 or cnp.PyArray_DIM(array, 1) != self.inputs:
            self._refuse(x)
        _point(&c_input, array, cnp.PyArray_DIM(array, 0))
        return self._predict(&c_input, out, _Predictions)

    def predict(self, x, out=None):
        cdef fm_input c_input
        cdef fm_csr csr
        self._point_input(&c_input, &csr, x)
        return self._predict(&c_input, out, _Array)

    def apply(self, x, training: bool | None, draw: int = 0):
        if training is not None and not training:
            return self.predict(x)
        cdef fm_phase phase = FM_PHASE_CALLED if training is None else FM_PHASE_TRAINING
        cdef uint64_t number = draw
        cdef fm_input c_input
        cdef fm_csr csr
        self._point_input(&c_input, &csr, x)
        cdef cnp.ndarray result = np.empty((len(x), self.outputs), dtype=np.float32)
        cdef float *data = <float *>cnp.PyArray_DATA(result)
        cdef fm_status status
        with nogil:
            status = fm_network_apply(self.network, &c_input, phase, number, data)
        _raise(status)
        return result

    cdef int _point_input(self, fm_input *c, fm_csr *csr, x) except -1:
        """Points C at the arrays of x, which the caller keeps alive during the call."""
        if type(x) is SparseRows:
            if x.width != self.inputs:
                self._refuse(x)
            c.rows, c.x, c.x_uint8, c.x_csr = _point_csr(csr, x), NULL, NULL, csr
            return 0
        cdef bint is_bytes = isinstance(x, cnp.ndarray) and cnp.PyArray_TYPE(<cnp.ndarray>x) == cnp.NPY_UINT8
        cdef cnp.ndarray array = _checked("x", x, _UINT8 if is_bytes else _FLOAT32, 2, False)
        if cnp.PyArray_DIM(array, 1) != self.inputs:
            self._refuse(x)
        _point(c, array, cnp.PyArray_DIM(array, 0))
        return 0

    cdef int _refuse(self, x) except -1:
        if x.ndim not in (1, 2):
            raise ValueError(f"x has shape {x.shape}, but the network takes (rows, {self.inputs}) or one row ({self.inputs},)")
        raise ValueError(f"x has {x.shape[-1]} columns, but the first layer expects {self.inputs}")

    cdef int _check_apart(self, const fm_input *c, cnp.ndarray out) except -1:
        """Raises ValueError if out shares memory with x: the engine would read rows that it has overwritten."""
        cdef uintptr_t begin = <uintptr_t>c.x if c.x != NULL else <uintptr_t>c.x_uint8
        cdef uintptr_t end = begin + c.rows * self.inputs * <int64_t>(sizeof(float) if c.x != NULL else 1)
        cdef uintptr_t out_begin = <uintptr_t>cnp.PyArray_DATA(out)
        if begin != 0 and begin < out_begin + cnp.PyArray_NBYTES(out) and out_begin < end:
            raise ValueError("out shares memory with x; pass another array")
        return 0

    cdef object _predict(self, const fm_input *c_input, out, type cls):
        cdef cnp.npy_intp[2] shape
        cdef cnp.ndarray result
        cdef int64_t rows = c_input.rows
        cdef float *data
        cdef fm_status status = FM_STATUS_BUSY
        if out is None:
            shape[0], shape[1] = rows, self.outputs
            result = cnp.PyArray_New(cls, 2, shape, cnp.NPY_FLOAT32, NULL, NULL, 0, 0, None)
        else:
            result = _checked("out", out, _FLOAT32, 2, True)
            if out.shape != (rows, self.outputs):
                raise ValueError(f"out must have shape ({rows}, {self.outputs}), got {out.shape}")
            self._check_apart(c_input, result)
        data = <float *>cnp.PyArray_DATA(result)
        if rows * self.row_work < HOLD_GIL_BELOW:
            status = fm_network_try_predict(self.network, c_input, data)
        if status == FM_STATUS_BUSY:
            with nogil:
                status = fm_network_predict(self.network, c_input, data)
        _raise(status)
        return result

    # training

    def configure(self, objective, update) -> None:
        cdef fm_update_spec c_update
        cdef fm_status status
        cdef _Task task = _Task.__new__(_Task)
        terms = objective if isinstance(objective, tuple) else (objective,)
        cdef _ObjectiveStructs structs = _ObjectiveStructs(terms, self.plan.output)
        cdef fm_parameter_rule *rules = <fm_parameter_rule *>calloc(len(self.plan.parameters) + 1, sizeof(fm_parameter_rule))
        cdef int p
        try:
            if rules == NULL:
                raise MemoryError("fastmlp could not allocate memory for the penalties and constraints of the parameters")
            _fill_update(&c_update, update)
            for p, parameter in enumerate(self.plan.parameters):
                _fill_rule(&rules[p], parameter)
                rules[p].undecayed, rules[p].matrix = p in update.undecayed, p in update.matrices
            c_update.parameters = rules
            task.objective, task.terms, task.functions = objective, terms, tuple(structs.functions.values())
            task.labels = len(terms) == 1 and terms[0].sparse
            task.update, task.slot_names = update, _slot_names(&c_update)
            task.predicted_columns = sum(self.plan.widths[self._output_of(term)] * term.groups for term in terms)
            task.target_columns = sum(term.target_columns(self.plan.widths[self._output_of(term)]) for term in terms)
            task.totals = 2 * (1 + structs.metric_count + (len(terms) if len(terms) > 1 else 0))
            with nogil:
                status = fm_network_configure(self.network, structs.objectives, structs.count, &c_update, &task.number)
            _raise(status)
        finally:
            free(rules)
        self._adopt(task)

    cdef int _output_of(self, term) except -1:
        """The buffer that holds a term's predictions."""
        return self.plan.output if term.output is None else term.output

    def train(self, batches, first: int, stop: int, seconds: float, totals) -> int:
        return self._run(batches, first, stop, seconds, totals, True)

    def evaluate(self, batches, first: int, stop: int, seconds: float, totals) -> int:
        return self._run(batches, first, stop, seconds, totals, False)

    cdef object _run(self, batches, int64_t first, int64_t stop, double seconds, totals, bint training):
        cdef fm_batches c_batches
        cdef fm_csr csr
        cdef cnp.ndarray sums = _checked("totals", totals, _FLOAT64, 1, True)
        cdef double *data = <double *>cnp.PyArray_DATA(sums)
        cdef int64_t following = first
        cdef fm_status status
        cdef _Task task = self._point_batches(&c_batches, &csr, batches)
        if cnp.PyArray_DIM(sums, 0) != task.totals:
            raise ValueError(f"totals must have {task.totals} elements, got {len(totals)}")
        if batches.predictions is not None:
            rows = min(stop * batches.batch_size, c_batches.rows) - first * batches.batch_size
            c_batches.predictions = _predictions_of(batches.predictions, rows, task.predicted_columns)
        with nogil:
            if training:
                status = fm_network_train(self.network, &c_batches, &following, stop, seconds, data)
            else:
                status = fm_network_evaluate(self.network, &c_batches, &following, stop, seconds, data)
        if status == FM_STATUS_NON_FINITE_WEIGHTS:
            raise errors.NonFiniteWeightsError(batch=following - 1)
        if status == FM_STATUS_NON_FINITE:
            raise errors.NonFiniteLossError(batch=following)
        _raise_from_loss(task, status)
        return following

    def gradients(self, batches):
        cdef fm_batches c_batches
        cdef fm_csr csr
        cdef double loss = 0.0
        cdef fm_status status
        cdef _Task task = self._point_batches(&c_batches, &csr, batches)
        values = [np.empty(parameter.shape, np.float32) for parameter in self.plan.parameters]
        cdef float **data = <float **>calloc(self.parameter_count + 1, sizeof(float *))
        if data == NULL:
            raise MemoryError("no memory for the gradients")
        for i, array in enumerate(values):
            data[i] = <float *>cnp.PyArray_DATA(<cnp.ndarray>array)
        with nogil:
            status = fm_network_gradients(self.network, &c_batches, &loss, data)
            free(data)
        if status == FM_STATUS_NON_FINITE:
            raise errors.NonFiniteLossError(batch=0)
        _raise_from_loss(task, status)
        return loss, values

    def apply_gradients(self, gradients) -> None:
        cdef _Task task = self._now()
        cdef fm_status status = FM_STATUS_NOT_READY if task is None else FM_STATUS_OK
        cdef const float **data = NULL
        cdef tuple parameters = self.plan.parameters
        cdef cnp.ndarray array
        cdef int i
        _raise(status)
        if len(gradients) != len(parameters):
            raise ValueError("the number of gradients is not that of the parameters")
        data = <const float **>calloc(self.parameter_count + 1, sizeof(float *))
        if data == NULL:
            _raise(FM_STATUS_NO_MEMORY)
        try:
            for i, gradient in enumerate(gradients):
                if gradient is None:
                    continue
                array = _checked("gradient", gradient, _FLOAT32, -1, False)
                data[i] = <const float *>cnp.PyArray_DATA(array)
                wrong = None
                if gradient.shape != parameters[i].shape:
                    wrong = "another shape"
                elif fm_first_nonfinite(data[i], cnp.PyArray_SIZE(array)) >= 0:
                    wrong = "NaN or infinite elements; nothing was changed"
                if wrong is not None:
                    raise ValueError(f"the gradient of {parameters[i].name} has {wrong}")
            with nogil:
                status = fm_network_apply_gradients(self.network, task.number, data)
        finally:
            free(data)
        if status == FM_STATUS_NON_FINITE_WEIGHTS:
            raise errors.NonFiniteWeightsError(batch=0)
        _raise(status)

    cdef _Task _point_batches(self, fm_batches *c, fm_csr *csr, batches):
        """Points C at the arrays of a Batches, which the caller keeps alive during the call; the task that they were checked for."""
        cdef _Task task = self._now()
        if task is None:
            _raise(FM_STATUS_NOT_READY)
        if batches.objective is not None and batches.objective is not task.objective:
            _raise(FM_STATUS_STALE)
        cdef fm_input c_input
        self._point_input(&c_input, csr, batches.x)
        cdef int64_t rows = c_input.rows
        c.task, c.rows, c.batch_size, c.x, c.x_uint8, c.x_csr = task.number, rows, batches.batch_size, c_input.x, c_input.x_uint8, c_input.x_csr
        c.y, c.labels, c.sample_weight, c.order, c.rates, c.predictions = NULL, NULL, NULL, NULL, NULL, NULL
        if task.labels:
            c.labels = <const int32_t *>_rows_of("y", batches.y, _INT32, batches.y.ndim, rows)
            if batches.y.size != rows * task.target_columns:
                raise ValueError(f"y has shape {batches.y.shape}, but each row has {task.target_columns} labels")
        else:
            c.y = <const float *>_rows_of("y", batches.y, _FLOAT32, 2, rows)
            if cnp.PyArray_DIM(batches.y, 1) != task.target_columns:
                raise ValueError(f"y has {batches.y.shape[1]} columns, but the network has {task.target_columns} outputs")
        c.weights = 1
        if batches.sample_weight is not None:
            c.weights = batches.sample_weight.shape[1] if batches.sample_weight.ndim == 2 else 1
            c.sample_weight = <const float *>_rows_of("sample_weight", batches.sample_weight, _FLOAT32, batches.sample_weight.ndim, rows)
            if batches.sample_weight.ndim > 1 and c.weights != len(task.terms):
                raise ValueError(f"sample_weight has {c.weights} columns, but there are {len(task.terms)} losses")
        if batches.order is not None:
            c.order = <const uint32_t *>_rows_of("order", batches.order, _UINT32, 1, rows)
        if batches.rates is not None:
            array = _checked("rates", batches.rates, _FLOAT64, 1, False)
            if cnp.PyArray_DIM(array, 0) != batches.count:
                raise ValueError(f"rates has {len(batches.rates)} elements, but there are {batches.count} batches")
            c.rates = <const double *>cnp.PyArray_DATA(array)
        return task


include "capsule.pxi"
