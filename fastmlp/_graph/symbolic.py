"""Symbolic tensors: the return values of layers that are called on other tensors, which define a model as a graph of calls.

A :class:`Tensor` knows the shape of its samples and the :class:`Call` that returned it. Nothing is computed here: a :class:`Graph` holds
the calls between some inputs and some outputs, which :mod:`fastmlp._graph.lowering` turns into a plan.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, TypeAlias, TypeVar

from fastmlp._base import checks
from fastmlp._base.shapes import BatchShape, Shape
from fastmlp.errors import UnsupportedError

if TYPE_CHECKING:
    import weakref
    from types import EllipsisType

    from fastmlp._engine.network import Network

__all__ = [
    "Call",
    "Graph",
    "LayerLike",
    "ModelLike",
    "Tensor",
    "Tensors",
    "apply",
    "chain",
    "connect",
    "holds_tensors",
    "only_call",
    "operator",
    "trace",
]

_numbers = itertools.count()

_operators: dict[str, Callable[..., Any]] = {}
"""The layers that operators on tensors create, by name."""

L = TypeVar("L", bound=type)


def operator(layer: L) -> L:
    """Registers a layer that operators on tensors create."""
    _operators[layer.__name__] = layer
    return layer


class LayerLike(Protocol):
    """A layer, or a model in the place of a layer, as far as the graph is concerned."""

    calls: weakref.WeakSet[Call]

    @property
    def name(self) -> str: ...
    @property
    def differs_in_training(self) -> bool: ...
    def connect(self, rows: Sequence[Shape], /) -> tuple[Shape, ...]: ...
    def row_after(self, row: Shape, /) -> Shape: ...
    def in_order(self, inputs: Mapping[str, Any], /) -> list[Any]: ...
    def arrange_outputs(self, outputs: Sequence[Tensor], /) -> Any: ...
    def chains(self) -> Sequence[ModelLike]: ...


class ModelLike(Protocol):
    """A model, as far as its layers and weights are concerned."""

    name: str
    _forward: Network | None
    _shares_weights: bool

    @property
    def built(self) -> bool: ...
    @property
    def graph(self) -> Graph: ...
    def check_new_name(self, layer: Any, name: str, /) -> None: ...
    def refuse_while_training(self, what: str, /) -> None: ...
    def layers_changed(self, *, freezing: bool = ...) -> None: ...


class Tensor:
    """A symbolic tensor: the output of a layer for samples that are not known yet.

    ``a + b``, ``a - b``, ``a * b`` and ``a / b`` create the layers ``Add``, ``Subtract``, ``Multiply`` and ``Divide``, or ``Rescaling`` if
    one operand is a number. ``a[:, 2:5]`` and ``a[:, 0]`` select features.

    Attributes:
        row: The shape of a sample.
        call: The call that returned it.
        index: Its index among the outputs of that call.
    """

    dtype = "float32"

    def __init__(self, row: Shape, call: Call, index: int = 0) -> None:
        self.row = row
        self.call = call
        self.index = index

    @property
    def shape(self) -> BatchShape:
        """The shape with the batch axis, ``(None, features)``."""
        return (None, *self.row)

    @property
    def name(self) -> str:
        """The name of the layer that returned it."""
        return self.call.layer.name

    def __add__(self, other: object) -> Tensor:
        return self._merged("Add", other) if isinstance(other, Tensor) else self._rescaled(1, other)

    def __sub__(self, other: object) -> Tensor:
        return self._merged("Subtract", other) if isinstance(other, Tensor) else self._rescaled(1, other, -1)

    def __mul__(self, other: object) -> Tensor:
        return self._merged("Multiply", other) if isinstance(other, Tensor) else self._rescaled(other)

    def __rsub__(self, other: object) -> Tensor:
        return self._rescaled(-1, other)

    def __neg__(self) -> Tensor:
        return self._rescaled(-1)

    def __truediv__(self, other: Any) -> Tensor:
        if isinstance(other, Tensor):
            return self._merged("Divide", other)
        return self._rescaled(1 / other) if _is_number(other) and other else NotImplemented

    def __rtruediv__(self, other: object) -> Tensor:
        return self._rescaled(0, other) / self if _is_number(other) else NotImplemented

    def __pow__(self, exponent: object) -> Tensor:
        if isinstance(exponent, bool) or not isinstance(exponent, int) or not 1 <= exponent <= 8:
            raise UnsupportedError(f"a tensor to the power of {exponent!r:.40} is not in fastmlp; integer exponents from 1 to 8 are")
        power = self
        for _ in range(exponent - 1):
            power = power * self
        return power

    def __getitem__(self, key: slice | EllipsisType | tuple[int | slice | EllipsisType, ...]) -> Tensor:
        batch, *parts = key if isinstance(key, tuple) else (key,)
        if batch is Ellipsis:
            parts = [slice(None)] * (len(self.row) - len(parts)) + parts
        elif batch != slice(None):
            raise UnsupportedError(f"{self!r}[{batch!r}, ...] would select samples; start with [:, ...], which keeps all of them")
        if Ellipsis in parts:
            at = parts.index(Ellipsis)
            parts[at : at + 1] = [slice(None)] * (len(self.row) - len(parts) + 1)
        for part in parts:
            if isinstance(part, bool) or not isinstance(part, (int, slice)):
                raise UnsupportedError(f"indexing a tensor with {part!r:.40} is not in fastmlp; use slices and integers")
        item: Tensor = _operators["GetItem"]([[part.start, part.stop, part.step] if isinstance(part, slice) else part for part in parts])(
            self
        )
        return item

    def __iter__(self) -> Iterator[NoReturn]:
        raise TypeError(f"{self!r} can't be iterated over because its samples are not known; select features by slices, tensor[:, 0]")

    __radd__, __rmul__ = __add__, __mul__

    def _merged(self, layer: str, other: Tensor) -> Tensor:
        merged: Tensor = _operators[layer]()([self, other])
        return merged

    def _rescaled(self, scale: Any, offset: Any = 0, sign: int = 1) -> Tensor:
        if not _is_number(scale) or not _is_number(offset):
            return NotImplemented
        rescaled: Tensor = _operators["Rescaling"](float(scale), sign * float(offset))(self)
        return rescaled

    def __array__(self, *args: object, **options: object) -> object:
        raise TypeError(f"{self!r} has no values; define a model, Model(inputs, outputs), and call predict")

    def __repr__(self) -> str:
        return f"<Tensor shape={self.shape}, from layer {self.name!r}>"


Tensors: TypeAlias = Tensor | Sequence[Tensor] | Mapping[str, Tensor]
"""The tensors that a layer or a model is called on, or returns."""


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


class Call:
    """One call of a layer or model on tensors. The calls of a layer share its weights."""

    def __init__(self, layer: Any, inputs: Sequence[Tensor], rows: Iterable[Shape], training: bool | None = None) -> None:
        self.layer = layer
        self.training = training
        """Whether ``model(x)`` runs the layer, or all layers of a model, as in training; None if the call did not say."""
        self.inputs = tuple(inputs)
        self.outputs = tuple(Tensor(row, self, index) for index, row in enumerate(rows))
        self.number = next(_numbers)
        """Ascending in the order of the calls."""


@dataclass(frozen=True, slots=True)
class Graph:
    """The calls between some inputs and some outputs."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    calls: tuple[Call, ...]
    """In topological order, without those of the inputs."""
    layers: tuple[Any, ...]
    """Each layer or model once, including input layers, in Keras' order: those farther from the outputs come first."""

    def calls_of(self, layer: object) -> list[Call]:
        """The calls of a layer within this graph, in the order in which they were made."""
        return sorted((call for call in self.calls if call.layer is layer), key=lambda call: call.number)

    def place(self, tensor: Tensor) -> tuple[str, int, int]:
        """The layer that returned a tensor, the index of the call among its calls in this graph, and the index of the output."""
        calls = self.calls_of(tensor.call.layer)
        return tensor.name, calls.index(tensor.call) if tensor.call in calls else 0, tensor.index


def holds_tensors(values: object) -> bool:
    """Whether ``values`` is a symbolic tensor, or a list or dict of them, judged by the first entry."""
    if isinstance(values, Mapping):
        values = list(values.values())
    return isinstance(values[0] if isinstance(values, (list, tuple)) and values else values, Tensor)


def holds_any_tensor(values: object) -> bool:
    """Whether ``values`` is a symbolic tensor, or a list or dict with at least one."""
    if isinstance(values, Mapping):
        values = list(values.values())
    return any(isinstance(value, Tensor) for value in (values if isinstance(values, (list, tuple)) else [values]))


def as_tensors(owner: str, values: Any) -> list[Tensor]:
    """The tensors in ``values``: a tensor, or a list, a tuple or a dict of tensors.

    Raises:
        TypeError: There is anything else among them; the message begins with ``owner``.
    """
    if isinstance(values, Mapping):
        values = list(values.values())
    tensors = list(values) if isinstance(values, (list, tuple)) else [values]
    for tensor in tensors:
        if not isinstance(tensor, Tensor):
            what = f"an array of shape {tensor.shape}" if hasattr(tensor, "shape") else f"{tensor!r:.80}"
            raise TypeError(f"{owner} needs tensors that Input(shape=...) or a layer returned, got {what}")
    return tensors


def apply(layer: LayerLike, inputs: object, options: Mapping[str, Any]) -> Any:
    """The return value of ``layer(inputs)`` for symbolic tensors: the layer is built for their shapes, and the call recorded.

    Args:
        layer: A layer or model.
        inputs: A tensor, or a list or dict of tensors.
        options: The keyword arguments of the call: ``training`` and ``mask``.
    """
    for name, value in options.items():
        if name not in ("training", "mask"):
            raise TypeError(f"a call of layer {layer.name!r} has no argument {name!r}")
        if name == "mask" and value is not None:
            raise UnsupportedError(f"a call of layer {layer.name!r} with mask= is not in fastmlp; remove the masked samples")
    training = options.get("training")
    if training is not None:
        training = checks.check_bool("training", training)
        if layer.differs_in_training:
            checks.warn(f"training={training} in the call of {layer.name!r} {_EFFECT_OF_TRAINING[training]}")
    return connect(layer, inputs, training)


_EFFECT_OF_TRAINING = {
    True: (
        "only affects model(x), which draws new noise in every call: as in Keras 3, predict and evaluate run all layers without dropout "
        "and with the moving statistics, and fit runs all layers in training mode"
    ),
    False: (
        "has no effect: as in Keras 3, fit runs all layers with dropout and the statistics of the batch; freeze the layer "
        "(trainable = False) to keep its weights and statistics"
    ),
}


def connect(layer: LayerLike, inputs: object, training: bool | None = None) -> Any:
    """The same as :func:`apply`, without the warning about ``training``."""
    if isinstance(inputs, Mapping):
        inputs = layer.in_order(inputs)
    tensors = as_tensors(f"layer {layer.name!r}", inputs)
    call = Call(layer, tensors, layer.connect([tensor.row for tensor in tensors]), training)
    layer.calls.add(call)
    return layer.arrange_outputs(call.outputs)


def only_call(layer: LayerLike) -> Call:
    """The only call of a layer, among those that a model or a tensor still refers to; a ValueError if there is not exactly one."""
    chains = layer.chains()
    calls = [call for model in chains for call in model.graph.calls if call.layer is layer] if chains else list(layer.calls)
    if len(calls) != 1:
        raise ValueError(
            f"layer {layer.name!r} "
            + (f"was called {len(calls)} times, so it has no single input and output" if calls else "has not been called in a model yet")
            + "; use the return value of the call: y = layer(x)"
        )
    return calls[0]


def chain(start: Tensor, layers: Sequence[LayerLike]) -> Graph:
    """The graph of a sequence of layers."""
    tensor = start
    calls = []
    for layer in layers:
        calls.append(Call(layer, [tensor], [layer.row_after(tensor.row)]))
        tensor = calls[-1].outputs[0]
    return Graph((start,), (tensor,), tuple(calls), tuple(layers))


def trace(inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Graph:
    """The graph between these tensors.

    Raises:
        ValueError: An output depends on an input that is not among ``inputs``, or two layers have the same name.
    """
    ends = {id(tensor) for tensor in inputs}
    found, visited = _traverse(outputs)
    for call in found:
        if not call.inputs and id(call.outputs[0]) not in ends:
            raise ValueError(
                f"the outputs depend on the input {call.layer.name!r}, which is not among the model's inputs: "
                f"{', '.join(repr(tensor.name) for tensor in inputs)}"
            )
    unused = [tensor.call.layer for tensor in inputs if id(tensor.call.layer) not in {id(layer) for layer in visited}]
    calls, layers = _sorted(found, [*unused, *visited])
    _check_names(layers)
    return Graph(tuple(inputs), tuple(outputs), tuple(call for call in calls if call.inputs), layers)


def _traverse(outputs: Sequence[Tensor]) -> tuple[list[Call], list[Any]]:
    """The calls that these tensors depend on, in depth-first topological order; and their layers in the order of discovery."""
    finished: list[Call] = []
    met: set[int] = set()
    layers: dict[int, Any] = {}
    for output in outputs:
        stack: list[tuple[Call, Iterator[Tensor]]] = []
        tensor: Tensor | None = output
        while tensor is not None or stack:
            if tensor is not None and id(tensor.call) not in met:
                met.add(id(tensor.call))
                layers.setdefault(id(tensor.call.layer), tensor.call.layer)
                stack.append((tensor.call, iter(tensor.call.inputs)))
            if not stack:
                break
            tensor = next(stack[-1][1], None)
            if tensor is None:
                finished.append(stack.pop()[0])
    return finished, list(layers.values())


def _sorted(finished: Sequence[Call], met: Sequence[Any]) -> tuple[list[Call], tuple[Any, ...]]:
    """Calls and layers by their distance from the outputs, farthest first: Keras' order.

    Moving statistics, which every call of a layer updates, depend on it.
    """
    depth_of_call: dict[int, int] = {}
    depth_of_layer: dict[int, int] = {}
    for call in reversed(finished):
        depth = max(depth_of_call.get(id(call), 0), depth_of_layer.get(id(call.layer), 0))
        depth_of_call[id(call)] = depth_of_layer[id(call.layer)] = depth
        for tensor in call.inputs:
            depth_of_call[id(tensor.call)] = max(depth_of_call.get(id(tensor.call), 0), depth + 1)
    calls = {id(call): call for call in finished}
    return (
        [calls[key] for key in sorted(depth_of_call, key=lambda key: -depth_of_call[key])],
        tuple(sorted(met, key=lambda layer: -depth_of_layer.get(id(layer), 0))),
    )


def _check_names(layers: Iterable[Any]) -> None:
    taken: set[str] = set()
    for layer in layers:
        if layer.name in taken:
            raise ValueError(f"two layers of the model have the name {layer.name!r}; names must be unique, pass name= to one of them")
        taken.add(layer.name)
