"""Tensors without numbers: what a layer gives when it is called, so that a model can be written down as a graph of calls.

A :class:`Tensor` knows the shape of its rows and the :class:`Call` that gives it. Nothing is computed here: a :class:`Graph` is what lies
between some inputs and some outputs, for planning to turn into nodes.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, TypeVar

from fastmlp._base import checks
from fastmlp._base.shapes import Shape
from fastmlp.errors import UnsupportedError

__all__ = ["Call", "Graph", "Tensor", "apply", "chain", "connect", "holds_tensors", "only_call", "operator", "trace"]

_numbers = itertools.count()

_operators: dict[str, Callable[..., Any]] = {}
"""The layers that operators of tensors make, by name."""

L = TypeVar("L", bound=type)


def operator(layer: L) -> L:
    """Marks a layer that operators of tensors make."""
    _operators[layer.__name__] = layer
    return layer


class Tensor:
    """What a layer gives for rows that are not there yet.

    ``a + b``, ``a - b`` and ``a * b`` are the layers ``Add``, ``Subtract`` and ``Multiply``, ``a / b`` is ``Divide``; with a number
    they are ``Rescaling``. ``a[:, 2:5]`` and ``a[:, 0]`` are columns.

    Attributes:
        shape: ``(None, columns)``, rows left open.
        call: What it comes from.
        index: Which of that call's outputs it is.
    """

    dtype = "float32"

    def __init__(self, row: Shape, call: Call, index: int = 0) -> None:
        self.row = row
        self.call = call
        self.index = index

    @property
    def shape(self) -> tuple[int | None, ...]:
        return (None, *self.row)

    @property
    def name(self) -> str:
        """The name of the layer it comes from."""
        return str(self.call.layer.name)

    def __add__(self, other: Any) -> Tensor:
        return self._merged("Add", other) if isinstance(other, Tensor) else self._rescaled(1, other)

    def __sub__(self, other: Any) -> Tensor:
        return self._merged("Subtract", other) if isinstance(other, Tensor) else self._rescaled(1, other, -1)

    def __mul__(self, other: Any) -> Tensor:
        return self._merged("Multiply", other) if isinstance(other, Tensor) else self._rescaled(other)

    def __rsub__(self, other: Any) -> Tensor:
        return self._rescaled(-1, other)

    def __neg__(self) -> Tensor:
        return self._rescaled(-1)

    def __truediv__(self, other: Any) -> Tensor:
        if isinstance(other, Tensor):
            return self._merged("Divide", other)
        return self._rescaled(1 / other) if _is_number(other) and other else NotImplemented

    def __rtruediv__(self, other: Any) -> Tensor:
        return self._rescaled(0, other) / self if _is_number(other) else NotImplemented

    def __pow__(self, exponent: Any) -> Tensor:
        if isinstance(exponent, bool) or not isinstance(exponent, int) or not 1 <= exponent <= 8:
            raise UnsupportedError(f"a tensor to the power of {exponent!r:.40} is not in fastmlp; whole exponents from 1 to 8 are")
        power = self
        for _ in range(exponent - 1):
            power = power * self
        return power

    def __getitem__(self, key: Any) -> Tensor:
        batch, *parts = key if isinstance(key, tuple) else (key,)
        if batch is Ellipsis:
            parts = [slice(None)] * (len(self.row) - len(parts)) + parts
        elif batch != slice(None):
            raise UnsupportedError(f"{self!r}[{batch!r}, ...] would leave out rows; begin with [:, ...], which takes them all")
        if Ellipsis in parts:
            at = parts.index(Ellipsis)
            parts[at : at + 1] = [slice(None)] * (len(self.row) - len(parts) + 1)
        for part in parts:
            if isinstance(part, bool) or not isinstance(part, (int, slice)):
                raise UnsupportedError(f"{part!r:.40} in the brackets of a tensor is not in fastmlp; slices and integers are")
        item: Tensor = _operators["GetItem"]([[part.start, part.stop, part.step] if isinstance(part, slice) else part for part in parts])(
            self
        )
        return item

    def __iter__(self) -> Any:
        raise TypeError(f"{self!r} can't be iterated over: its rows are not there yet; take columns by slices, tensor[:, 0]")

    __radd__, __rmul__ = __add__, __mul__

    def _merged(self, layer: str, other: Tensor) -> Tensor:
        merged: Tensor = _operators[layer]()([self, other])
        return merged

    def _rescaled(self, scale: Any, offset: Any = 0, sign: int = 1) -> Tensor:
        if not _is_number(scale) or not _is_number(offset):
            return NotImplemented
        rescaled: Tensor = _operators["Rescaling"](float(scale), sign * float(offset))(self)
        return rescaled

    def __array__(self, *args: Any, **options: Any) -> Any:
        raise TypeError(f"{self!r} holds no numbers; make a model of it, Model(inputs, outputs), and predict with that")

    def __repr__(self) -> str:
        return f"<Tensor shape={self.shape}, from layer {self.name!r}>"


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


class Call:
    """One use of a layer, or of a model: a layer that is called twice shares its weights between the two."""

    def __init__(self, layer: Any, inputs: Sequence[Tensor], rows: Iterable[Shape], training: bool | None = None) -> None:
        self.layer = layer
        self.training = training
        """Whether ``model(x)`` runs the layer, or all of a model, as in training; None where nothing was said."""
        self.inputs = tuple(inputs)
        self.outputs = tuple(Tensor(row, self, index) for index, row in enumerate(rows))
        self.number = next(_numbers)
        """Calls are made in this order."""


@dataclass(frozen=True, slots=True)
class Graph:
    """What lies between inputs and outputs."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    calls: tuple[Call, ...]
    """In an order in which each comes after those it depends on; without those of the inputs."""
    layers: tuple[Any, ...]
    """Each layer or model once, those of the inputs included, in the order of Keras: the farther from the outputs, the earlier."""

    def calls_of(self, layer: Any) -> list[Call]:
        """The uses of a layer within this graph, in the order in which they were made."""
        return sorted((call for call in self.calls if call.layer is layer), key=lambda call: call.number)

    def place(self, tensor: Tensor) -> tuple[str, int, int]:
        """The layer a tensor comes from, which of its calls in this graph gives it, and which output of that call it is."""
        calls = self.calls_of(tensor.call.layer)
        return tensor.name, calls.index(tensor.call) if tensor.call in calls else 0, tensor.index


def holds_tensors(values: Any) -> bool:
    """Whether these are tensors without numbers, alone or in a list or dict."""
    if isinstance(values, Mapping):
        values = list(values.values())
    return isinstance(values[0] if isinstance(values, (list, tuple)) and values else values, Tensor)


def holds_any_tensor(values: Any) -> bool:
    """Whether one of these at least is a tensor without numbers."""
    if isinstance(values, Mapping):
        values = list(values.values())
    return any(isinstance(value, Tensor) for value in (values if isinstance(values, (list, tuple)) else [values]))


def as_tensors(owner: str, values: Any) -> list[Tensor]:
    """One tensor, or several in a list, a tuple or a dict."""
    if isinstance(values, Mapping):
        values = list(values.values())
    tensors = list(values) if isinstance(values, (list, tuple)) else [values]
    for tensor in tensors:
        if not isinstance(tensor, Tensor):
            what = f"an array of shape {tensor.shape}" if hasattr(tensor, "shape") else f"{tensor!r:.80}"
            raise TypeError(f"{owner} is called on what Input(shape=...) or another layer gives, got {what}")
    return tensors


def apply(layer: Any, inputs: Any, options: Mapping[str, Any]) -> Any:
    """What ``layer(inputs)`` gives: the layer is built for these shapes, and used once more."""
    for name, value in options.items():
        if name not in ("training", "mask"):
            raise TypeError(f"a call of layer {layer.name!r} has no argument {name!r}")
        if name == "mask" and value is not None:
            raise UnsupportedError(f"a call of layer {layer.name!r} with mask= is not in fastmlp; leave the masked rows out")
    training = options.get("training")
    if training is not None:
        training = checks.check_bool("training", training)
        if layer.minds_training:
            checks.warn(f"training={training} in the call of {layer.name!r} {_REACH[training]}")
    return connect(layer, inputs, training)


_REACH = {
    True: (
        "counts in model(x) alone, which draws new noise every time: as in Keras 3, predict and evaluate run every layer without dropout "
        "and by the moving statistics, and fit trains every layer"
    ),
    False: (
        "changes nothing: as in Keras 3, fit trains every layer with dropout and the statistics of the batch; freeze it "
        "(trainable = False) to keep its weights and its statistics"
    ),
}


def connect(layer: Any, inputs: Any, training: bool | None = None) -> Any:
    """What :func:`apply` gives, without a word about ``training``."""
    if isinstance(inputs, Mapping):
        inputs = layer.in_order(inputs)
    tensors = as_tensors(f"layer {layer.name!r}", inputs)
    call = Call(layer, tensors, layer.connect([tensor.row for tensor in tensors]), training)
    layer.calls.add(call)
    return layer.arrange_outputs(call.outputs)


def only_call(layer: Any) -> Call:
    """The one call of a layer that was made, of those that a model or a tensor still knows of."""
    chains = layer.chains()
    calls = [call for model in chains for call in model.graph.calls if call.layer is layer] if chains else list(layer.calls)
    if len(calls) != 1:
        raise ValueError(
            f"layer {layer.name!r} "
            + (f"was called {len(calls)} times, so it has no single input and output" if calls else "has not been called in a model yet")
            + "; keep what the call returns: y = layer(x)"
        )
    return calls[0]


def chain(start: Tensor, layers: Sequence[Any]) -> Graph:
    """The graph of layers one after another."""
    tensor = start
    calls = []
    for layer in layers:
        calls.append(Call(layer, [tensor], [layer.row_after(tensor.row)]))
        tensor = calls[-1].outputs[0]
    return Graph((start,), (tensor,), tuple(calls), tuple(layers))


def trace(inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Graph:
    """What lies between these tensors.

    Raises:
        ValueError: An output depends on something that is not among the inputs, or two layers have the same name.
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
    """The calls behind these tensors, each after all it depends on, depth first; and the layers in the order in which they are met."""
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
    """Calls and layers by how many calls lie between them and the outputs, most first: in the order in which Keras has them.

    Statistics that move with every call of a layer depend on it.
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
            raise ValueError(f"two layers of the model are called {layer.name!r}; give one of them another name=")
        taken.add(layer.name)
