"""``fit``, ``evaluate``, ``predict`` and their one-batch forms: loops over the calls of an engine, about 50 ms each.

Between two calls Python runs the callbacks, draws the progress line and notices Ctrl-C; the weights are always those at the end of a batch.
"""

from __future__ import annotations

import functools
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Concatenate, ParamSpec, TypeVar

import numpy as np

from fastmlp import errors
from fastmlp._base import checks, forks, keywords
from fastmlp._data import conversion, targets
from fastmlp._data.adapters import DataAdapter, StreamAdapter, choose_adapter, unwrap_single
from fastmlp._data.batch_sampler import DEFAULT_BATCH_SIZE, BatchSampler, Rows
from fastmlp._data.batch_stream import ENDLESS, BatchStream
from fastmlp._data.columns import Columns, Names
from fastmlp._engine import backends, ema
from fastmlp._engine.spec import Batches, Plan, SparseRows
from fastmlp._training import validation
from fastmlp._training.accumulators import MetricAccumulator
from fastmlp._training.arguments import (
    diverged,
    joined,
    one_kind_of_weight,
    optional_count,
    refuse_beside,
    result,
    validation_epochs,
    verbosity,
    weighted_by_class,
    with_rates,
)
from fastmlp._training.compile_config import CompileConfig
from fastmlp._training.constraining import constraining
from fastmlp._training.epoch_loop import run_epoch
from fastmlp._training.objective import ResolvedObjective
from fastmlp._training.output_targets import name_of_output, read_sample_weights, read_targets
from fastmlp._training.state import FitState
from fastmlp._training.stream_accumulator import StreamAccumulator
from fastmlp.callbacks import CallbackList, History
from fastmlp.errors import NonFiniteLossError

CHUNK_SECONDS = 0.05
EVALUATION_ROWS = 512
"""Without training, batches only bound memory, so small ones are merged up to this many rows."""
FIRST_PREDICT_FLOPS = 1e9
"""Work of the first call of ``predict``; later calls are sized by the clock."""


P = ParamSpec("P")
T = TypeVar("T")


def _unbuilt_after_failure(method: Callable[Concatenate[Any, P], T]) -> Callable[Concatenate[Any, P], T]:
    """Decorates what builds a model for its data: if it raises before the weights have moved, the model is as it was."""

    @functools.wraps(method)
    def call(self: Any, /, *args: P.args, **options: P.kwargs) -> T:
        if self._row_shape() is not None:
            return method(self, *args, **options)
        before = self.before_building()
        try:
            return method(self, *args, **options)
        except BaseException:
            if self._network is None or not self._network.iterations:
                self.undo_building(before)
            raise

    return call


class Trainer:
    """Everything a model does with data, on top of a network it owns.

    Subclasses give it a network: the methods below that are not implemented here.
    """

    seed: int
    epochs_trained: int
    history: History | None = None
    stop_training: bool = False
    fit_progress: FitState | None = None
    """Where a running ``fit`` stands; None outside."""
    _compiled: CompileConfig | None = None
    _network: Any = None
    _shares_weights: bool = False
    _arranges: bool = False
    """Whether predictions are given in another form than an engine's array."""
    _whole_numbers: tuple[conversion.WholeNumbers, ...] = ()

    def __init__(self) -> None:
        self._training_lock = forks.Lock()
        self._columns = Columns()

    @_unbuilt_after_failure
    @keywords.answering
    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: Mapping[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: Any = 1,
    ) -> History:
        """Train on arrays or batches, starting from the current weights and optimizer state.

        Args:
            x: ``(rows, features)``, or rows of the shape the first layer was given. Numbers of any type; uint8 is read as it is, float64
                and integers are converted to float32 once, whole. A memory map of float32 or uint8 is read a row at a time and may be
                larger than memory. A sparse matrix of ``scipy.sparse`` is read without its zeros and never made dense; the weights become
                what ``x.toarray()`` would give, bit for bit. Tables of pandas, polars and pyarrow are read column by column. A generator, a
                :class:`~fastmlp.utils.PyDataset` or a DataLoader gives batches ``(x, y)`` or ``(x, y, sample_weight)``; then leave out y.
            y: Of the model's ``output_shape``: ``(rows, outputs)``; class numbers ``(rows,)`` for sparse losses; ``(rows,)`` also when
                there is one output.
            batch_size: Rows between two updates of the weights, 32 unless told.
            epochs: Index of the last epoch, counted from 1.
            verbose: 0 silent, 1 or ``"auto"`` a progress bar, 2 one line per epoch.
            callbacks: One or several :class:`~fastmlp.callbacks.Callback`.
            validation_split: Share of the rows, from the end, that is not trained on but evaluated after each epoch.
            validation_data: ``(x, y)`` or ``(x, y, sample_weight)`` to evaluate after each epoch; overrides ``validation_split``.
            shuffle: Whether each epoch takes the rows in a new random order. From a file larger than memory that reads a page of the disk
                for every row: shuffle such a file once and pass False.
            class_weight: How much each class counts in the loss: ``{0: 1.0, 1: 5.0}``.
            sample_weight: How much each row counts in the loss, ``(rows,)``.
            initial_epoch: Index of the first epoch, counted from 0; to go on with a stopped run.
            steps_per_epoch: End each epoch after this many batches; the next goes on behind them.
            validation_steps: Evaluate on this many batches only.
            validation_batch_size: Rows in a batch of the validation.
            validation_freq: Validate every so many epochs, or after the epochs (from 1) of a list.

        Returns:
            A :class:`~fastmlp.callbacks.History`, whose ``history`` maps ``"loss"``, the metrics and their ``val_`` twins to one number per
            epoch.

        Raises:
            NonFiniteLossError: The loss became NaN or infinite; the weights are those before that batch.
            NonFiniteWeightsError: An epoch's losses were finite, but its last update left weights that are NaN or infinite.
            RuntimeError: The model is not compiled, or is being trained already.
            TypeError: The data are not numbers, or an argument is not of its kind.
            ValueError: The data do not fit the model, or an argument is out of range.

        Example:

        >>> import numpy as np
        >>> from fastmlp import layers, models
        >>> model = models.Sequential([layers.Dense(1, input_shape=(2,))])
        >>> model.compile(optimizer="adam", loss="mse")
        >>> history = model.fit(np.eye(2), np.ones(2), epochs=3, verbose=0)
        >>> len(history.history["loss"])
        3
        """
        compiled = self._require_compiled("fit")
        batch_size = optional_count("batch_size", batch_size)
        epochs = checks.check_int("epochs", epochs, 0)
        initial_epoch = checks.check_int("initial_epoch", initial_epoch, 0)
        steps_per_epoch = optional_count("steps_per_epoch", steps_per_epoch)
        validation_steps = optional_count("validation_steps", validation_steps)
        validation_batch_size = optional_count("validation_batch_size", validation_batch_size)
        validate_after = validation_epochs(validation_freq)
        verbose = verbosity(verbose)
        one_kind_of_weight(class_weight, sample_weight)
        shuffle = checks.check_bool("shuffle", shuffle)
        data = choose_adapter(x)
        with self._exclusively("fit"), data.reading(shuffled=shuffle), self._columns.unless(self._is_untrained):

            def new_order(number: int, order: np.ndarray) -> None:
                backends.module(compiled.engine).shuffle(self.seed, number, order)

            reorder = new_order if shuffle else None
            feed: BatchStream | None = None
            if isinstance(data, StreamAdapter):
                refuse_beside("fit", y=y, sample_weight=sample_weight, batch_size=batch_size, validation_split=validation_split)
                feed = BatchStream("x", data, steps_per_epoch, reorder)
                rows, objective = self._training_rows(*feed.peek(self.epochs_trained))
            else:
                rows, objective = self._training_rows(x, y, sample_weight)
            held_out: Rows | BatchStream | None = None
            validated = choose_adapter(validation_data)
            if isinstance(validated, StreamAdapter):
                held_out = BatchStream("validation_data", validated, validation_steps)
                if not held_out.restarts and validation_steps is None:
                    raise ValueError("validation_data is a generator, so give validation_steps: the number of its batches to validate on")
            elif validation_data is not None:
                val_x, val_y, val_weight = validation.unpack_validation(validation_data)
                held_out, _ = self._rows(val_x, val_y, val_weight, prefix="val_")
            elif validation_split:
                rows, held_out = validation.split(rows, validation_split, objective)
            rows = weighted_by_class(rows, class_weight, compiled, objective, self._require_plan())
            network = self._training_network()
            if compiled.optimizer.full_batch and batch_size is None:
                batch_size = len(rows)
            source: BatchSampler | BatchStream = feed or BatchSampler(rows, batch_size, steps_per_epoch, reorder)
            if feed and compiled.optimizer.full_batch and feed.steps != 1:
                raise ValueError(
                    f"{type(compiled.optimizer).__name__} needs all rows at once, but x gives batches; pass the rows as arrays"
                )
            params = {"epochs": epochs, "steps": source.steps}
            listeners = CallbackList(callbacks, add_history=True, verbose=verbose, model=self, params=params)
            assert listeners.history is not None
            self.history = listeners.history
            self.stop_training = False
            self.fit_progress = progress = FitState(source, listeners, initial_epoch)
            logs: dict[str, float] = {}
            passes: dict[str, MetricAccumulator] = {}  # the last of each kind

            def train(batches: Batches, first: int, stop: int, totals: np.ndarray) -> int:
                network.learning_rate = compiled.optimizer.rate
                if self._shares_weights:  # a callback may have trained another model
                    self._catch_up(network, training=True)
                return int(constraining(compiled.optimizer.trainer(network), network).train(batches, first, stop, CHUNK_SECONDS, totals))

            try:
                listeners.on_train_begin()
                for epoch in range(progress.epoch, epochs):
                    listeners.on_epoch_begin(epoch)
                    first = 0
                    if isinstance(source, BatchStream):
                        stop = source.steps or ENDLESS
                        tally: MetricAccumulator = self._fed(source, objective, class_weight, self.epochs_trained, progress.batches)
                    else:
                        batches, first, stop = source.epoch(self.epochs_trained)
                        at = first + progress.batches
                        batches = with_rates(batches, at, stop, compiled.optimizer.rates(network.iterations, stop - at))
                        tally = self._tally(objective).use(batches)
                    passes["train"] = tally
                    progress.begin_epoch(epoch, tally)
                    try:
                        logs = run_epoch(self, train, first, stop, tally, listeners, "train", done=progress.batches)
                    except NonFiniteLossError as error:
                        if not listeners._accepts_divergence(error.batch - first):
                            raise diverged(error, error.batch - first, epoch, compiled) from None
                        logs = {**tally.logs(), "loss": math.nan}
                        self.stop_training = True
                    backends.flush(network, compiled.optimizer.rule())
                    if not logs:
                        break  # the data ran out
                    progress.end_epoch()
                    self.epochs_trained += 1
                    if held_out is not None and validate_after(epoch + 1):
                        measured = self._evaluate(held_out, objective, validation_batch_size or batch_size, validation_steps, listeners)
                        passes["validation"] = measured
                        logs = dict(sorted({**logs, **{f"val_{name}": value for name, value in measured.values().items()}}.items()))
                    listeners.on_epoch_end(epoch, logs)
                    if self.stop_training:
                        break
                for last in passes.values():
                    last.finish()
                if compiled.optimizer.use_ema:
                    ema.finish(network, listeners.callbacks)
                listeners.on_train_end(logs)
            except BaseException:
                listeners._abandon()
                raise
            finally:
                self.fit_progress = None
            return listeners.history

    @_unbuilt_after_failure
    @keywords.answering
    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
    ) -> Any:
        """Measure loss and metrics on arrays; nothing is learned and dropout is off.

        Args:
            x: See :meth:`fit`.
            y: See :meth:`fit`.
            batch_size: Rows at a time; changes no result but for rounding.
            verbose: See :meth:`fit`.
            sample_weight: See :meth:`fit`.
            steps: Stop after this many batches.
            callbacks: See :meth:`fit`.
            return_dict: Whether to return a dict of names and values.

        Returns:
            The loss if there are no metrics, else ``[loss, *metrics]`` in the order of ``compile``.
        """
        self._require_compiled("evaluate")
        batch_size, steps = optional_count("batch_size", batch_size), optional_count("steps", steps)
        verbose = verbosity(verbose)
        rows: Rows | BatchStream
        data = choose_adapter(x)
        if isinstance(data, StreamAdapter):
            refuse_beside("evaluate", y=y, sample_weight=sample_weight, batch_size=batch_size)
            rows = BatchStream("x", data, steps)
            _, objective = self._rows(*rows.peek())
            size, steps = 1, rows.steps
        else:
            rows, objective = self._rows(x, y, sample_weight)
            size = batch_size or (-(-len(rows) // steps) if steps else DEFAULT_BATCH_SIZE)
            steps = steps or -(-len(rows) // size)
        self._configured_network()
        listeners = CallbackList(callbacks, verbose=verbose, model=self, params={"epochs": 1, "steps": steps})
        try:
            values = self._evaluate(rows, objective, size, steps, listeners).finish()
        except BaseException:
            listeners._abandon()
            raise
        return result(values, return_dict)

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = "auto",
        steps: int | None = None,
        callbacks: Any = None,
        **misspelt: Any,
    ) -> Any:
        """The model's output for every row of ``x``; dropout is off.

        Several threads may predict with one model at the same time.

        Args:
            x: See :meth:`fit`. No rows give no predictions.
            batch_size: Counts the steps of the progress bar; the engine takes as many rows at a time as is fastest.
            verbose: See :meth:`fit`.
            steps: Stop after this many batches.
            callbacks: See :meth:`fit`.
            misspelt: Arguments that there are not, which are refused.

        Returns:
            A float32 array of the model's ``output_shape``, ``(rows, outputs)`` for a model that ends in Dense; a list or dict of them
            where the model has several outputs.
        """
        if misspelt:
            checks.reject_unknown(Trainer.predict, misspelt, {})
        size = optional_count("batch_size", batch_size)
        steps = optional_count("steps", steps)
        verbose = verbosity(verbose)
        data = choose_adapter(x)
        if isinstance(data, StreamAdapter):
            refuse_beside("predict", batch_size=batch_size)
            return self._predict_fed(BatchStream("x", data, steps), verbose, callbacks)
        inputs = self._inputs(data)
        size = size or (max(1, -(-len(inputs) // steps)) if steps else DEFAULT_BATCH_SIZE)
        if steps:
            inputs = inputs[: steps * size]
        network = self._connected_network()
        if len(inputs) <= size and not verbose and not callbacks:
            predictions = np.asarray(network.predict(inputs))  # one batch that nobody watches
            return self._arranged(predictions) if self._arranges else predictions
        plan = self._require_plan()
        out = np.empty((len(inputs), plan.widths[plan.output]), np.float32)
        if not len(inputs):
            return self._arranged(out)
        listeners = CallbackList(callbacks, verbose=verbose, model=self, params={"epochs": 1, "steps": -(-len(inputs) // size)})
        each = listeners.listens_to_batches("predict")
        multiply_adds = sum(parameter.shape[0] * parameter.shape[-1] for parameter in plan.parameters)
        chunk = size if each else max(size, int(FIRST_PREDICT_FLOPS / (2 * multiply_adds + 1)))
        try:
            listeners.on_predict_begin()
            at = 0
            while at < len(inputs):
                stop = min(at + chunk, len(inputs))
                if each:
                    listeners.on_predict_batch_begin(at // size)
                start = time.perf_counter()
                network.predict(inputs[at:stop], out[at:stop])
                elapsed = time.perf_counter() - start
                if each:
                    listeners.on_predict_batch_end(at // size, {"outputs": self._arranged(out[at:stop])})
                elif elapsed < CHUNK_SECONDS / 2:
                    chunk *= 2
                elif elapsed > CHUNK_SECONDS * 2:
                    chunk = max(1, chunk // 2)
                at = stop
                listeners.advance(at // size, {})
            listeners.on_predict_end()
        except BaseException:
            listeners._abandon()
            raise
        return self._arranged(out)

    def _predict_fed(self, feed: BatchStream, verbose: int, callbacks: Any) -> Any:
        feed.peek()  # an error if there is none
        listeners = CallbackList(callbacks, verbose=verbose, model=self, params={"epochs": 1, "steps": feed.steps})
        each = listeners.listens_to_batches("predict")
        parts: list[Any] = []
        try:
            listeners.on_predict_begin()
            for number, batch in enumerate(feed.epoch()):
                if each:
                    listeners.on_predict_batch_begin(number)
                inputs = self._inputs(choose_adapter(feed.parts(batch)[0]))
                parts.append(self._arranged(np.asarray(self._connected_network().predict(inputs))))
                if each:
                    listeners.on_predict_batch_end(number, {"outputs": parts[-1]})
                listeners.advance(number + 1, {})
            listeners.on_predict_end()
        except BaseException:
            listeners._abandon()
            raise
        return joined(parts)

    @_unbuilt_after_failure
    @keywords.answering
    def train_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, class_weight: Mapping[int, float] | None = None, return_dict: bool = False
    ) -> Any:
        """Update the weights once, from all rows of ``x`` as one batch.

        Returns:
            What :meth:`evaluate` returns, for this batch before the update.
        """
        compiled = self._require_compiled("train_on_batch")
        one_kind_of_weight(class_weight, sample_weight)
        with self._exclusively("train_on_batch"), self._columns.unless(self._is_untrained):
            rows, objective = self._training_rows(x, y, sample_weight)
            rows = weighted_by_class(rows, class_weight, compiled, objective, self._require_plan())
            network = self._training_network()
            network.learning_rate = compiled.optimizer.rate
            tally = self._tally(objective).use(rows.batches(len(rows)))
            try:
                trainer = constraining(compiled.optimizer.trainer(network), network)
                tally.run(lambda batches, first, stop, totals: int(trainer.train(batches, first, stop, 0.0, totals)), 0, 1)
            except NonFiniteLossError as error:
                raise diverged(error, 0, None, compiled) from None
        return result(tally.values(), return_dict)

    @_unbuilt_after_failure
    @keywords.answering
    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """Measure loss and metrics on all rows of ``x`` as one batch; see :meth:`evaluate`."""
        self._require_compiled("test_on_batch")
        rows, objective = self._rows(x, y, sample_weight)
        network = self._configured_network()
        tally = self._tally(objective).use(rows.batches(len(rows)))
        tally.run(lambda batches, first, stop, totals: int(network.evaluate(batches, first, stop, 0.0, totals)), 0, 1)
        return result(tally.values(), return_dict)

    @keywords.answering
    def predict_on_batch(self, x: Any) -> Any:
        """:meth:`predict` without any output."""
        return self.predict(x, verbose=0)

    def _build_from(self, row_shape: tuple[int, ...]) -> None:
        raise NotImplementedError

    def before_building(self) -> Any:
        """What :meth:`undo_building` needs to leave the model as it is now."""

    def undo_building(self, before: Any) -> None:
        """Leave the model as it was, after it was built for data that turned out wrong, or as part of a model that could not be made."""

    def _row_shape(self) -> tuple[int, ...] | None:
        raise NotImplementedError

    def _require_plan(self) -> Plan:
        raise NotImplementedError

    def _connected_network(self) -> Any:
        raise NotImplementedError

    def _configured_network(self) -> Any:
        raise NotImplementedError

    def _training_network(self) -> Any:
        raise NotImplementedError

    def _catch_up(self, network: Any, *, training: bool = False) -> None:
        raise NotImplementedError

    def _arranged(self, predictions: np.ndarray) -> Any:
        """What an engine predicts, as the user gets it: rows of the shape that the last layer gives."""
        return predictions.reshape(len(predictions), *self._require_plan().row())

    def _forget_objective(self) -> None:
        raise NotImplementedError

    def _objective_for(self, y: Sequence[Any]) -> ResolvedObjective:
        raise NotImplementedError

    def _require_compiled(self, method: str) -> CompileConfig:
        if self._compiled is None:
            raise RuntimeError(f"the model must be compiled before {method}: model.compile(optimizer='adam', loss='mse')")
        return self._compiled

    def _is_untrained(self) -> bool:
        raise NotImplementedError

    def _inputs(self, data: DataAdapter, prefix: str = "", *, check_finite: bool = True) -> np.ndarray | SparseRows:
        name = f"{prefix}x"
        shape = self._row_shape()
        if type(data.value) is not np.ndarray:
            if isinstance(data.value, (list, tuple)):
                data = choose_adapter(unwrap_single(data.value, sample_shape=shape))
            data = self._columns.align(name, data)
        if shape is None:
            return self._built_for(data, prefix, check_finite=check_finite)
        inputs = data.as_inputs(shape, name=name, check_finite=check_finite)
        for numbers in self._whole_numbers:
            conversion.check_whole_numbers(name, inputs, numbers)
        return inputs

    def _built_for(self, data: DataAdapter, prefix: str, *, check_finite: bool) -> np.ndarray | SparseRows:
        """:meth:`_inputs` of a model that is built for them, and only if nothing is wrong with them."""
        name = f"{prefix}x"
        shape = data.shape(name)
        if not all(shape[1:]):
            raise ValueError(f"{name} has shape {shape}: its rows are empty")
        before = self.before_building()
        try:
            self._build_from(shape[1:] or (1,))
            return self._inputs(data, prefix, check_finite=check_finite)
        except BaseException:
            self.undo_building(before)
            raise

    def _rows(self, x: Any, y: Any, sample_weight: Any, prefix: str = "") -> tuple[Rows, ResolvedObjective]:
        """What the user passed as arrays an engine reads, or an error."""
        inputs = self._inputs(choose_adapter(x), prefix)
        if y is None:
            raise ValueError(f"{prefix}y is missing: give the targets, one per row of x")
        y, sample_weight = (unwrap_single(value, samples=len(inputs)) for value in (y, sample_weight))
        compiled = self._compiled
        assert compiled is not None
        undecided = not compiled.resolvable
        try:
            values = self._targets_of_outputs(y, f"{prefix}y", optional=not compiled.reads_all_outputs)
            for index, (key, value) in enumerate(zip(compiled.form.keys, values, strict=True)):
                if value is not None:
                    name = name_of_output(compiled.form, f"{prefix}y", key)
                    values[index] = self._columns.align(name, choose_adapter(value)).value
            objective = self._objective_for(values)
            outputs = read_targets(compiled, objective, values, self._require_plan(), f"{prefix}y")
            weight = read_sample_weights(compiled, sample_weight, f"{prefix}sample_weight")
            targets.check_lengths(**{f"{prefix}x": inputs, f"{prefix}y": outputs, f"{prefix}sample_weight": weight})
        except BaseException:
            if undecided:
                compiled.forget_targets()
                self._forget_objective()
            raise
        return Rows(inputs, outputs, weight), objective

    def _targets_of_outputs(self, y: Any, name: str, *, optional: bool) -> list[Any]:
        """The targets of each output; where ``optional``, None for those that a dict lacks."""
        return [y]

    def _training_rows(self, x: Any, y: Any, sample_weight: Any) -> tuple[Rows, ResolvedObjective]:
        """The same, of data that the model is trained on: the names of their columns become the model's."""
        self._columns.learn(self._named(x, y), self._adapted_to())
        return self._rows(x, y, sample_weight)

    def _named(self, x: Any, y: Any) -> dict[str, Any]:
        """Everything that may be a frame, by what it is called in messages."""
        return {name: value for name, value in (("x", x), ("y", y)) if value is not None}

    def _adapted_to(self) -> dict[str, Names]:
        raise NotImplementedError

    def _evaluate(
        self, rows: Rows | BatchStream, objective: ResolvedObjective, batch_size: int | None, steps: int | None, listeners: CallbackList
    ) -> MetricAccumulator:
        network = self._configured_network()

        def measure(batches: Batches, first: int, stop: int, totals: np.ndarray) -> int:
            return int(network.evaluate(batches, first, stop, CHUNK_SECONDS, totals))

        listeners.on_test_begin()
        if isinstance(rows, BatchStream):
            fed = self._fed(rows, objective)
            logs = run_epoch(self, measure, 0, rows.steps or ENDLESS, fed, listeners, "test")
            rows.end_epoch()
            listeners.on_test_end(logs)
            return fed
        size = batch_size or (-(-len(rows) // steps) if steps else DEFAULT_BATCH_SIZE)
        merged = 1 if listeners.listens_to_batches("test") or objective.depends_on_batches else max(1, EVALUATION_ROWS // size)
        if steps:
            rows = rows.part(0, steps * size)
        tally = self._tally(objective, size).use(rows.batches(size * merged))
        logs = run_epoch(self, measure, 0, -(-len(rows) // (size * merged)), tally, listeners, "test", merged)
        listeners.on_test_end(logs)
        return tally

    def _measured_columns(self, objective: ResolvedObjective) -> int:
        """Columns of all outputs that have a loss."""
        plan = self._require_plan()
        return sum(plan.widths[plan.output if term.output is None else term.output] * term.groups for term in objective.objectives)

    def _tally(self, objective: ResolvedObjective, batch_size: int | None = None) -> MetricAccumulator:
        return MetricAccumulator(objective, self._measured_columns(objective), batch_size)

    def _fed(
        self,
        feed: BatchStream,
        objective: ResolvedObjective,
        class_weight: Mapping[int, float] | None = None,
        number: int = 0,
        done: int = 0,
    ) -> MetricAccumulator:
        def convert(batch: Any) -> Batches:
            rows, _ = self._rows(*feed.parts(batch))
            weighted = weighted_by_class(rows, class_weight, self._require_compiled("fit"), objective, self._require_plan(), check=False)
            return weighted.batches(len(rows))

        return StreamAccumulator(objective, self._measured_columns(objective), feed.epoch(number, done), convert)

    @contextmanager
    def _exclusively(self, method: str) -> Iterator[None]:
        """One training call at a time, and none from a loss function."""
        if self._network is not None and self._network.in_use_here:
            raise RuntimeError(errors.INSIDE_FUNCTION)
        if not self._training_lock.lock.acquire(blocking=False):
            if self._is_training_here():
                raise RuntimeError(f"{method} was called while the same model is being trained, from one of its callbacks")
            raise RuntimeError(f"{method} was called while another thread trains the same model; wait for it, or train a copy of the model")
        try:
            self._training_lock.holder = threading.get_ident()
            yield
        finally:
            self._training_lock.holder = 0
            self._training_lock.lock.release()

    def _is_training_here(self) -> bool:
        return self._training_lock.is_own
