"""Layers that assign numbers, words and integers to bins."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastmlp._base.arguments import Choice, Converted, Integer, Real
from fastmlp._base.configs import Config, StoredConfig
from fastmlp._engine.spec import Table
from fastmlp._graph.operation import Operation
from fastmlp.errors import UnsupportedError
from fastmlp.layers.arrays import ArrayLayer, batches, bucket, elements, encoded, exact, lookup, mapped, method_of, salt_pair
from fastmlp.layers.base import LayerOptions

__all__ = ["Discretization", "Hashing"]


class Discretization(ArrayLayer):
    """Replaces numbers by the indices of the bins they fall into. Called on arrays, or part of a model.

    In a model no gradient passes through it, so the layers before it can't be trained.

    Args:
        bin_boundaries: The boundaries between bins, ascending: ``[0, 1]`` defines three bins, and 0 is in the second.
        num_bins: Instead of ``bin_boundaries``, the number of bins with equally many values that :meth:`adapt` finds.
        epsilon: The precision of the quantiles that :meth:`adapt` computes, 0 < epsilon ≤ 1.
        output_mode: ``"int"``, ``"one_hot"``, ``"multi_hot"`` or ``"count"``.
        sparse: False.
        options: See :class:`Layer`.

    Raises:
        ValueError: Both or neither of ``bin_boundaries`` and ``num_bins`` are given, or boundaries do not ascend.

    Example:

    >>> from fastmlp import layers
    >>> layers.Discretization([0.0, 1.0])([[-1.5, 0.0], [0.5, 3.0]])
    array([[0, 1],
           [1, 2]], dtype=int32)
    """

    only_in_keras: ClassVar = {"sparse": False}

    num_bins = Integer(optional=True)
    epsilon = Real(above=0, high=1)
    output_mode = Choice("int", "one_hot", "multi_hot", "count")

    def __init__(
        self,
        bin_boundaries: ArrayLike | None = None,
        num_bins: int | None = None,
        epsilon: float = 0.01,
        output_mode: str = "int",
        sparse: bool = False,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**options)
        self.refuse_sparse(sparse)
        self.num_bins, self.epsilon, self.output_mode = num_bins, epsilon, output_mode
        if (num_bins is None) == (bin_boundaries is None):
            raise ValueError(f"pass either num_bins or bin_boundaries, got num_bins={num_bins!r} and bin_boundaries={bin_boundaries!r:.60}")
        self.bin_boundaries: list[float] | None = None
        if bin_boundaries is not None:
            boundaries = _floats("bin_boundaries", bin_boundaries)
            if boundaries.ndim != 1 or (np.diff(boundaries) < 0).any():
                raise ValueError(f"bin_boundaries must be a list of ascending numbers, got {bin_boundaries!r:.80}")
            self.bin_boundaries = np.asarray(bin_boundaries, np.float64).tolist()

    def adapt(self, data: ArrayLike | Iterable[ArrayLike], steps: int | None = None) -> None:
        """Compute the boundaries of bins with equally many values, which replace previous ones.

        Args:
            data: An array, or an iterable of batches.
            steps: The maximum number of batches to read; by default all.

        Raises:
            ValueError: The layer has fixed ``bin_boundaries``, or there are no values.
        """
        if self.num_bins is None:
            raise ValueError(f"layer {self.name!r} has fixed bin_boundaries, so there is nothing to learn; pass num_bins= instead")
        summary = np.zeros((2, 0), np.float32)
        for batch, _ in batches(data, steps, lists_are_arrays=False):
            summary = np.concatenate((_summary(_floats("data", batch), self.epsilon), summary), axis=1)
            summary = _compressed(summary[:, np.argsort(summary[0])], self.epsilon)
        if not summary.size:
            raise ValueError("adapt got no values; pass training data")
        boundaries = _compressed(summary, 1.0 / self.num_bins)[0, :-1].tolist()
        if self.built and self.output_mode != "int" and len(boundaries) + 1 != self._depth():
            raise RuntimeError(
                f"layer {self.name!r} is part of a model and has {self._depth()} outputs, one for each bin, but this data has "
                f"{len(boundaries) + 1} bins; make a new layer and a new model"
            )
        self._take_effect({"bin_boundaries": boundaries})

    def _edges(self) -> NDArray[np.float32]:
        if self.bin_boundaries is None:
            raise ValueError(f"layer {self.name!r} has no bins yet: call adapt(data), or pass bin_boundaries=")
        return np.asarray(self.bin_boundaries, np.float32)

    def _depth(self) -> int:
        return self._edges().size + 1

    def _of(self, inputs: object) -> NDArray[Any]:
        bins = np.digitize(_floats("data", inputs, gaps=True), self._edges())
        if self.output_mode == "int":
            return np.asarray(bins, np.int32)
        return encoded(bins, self.output_mode, self._depth(), np.float32)

    def _replacement(self) -> Operation:
        edges = self._edges()
        if not np.isfinite(edges).all():
            raise ValueError(f"the bin_boundaries of layer {self.name!r} must be finite in a model; remove those that are not")
        return Operation("discretization", settings={"table": Table(tuple(edges.tolist()))})

    def get_config(self) -> Config:
        return super().get_config() | {"bin_boundaries": self.bin_boundaries}

    @classmethod
    def from_config(cls, config: StoredConfig) -> Discretization:
        """A layer with the configuration that :meth:`get_config` returned, including learned boundaries."""
        config = dict(config)
        learned = config.pop("bin_boundaries") if config.get("num_bins") is not None and "bin_boundaries" in config else None
        layer = cls(**config)
        if learned is not None:
            layer.__dict__["bin_boundaries"] = list(learned)
        return layer


def _floats(name: str, given: object, *, gaps: bool = False) -> NDArray[np.float32]:
    """Numbers as float32; NaN is an error unless ``gaps``."""
    try:
        array = elements(name, given).astype(np.float32)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be numbers, got {given!r:.80}") from None
    if not gaps and np.isnan(array).any():
        raise ValueError(f"{name} has NaN; remove these values or fill the gaps")
    return array


def _summary(values: NDArray[np.float32], epsilon: float) -> NDArray[np.float32]:
    """Every n-th of the sorted values, and the number of values that each stands for: ``(2, kept)``."""
    step = max(values.size * epsilon, 1)
    kept = np.sort(values, axis=None)[int(step - 1) :: int(step)]
    return np.stack([kept, np.ones_like(kept) * step])


def _compressed(summary: NDArray[np.float32], epsilon: float) -> NDArray[np.float32]:
    """A summary of at most ``1 / epsilon`` values, interpolated from a longer one."""
    if summary.shape[1] * epsilon < 1:
        return summary
    shares = epsilon + np.arange(0.0, 1.0, epsilon)
    counts = summary[1].cumsum()
    found = counts / counts[-1]
    values, counts = np.interp(shares, found, summary[0]), np.interp(shares, found, counts)
    return np.stack((values, np.diff(counts, prepend=0))).astype(np.float32)


class Hashing(ArrayLayer):
    """Replaces words or integers by the index of a bin, computed from a hash. Called on arrays, or on integers as part of a model.

    Args:
        num_bins: The number of bins, ≥ 1.
        mask_value: A value to which bin 0 is reserved; by default none.
        salt: One or two integers, which select SipHash-2-4 with this key instead of FarmHash.
        output_mode: ``"int"``, ``"one_hot"``, ``"multi_hot"`` or ``"count"``.
        sparse: False.
        options: See :class:`Layer`.

    Example:

    >>> from fastmlp import layers
    >>> layers.Hashing(7)(["a", "b", "hello"])
    array([5, 2, 5])
    """

    only_in_keras: ClassVar = {"sparse": False}

    num_bins = Integer()
    mask_value = Converted(lambda value: value)
    salt = Converted(salt_pair)
    output_mode = Choice("int", "one_hot", "multi_hot", "count")

    def __init__(
        self,
        num_bins: int,
        mask_value: int | str | bytes | None = None,
        salt: int | Sequence[int] | None = None,
        output_mode: str = "int",
        sparse: bool = False,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**options)
        self.refuse_sparse(sparse)
        self.num_bins, self.mask_value, self.salt, self.output_mode = num_bins, mask_value, salt, output_mode

    def _of(self, inputs: object) -> NDArray[Any]:
        array = elements("data", inputs)
        if self.output_mode == "one_hot" and array.ndim and array.shape[-1] == 1:
            array = array[..., 0]
        bins = mapped(array, self._bin, np.int64)
        return bins if self.output_mode == "int" else encoded(bins, self.output_mode, self.num_bins, np.float32)

    def _depth(self) -> int:
        return self.num_bins

    def _has_own_bin(self) -> bool:
        """Whether a bin is reserved for the mask."""
        return self.mask_value is not None and self.num_bins > 1

    def _replacement(self) -> Operation:
        masks: tuple[float, ...] = ()
        if self._has_own_bin():
            if isinstance(self.mask_value, (str, bytes)):
                raise UnsupportedError(
                    f"layer {self.name!r} masks the string {self.mask_value!r:.40}, but the inputs of a model are numbers; call the layer "
                    "on the data before fit: x = layer(data)"
                )
            exact("mask_value", self, [self.mask_value])
            masks = (float(self.mask_value),)
        own = len(masks)
        return lookup(Table(masks, (0.0,) * own, own, self.num_bins - own, **method_of(self.salt)))

    def _bin(self, value: object) -> int:
        own = int(self._has_own_bin())
        if own and (value.decode() if isinstance(value, bytes) else value) == self.mask_value:
            return 0
        return own + bucket(_text(value), self.num_bins - own, self.salt)


def _text(value: object) -> bytes:
    """The bytes that are hashed; those of a number are its decimal digits."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, bool):
        return str(value).lower().encode()
    if isinstance(value, (int, float, np.number)) and np.isfinite(value):
        return str(int(value)).encode()
    raise TypeError(f"Hashing needs strings or integers, got {value!r:.60}; replace missing values first")
