"""``fit``, ``evaluate``, ``predict`` and their forms for one batch: what a model does with data.

Each checks its arguments, reads the data (:mod:`fastmlp._models.data_reader`), and hands the model's network to a loop of
:mod:`fastmlp._training`. The weights that anything else sees are always those at the end of a batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fastmlp._training.epoch_loop as epoch_loop
from fastmlp._base import checks, keywords
from fastmlp._base.typing import BatchSource, InputData, TargetData, ValidationData, Verbose, WeightData
from fastmlp._data.adapters import StreamAdapter, choose_adapter
from fastmlp._data.batch_sampler import DEFAULT_BATCH_SIZE, BatchSampler, Samples
from fastmlp._data.batch_stream import ENDLESS, BatchStream
from fastmlp._engine import backends
from fastmlp._engine.network import Network
from fastmlp._engine.spec import Batches
from fastmlp._models.data_reader import DataReader, unbuilt_after_failure
from fastmlp._training import validation
from fastmlp._training.accumulators import EngineCall, MetricAccumulator
from fastmlp._training.arguments import (
    diverged,
    optional_count,
    refuse_beside,
    result,
    validation_epochs,
    verbosity,
    with_rates,
)
from fastmlp._training.epoch_loop import BatchRun, abandoning, run_batches
from fastmlp._training.fit_loop import FitLoop, Validation
from fastmlp._training.objective import ResolvedObjective
from fastmlp._training.prediction import predict_batches, predict_samples
from fastmlp._training.sample_weights import check_one_kind_of_weight, with_class_weights
from fastmlp._training.state import FitState
from fastmlp._training.stream_accumulator import StreamAccumulator
from fastmlp._training.typing import CallbacksLike, ClassWeights
from fastmlp.callbacks import CallbackList, History
from fastmlp.errors import NonFiniteLossError

__all__ = ["Trainer"]

EVALUATION_SAMPLES = 512
"""Without training, batches only bound memory, so small ones are merged up to this many samples."""


class Trainer(DataReader):
    """A model that is trained, evaluated and predicts."""

    history: History | None = None
    fit_progress: FitState | None = None
    """The position of a running ``fit``; None outside."""

    @unbuilt_after_failure
    @keywords.answering
    def fit(
        self,
        x: InputData | BatchSource | None = None,
        y: TargetData | None = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Verbose = "auto",
        callbacks: CallbacksLike = None,
        validation_split: float = 0.0,
        validation_data: ValidationData | None = None,
        shuffle: bool = True,
        class_weight: ClassWeights | None = None,
        sample_weight: WeightData | None = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int | Sequence[int] = 1,
    ) -> History:
        """Train on arrays or batches, starting from the current weights and optimizer state.

        Args:
            x: ``(samples, features)``, or samples of the shape that the first layer expects. Numbers of any type; uint8 is read as it is,
                float64 and integers are converted to float32 once, whole. A memory map of float32 or uint8 is read sample by sample and may
                be larger than memory. A sparse matrix of ``scipy.sparse`` is read without its zeros and never made dense; the weights
                become what ``x.toarray()`` would give, bit for bit. Frames of pandas, polars and pyarrow are read column by column. A
                model that begins with a :class:`~fastmlp.layers.TableEncoder` takes tables: also dicts of columns and lists of rows. A
                generator, a :class:`~fastmlp.utils.PyDataset` or a DataLoader yields batches ``(x, y)`` or ``(x, y, sample_weight)``; y is
                then omitted. With several inputs, a list or dict of arrays.
            y: Targets of the model's ``output_shape``: ``(samples, outputs)``, or ``(samples,)`` with one output; integer class labels
                ``(samples,)`` for sparse losses. With several outputs, a list or dict of arrays.
            batch_size: Samples per update of the weights, 32 by default.
            epochs: Number of epochs; with ``initial_epoch``, the final epoch index.
            verbose: 0 silent, 1 or ``"auto"`` a progress bar, 2 one line per epoch.
            callbacks: One or several :class:`~fastmlp.callbacks.Callback`.
            validation_split: Fraction of the samples, from the end, that is not trained on but evaluated after each epoch.
            validation_data: ``(x, y)`` or ``(x, y, sample_weight)`` to evaluate after each epoch; overrides ``validation_split``.
            shuffle: Whether each epoch takes the samples in a new random order. From a file larger than memory that reads a page of the
                disk for every sample: shuffle such a file once and pass False.
            class_weight: Weight of each class in the loss: ``{0: 1.0, 1: 5.0}``.
            sample_weight: Weight of each sample in the loss, ``(samples,)``.
            initial_epoch: Index of the first epoch, counted from 0, to continue a stopped run.
            steps_per_epoch: Batches per epoch; the next epoch continues after them.
            validation_steps: Batches to evaluate on, all by default.
            validation_batch_size: Samples per batch of the validation.
            validation_freq: Validate every so many epochs, or after the epochs (counted from 1) of a list.

        Returns:
            A :class:`~fastmlp.callbacks.History`, whose ``history`` maps ``"loss"``, the metrics and their ``val_`` counterparts to one
            number per epoch.

        Raises:
            NonFiniteLossError: The loss became NaN or infinite; the weights are those before that batch.
            NonFiniteWeightsError: An epoch's losses were finite, but its last update left weights that are NaN or infinite.
            RuntimeError: The model is not compiled, or is being trained already.
            TypeError: The data are not numbers, or an argument has the wrong type.
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
        config = self._require_compiled("fit")
        batch_size = optional_count("batch_size", batch_size)
        epochs = checks.check_int("epochs", epochs, 0)
        initial_epoch = checks.check_int("initial_epoch", initial_epoch, 0)
        steps_per_epoch = optional_count("steps_per_epoch", steps_per_epoch)
        validation_steps = optional_count("validation_steps", validation_steps)
        validation_batch_size = optional_count("validation_batch_size", validation_batch_size)
        validation_is_due = validation_epochs(validation_freq)
        shown = verbosity(verbose)
        check_one_kind_of_weight(class_weight, sample_weight)
        shuffle = checks.check_bool("shuffle", shuffle)
        data = choose_adapter(x)
        with self._exclusively("fit"), data.reading(shuffled=shuffle), self._columns.forgetting_on_failure(self._is_untrained):
            reorder = self._shuffle if shuffle else None
            stream: BatchStream | None = None
            if isinstance(data, StreamAdapter):
                refuse_beside("fit", y=y, sample_weight=sample_weight, batch_size=batch_size, validation_split=validation_split)
                stream = BatchStream("x", data, steps_per_epoch, reorder)
                samples, objective = self._read_training_samples(*stream.peek(self.epochs_trained))
            else:
                samples, objective = self._read_training_samples(x, y, sample_weight)
            held_out: Samples | BatchStream | None = None
            if validation_data is not None:
                held_out = self._read_validation_data(validation_data, validation_steps)
            elif validation_split:
                samples, held_out = validation.split(samples, validation_split, objective, self._input_names())
            samples = with_class_weights(samples, class_weight, config, objective, self._require_plan())
            network = self._training_network()
            if config.optimizer.full_batch:
                batch_size = batch_size or len(samples)
                if stream is not None and stream.steps != 1:
                    raise ValueError(f"{type(config.optimizer).__name__} needs all samples at once, but x comes in batches; pass arrays")
            source = stream or BatchSampler(samples, batch_size, steps_per_epoch, reorder)
            if isinstance(source, BatchStream):
                begin_epoch = partial(self._epoch_of_stream, source, objective, class_weight)
            else:
                begin_epoch = partial(self._epoch_of_samples, source, objective, network)
            validated: Validation | None = None
            if held_out is not None:
                evaluate = partial(self._evaluate, held_out, objective, validation_batch_size or batch_size, validation_steps)
                validated = Validation(evaluate, validation_is_due)
            params = {"epochs": epochs, "steps": source.steps}
            listeners = CallbackList(callbacks, add_history=True, verbose=shown, model=self, params=params)
            assert listeners.history is not None
            self.history = listeners.history
            progress = FitState(source, listeners, initial_epoch)
            FitLoop(self, config, network, begin_epoch, self._training_call(network), validated, listeners, progress).run(epochs)
            return listeners.history

    @unbuilt_after_failure
    @keywords.answering
    def evaluate(
        self,
        x: InputData | BatchSource | None = None,
        y: TargetData | None = None,
        batch_size: int | None = None,
        verbose: Verbose = "auto",
        sample_weight: WeightData | None = None,
        steps: int | None = None,
        callbacks: CallbacksLike = None,
        return_dict: bool = False,
    ) -> Any:
        """Compute loss and metrics on arrays or batches, without training: dropout is off.

        Args:
            x: See :meth:`fit`.
            y: See :meth:`fit`.
            batch_size: Samples per batch; changes no result but for rounding.
            verbose: See :meth:`fit`.
            sample_weight: See :meth:`fit`.
            steps: Batches to evaluate on, all by default.
            callbacks: See :meth:`fit`.
            return_dict: Whether to return a dict of names and values.

        Returns:
            The loss if there are no metrics, else ``[loss, *metrics]`` in the order of ``compile``.
        """
        self._require_compiled("evaluate")
        batch_size, steps = optional_count("batch_size", batch_size), optional_count("steps", steps)
        shown = verbosity(verbose)
        data = choose_adapter(x)
        samples: Samples | BatchStream
        if isinstance(data, StreamAdapter):
            refuse_beside("evaluate", y=y, sample_weight=sample_weight, batch_size=batch_size)
            samples = BatchStream("x", data, steps)
            _, objective = self._read_samples(*samples.peek())
            steps = samples.steps
        else:
            samples, objective = self._read_samples(x, y, sample_weight)
            batch_size = batch_size or (-(-len(samples) // steps) if steps else DEFAULT_BATCH_SIZE)
            steps = steps or -(-len(samples) // batch_size)
        self._configured_network()
        listeners = CallbackList(callbacks, verbose=shown, model=self, params={"epochs": 1, "steps": steps})
        with abandoning(listeners):
            values = self._evaluate(samples, objective, batch_size, steps, listeners).finish()
        return result(values, return_dict)

    def predict(
        self,
        x: InputData | BatchSource,
        batch_size: int | None = None,
        verbose: Verbose = "auto",
        steps: int | None = None,
        callbacks: CallbacksLike = None,
        **misspelt: Any,
    ) -> Any:
        """Compute the model's output for every sample of ``x``; dropout is off.

        Several threads may predict with one model at the same time.

        Args:
            x: See :meth:`fit`. Without samples there are no predictions.
            batch_size: Samples per step of the progress bar; the engine takes as many at a time as is fastest.
            verbose: See :meth:`fit`.
            steps: Batches to predict, all by default.
            callbacks: See :meth:`fit`.
            misspelt: Arguments that do not exist, which are errors.

        Returns:
            A float32 array of the model's ``output_shape``, ``(samples, outputs)`` for a model that ends in Dense; a list or dict of them
            if the model has several outputs.
        """
        if misspelt:
            checks.reject_unknown(Trainer.predict, misspelt, {})
        size = optional_count("batch_size", batch_size)
        steps = optional_count("steps", steps)
        shown = verbosity(verbose)
        data = choose_adapter(x)
        if isinstance(data, StreamAdapter):
            refuse_beside("predict", batch_size=batch_size)
            return self._predict_stream(BatchStream("x", data, steps), shown, callbacks)
        inputs = self._inputs(data)
        size = size or (max(1, -(-len(inputs) // steps)) if steps else DEFAULT_BATCH_SIZE)
        if steps:
            inputs = inputs[: steps * size]
        network = self._connected_network()
        if not len(inputs) or (len(inputs) <= size and not shown and not callbacks):
            predictions = np.asarray(network.predict(inputs))  # one batch that nothing follows
            return self._arranged(predictions) if self._arranges else predictions
        listeners = CallbackList(callbacks, verbose=shown, model=self, params={"epochs": 1, "steps": -(-len(inputs) // size)})
        return self._arranged(predict_samples(network, inputs, size, self._arranged, listeners))

    @unbuilt_after_failure
    @keywords.answering
    def train_on_batch(
        self,
        x: InputData,
        y: TargetData | None = None,
        sample_weight: WeightData | None = None,
        class_weight: ClassWeights | None = None,
        return_dict: bool = False,
    ) -> Any:
        """Update the weights once, with all samples of ``x`` as one batch.

        Returns:
            What :meth:`evaluate` returns, for this batch before the update.
        """
        config = self._require_compiled("train_on_batch")
        check_one_kind_of_weight(class_weight, sample_weight)
        with self._exclusively("train_on_batch"), self._columns.forgetting_on_failure(self._is_untrained):
            samples, objective = self._read_training_samples(x, y, sample_weight)
            samples = with_class_weights(samples, class_weight, config, objective, self._require_plan())
            network = self._training_network()
            accumulator = self._accumulator(objective).use(samples.batches(len(samples)))
            try:
                accumulator.run(self._training_call(network), 0, 1)
            except NonFiniteLossError as error:
                raise diverged(error, 0, None, config) from None
        return result(accumulator.values(), return_dict)

    @unbuilt_after_failure
    @keywords.answering
    def test_on_batch(
        self, x: InputData, y: TargetData | None = None, sample_weight: WeightData | None = None, return_dict: bool = False
    ) -> Any:
        """Compute loss and metrics on all samples of ``x`` as one batch; see :meth:`evaluate`."""
        self._require_compiled("test_on_batch")
        samples, objective = self._read_samples(x, y, sample_weight)
        accumulator = self._accumulator(objective).use(samples.batches(len(samples)))
        accumulator.run(_evaluation_call(self._configured_network()), 0, 1)
        return result(accumulator.values(), return_dict)

    @keywords.answering
    def predict_on_batch(self, x: InputData) -> Any:
        """:meth:`predict` without progress bar and callbacks."""
        return self.predict(x, verbose=0)

    # Training

    def _shuffle(self, number: int, order: NDArray[np.uint32]) -> None:
        """Fills the order of the pass of this number over the data."""
        backends.module(self._require_compiled("fit").engine).shuffle(self.seed, number, order)

    def _epoch_of_samples(self, sampler: BatchSampler, objective: ResolvedObjective, network: Network, done: int) -> BatchRun:
        """The batches of the next epoch over arrays."""
        optimizer = self._require_compiled("fit").optimizer
        batches, first, stop = sampler.epoch(self.epochs_trained)
        at = first + done
        batches = with_rates(batches, at, stop, optimizer.rates(network.iterations, stop - at))
        return BatchRun(self._accumulator(objective).use(batches), first, stop, done=done)

    def _epoch_of_stream(self, stream: BatchStream, objective: ResolvedObjective, class_weight: ClassWeights | None, done: int) -> BatchRun:
        """The batches of the next epoch over a stream."""
        batches = stream.epoch(self.epochs_trained, done)
        return BatchRun(self._stream_accumulator(stream, batches, objective, class_weight), 0, stream.steps or ENDLESS, done=done)

    def _training_call(self, network: Network) -> EngineCall:
        """Trains the network on batches."""
        optimizer, seconds = self._require_compiled("fit").optimizer, epoch_loop.CHUNK_SECONDS
        trainer = self._step_trainer(network)

        def train(batches: Batches, first: int, stop: int, totals: NDArray[np.float64]) -> int:
            network.learning_rate = optimizer.rate
            if self._shares_weights:  # a callback may have trained another model
                self._sync_shared_weights(network, training=True)
            return trainer.train(batches, first, stop, seconds, totals)

        return train

    # Evaluation and prediction

    def _evaluate(
        self,
        samples: Samples | BatchStream,
        objective: ResolvedObjective,
        batch_size: int | None,
        steps: int | None,
        listeners: CallbackList,
    ) -> MetricAccumulator:
        """Evaluate on so many batches of the samples, on all if ``steps`` is None."""
        engine = _evaluation_call(self._configured_network())
        listeners.on_test_begin()
        if isinstance(samples, BatchStream):
            batches = BatchRun(self._stream_accumulator(samples, samples.epoch(), objective), 0, samples.steps or ENDLESS)
        else:
            size = batch_size or (-(-len(samples) // steps) if steps else DEFAULT_BATCH_SIZE)
            merged = 1 if listeners.listens_to_batches("test") or objective.depends_on_batches else max(1, EVALUATION_SAMPLES // size)
            samples = samples.part(0, steps * size) if steps and steps * size < len(samples) else samples
            accumulator = self._accumulator(objective, size).use(samples.batches(size * merged))
            batches = BatchRun(accumulator, 0, -(-len(samples) // (size * merged)), merged)
        logs = run_batches(self, engine, batches, listeners, "test")
        if isinstance(samples, BatchStream):
            samples.end_epoch()
        listeners.on_test_end(logs)
        return batches.accumulator

    def _predict_stream(self, stream: BatchStream, verbose: int, callbacks: CallbacksLike) -> Any:
        stream.peek()  # an error if there is no batch
        listeners = CallbackList(callbacks, verbose=verbose, model=self, params={"epochs": 1, "steps": stream.steps})

        def predict(batch: Any) -> Any:
            inputs = self._inputs(choose_adapter(stream.parts(batch)[0]))
            return self._arranged(np.asarray(self._connected_network().predict(inputs)))

        return predict_batches(stream.epoch(), predict, listeners)

    def _accumulator(self, objective: ResolvedObjective, batch_size: int | None = None) -> MetricAccumulator:
        return MetricAccumulator(objective, batch_size)

    def _stream_accumulator(
        self, stream: BatchStream, batches: Any, objective: ResolvedObjective, class_weight: ClassWeights | None = None
    ) -> MetricAccumulator:
        config, plan = self._require_compiled("fit"), self._require_plan()

        def convert(batch: Any) -> Batches:
            samples, _ = self._read_samples(*stream.parts(batch))
            return with_class_weights(samples, class_weight, config, objective, plan, check=False).batches(len(samples))

        return StreamAccumulator(objective, batches, convert)


def _evaluation_call(network: Network) -> EngineCall:
    """Evaluates the network on batches."""
    seconds = epoch_loop.CHUNK_SECONDS

    def evaluate(batches: Batches, first: int, stop: int, totals: NDArray[np.float64]) -> int:
        return network.evaluate(batches, first, stop, seconds, totals)

    return evaluate
