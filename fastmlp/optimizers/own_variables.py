"""Gradients that programs pass to an optimizer, and slots for variables that belong to no model compiled with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastmlp._base import checks
from fastmlp._base.numeric import as_native
from fastmlp._engine import backends
from fastmlp._engine.spec import Bounds, Node, Objective, Parameter, Plan, Update
from fastmlp.errors import UnsupportedError
from fastmlp.variables import Variable

FLOAT32 = np.dtype(np.float32)
Gradients = list[NDArray[np.float32] | None]


class UpdatingOptimizer(Protocol):
    """What this module uses of an optimizer."""

    def update(self, parameters: Sequence[Parameter] = ()) -> Update: ...


def gradients_by_place(
    gradients: Sequence[ArrayLike | None], variables: Sequence[Variable], places: Mapping[int, int], owner: str, count: int
) -> Gradients:
    """Gradients in the order of an engine's parameters, which checks that they are finite; None for those without one.

    Args:
        gradients: An array for each variable, or None.
        variables: The variables.
        places: The indices of the parameters of those that can be updated, by their ids.
        owner: What they belong to, for messages.
        count: The number of parameters.
    """
    if len(gradients) != len(variables):
        raise ValueError(f"apply got {len(gradients)} gradients for {len(variables)} variables; pass one for each, or None")
    result: Gradients = [None] * count
    missing: list[str] = []
    for gradient, variable in zip(gradients, variables, strict=True):
        index = places.get(id(variable))
        if index is None:
            name = variable.path if isinstance(variable, Variable) else repr(variable)
            raise ValueError(f"{name:.80} is not among the variables that this optimizer updates, {owner}; use a separate optimizer for it")
        if gradient is None:
            missing.append(variable.path)
        elif result[index] is not None:
            raise ValueError(f"{variable.path} is in the list of variables twice")
        elif type(gradient) is np.ndarray and gradient.dtype is FLOAT32 and gradient.flags.carray and gradient.shape == variable.shape:
            result[index] = gradient  # at once: a call takes as long as the step of a bias
        else:
            result[index] = _checked(gradient, variable)
    if missing:
        if len(missing) == len(variables):
            raise ValueError(f"none of the variables has a gradient: {', '.join(missing)}")
        checks.warn(f"there are no gradients for {', '.join(missing)}, which stay as they are")
    return result


def _checked(gradient: ArrayLike, variable: Variable) -> NDArray[np.float32]:
    try:
        array = as_native(gradient, FLOAT32)  # a dtype, to which others are compared in less time than to a type
    except (TypeError, ValueError) as error:
        raise ValueError(f"the gradient of {variable.path} must be an array of numbers: {error}") from error
    if array.shape != variable.shape:
        raise ValueError(f"the gradient of {variable.path} has shape {array.shape}, but the variable has {variable.shape}")
    return array


class OwnVariables:
    """Variables of one optimizer, and an engine's network that has a parameter for each and the optimizer's slots, but does nothing.

    Args:
        optimizer: The optimizer.
        variables: The variables that it updates.
    """

    def __init__(self, optimizer: UpdatingOptimizer, variables: Iterable[Variable]) -> None:
        self.variables = list(variables)
        for variable in self.variables:
            if not isinstance(variable, Variable):
                raise TypeError(f"optimizers update variables, such as fastmlp.Variable and weights of layers, got {variable!r:.80}")
            if variable.dtype.kind != "f":
                raise TypeError(f"{variable.path} holds {variable.dtype} numbers, but only floating-point numbers have gradients")
            if not variable.trainable:
                raise ValueError(f"{variable.path} is not trainable")
            if not variable.size:
                raise ValueError(f"{variable.path} has shape {variable.shape}: there is nothing to update")
        self._optimizer = optimizer
        self._parameters = tuple(map(_parameter, self.variables))
        plan = Plan((1, 1), (Node("scale", (0,), 1, alpha=1.0),), self._parameters, 1)
        self.network = backends.make_network(backends.DEFAULT, plan, 0)
        self._configure()

    def _configure(self) -> None:
        self._load()
        self.network.configure(Objective("mean_squared_error", 1), self._optimizer.update(self._parameters))

    def _load(self) -> None:
        for index, (variable, parameter) in enumerate(zip(self.variables, self._parameters, strict=True)):
            self.network.set_parameter(index, as_native(variable.value, np.float32).reshape(parameter.shape))

    def optimizer_changed(self) -> None:
        """Called when settings of the optimizer have changed: keeps the slots that it still has."""
        network, count = self.network, range(len(self.variables))
        iterations, slots = network.iterations, {(name, i): network.get_slot(name, i) for name in network.slot_names for i in count}
        self._configure()
        for (name, index), value in slots.items():
            if name in network.slot_names and network.slot_shape(name, index) == value.shape:
                network.set_slot(name, index, value)
        network.iterations = iterations

    def apply(self, gradients: Sequence[ArrayLike | None], variables: Sequence[Variable] | None, rate: float) -> None:
        """One step of the optimizer; by default for all variables. If it fails, the variables keep their values."""
        given = self.variables if variables is None else variables
        places = {id(variable): index for index, variable in enumerate(self.variables)}
        found = gradients_by_place(gradients, given, places, "those of the first call", len(places))
        self._load()
        self.network.learning_rate = rate
        self.network.apply_gradients(
            [None if one is None else one.reshape(parameter.shape) for one, parameter in zip(found, self._parameters, strict=True)]
        )
        for index, variable in enumerate(self.variables):
            variable.assign(self.network.get_parameter(index).reshape(variable.shape))


def _parameter(variable: Variable) -> Parameter:
    bounds: Bounds | None = getattr(variable, "rules", (None, None))[1]
    if bounds is not None and bounds.function is not None:
        raise UnsupportedError(f"{variable.path} has the constraint {bounds.name}, a function; compile its model with the optimizer first")
    shape = variable.shape if len(variable.shape) == 2 else (variable.size,)
    return Parameter(variable.path, shape, None, bounds)
