"""The network: forward pass, backpropagation and the training loop.

Training repeats three steps for each batch of samples:

1. *forward*: run the nodes in order; the output of the last one is the predictions;
2. *backward*: starting from the gradient of the loss, run the nodes in reverse and compute the gradient of every parameter;
3. *step*: the optimizer changes every parameter by a small step against its gradient.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np

import fastmlp.reference.updates as updates
from fastmlp._base.numeric import quiet
from fastmlp._engine.spec import Batches, Node, Objective, Plan, SparseRows, Update
from fastmlp.errors import STALE, NonFiniteLossError, NonFiniteWeightsError
from fastmlp.reference.lock import NetworkLock
from fastmlp.reference.lookup import lookup
from fastmlp.reference.losses import make_loss, of_function
from fastmlp.reference.metrics import make_metric
from fastmlp.reference.normalization import BatchNormalization
from fastmlp.reference.operations import OPERATIONS, Activity, Operation, Pass
from fastmlp.reference.optimizers import OPTIMIZERS, slot_names
from fastmlp.reference.random import noise_key
from fastmlp.reference.task import Batch, Losses, Task, Term, add_totals, copy_predictions, mean_losses, without_ignored

__all__ = ["Network"]

PREDICT_ROWS = 1024
"""Rows that go through the network at a time when predicting, so that memory does not grow with the data."""


@dataclass(frozen=True)
class State:
    """Everything that training changes. It is replaced, never modified in place."""

    parameters: tuple[np.ndarray, ...]
    slots: tuple[dict[str, np.ndarray], ...]
    """The optimizer's arrays for each parameter."""
    iterations: int = 0
    """Parameter updates done."""


class Network:
    """A network with its parameters, and with its optimizer once it is configured.

    Any number of threads may predict while one trains: training makes new arrays and then replaces the state in a single assignment, so
    the others see the network as it was before a batch or after it, never in between. An interrupt leaves it consistent for
    the same reason. Calls that train, evaluate or write wait for each other; a user-defined function that calls back gets an error.

    Args:
        plan: The nodes to run.
        seed: Unsigned 64-bit integer; with a node's index and the number of updates done it determines dropout masks.
        dtype: float32 as in the compiled engine, or float64 to check gradients. Parameters, predictions and gradients have this dtype.

    Example:
        >>> from fastmlp._engine.spec import Node, Parameter, Plan
        >>> plan = Plan(widths=(2, 1), nodes=(Node("dense", (0,), 1, (0,)),), parameters=(Parameter("kernel", (2, 1)),), output=1)
        >>> network = Network(plan)
        >>> network.set_parameter(0, np.array([[1.0], [2.0]], dtype=np.float32))
        >>> network([[3.0, 4.0]])
        array([[11.]], dtype=float32)
    """

    def __init__(self, plan: Plan, seed: int = 0, *, dtype: Any = np.float32) -> None:
        self._lock = NetworkLock()
        self._seed = seed
        self._plan = plan
        self._dtype = np.dtype(dtype)
        self._operations: list[Operation] = [self._operation(node, index) for index, node in enumerate(plan.nodes)]
        self._state = State(parameters=self._zeros(), slots=tuple({} for _ in plan.parameters))
        self._task: Task | None = None
        self._learning_rate = 0.001

    def _operation(self, node: Node, index: int) -> Operation:
        if node.functions is not None:
            value, backward = node.functions
            node = replace(node, functions=(self._lock.lent(value), self._lock.lent(backward)))
        operation: Operation = lookup("op", OPERATIONS, node.op)(node, index)
        return operation

    def configure(self, objective: Objective | tuple[Objective, ...], update: Update) -> None:
        """Says what to minimise, one loss or the weighted sum of several, and by which rule.

        The optimizer starts afresh: its slots are zero, and so is ``iterations``.
        """
        objectives = objective if isinstance(objective, tuple) else (objective,)
        terms = tuple(self._term(objective) for objective in objectives)
        needed = self._needed({term.objective.source for term in terms})
        task = Task(objective, terms, needed, update, lookup("optimizer", OPTIMIZERS, update.kind))
        with self._lock.held():
            self._task = task
            self._state = State(self._state.parameters, updates.initial_slots(update, self._state.parameters))

    def _needed(self, sources: set[int]) -> frozenset[int]:
        """The buffers that the losses' sources are computed from, themselves included."""
        needed = set(sources)
        for node in reversed(self._plan.nodes):
            if node.output in needed:
                needed.update(node.inputs)
        return frozenset(needed)

    def _term(self, objective: Objective) -> Term:
        parts = (objective.loss, objective.from_logits, objective.parameters, objective.smoothing)
        return Term(
            objective=objective,
            output=self._plan.output if objective.output is None else objective.output,
            loss=make_loss(*parts) if objective.function is None else of_function(self._lock.lent(objective.function)),
            metrics=tuple(make_metric(metric) for metric in objective.metrics),
        )

    # Forward, backward, step

    def _forward(self, x: np.ndarray, parameters: tuple[np.ndarray, ...], now: Pass) -> tuple[dict[int, np.ndarray], list[Any]]:
        """Runs the nodes in order.

        Args:
            x: (rows, inputs), of any real dtype.
            parameters: One array for each of the plan's parameters.
            now: Whether dropout is on, and what decides its mask.

        Returns:
            The buffers, numbered as in the plan, each (rows, width), and what each operation saved for backward.
        """
        buffers = {0: x.astype(self._dtype)}
        saved = []
        for node, operation in zip(self._plan.nodes, self._operations, strict=True):
            inputs = [buffers[i] for i in node.inputs]
            buffers[node.output], memory = operation.forward(inputs, [parameters[i] for i in node.parameters], now)
            saved.append(memory)
        return buffers, saved

    def _backward(self, dsources: dict[int, np.ndarray], saved: list[Any], parameters: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        """Runs the nodes in reverse: backpropagation.

        When a node is reached, all nodes that read its output have been processed, so the gradient of that output is complete: the sum of
        the gradients from all of them. A node whose output has no gradient does not contribute to the loss, such as a final softmax that
        is fused into the loss.

        Args:
            dsources: For each buffer that a loss read, (rows, width), the derivative of the sum of all losses with respect to it.
            saved: What ``_forward`` saved.
            parameters: Those of the forward pass.

        Returns:
            The derivative of the loss with respect to each parameter.
        """
        dbuffers = dict(dsources)
        dparameters = self._zeros()
        for node, operation, memory in zip(reversed(self._plan.nodes), reversed(self._operations), reversed(saved), strict=True):
            if node.output not in dbuffers:
                continue
            inputs_share, parameters_share = operation.backward(memory, [parameters[i] for i in node.parameters], dbuffers.pop(node.output))
            for i, share in zip(node.inputs, inputs_share, strict=True):
                dbuffers[i] = dbuffers[i] + share if i in dbuffers else share
            for i, share in zip(node.parameters, parameters_share, strict=True):
                if self._plan.parameters[i].trainable:
                    dparameters[i][...] += share
        return dparameters

    def _step(self, state: State, gradients: list[np.ndarray], task: Task, saved: list[Any]) -> State:
        """Applies the optimizer's update to every parameter, and updates moving statistics."""
        rate, described = self._learning_rate, self._plan.parameters
        moved, slots = updates.update(task.update, task.step, rate, state.iterations, described, state.parameters, gradients, state.slots)
        parameters = list(moved)
        for node, operation, memory in zip(self._plan.nodes, self._operations, saved, strict=True):
            if isinstance(operation, BatchNormalization):
                statistics = operation.updated_statistics(memory, [parameters[i] for i in node.parameters])
                for role, value in statistics.items():
                    parameters[node.parameters[node.roles.index(role)]] = value
        return State(parameters=tuple(parameters), slots=slots, iterations=state.iterations + 1)

    # Training and evaluating

    def train(self, batches: Batches, first: int, stop: int, seconds: float, totals: np.ndarray) -> int:
        """Trains on minibatches ``first`` … ``stop - 1``.

        Args:
            batches: The rows, and how they are cut into minibatches.
            first, stop: The range of minibatches.
            seconds: Time after which to return at the end of a minibatch; at least one is done.
            totals: float64, added to: Σ loss·rows, Σ rows, then Σ value·weight and Σ weight of each metric.

        Returns:
            The number of the next minibatch.

        Raises:
            NonFiniteLossError: The loss of a minibatch is NaN or infinite. The parameters are those before it.
            NonFiniteWeightsError: All losses were finite, but after the last minibatch of all, parameters are not.
            RuntimeError: ``configure`` has not been called.
        """

        def learn(index: int) -> None:
            if batches.rates is not None:
                self._learning_rate = float(batches.rates[index])
            state, batch = self._state, self._batch(batches, index, task)
            losses, buffers, gradients, saved = self._differentiate(batch, state, task)
            if not all(map(math.isfinite, (*losses.terms, losses.total))):
                raise NonFiniteLossError(batch=index)
            self._state = self._step(state, gradients, task, saved)
            if index == batches.count - 1 and not all(np.isfinite(parameter).all() for parameter in self._state.parameters):
                raise NonFiniteWeightsError(batch=index)
            add_totals(totals, task, batch, losses, buffers)
            copy_predictions(batches, index - first, task, buffers)

        with self._lock.held():
            task = self._configured("train", batches)
            return _repeat(learn, first, stop, seconds)

    def evaluate(self, batches: Batches, first: int, stop: int, seconds: float, totals: np.ndarray) -> int:
        """Computes loss and metrics like ``train``, without updates: dropout is off, and a loss may be NaN or infinite."""

        def measure(index: int) -> None:
            batch = self._batch(batches, index, task)
            buffers, _ = self._forward(batch.x, state.parameters, self._pass(state, training=False))
            add_totals(totals, task, batch, self._losses(task, batch, buffers, state), buffers)
            copy_predictions(batches, index - first, task, buffers)

        with self._lock.held():
            task, state = self._configured("evaluate", batches), self._state
            return _repeat(measure, first, stop, seconds)

    def gradients(self, batches: Batches) -> tuple[float, list[np.ndarray]]:
        """Returns the loss of the first minibatch and its derivative with respect to each parameter; dropout is on, nothing is updated."""
        with self._lock.held(), quiet():
            task = self._configured("gradients", batches)
            losses, _, gradients, _ = self._differentiate(self._batch(batches, 0, task), self._state, task)
        return losses.total, gradients

    def apply_gradients(self, gradients: Sequence[np.ndarray | None]) -> None:
        """One step of the optimizer with these gradients, to which no penalties are added.

        Args:
            gradients: An array for each of the plan's parameters. Those with None stay as they are; where gradients are accumulated, None
                is a gradient of zeros.

        Raises:
            NonFiniteWeightsError: The step leaves NaN or infinity.
            RuntimeError: ``configure`` has not been called.
            ValueError: A gradient has another shape, or is not finite.
        """
        described = self._plan.parameters
        if len(gradients) != len(described):
            raise ValueError("the number of gradients is not that of the parameters")
        for g, one in zip(gradients, described, strict=True):
            if g is not None and np.shape(g) != one.shape:
                raise ValueError(f"the gradient of {one.name} has another shape")
            if g is not None and not np.isfinite(g).all():
                raise ValueError(f"the gradient of {one.name} has NaN or infinite elements; nothing was changed")
        given = [np.zeros(one.shape, self._dtype) if g is None else g for g, one in zip(gradients, described, strict=True)]
        with self._lock.held(), quiet():
            task, state = self._task, self._state
            if task is None:
                raise RuntimeError("the network has no optimizer yet: call configure(objective, update) before apply_gradients")
            rule, rate = task.update, self._learning_rate
            still = frozenset(i for i, g in enumerate(gradients) if g is None and rule.accumulate == 1)
            moved, slots = updates.update(
                rule, task.step, rate, state.iterations, described, state.parameters, given, state.slots, still=still
            )
            self._state = State(moved, slots, state.iterations + 1)
            if not all(np.isfinite(parameter).all() for parameter in moved):
                raise NonFiniteWeightsError(batch=0)

    def _differentiate(self, batch: Batch, state: State, task: Task) -> tuple[Losses, dict[int, np.ndarray], list[np.ndarray], list[Any]]:
        """Returns a minibatch's losses, buffers, gradients of the parameters, and what operations saved."""
        buffers, saved = self._forward(batch.x, state.parameters, self._pass(state, training=True))
        dsources = {}
        for term, y, weight in zip(task.terms, batch.y, batch.weight, strict=True):
            source = term.objective.source
            y, weight, p = without_ignored(term, y, weight, buffers[source])
            share = weight * weight.dtype.type(term.objective.weight) / len(weight)  # of each row in the sum
            dsources[source] = term.loss.weighted_gradient(y, p, share)
        _, slopes = updates.penalize(self._plan.parameters, state.parameters)
        gradients = self._backward(dsources, saved, state.parameters)
        penalized = [g if slope is None else g + slope for g, slope in zip(gradients, slopes, strict=True)]
        return self._losses(task, batch, buffers, state), buffers, penalized, saved

    def _losses(self, task: Task, batch: Batch, buffers: dict[int, np.ndarray], state: State) -> Losses:
        """The loss of each term, and the total: their weighted sum, with the penalties on parameters and activities."""
        losses = mean_losses(task, batch, buffers)
        total, _ = updates.penalize(self._plan.parameters, state.parameters)
        for node, operation in zip(self._plan.nodes, self._operations, strict=True):
            if isinstance(operation, Activity) and node.output in task.needed:
                total += operation.penalty(buffers[node.output])
        return Losses(losses, total + sum(term.objective.weight * loss for term, loss in zip(task.terms, losses, strict=True)))

    def _configured(self, method: str, batches: Batches) -> Task:
        """The task, if the batches were made for it."""
        if self._task is None:
            raise RuntimeError(f"the network has no objective yet: call configure(objective, update) before {method}")
        if batches.objective is not None and batches.objective is not self._task.objective:
            raise RuntimeError(STALE)
        return self._task

    def _pass(self, state: State, training: bool) -> Pass:
        return Pass(training=training, seed=self._seed, iteration=state.iterations)

    def _batch(self, batches: Batches, index: int, task: Task) -> Batch:
        """Gathers the rows of a minibatch; y gets the network's dtype, labels stay integers."""
        rows: Any = slice(index * batches.batch_size, (index + 1) * batches.batch_size)
        if batches.order is not None:
            rows = batches.order[rows]
        x = _with_zeros(batches.x, rows) if isinstance(batches.x, SparseRows) else batches.x[rows]
        weight = np.ones(len(x), self._dtype) if batches.sample_weight is None else batches.sample_weight[rows].astype(self._dtype)
        weights = tuple(weight.T) if weight.ndim == 2 else (weight,) * len(task.terms)
        weights = tuple(np.repeat(weight, term.objective.groups) for weight, term in zip(weights, task.terms, strict=True))
        return Batch(x, self._targets(batches.y[rows], task), weights)

    def _targets(self, y: np.ndarray, task: Task) -> tuple[np.ndarray, ...]:
        """The targets of each term; where there are several, their columns stand side by side, labels as one column."""
        result = []
        column = 0
        y = y.reshape(len(y), -1)
        for term in task.terms:
            columns = term.objective.target_columns(self._plan.widths[term.output])
            part = y[:, column : column + columns]
            if term.objective.sparse:
                result.append(part.reshape(-1).astype(np.int32))
            else:
                result.append(part.reshape(-1, columns // term.objective.groups).astype(self._dtype))
            column += columns
        return tuple(result)

    # Predicting

    def predict(self, x: np.ndarray | SparseRows, out: np.ndarray | None = None) -> np.ndarray:
        """Returns predictions (rows, outputs) for x (rows, inputs), written to ``out`` if it is given."""
        self._lock.check_not_inside()
        x, state = self._rows(x), self._state
        if out is None:
            out = np.empty((len(x), self._plan.widths[self._plan.output]), self._dtype)
        for start in range(0, len(x), PREDICT_ROWS):
            block = slice(start, start + PREDICT_ROWS)
            out[block] = self._output(x[block], state, training=False)
        return out

    def __call__(self, x: Any, out: np.ndarray | None = None) -> np.ndarray:
        """Returns predictions (rows, outputs) for x (rows, inputs), or for one row (inputs,), written to ``out`` if it is given."""
        if not isinstance(x, (np.ndarray, np.generic, list, tuple, SparseRows)):
            raise TypeError("x must be an array")  # the columns of frames have names, which only the model knows
        predictions = self.apply(x, training=False)
        if out is None:
            return predictions
        out[:] = predictions
        return out

    def apply(self, x: Any, training: bool | None, draw: int = 0) -> np.ndarray:
        """Runs x (rows, inputs), or one row (inputs,), through the network in one go.

        Args:
            x: The rows.
            training: Whether all nodes behave as in training, with dropout on; None: those of the mode ``training`` do.
            draw: Incremented by the caller for new noise; 0 is the noise of training.
        """
        self._lock.check_not_inside()
        return self._output(self._rows(x), self._state, training, draw)

    def _output(self, x: Any, state: State, training: bool | None, draw: int = 0) -> np.ndarray:
        if isinstance(x, SparseRows):
            x = _with_zeros(x, slice(None))
        now = Pass(bool(training), noise_key(self._seed, draw), state.iterations, as_called=training is None)
        with quiet():
            buffers, _ = self._forward(x, state.parameters, now)
        return buffers[self._plan.output]

    def _rows(self, x: Any) -> Any:
        """Checks the width of x; a single row becomes a batch of one."""
        if np.ma.is_masked(x):
            raise ValueError("x has masked elements; fill them first, for example with x.filled(0)")
        x = x if isinstance(x, SparseRows) else np.asarray(x)
        if isinstance(x, np.ndarray) and x.dtype.kind not in "buif":
            raise TypeError(f"x has dtype {x.dtype}, but numbers are expected")
        if x.ndim == 1:
            x = x[None, :]
        if x.ndim != 2:
            raise ValueError(f"x has shape {x.shape}, but (rows, {self._plan.widths[0]}) is expected")
        if x.shape[1] != self._plan.widths[0]:
            raise ValueError(f"x has {x.shape[1]} columns, but the first layer expects {self._plan.widths[0]}")
        return x

    # Parameters, slots and settings

    @property
    def plan(self) -> Plan:
        """The nodes this network runs."""
        return self._plan

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next step."""
        return self._learning_rate

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        with self._lock.held():
            self._learning_rate = float(value)

    @property
    def seed(self) -> int:
        """With a node's index and the number of updates done, determines all noise, such as dropout masks."""
        return self._seed

    @seed.setter
    def seed(self, value: int) -> None:
        with self._lock.held():
            self._seed = value

    @property
    def in_use_here(self) -> bool:
        """Whether this thread is inside a user-defined function that this network has called."""
        return self._lock.is_own

    @property
    def iterations(self) -> int:
        """Parameter updates done."""
        return self._state.iterations

    @iterations.setter
    def iterations(self, value: int) -> None:
        with self._lock.held():
            self._state = replace(self._state, iterations=int(value))

    def get_parameter(self, index: int) -> np.ndarray:
        """Returns a copy of a parameter, in the plan's shape."""
        self._lock.check_not_inside()
        return self._state.parameters[index].copy()

    def set_parameter(self, index: int, value: np.ndarray) -> None:
        """Replaces a parameter by a copy of ``value``, which must have exactly the plan's shape."""
        parameter = self._plan.parameters[index]
        value = self._of_shape(parameter.name, parameter.shape, value)
        with self._lock.held():
            parameters = list(self._state.parameters)
            parameters[index] = value
            self._state = replace(self._state, parameters=tuple(parameters))

    def blend(self, source: Network, share: float) -> None:
        """Moves all parameters towards those of a network with the same shapes: ``share · source + (1 - share) · own``."""
        theirs, own = source._state.parameters, self._state.parameters
        if [one.shape for one in theirs] != [one.shape for one in own]:
            raise ValueError("the networks have parameters of different shapes")
        share = self._dtype.type(share)
        with self._lock.held(), quiet():
            moved = tuple(share * new + (1 - share) * old for new, old in zip(theirs, self._state.parameters, strict=True))
            self._state = replace(self._state, parameters=moved)

    @property
    def slot_names(self) -> tuple[str, ...]:
        """Names of the optimizer's arrays for each parameter; none before ``configure``."""
        return () if self._task is None else slot_names(self._task.update)

    def slot_shape(self, name: str, index: int) -> tuple[int, ...]:
        """The shape of that slot of parameter ``index``: the parameter's, or another; ``(0,)`` where it holds nothing."""
        return np.shape(lookup("slot", self._state.slots[index], name))

    def get_slot(self, name: str, index: int) -> np.ndarray:
        """Returns a copy of the slot ``name`` of parameter ``index``."""
        self._lock.check_not_inside()
        return lookup("slot", self._state.slots[index], name).copy()

    def set_slot(self, name: str, index: int, value: np.ndarray) -> None:
        """Replaces a slot of parameter ``index`` by a copy of ``value``, which must have exactly its shape."""
        value = self._of_shape(f"{name} of {self._plan.parameters[index].name}", self.slot_shape(name, index), value)
        with self._lock.held():
            slots = list(self._state.slots)
            slots[index] = {**slots[index], name: value}
            self._state = replace(self._state, slots=tuple(slots))

    def _zeros(self) -> tuple[np.ndarray, ...]:
        return tuple(np.zeros(parameter.shape, self._dtype) for parameter in self._plan.parameters)

    def _of_shape(self, name: str, shape: tuple[int, ...], value: np.ndarray) -> np.ndarray:
        if np.shape(value) != shape:
            raise ValueError(f"{name} has shape {shape}, but the given array has shape {np.shape(value)}")
        with quiet():
            return np.array(value, self._dtype)


def _with_zeros(x: SparseRows, rows: Any) -> np.ndarray:
    """Some rows, given by a slice or by their numbers, with their zeros: this engine, made for reading, converts batches to dense."""
    numbers = np.arange(len(x))[rows]
    out = np.zeros((len(numbers), x.width), np.float32)
    for row, number in zip(out, numbers, strict=True):
        entries = slice(x.starts[number], x.starts[number + 1])
        row[x.columns[entries]] = x.values[entries]
    return out


def _repeat(do: Callable[[int], None], first: int, stop: int, seconds: float) -> int:
    """Does minibatch after minibatch until ``stop`` or until time is up; returns the number of the next."""
    deadline = perf_counter() + seconds
    index = first
    with quiet():
        while index < stop:
            do(index)
            index += 1
            if perf_counter() >= deadline:
                break
    return index
