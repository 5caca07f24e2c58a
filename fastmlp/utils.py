"""Small helpers: one-hot encoding and repeatable runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

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
from fastmlp._data import frames, sparse
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
def to_categorical(x: Any, num_classes: int | None = None) -> np.ndarray:
    """One-hot rows for class numbers.

    Args:
        x: Class numbers from 0, of any shape; a last axis of size 1 is dropped.
        num_classes: The number of columns; one more than the largest class number unless told.

    Returns:
        A float32 array of shape ``(*x.shape, num_classes)``.

    Raises:
        ValueError: If a class number is negative, not whole, or not below ``num_classes``.

    Example:

    >>> from fastmlp.utils import to_categorical
    >>> to_categorical([0, 2])
    array([[1., 0., 0.],
           [0., 0., 1.]], dtype=float32)
    """
    labels = np.asarray(x)
    if labels.dtype.kind not in "biuf":
        raise TypeError(
            f"to_categorical needs integers, got {labels.dtype}; number the classes first: np.unique(x, return_inverse=True)[1]"
        )
    if labels.dtype.kind == "f" and not (np.isfinite(labels).all() and (labels == np.floor(labels)).all()):
        raise ValueError("to_categorical needs integers, but x has fractions, NaN or Inf")
    labels = labels.astype(np.int64)
    if labels.ndim > 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    if num_classes is None:
        if labels.size == 0:
            raise ValueError("x is empty, so the number of classes is unknown; give num_classes")
        num_classes = int(labels.max()) + 1
    else:
        num_classes = checks.check_int("num_classes", num_classes)
    if labels.size and (labels.min() < 0 or labels.max() >= num_classes):
        wrong = int(labels.min()) if labels.min() < 0 else int(labels.max())
        raise ValueError(f"x has the class number {wrong}, but classes go from 0 to {num_classes - 1}")
    one_hot = np.zeros((labels.size, num_classes), np.float32)
    one_hot[np.arange(labels.size), labels.ravel()] = 1
    return one_hot.reshape(*labels.shape, num_classes)


@keywords.answering
@quietly
def normalize(x: Any, axis: int = -1, order: Any = 2) -> np.ndarray:
    """``x`` divided by its norm along an axis; where that is zero, ``x`` as it is.

    Args:
        x: Numbers of any shape.
        axis: The axis whose norm becomes 1.
        order: The order of the norm, as in ``np.linalg.norm``: 2, 1, ``np.inf``, …

    Returns:
        An array of the shape of ``x``: float32 if ``x`` is, else float64.

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
    """Make everything random that follows repeatable: initial weights, shuffling, dropout, and Python's and NumPy's own generators.

    Args:
        seed: From 0 up to 2³² − 1.

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
        raise ValueError(f"seed must be below 2**32, got {seed}")
    random.seed(seed)
    np.random.seed(seed)
    seeding.set_seed(seed)


def clear_session(free_memory: bool = True) -> None:
    """Let automatic names count from the start again: the next Dense is ``dense``.

    Args:
        free_memory: Accepted for Keras' sake: memory is free when nothing refers to it.
    """
    naming.reset()


@keywords.answering
def split_dataset(
    dataset: Any,
    left_size: float | None = None,
    right_size: float | None = None,
    shuffle: bool = False,
    seed: int | None = None,
    preferred_backend: str | None = None,
) -> tuple[Any, Any]:
    """Two parts of arrays, such as training and validation rows.

    Args:
        dataset: An array, sparse matrix, frame of pandas or polars, or dict of them by name; or a tuple or list of such that are split
            alike.
        left_size: Rows of the first part: an integer, or a share from 0 to 1.
        right_size: Rows of the second part; the rest unless told.
        shuffle: Whether rows are drawn at random; otherwise the first ones go left.
        seed: Of the draw; the same seed gives the same parts.

    Returns:
        Two of what was given, or two tuples. Without ``shuffle`` arrays are not copied; sparse matrices become CSR.

    Example:

    >>> import numpy as np
    >>> from fastmlp.utils import split_dataset
    >>> (x, y), (x_val, y_val) = split_dataset((np.eye(10), np.arange(10)), left_size=0.8)
    >>> y_val
    array([8, 9])
    """
    several = isinstance(dataset, (tuple, list)) and bool(dataset) and all(map(_has_rows, dataset))
    parts = [_with_rows(part) for part in dataset] if several else [_with_rows(dataset)]
    counts = _counts(parts)
    rows = counts[0]
    if any(count != rows for count in counts):
        raise ValueError(f"the arrays have {', '.join(map(str, counts))} rows; they must have equally many")
    left, right = _rows_of_share("left_size", left_size, rows), _rows_of_share("right_size", right_size, rows)
    if left is None and right is None:
        raise ValueError("give left_size or right_size: a number of rows, or a share such as 0.8")
    left = rows - right if left is None and right is not None else left or 0
    right = rows - left if right is None else right
    if left < 1 or right < 1 or left + right > rows:
        raise ValueError(
            f"{rows} rows can't be split into {left} and {right}; both parts must have some, and not more than there are together"
        )
    if shuffle:
        order = np.random.default_rng(seed).permutation(rows)
        first, second = [_rows(p, order[:left]) for p in parts], [_rows(p, order[left : left + right]) for p in parts]
    else:
        first, second = [_rows(p, slice(left)) for p in parts], [_rows(p, slice(left, left + right)) for p in parts]
    return (tuple(first), tuple(second)) if several else (first[0], second[0])


def _has_rows(part: Any) -> bool:
    return isinstance(part, dict) or sparse.is_sparse(part) or (hasattr(part, "__len__") and np.ndim(part) > 0)


def _with_rows(part: Any) -> Any:
    """Data in a form whose rows :func:`_rows` can pick."""
    if sparse.is_sparse(part):  # before dicts: some sparse matrices are
        return part.tocsr()
    if isinstance(part, dict):
        return {name: _with_rows(one) for name, one in part.items()}
    return part if frames.is_frame(part) and (hasattr(part, "iloc") or type(part).__module__.startswith("polars")) else np.asarray(part)


def _counts(parts: Iterable[Any]) -> list[int]:
    """The number of rows of each array, of which there must be one."""
    counts = [count for part in parts for count in _counts_of(part)]
    if not counts:
        raise ValueError("there are no arrays to take rows of: the data are an empty dict")
    return counts


def _counts_of(part: Any) -> list[int]:
    if isinstance(part, dict):
        return [count for one in part.values() for count in _counts_of(one)]
    if not part.shape:
        raise TypeError(f"the data must be arrays with one row per sample, got {part[()]!r:.60}")
    return [part.shape[0]]


def _rows(part: Any, which: Any) -> Any:
    """The rows of these indices, or of this slice."""
    if isinstance(part, dict):
        return {name: _rows(one, which) for name, one in part.items()}
    return part.iloc[which] if hasattr(part, "iloc") else part[which]


def _rows_of_share(name: str, size: Any, rows: int) -> int | None:
    if size is None:
        return None
    if isinstance(size, (float, np.floating)):
        return round(checks.check_float(name, size, 0.0, 1.0) * rows)
    return checks.check_int(name, size, 0)


@keywords.answering
def k_fold(
    data: Any, k: int = 5, shuffle: bool = True, seed: int | None = None, stratify: Any = None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The rows to train on and to validate on, ``k`` times: each row is validated on once (k-fold cross-validation).

    Args:
        data: The rows, or their number.
        k: Folds, from 2 to the number of rows.
        shuffle: Whether rows are dealt out at random; otherwise neighbouring rows are one fold.
        seed: Of the deal; the same seed gives the same folds.
        stratify: The class of each row, ``(rows,)``: every fold gets its share of each class.

    Returns:
        Pairs of ascending row numbers, int64.

    Example:

    >>> from fastmlp.utils import k_fold
    >>> for train, held_out in k_fold(6, k=3, shuffle=False):
    ...     print(train, held_out)
    [2 3 4 5] [0 1]
    [0 1 4 5] [2 3]
    [0 1 2 3] [4 5]
    """
    if data is None:
        raise TypeError("data must be arrays with one row per sample, or the number of rows, got None")
    rows = _counts([_with_rows(data)])[0] if _has_rows(data) else checks.check_int("data", data)
    k = checks.check_int("k", k, 2)
    if k > rows:
        raise ValueError(f"{rows} rows can't be dealt out to {k} folds; lower k")
    order = np.random.default_rng(seed).permutation(rows) if shuffle else np.arange(rows)
    fold = np.empty(rows, np.int64)
    if stratify is None:
        fold[order] = np.arange(rows) * k // rows
    else:
        classes = np.asarray(stratify)
        if classes.shape != (rows,):
            raise ValueError(f"stratify has shape {classes.shape}, but there is one class per row: ({rows},)")
        by_class = order[np.argsort(classes[order], kind="stable")]
        fold[by_class] = np.arange(rows) % k
    return ((np.flatnonzero(fold != number), np.flatnonzero(fold == number)) for number in range(k))


def __getattr__(name: str) -> Any:
    if name == "get_file":  # their modules are loaded when they are first used
        from fastmlp.datasets._getfile import get_file

        return get_file
    if name == "plot_model":
        from fastmlp._models.graph_plot import plot_model

        return plot_model
    return keras_names.missing("utils", name)
