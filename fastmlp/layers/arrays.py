"""The base class of layers that replace words, categories and numbers by indices: on arrays, and as operations of a model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fastmlp._base import checks, hashing
from fastmlp._base.shapes import Shape
from fastmlp._engine.spec import EXACT_INT_LIMIT, Table
from fastmlp._graph import symbolic
from fastmlp._graph.operation import Operation
from fastmlp.errors import UnsupportedError
from fastmlp.layers.base import Layer
from fastmlp.layers.categories import MAX_NUMBERS, row_of_codes

DROPPED = -1
"""The index of what counts for no column."""


class ArrayLayer(Layer):
    """A layer that replaces the elements of its input by indices. In a model it has no gradient, and its inputs are float32."""

    weightless = True
    output_mode: str

    def __call__(self, inputs: Any, **options: Any) -> Any:
        """What the layer makes of an array, a list or a column of a frame; or of a tensor, to build a model from."""
        if symbolic.holds_any_tensor(inputs):
            return super().__call__(inputs, **options)
        options.pop("training", None)
        checks.reject_unknown(type(self).__call__, options, {"mask": "leave the masked values out"})
        return self._of(inputs)

    def _of(self, inputs: object) -> NDArray[Any]:
        raise NotImplementedError

    def _depth(self) -> int:
        """The number of indices, which is the number of outputs in all modes but ``"int"``."""
        raise NotImplementedError

    def _replacement(self) -> Operation:
        """The operation that replaces the integers in a model's input; an error if they are not known yet."""
        raise NotImplementedError

    def build_rows(self, row: Shape) -> None:
        self.check_in_model()
        super().build_rows(row)

    def check_in_model(self) -> None:
        self._replacement()
        if self._depth() > MAX_NUMBERS:
            raise ValueError(f"layer {self.name!r} has {self._depth()} numbers, but a model reads at most {MAX_NUMBERS}")

    def row_after(self, input_shape: Shape) -> Shape:
        if self.output_mode == "int":
            return input_shape
        self.require_vector(input_shape)
        return row_of_codes(self.output_mode, input_shape, self._depth())

    def operations(self, input_shape: Shape) -> tuple[Operation, ...]:
        if self.output_mode == "int":
            return (self._replacement(),)
        mode = "count" if self.output_mode == "tf_idf" else self.output_mode
        return (self._replacement(), Operation("category_encoding", settings={"mode": mode, "tokens": self._depth(), "drops": True}))

    def _change_setting(self, name: str, value: object) -> None:
        kind = type(self).__name__
        raise AttributeError(f"{name} of {kind} is fixed once it is made; make a new one, {kind}({name}=...)")

    def refuse_sparse(self, sparse: bool) -> None:
        """An error unless ``sparse``, an argument of the constructor, is False."""
        if checks.check_bool("sparse", sparse):
            raise UnsupportedError(
                f"{type(self).__name__}(sparse=True) is not in fastmlp; make a scipy.sparse matrix of what it gives without sparse"
            )


def exact(name: str, layer: Layer, values: Iterable[Any]) -> None:
    """Raise an error unless float32 represents these integers exactly."""
    for value in values:
        if isinstance(value, str) or value is None:
            raise ValueError(f"{name} of layer {layer.name!r} is {value!r:.60}, but the inputs and outputs of a model are numbers")
        if not abs(value) < EXACT_INT_LIMIT:
            raise ValueError(
                f"{name} of layer {layer.name!r} is {value}, but a model computes in float32, where integers are exact from "
                f"{1 - EXACT_INT_LIMIT} to {EXACT_INT_LIMIT - 1}; call the layer on the data before fit instead: x = layer(data)"
            )


def lookup(table: Table) -> Operation:
    """The operation that looks integers up in a table."""
    return Operation("lookup", settings={"table": table})


def method_of(salt: list[int] | None) -> dict[str, Any]:
    """How a table hashes numbers: see :class:`fastmlp._engine.spec.Table`."""
    if salt is None:
        return {"method": "farmhash"}
    return {"method": "siphash", "salt": tuple(part % (1 << 64) for part in salt)}


def elements(name: str, given: object) -> NDArray[Any]:
    """``given`` as an array whose elements keep their types."""
    if checks.is_masked(given):
        raise ValueError(f"{name} has masked elements; replace them first: {name}.filled(...)")
    return np.asarray(given) if hasattr(given, "__array__") else np.array(given, dtype=object)


def mapped(array: NDArray[Any], function: Callable[[Any], Any], dtype: DTypeLike) -> NDArray[Any]:
    """``function`` of every element, called once for each distinct value."""
    found: dict[Any, Any] = {}
    results = []
    for value in array.ravel().tolist():
        try:
            kind = (type(value), value)
            if kind not in found:
                found[kind] = function(value)
        except TypeError as error:
            if "unhashable" in str(error):
                raise TypeError(f"the rows of the data must have equal lengths, but an element is {value!r:.60}") from None
            raise
        results.append(found[kind])
    return np.array(results, dtype).reshape(array.shape)


def encoded(indices: NDArray[np.integer], mode: str, depth: int, dtype: DTypeLike) -> NDArray[Any]:
    """Indices as one-hot vectors; or, for those along the second axis (the first if there is only one), as a multi-hot vector or counts.

    Indices outside of 0 … ``depth - 1`` are ignored.
    """
    indices = np.atleast_1d(indices)
    if mode == "one_hot":
        if indices.ndim > 1 and indices.shape[-1] == 1:
            indices = indices[..., 0]
        return np.asarray((indices[..., None] == np.arange(depth)).astype(dtype))
    rows = indices if indices.ndim == 1 else np.moveaxis(indices, 1, -1)
    shape = rows.shape[:-1]
    rows = rows.reshape(-1, rows.shape[-1])
    result = np.zeros((len(rows), depth), dtype)
    row, column = np.nonzero((rows >= 0) & (rows < depth))
    np.add.at(result, (row, rows[row, column]), 1)
    return (np.minimum(result, 1) if mode == "multi_hot" else result).reshape(*shape, depth)


def batches(data: object, steps: int | None, *, lists_are_arrays: bool) -> Iterable[tuple[NDArray[Any], bool]]:
    """The batches in the data that was passed to ``adapt``, each with whether it is all of the data."""
    if hasattr(data, "__array__") or isinstance(data, (str, bytes)) or (lists_are_arrays and isinstance(data, (list, tuple))):
        yield elements("data", data), True
        return
    if not isinstance(data, Iterable):
        raise TypeError(f"adapt needs an array, or an iterable of batches, got {data!r:.60}")
    for index, batch in enumerate(data):
        if steps is not None and index >= steps:
            return
        yield elements("data", batch), False


def salt_pair(value: int | Sequence[int] | None) -> list[int] | None:
    """A salt as the two integers of a key."""
    if value is None:
        return None
    pair = [value, value] if isinstance(value, int) else list(value) if isinstance(value, (tuple, list)) else []
    if len(pair) != 2 or not all(isinstance(part, int) for part in pair):
        raise ValueError(f"salt must be an integer or a tuple of two, got {value!r:.60}")
    return pair


def bucket(text: bytes, count: int, salt: list[int] | None) -> int:
    """The hash of ``text`` modulo ``count``."""
    return (hashing.fingerprint64(text) if salt is None else hashing.siphash(text, (salt[0], salt[1]))) % count
