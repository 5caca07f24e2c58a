"""Where a layer's arrays live: in the layer until an engine needs them, then in the engine's network.

A new weight is only a shape, an initializer and a seed; its values are drawn when somebody first asks for them. So a model can be
described, checked against a file and given its stored values without ever allocating the random ones.
"""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np

from fastmlp._base import checks, seeding
from fastmlp._base.numeric import as_native
from fastmlp._engine.spec import Parameter
from fastmlp.constraints import Constraint
from fastmlp.initializers import Initializer
from fastmlp.regularizers import Regularizer
from fastmlp.variables import Variable


class Weight(Variable):
    """One array of a layer.

    Args:
        owner: The layer's name.
        name: ``kernel`` or ``bias``.
        shape: Its shape, all sizes positive.
        initializer: Draws the first values.
        regularizer: What it adds to the loss.
        constraint: What it is brought back to after each update.
        trainable: False for what no gradient moves, in a frozen layer or not: moving statistics.
        flat: True for what an engine takes as a vector, whatever its shape.
    """

    __slots__ = (
        "_bounds",
        "_flat",
        "_home",
        "_initializer",
        "_penalty",
        "_seed",
        "_shape",
        "layer",
        "learned",
        "models",
        "owner",
    )

    def __init__(
        self,
        owner: str,
        name: str,
        shape: tuple[int, ...],
        initializer: Initializer,
        regularizer: Regularizer | None = None,
        constraint: Constraint | None = None,
        *,
        trainable: bool = True,
        flat: bool = False,
    ) -> None:
        if regularizer is not None:
            regularizer.check_shape(shape)
        self.owner = owner
        self._name = name
        self._shape = shape
        self._flat = flat
        self.learned = self._trainable = trainable
        self._initializer = initializer
        self._penalty = None if regularizer is None else regularizer.penalty()
        self._bounds = None if constraint is None else constraint.bounds(shape)
        self._seed = seeding.draw_seed()  # now, so that the order of drawing does not depend on who looks first
        self._value: np.ndarray | None = None
        self._home: tuple[Any, int] | None = None
        """The network where the values live, and their place there: one attribute, which threads read while others move it."""
        self.layer: weakref.ref[Any] | None = None
        """The layer, once it is built; it may freeze the weight."""
        self.models: weakref.WeakSet[Any] = weakref.WeakSet()
        """Those the weight is part of."""

    @property
    def shape(self) -> tuple[int, ...]:
        return self._shape

    @property
    def dtype(self) -> np.dtype[np.float32]:
        return np.dtype(np.float32)

    @property
    def path(self) -> str:
        layer = self._living_layer()
        return f"{self.owner if layer is None else layer.path}/{self.name}"

    @property
    def trainable(self) -> bool:
        """Whether training changes the weight by gradients: False for moving statistics and where the layer is frozen."""
        layer = self._living_layer()
        return self._trainable and (layer is None or layer.trainable)

    @trainable.setter
    def trainable(self, value: bool) -> None:
        if checks.check_bool("trainable", value) and not self.learned:
            raise ValueError(f"{self.owner}/{self.name} is not moved by gradients, so it can't be trainable")
        self._trainable = bool(value)
        layer = self._living_layer()
        if layer is not None:
            layer.trainable = layer.trainable  # the models notice

    @property
    def rules(self) -> tuple[Any, Any]:
        """The penalty and the constraint, as a plan has them."""
        return self._penalty, self._bounds

    @rules.setter
    def rules(self, rules: tuple[Any, Any]) -> None:
        self._penalty, self._bounds = rules

    def _living_layer(self) -> Any:
        return self.layer() if self.layer is not None else None

    @property
    def parameter(self) -> Parameter:
        """How a plan names this array."""
        return Parameter(f"{self.owner}/{self.name}", self.shape, self._penalty, self._bounds, flat=self._flat)

    def read(self) -> np.ndarray:
        value, home = self._value, self._home  # in this order: a value is given up only when the weight has a home
        if home is not None:
            network, index = home
            return np.asarray(network.get_parameter(index))
        return (self._values() if value is None else value).copy()

    def check(self, value: Any) -> np.ndarray:
        """``value`` as a float32 array that fits here, or an error that names the layer."""
        try:
            array = as_native(value, np.float32)
        except (TypeError, ValueError) as error:
            raise ValueError(f"the {self.name} of layer {self.owner!r} must be an array of numbers: {error}") from error
        if np.ndim(value) != len(self.shape) or array.shape != self.shape:
            raise ValueError(f"the {self.name} of layer {self.owner!r} has shape {self.shape}, got {np.shape(value)}")
        if not np.isfinite(array).all():
            where = ", ".join(str(i) for i in np.argwhere(~np.isfinite(array))[0])
            raise ValueError(
                f"the {self.name} of layer {self.owner!r} can't hold NaN or Inf: element [{where}] of the new value is not finite"
            )
        return array

    def store(self, value: np.ndarray) -> None:
        if self._home is not None:
            network, index = self._home
            network.set_parameter(index, value)
        else:
            self._value = value.copy()

    def attach(self, network: Any, index: int) -> None:
        """Move the values into ``network``, as its parameter ``index``; or copy them, if they live in another model's."""
        if self._home is not None:
            network.set_parameter(index, self.read())
            return
        network.set_parameter(index, self._values())
        self._home = (network, index)
        self._value = None

    def lend(self, network: Any, index: int, *, move: bool) -> None:
        """Copy the values into a network they do not live in; with ``move`` they live there from now on."""
        if self._home is not None and self._home[0] is network:
            return
        network.set_parameter(index, self.read())
        if move:
            self._home = (network, index)
            self._value = None

    def detach(self, network: Any) -> None:
        """Take the values back from the network, if it is there that they live."""
        if self._home is not None and self._home[0] is network:
            self._value = np.asarray(network.get_parameter(self._home[1]))
            self._home = None

    def _values(self) -> np.ndarray:
        value = self._value
        if value is None:
            value = self._value = self.check(self._initializer.sample(self.shape, lambda: self._seed))
        return value
