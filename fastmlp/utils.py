"""Utilities: one-hot encoding, normalization, random seeds, splitting of data sets, custom objects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Literal, SupportsIndex, TypeAlias, TypeGuard, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastmlp._base import checks, keras_names, keywords, naming, seeding
from fastmlp._base.custom_objects import (
    CustomObjectScope,
    custom_object_scope,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
)
from fastmlp._base.numeric import quietly
from fastmlp._data.adapters import DataAdapter, choose_adapter
from fastmlp._data.adapters.base import Selection
from fastmlp._data.adapters.sparse import SparseAdapter
from fastmlp._data.pydataset import PyDataset

if TYPE_CHECKING:
    from fastmlp._models.graph_plot import plot_model
    from fastmlp.datasets._getfile import get_file

__all__ = [
    "CustomObjectScope",
    "PyDataset",
    "clear_session",
    "custom_object_scope",
    "get_custom_objects",
    "get_file",
    "get_registered_name",
    "get_registered_object",
    "k_fold",
    "normalize",
    "plot_model",
    "register_keras_serializable",
    "set_random_seed",
    "split_dataset",
    "to_categorical",
]


@keywords.answering
def to_categorical(x: ArrayLike, num_classes: int | None = None) -> NDArray[np.float32]:
    """One-hot encoding of integer class labels.

    Args:
        x: Integer class labels ≥ 0, of any shape; a last axis of size 1 is dropped.
        num_classes: The number of classes; by default the maximum label plus one.

    Returns:
        A float32 array of shape ``(*x.shape, num_classes)``.

    Raises:
        TypeError: The labels are not numbers.
        ValueError: A label is negative, not an integer, or not below ``num_classes``.

    Example:

    >>> from fastmlp.utils import to_categorical
    >>> to_categorical([0, 2])
    array([[1., 0., 0.],
           [0., 0., 1.]], dtype=float32)
    """
    labels = np.asarray(x)
    if labels.dtype.kind not in "biuf":
        raise TypeError(
            f"to_categorical needs integer class labels, got {labels.dtype}; convert them first: np.unique(x, return_inverse=True)[1]"
        )
    if labels.dtype.kind == "f" and not (np.isfinite(labels).all() and (labels == np.floor(labels)).all()):
        raise ValueError("to_categorical needs integer class labels, but x has fractions, NaN or Inf")
    labels = labels.astype(np.int64)
    if labels.ndim > 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    if num_classes is None:
        if labels.size == 0:
            raise ValueError("x is empty, so the number of classes is unknown; pass num_classes")
        num_classes = int(labels.max()) + 1
    else:
        num_classes = checks.check_int("num_classes", num_classes)
    if labels.size and (labels.min() < 0 or labels.max() >= num_classes):
        wrong = int(labels.min()) if labels.min() < 0 else int(labels.max())
        raise ValueError(f"x has the label {wrong}, but the labels of {num_classes} classes are 0 to {num_classes - 1}")
    one_hot = np.zeros((labels.size, num_classes), np.float32)
    one_hot[np.arange(labels.size), labels.ravel()] = 1
    return one_hot.reshape(*labels.shape, num_classes)


@keywords.answering
@quietly
def normalize(x: ArrayLike, axis: int = -1, order: float | Literal["fro", "nuc"] | None = 2) -> NDArray[np.floating]:
    """``x`` divided by its norms along an axis; vectors of norm 0 are returned unchanged.

    Args:
        x: Numbers of any shape with at least one axis.
        axis: The axis along which norms are computed.
        order: The order of the norm, as in ``np.linalg.norm``: 2, 1, ``np.inf``, …

    Returns:
        An array of the shape of ``x``: float32 if ``x`` is float32, otherwise float64.

    Raises:
        TypeError: ``x`` does not hold numbers.
        ValueError: ``x`` is a single number.

    Example:

    >>> from fastmlp.utils import normalize
    >>> normalize([[3.0, 4.0], [0.0, 0.0]])
    array([[0.6, 0.8],
           [0. , 0. ]])
    """
    array = np.asarray(x)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"normalize needs numbers, got {array.dtype}")
    if not array.ndim:
        raise ValueError("normalize needs an array with at least one axis, got a single number")
    norm = np.linalg.norm(array, order, axis, keepdims=True)
    return np.asarray(array / np.where(norm == 0, norm.dtype.type(1), norm))


@keywords.answering
def set_random_seed(seed: int) -> None:
    """Make subsequent runs reproducible: initial weights, shuffling, dropout, and the generators of Python's ``random`` and of NumPy.

    Args:
        seed: An integer from 0 to 2³² − 1.

    Raises:
        TypeError: ``seed`` is not an integer.
        ValueError: It is out of range.

    Example:

    >>> from fastmlp import initializers, utils
    >>> utils.set_random_seed(0); a = initializers.HeNormal()((2, 2))
    >>> utils.set_random_seed(0); b = initializers.HeNormal()((2, 2))
    >>> bool((a == b).all())
    True
    """
    import random

    seed = checks.check_int("seed", seed, 0)
    if seed >= 2**32:
        raise ValueError(f"seed must be an integer < 2**32, got {seed}")
    random.seed(seed)
    np.random.seed(seed)
    seeding.set_seed(seed)


def clear_session(free_memory: bool = True) -> None:
    """Reset the counters of automatic names: the next unnamed ``Dense`` is ``dense`` again.

    Args:
        free_memory: Accepted for compatibility with Keras; memory is freed as soon as nothing refers to it.
    """
    naming.reset()


D = TypeVar("D")


@keywords.answering
def split_dataset(
    dataset: D,
    left_size: float | None = None,
    right_size: float | None = None,
    shuffle: bool = False,
    seed: int | None = None,
    preferred_backend: str | None = None,
) -> tuple[D, D]:
    """Split a data set into two parts, such as training and validation samples.

    Args:
        dataset: An array, a sparse matrix, a pandas or polars frame, or a dict of these; or a tuple or list of them, which are split at
            the same samples.
        left_size: Size of the first part: the number of samples as an integer, or a fraction between 0 and 1 as a float.
        right_size: Size of the second part; by default all samples that are not in the first.
        shuffle: Whether samples are assigned at random. By default the first samples form the first part.
        seed: Seed of the random assignment; the same seed returns the same parts.
        preferred_backend: Ignored.

    Returns:
        The two parts, each of the type of ``dataset``; for a list, two tuples. Without ``shuffle`` arrays are not copied. Sparse matrices
        are returned as CSR.

    Raises:
        ValueError: Neither size is given, a part would be empty, or the arrays differ in their number of samples.

    Example:

    >>> import numpy as np
    >>> from fastmlp.utils import split_dataset
    >>> (x, y), (x_val, y_val) = split_dataset((np.eye(10), np.arange(10)), left_size=0.8)
    >>> y_val
    array([8, 9])
    """
    several = isinstance(dataset, (tuple, list)) and bool(dataset) and all(map(_has_samples, dataset))
    parts = [_indexable(part) for part in dataset] if several and isinstance(dataset, (tuple, list)) else [_indexable(dataset)]
    counts = _sample_counts(parts)
    samples = counts[0]
    if any(count != samples for count in counts):
        raise ValueError(f"the arrays must have the same number of samples, got {', '.join(map(str, counts))}")
    left, right = _absolute_size("left_size", left_size, samples), _absolute_size("right_size", right_size, samples)
    if left is None and right is None:
        raise ValueError("give left_size or right_size: a number of samples, or a fraction such as 0.8")
    left = samples - right if left is None and right is not None else left or 0
    right = samples - left if right is None else right
    if left < 1 or right < 1 or left + right > samples:
        raise ValueError(f"{samples} samples can't be split into {left} and {right}; neither part may be empty, nor both exceed the total")
    which: tuple[Selection, Selection] = slice(left), slice(left, left + right)
    if shuffle:
        order = np.random.default_rng(seed).permutation(samples)
        which = order[:left], order[left : left + right]
    first, second = ([_select(part, selection) for part in parts] for selection in which)
    result: tuple[Any, Any] = (tuple(first), tuple(second)) if several else (first[0], second[0])
    return result


Nested: TypeAlias = DataAdapter | dict[str, "Nested"]
"""Data, or a dict of them by name."""


def _has_samples(part: object) -> bool:
    return _is_nest(part) or choose_adapter(part).sample_count() is not None


def _is_nest(part: object) -> TypeGuard[dict[str, object]]:
    return isinstance(part, dict) and not SparseAdapter.accepts(part)  # some sparse matrices are dicts


def _indexable(part: object) -> Nested:
    """The data in a form that :func:`_select` can index by sample."""
    return {name: _indexable(value) for name, value in part.items()} if _is_nest(part) else choose_adapter(part)


def _sample_counts(parts: Iterable[Nested]) -> list[int]:
    """The number of samples in each array, of which there must be at least one."""
    counts = [count for part in parts for count in _each_count(part)]
    if not counts:
        raise ValueError("there are no arrays to select samples from: the data is an empty dict")
    return counts


def _each_count(part: Nested) -> Iterator[int]:
    if isinstance(part, dict):
        for value in part.values():
            yield from _each_count(value)
        return
    count = part.sample_count()
    if count is None:
        raise TypeError(f"the data must be arrays with one row per sample, got {part.value!r:.60}")
    yield count


def _select(part: Nested, which: Selection) -> Any:
    return {name: _select(value, which) for name, value in part.items()} if isinstance(part, dict) else part.take(which)


def _absolute_size(name: str, size: SupportsIndex | float | None, samples: int) -> int | None:
    """A number of samples, from a number or a fraction."""
    if size is None:
        return None
    if isinstance(size, (float, np.floating)):
        return round(checks.check_float(name, size, 0.0, 1.0) * samples)
    return checks.check_int(name, size, 0)


@keywords.answering
def k_fold(
    data: object, k: int = 5, shuffle: bool = True, seed: int | None = None, stratify: ArrayLike | None = None
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Indices of training and validation samples for k-fold cross-validation: each sample is validated on exactly once.

    Args:
        data: The samples (see :func:`split_dataset`), or their number.
        k: Number of folds, from 2 to the number of samples.
        shuffle: Whether samples are assigned to folds at random; otherwise each fold consists of consecutive samples.
        seed: Seed of the random assignment; the same seed returns the same folds.
        stratify: The class label of each sample, ``(samples,)``; every fold then has nearly the same proportions of the classes.

    Returns:
        An iterator over ``k`` pairs ``(training, validation)`` of ascending int64 indices.

    Raises:
        ValueError: There are fewer samples than folds, or ``stratify`` does not have one label per sample.

    Example:

    >>> from fastmlp.utils import k_fold
    >>> for training, validation in k_fold(6, k=3, shuffle=False):
    ...     print(training, validation)
    [2 3 4 5] [0 1]
    [0 1 4 5] [2 3]
    [0 1 2 3] [4 5]
    """
    if data is None:
        raise TypeError("data must be arrays with one row per sample, or the number of samples, got None")
    samples = _sample_counts([_indexable(data)])[0] if _has_samples(data) else checks.check_int("data", data)
    k = checks.check_int("k", k, 2)
    if k > samples:
        raise ValueError(f"k must be at most the number of samples, {samples}, got {k}")
    order = np.random.default_rng(seed).permutation(samples) if shuffle else np.arange(samples)
    fold = np.empty(samples, np.int64)
    if stratify is None:
        fold[order] = np.arange(samples) * k // samples
    else:
        classes = np.asarray(stratify)
        if classes.shape != (samples,):
            raise ValueError(f"stratify must have the shape ({samples},), one label per sample, got {classes.shape}")
        by_class = order[np.argsort(classes[order], kind="stable")]
        fold[by_class] = np.arange(samples) % k
    return ((np.flatnonzero(fold != number), np.flatnonzero(fold == number)) for number in range(k))


def __getattr__(name: str) -> object:
    if name == "get_file":  # these modules are imported on first use
        from fastmlp.datasets._getfile import get_file

        return get_file
    if name == "plot_model":
        from fastmlp._models.graph_plot import plot_model

        return plot_model
    return keras_names.missing("utils", name)
