"""The weights of layers, whose values are in the layer until a network is created, and then in the network.

A new weight is only a shape, an initializer and a seed; its values are drawn when they are first read. So a model can be described, checked
against a file and loaded with stored values without ever allocating random ones.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastmlp import _core
from fastmlp._base import checks, seeding
from fastmlp._base.numeric import as_native
from fastmlp._base.shapes import Shape
from fastmlp._engine.spec import Bounds, Parameter, Penalty
from fastmlp.constraints import Constraint
from fastmlp.initializers import Initializer
from fastmlp.regularizers import Regularizer
from fastmlp.variables import Variable

if TYPE_CHECKING:
    from fastmlp._engine.network import Network
    from fastmlp._graph.symbolic import ModelLike


class OwningLayer(Protocol):
    """A layer, as far as its weights are concerned."""

    trainable: bool

    @property
    def path(self) -> str: ...


Rules: TypeAlias = tuple[Penalty | None, Bounds | None]
"""The penalty and the constraint of a weight, as a plan holds them."""


class Weight(Variable):
    """One array of a layer.

    Args:
        owner: The layer's name.
        name: The weight's name, such as ``kernel`` or ``bias``.
        shape: The shape; all sizes are positive.
        initializer: Draws the initial values.
        regularizer: Penalty on the weight that is added to the loss.
        constraint: Constraint that is applied after each update.
        trainable: False for weights that no gradient updates, even if the layer is not frozen: moving statistics.
        flat: True for weights that engines treat as vectors, whatever their shape.
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
        shape: Shape,
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
        self._seed = seeding.draw_seed()  # now, so that the seeds do not depend on the order in which weights are read
        self._value: NDArray[np.float32] | None = None
        self._home: tuple[Network, int] | None = None
        """The network that holds the values, and the parameter's index: one attribute, because threads read it while others change it."""
        self.layer: weakref.ref[OwningLayer] | None = None
        """The layer, once it is built; it may be frozen."""
        self.models: weakref.WeakSet[ModelLike] = weakref.WeakSet()
        """The models that the weight is part of."""

    @property
    def shape(self) -> Shape:
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
        """Whether the optimizer updates the weight: False for moving statistics and in a frozen layer."""
        layer = self._living_layer()
        return self._trainable and (layer is None or layer.trainable)

    @trainable.setter
    def trainable(self, value: bool) -> None:
        if checks.check_bool("trainable", value) and not self.learned:
            raise ValueError(f"{self.owner}/{self.name} is not updated by gradients, so it can't be trainable")
        self._trainable = bool(value)
        layer = self._living_layer()
        if layer is not None:
            layer.trainable = layer.trainable  # notifies the models

    @property
    def rules(self) -> Rules:
        """The penalty and the constraint, as a plan holds them."""
        return self._penalty, self._bounds

    @rules.setter
    def rules(self, rules: Rules) -> None:
        self._penalty, self._bounds = rules

    def _living_layer(self) -> OwningLayer | None:
        return self.layer() if self.layer is not None else None

    def parameter(self, path: str = "", *, trainable: bool = True) -> Parameter:
        """The weight's entry in a plan.

        Args:
            path: The names of the models around its layer, as a prefix of its name.
            trainable: Whether its layer trains it.
        """
        return Parameter(f"{path}{self.owner}/{self._name}", self._shape, self._penalty, self._bounds, trainable, self._flat)

    def read(self) -> NDArray[np.float32]:
        value, home = self._value, self._home  # in this order: a value is only dropped once the weight has a home
        if home is not None:
            network, index = home
            return np.asarray(network.get_parameter(index))
        return (self._values() if value is None else value).copy()

    def check(self, value: ArrayLike) -> NDArray[np.float32]:
        """``value`` as a finite float32 array of the weight's shape; anything else is a ValueError that names the layer."""
        try:
            array = as_native(value, np.float32)
        except (TypeError, ValueError) as error:
            raise ValueError(f"the {self.name} of layer {self.owner!r} must be an array of numbers: {error}") from error
        if np.ndim(value) != len(self.shape) or array.shape != self.shape:
            raise ValueError(f"the {self.name} of layer {self.owner!r} has shape {self.shape}, got {np.shape(value)}")
        if _core.first_nonfinite(array) >= 0:
            where = ", ".join(str(i) for i in np.argwhere(~np.isfinite(array))[0])
            raise ValueError(
                f"the {self.name} of layer {self.owner!r} can't hold NaN or Inf: element [{where}] of the new value is not finite"
            )
        return array

    def store(self, value: NDArray[np.float32]) -> None:
        if self._home is not None:
            network, index = self._home
            network.set_parameter(index, value)
        else:
            self._value = value.copy()

    def attach(self, network: Network, index: int) -> None:
        """Move the values into ``network`` as its parameter ``index``; copy them if they are in another model's network."""
        if self._home is not None:
            network.set_parameter(index, self.read())
            return
        network.set_parameter(index, self._values())
        self._home = (network, index)
        self._value = None

    def lend(self, network: Network, index: int, *, move: bool) -> None:
        """Copy the values into a network that does not hold them; with ``move``, that network holds them from now on."""
        if self._home is not None and self._home[0] is network:
            return
        network.set_parameter(index, self.read())
        if move:
            self._home = (network, index)
            self._value = None

    def detach(self, network: Network | None) -> None:
        """Copy the values back from the network, if it is the one that holds them."""
        if self._home is not None and self._home[0] is network:
            self._value = np.asarray(network.get_parameter(self._home[1]))
            self._home = None

    def _values(self) -> NDArray[np.float32]:
        value = self._value
        if value is None:
            value = self._value = self.check(self._initializer.sample(self.shape, lambda: self._seed))
        return value
