"""Checking and converting ``y``, ``sample_weight`` and ``class_weight``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sized
from typing import Any

import numpy as np

from fastmlp._base import checks
from fastmlp._base.numeric import as_native
from fastmlp._base.shapes import Shape
from fastmlp._data.adapters import choose_adapter
from fastmlp._data.conversion import BLOCK_ROWS, as_float32, blocks
from fastmlp._engine.spec import EXACT_INT_LIMIT


def as_targets(value: Any, loss: str, row: Shape, *, name: str = "y", ignored: int | None = None) -> np.ndarray:
    """``y`` as the engines read it: int32 labels ``(rows,)`` for a sparse loss, else float32 ``(rows, width)``.

    Args:
        value: What the user passed.
        loss: The engines' name of the loss.
        row: The shape of a row of the network's output.
        name: What to call it in messages.
        ignored: A label that means none of the classes.

    Raises:
        ValueError: For a wrong shape, values the loss has no meaning for, NaN or Inf.
        TypeError: For anything that is not numbers.
    """
    array = choose_adapter(value).as_array(name)
    width = math.prod(row)
    if loss == "sparse_circle":
        return _labels_of_any_kind(array, name)
    if loss.startswith("sparse_"):
        if len(row) > 1:
            return np.ascontiguousarray(_labels_of_vectors(array, row, name, loss, ignored))
        return _labels(array, width, name, loss, ignored)
    columns = width // 2 if loss == "gaussian_nll" else width
    if len(row) != 1:
        array = _flat_rows(array, row, loss, name)
    elif array.shape[1:] == (columns, 1):
        array = array[..., 0]
    if array.ndim == 1 and columns == 1:
        array = array.reshape(-1, 1)
    if array.ndim != 2 or array.shape[1] != columns:
        raise ValueError(_wrong_shape(name, array.shape, loss, width, columns))
    result = as_float32(name, array, sample_shape=row if len(row) > 1 else None)
    if loss.endswith("crossentropy"):
        _check_probabilities(array, loss, name)
    elif loss in ("hinge", "squared_hinge"):
        _check_sides(array, loss, name)
    return result


def _flat_rows(array: np.ndarray, row: Shape, loss: str, name: str) -> np.ndarray:
    """Targets of that shape as ``(rows, width)``; as in Keras, a last axis of size 1 may be missing, or be there besides."""
    accepted = {row, (*row, 1), (math.prod(row),)} | ({row[:-1]} if row[-1:] == (1,) else set())
    if array.shape[1:] not in accepted:
        wanted = f"(rows, {', '.join(map(str, row))})"
        raise ValueError(f"{name} has shape {array.shape}, but the model's predictions have shape {wanted}, so {loss} takes {wanted}")
    return array.reshape(len(array), math.prod(row))


def _labels_of_vectors(array: np.ndarray, row: Shape, name: str, loss: str, ignored: int | None) -> np.ndarray:
    """A label for each vector along the last axis of rows of this shape: ``(rows, vectors)``."""
    if array.shape[1:] not in (row[:-1], (*row[:-1], 1)):
        wanted = f"(rows, {', '.join(map(str, row[:-1]))})"
        raise ValueError(f"{name} has shape {array.shape}, but {loss} takes a class number for each vector, {wanted}")
    return _labels(array.reshape(-1), row[-1], name, loss, ignored).reshape(len(array), -1)


def _labels(array: np.ndarray, width: int, name: str, loss: str, ignored: int | None) -> np.ndarray:
    if array.ndim == 2 and array.shape[1] == width > 1:
        raise ValueError(
            f"{name} has shape {array.shape}, but {loss} takes one class number per row, shape (rows,); {name} looks one-hot: use "
            f"loss='categorical_crossentropy', or pass {name}.argmax(axis=1)"
        )
    array = _integers(array, name, loss)
    for first, part in blocks(array):
        wrong = (part < 0) | (part >= width)
        if ignored is not None:
            wrong &= part != ignored
        if wrong.any():
            at = int(np.argmax(wrong))
            what = "can't be negative" if part[at] < 0 else f"go from 0 to {width - 1}, since the last layer has {_units(width)}"
            raise ValueError(f"{name}[{first + at}] is {part[at]:g}, but class numbers {what}")
    return as_native(array, np.int32)


def _labels_of_any_kind(array: np.ndarray, name: str) -> np.ndarray:
    """Labels that are only compared with one another."""
    array = _integers(array, name, "circle")
    for first, part in blocks(array):
        wrong = np.abs(part.astype(np.float64)) >= EXACT_INT_LIMIT
        if wrong.any():
            at = int(np.argmax(wrong))
            raise ValueError(
                f"{name}[{first + at}] is {part[at]:.0f}, but circle takes class numbers from {1 - EXACT_INT_LIMIT} to "
                f"{EXACT_INT_LIMIT - 1}; number the classes from 0: np.unique({name}, return_inverse=True)[1]"
            )
    return as_native(array, np.int32)


def _integers(array: np.ndarray, name: str, loss: str) -> np.ndarray:
    """Labels ``(rows,)``, checked to be integers."""
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise ValueError(f"{name} has shape {array.shape}, but {loss} takes one class number per row, shape (rows,)")
    for first, part in blocks(array):
        if part.dtype.kind == "f":
            whole = np.floor(part) == part
            if not whole.all():
                at = int(np.argmin(whole))
                raise ValueError(f"{name}[{first + at}] is {part[at]:g}, but {loss} takes whole class numbers")
    return array


def _wrong_shape(name: str, shape: tuple[int, ...], loss: str, width: int, columns: int) -> str:
    text = f"{name} has shape {shape}, but the last layer has {_units(width)}, so {loss} takes (rows, {columns})"
    labels = len(shape) == 1 or (len(shape) == 2 and shape[1] == 1)
    if loss == "gaussian_nll":
        return f"{text}: it reads a mean and a variance for each target"
    if labels and loss in ("categorical_focal_crossentropy", "categorical_hinge", "kl_divergence"):
        return f"{text}: one-hot rows; pass utils.to_categorical({name}, {width})"
    if labels and loss == "categorical_crossentropy":
        return f"{text}: one-hot rows; use loss='sparse_categorical_crossentropy', or pass utils.to_categorical({name}, {width})"
    if labels and loss.startswith("binary"):
        return f"{text}; for one yes-no answer end the model in Dense(1, activation='sigmoid')"
    return text


def _units(width: int) -> str:
    return "1 unit" if width == 1 else f"{width} units"


def _check_probabilities(array: np.ndarray, loss: str, name: str) -> None:
    if array.size and (array.min() < -1e-6 or array.max() > 1 + 1e-6):
        row, column = np.argwhere((array < -1e-6) | (array > 1 + 1e-6))[0]
        hint = "use labels 0 and 1" if loss.startswith("binary") else "use one-hot rows (utils.to_categorical)"
        raise ValueError(f"{name}[{row}, {column}] is {array[row, column]:g}, but {loss} takes values from 0 to 1; {hint}")


def _check_sides(array: np.ndarray, loss: str, name: str) -> None:
    zeros = array == 0
    if zeros.any() and not (zeros | (array == 1)).all():
        row, column = np.argwhere(~zeros & (array != 1))[0]
        raise ValueError(
            f"{name} holds 0 and also {array[row, column]:g} (at [{row}, {column}]), but {loss} takes -1 and 1, or 0 and 1, for no and yes"
        )


def check_lengths(**arrays: Sized | None) -> int:
    """The number of rows all arrays have in common, at least 1."""
    lengths = {name: len(array) for name, array in arrays.items() if array is not None}
    if len(set(lengths.values())) > 1:
        raise ValueError(", ".join(f"{name} has {length} rows" for name, length in lengths.items()) + "; they must have equally many")
    name, rows = next(iter(lengths.items()))
    if rows == 0:
        raise ValueError(f"{name} has no rows")
    return rows


def as_sample_weight(value: Any, *, name: str = "sample_weight") -> np.ndarray:
    """Weights as a float32 array ``(rows,)``."""
    array = choose_adapter(value).as_array(name)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise ValueError(f"{name} has shape {array.shape}, but there is one weight per row: shape (rows,)")
    return as_float32(name, array)


def class_weights_to_rows(class_weight: Any, y: np.ndarray, classes: int | None = None) -> np.ndarray:
    """The weight of each row by its class; classes that are not mentioned weigh 1.

    Args:
        class_weight: Class number → weight.
        y: Converted targets: labels ``(rows,)``, one-hot rows, or one column of zeros and ones.
        classes: How many classes there are; a warning tells of keys beyond. None not to look.
    """
    weights = _checked_class_weights(class_weight)
    unknown = [] if classes is None else [key for key in weights if key >= classes]
    if unknown:
        checks.warn(
            f"class_weight has the key{'s' * (len(unknown) > 1)} {', '.join(map(str, unknown))}, but the classes go from 0 to "
            f"{classes - 1 if classes else 0}; what is given there has no effect"
        )
    rows = np.empty(len(y), np.float32)
    for first, part in blocks(y):
        numbers = class_numbers(part)
        if numbers.min() >= 0 and numbers.max() < BLOCK_ROWS:
            kinds, places = list(range(int(numbers.max()) + 1)), numbers
        else:
            found, places = np.unique(numbers, return_inverse=True)
            kinds, places = found.tolist(), places.reshape(-1)
        rows[first : first + len(part)] = as_native([weights.get(number, 1.0) for number in kinds], np.float32)[places]
    return rows


def _checked_class_weights(class_weight: Any) -> dict[int, float]:
    if isinstance(class_weight, str):
        raise TypeError(
            f"class_weight must be a dict from class number to weight, got {class_weight!r}; for weights that make up for rare classes: "
            "counts = np.bincount(labels), then class_weight={k: len(labels) / (len(counts) * n) for k, n in enumerate(counts) if n}"
        )
    if not isinstance(class_weight, Mapping):
        raise TypeError(f"class_weight must be a dict from class number to weight, such as {{0: 1.0, 1: 5.0}}, got {class_weight!r:.80}")
    weights = {}
    for key, weight in class_weight.items():
        try:
            number = checks.check_float("a class in class_weight", int(key) if isinstance(key, (bool, np.bool_)) else key, 0.0)
            if number != int(number):
                raise TypeError(f"a class in class_weight must be an integer, got {key!r}")
            weights[int(number)] = checks.check_float(f"class_weight[{key!r}]", weight)
        except TypeError as error:
            raise TypeError(f"class_weight must map class numbers to weights: {error}") from None
    return weights


def class_numbers(y: np.ndarray) -> np.ndarray:
    """The class of each row of converted targets."""
    if y.ndim == 1:
        return y
    if y.shape[1] == 1:
        return np.asarray(np.maximum(np.rint(y[:, 0]), 0).astype(np.int64))
    return np.asarray(y.argmax(axis=1))
