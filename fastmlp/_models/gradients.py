"""Gradients of a model's loss and outputs, for training loops of one's own, saliency maps and controllers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fastmlp import _core
from fastmlp._base import checks, forks, keywords
from fastmlp._base.numeric import as_native
from fastmlp._base.typing import InputData, TargetData, WeightData
from fastmlp._data.adapters import choose_adapter
from fastmlp._engine import backends
from fastmlp._engine.network import Network
from fastmlp._engine.spec import Batches, Objective, Plan, SparseRows, Update
from fastmlp._graph import derived
from fastmlp._models.data_reader import unbuilt_after_failure
from fastmlp._models.trainer import Trainer

__all__ = ["Differentiable"]

MAX_TWINS = 8
Objectives = Objective | tuple[Objective, ...]


class Differentiable(Trainer):
    """A model whose gradients can be asked for."""

    def __init__(self) -> None:
        super().__init__()
        self._twins = _Twins()

    @unbuilt_after_failure
    @keywords.answering
    def gradients(
        self,
        x: InputData,
        y: TargetData | None = None,
        sample_weight: WeightData | None = None,
        by: Literal["weights", "inputs"] = "weights",
        output_gradients: Any = None,
        training: bool | None = None,
    ) -> Any:
        """Compute gradients of the loss, or of any other function of the outputs, by the weights or by the inputs; nothing is updated.

        With ``y`` they are those of the loss of ``compile``, as in a step of ``fit``: the mean over the samples, with the penalties of
        regularizers. With ``output_gradients``, the gradient of your own objective by ``model(x)``, they are the product of that with the
        model's Jacobian, without penalties; the model need not be compiled. Without both, they are those of the sum of all outputs.

        Args:
            x: See :meth:`fit`; a single batch.
            y: See :meth:`fit`.
            sample_weight: See :meth:`fit`.
            by: ``"weights"``, or ``"inputs"`` for gradients by x.
            output_gradients: An array of the shape of the predictions; a list or dict of them if the model has several outputs.
            training: Whether dropout is on and batch normalization uses the moments of the batch. By default True for gradients by weights
                and False for those by inputs. The moving statistics of batch normalization are not updated in either case.

        Returns:
            By weights, a list of arrays in the order of ``trainable_variables``. By inputs, an array of the shape of x, or a list or dict
            of them if the model has several inputs.

        Raises:
            NonFiniteLossError: The loss is NaN or infinite.
            ValueError: The data do not fit the model, or ``output_gradients`` are not finite.
            UnsupportedError: Gradients by inputs of a layer that has none, such as Embedding.

        Example:

        >>> import numpy as np
        >>> from fastmlp import layers, models
        >>> model = models.Sequential([layers.Dense(1, use_bias=False, kernel_initializer="ones", input_shape=(2,))])
        >>> x = np.array([[1.0, 2.0], [3.0, 4.0]], dtype="float32")
        >>> model.gradients(x)[0].ravel().tolist()
        [4.0, 6.0]
        >>> model.gradients(x, output_gradients=[[1.0], [10.0]], by="inputs").tolist()
        [[1.0, 1.0], [10.0, 10.0]]
        """
        if by not in ("weights", "inputs"):
            raise ValueError(f"by must be 'weights' or 'inputs', got {by!r}")
        if y is not None and output_gradients is not None:
            raise ValueError("pass either y, for the gradients of the loss, or output_gradients, for those of your own objective")
        if y is None and sample_weight is not None:
            raise ValueError("sample_weight weights the loss, so it needs y")
        training = by == "weights" if training is None else checks.check_bool("training", training)
        if y is None:
            batches, objectives = self._linear_batch(x, output_gradients)
        else:
            self._require_compiled("gradients of the loss")
            samples, objective = self._read_samples(x, y, sample_weight)
            batches, objectives = samples.batches(len(samples)), objective.objectives
        if by == "inputs":
            return self._gradients_by_inputs(batches, objectives, training, penalized=y is not None)
        return self._gradients_by_weights(batches, objectives, training, penalized=y is not None)

    def _linear_batch(self, x: Any, output_gradients: Any) -> tuple[Batches, Objectives]:
        """The batch and objective whose gradient by the outputs is ``output_gradients``; of ones if that is None."""
        inputs = self._inputs(choose_adapter(x))
        plan, rows = self._require_plan(), len(inputs)
        if not rows:
            raise ValueError("x has no samples")
        if output_gradients is None:
            factors = np.full((rows, plan.widths[plan.output]), rows, np.float32)
        else:
            shapes = [(rows, *plan.row(buffer)) for buffer in plan.outputs or (plan.output,)]
            values = self._targets_of_outputs(output_gradients, "output_gradients", optional=True)
            parts = [_checked(value, shape).reshape(rows, -1) for value, shape in zip(values, shapes, strict=True)]
            factors = (parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)) * np.float32(rows)
        return Batches(inputs, factors, None, None, rows), derived.linear_objective(plan.output)

    def _gradients_by_weights(self, batches: Batches, objectives: Objectives, training: bool, *, penalized: bool) -> list[Any]:
        plan, compiled = self._require_plan(), self._compiled
        places = self._trainable_places().values()
        direct = compiled is not None and compiled.is_trained == penalized and training
        if direct and (penalized or not derived.has_penalties(plan)):
            batches.objective = objectives if penalized else None  # an error if another thread compiles the model again
            gradients = self._configured_network().gradients(batches)[1]
        else:
            with self._twins.lock.lock:
                gradients = self._twin(None, objectives, training, penalized=penalized).gradients(batches)[1]
        return [gradients[index] for index in places]

    def _gradients_by_inputs(self, batches: Batches, objectives: Objectives, training: bool, *, penalized: bool) -> Any:
        x, rows = batches.x, len(batches.x)
        numbers = np.arange(rows, dtype=np.float32).reshape(rows, 1)
        with self._twins.lock.lock:
            network = self._twin(rows, objectives, training, penalized=penalized)
            network.set_parameter(len(self._weights), _dense(x))
            gradients = network.gradients(Batches(numbers, batches.y, batches.sample_weight, None, rows))[1]
        return self._arranged_as_inputs(gradients[-1])

    def _arranged_as_inputs(self, gradient: NDArray[np.float32]) -> Any:
        """An array of the engine's shape in the form in which samples are passed."""
        return gradient.reshape(len(gradient), *self._require_shape())

    def _twin(self, rows: int | None, objectives: Objectives, training: bool, *, penalized: bool) -> Network:
        """A network of a derived plan with the current weights: with the input, of so many rows, as a parameter, unless that is None."""

        def make() -> Network:
            own = plan if training else derived.as_called(plan)
            own = own if penalized else derived.without_penalties(own)
            return backends.make_network(engine, own if rows is None else derived.with_input_as_parameter(own, rows), 0)

        plan, engine = self._require_plan(), self._compiled.engine if self._compiled else backends.DEFAULT
        network = self._twins.get(plan, (engine, rows, training, penalized), make, objectives)
        state = self.training_state()
        if network.seed != self.seed:
            network.seed = self.seed
        if network.iterations != state["iterations"]:
            network.iterations = state["iterations"]
        for index, weight in enumerate(self._weights):
            network.set_parameter(index, weight.read())
        return network


class _Twins:
    """Networks of derived plans, by what they are for; forgotten when the model's plan changes. Hold the lock to use one."""

    def __init__(self) -> None:
        self.lock = forks.Lock(threading.RLock)  # a loss function of one's own may call gradients, and get an error
        self._plan: Plan | None = None
        self._networks: dict[tuple[Any, ...], tuple[Objectives | None, Network]] = {}

    def get(self, plan: Plan, key: tuple[Any, ...], make: Callable[[], Network], objectives: Objectives) -> Network:
        """The network for ``key``, configured for these objectives."""
        if self._plan is not plan:
            self._plan = plan
            self._networks.clear()
        kept, network = self._networks.pop(key, (None, None))
        if network is None:
            network = make()
        if kept is not objectives and kept != objectives:
            network.configure(objectives, Update("sgd"))
        self._networks[key] = objectives, network  # the last of them is the newest
        if len(self._networks) > MAX_TWINS:
            del self._networks[next(iter(self._networks))]
        return network


def _checked(value: Any, shape: tuple[int, ...]) -> NDArray[np.float32]:
    if value is None:
        return np.zeros(shape, np.float32)
    try:
        array = as_native(value, np.float32)
    except (TypeError, ValueError) as error:
        raise ValueError(f"output_gradients must be an array of numbers: {error}") from error
    if array.shape != shape and not (array.shape == shape[:1] and shape[1:] == (1,)):
        raise ValueError(f"output_gradients has shape {array.shape}, but the predictions have {shape}")
    if _core.first_nonfinite(array) >= 0:
        raise ValueError("output_gradients has NaN or infinite elements")
    return array


def _dense(x: np.ndarray | SparseRows) -> NDArray[np.float32]:
    """x as an array of float32."""
    if not isinstance(x, SparseRows):
        return as_native(x, np.float32)
    dense = np.zeros(x.shape, np.float32)
    lengths = np.diff(x.starts)
    dense[np.repeat(np.arange(len(x)), lengths), x.columns[x.starts[0] : x.starts[-1]]] = x.values[x.starts[0] : x.starts[-1]]
    return dense
