"""Checking and converting ``y``."""

from __future__ import annotations

import math
from collections.abc import Sized

import numpy as np

from fastmlp._base.numeric import as_native
from fastmlp._base.shapes import Shape
from fastmlp._data.adapters import choose_adapter
from fastmlp._data.conversion import as_float32, blocks
from fastmlp._engine.spec import EXACT_INT_LIMIT


def as_targets(
    value: object, loss: str, output_shape: Shape, *, name: str = "y", ignored: int | None = None, own: Shape | None = None
) -> np.ndarray:
    """``y`` as the engines read it: int32 labels ``(samples,)`` for a sparse loss, else float32 ``(samples, width)``.

    Args:
        value: What the user passed.
        loss: The engines' name of the loss.
        output_shape: The shape of a sample of the network's output.
        name: What to call it in messages.
        ignored: A label that stands for none of the classes.
        own: The shape of a sample's targets, if the loss reads others than of the shape of the output.

    Raises:
        ValueError: For a wrong shape, values outside the range of the loss, NaN or Inf.
        TypeError: For anything that is not numbers.
    """
    array = choose_adapter(value).as_array(name)
    width = math.prod(output_shape)
    if own is not None:
        if array.shape[1:] != own:
            raise ValueError(f"{name} has shape {array.shape}, but {loss} takes ({', '.join(map(str, ('samples', *own)))})")
        return as_float32(name, array.reshape(len(array), math.prod(own)))
    if loss == "sparse_circle":
        return _labels_of_any_kind(array, name)
    if loss.startswith("sparse_"):
        if len(output_shape) > 1:
            return np.ascontiguousarray(_labels_of_vectors(array, output_shape, name, loss, ignored))
        return _labels(array, width, name, loss, ignored)
    columns = width // 2 if loss == "gaussian_nll" else width
    if len(output_shape) != 1:
        array = _flattened(array, output_shape, loss, name)
    elif array.shape[1:] == (columns, 1):
        array = array[..., 0]
    if array.ndim == 1 and columns == 1:
        array = array.reshape(-1, 1)
    if array.ndim != 2 or array.shape[1] != columns:
        raise ValueError(_wrong_shape(name, array.shape, loss, width, columns))
    result = as_float32(name, array, sample_shape=output_shape if len(output_shape) > 1 else None)
    if loss.endswith("crossentropy"):
        _check_probabilities(array, loss, name)
    elif loss in ("hinge", "squared_hinge"):
        _check_sides(array, loss, name)
    return result


def _flattened(array: np.ndarray, shape: Shape, loss: str, name: str) -> np.ndarray:
    """Targets of that shape as ``(samples, width)``; as in Keras, a last axis of size 1 may be missing or added."""
    accepted = {shape, (*shape, 1), (math.prod(shape),)} | ({shape[:-1]} if shape[-1:] == (1,) else set())
    if array.shape[1:] not in accepted:
        wanted = f"(samples, {', '.join(map(str, shape))})"
        raise ValueError(f"{name} has shape {array.shape}, but the model's predictions have shape {wanted}, so {loss} takes {wanted}")
    return array.reshape(len(array), math.prod(shape))


def _labels_of_vectors(array: np.ndarray, shape: Shape, name: str, loss: str, ignored: int | None) -> np.ndarray:
    """A label for each vector along the last axis of samples of this shape: ``(samples, vectors)``."""
    if array.shape[1:] not in (shape[:-1], (*shape[:-1], 1)):
        wanted = f"(samples, {', '.join(map(str, shape[:-1]))})"
        raise ValueError(f"{name} has shape {array.shape}, but {loss} takes an integer class label for each vector, {wanted}")
    return _labels(array.reshape(-1), shape[-1], name, loss, ignored).reshape(len(array), -1)


def _labels(array: np.ndarray, width: int, name: str, loss: str, ignored: int | None) -> np.ndarray:
    if array.ndim == 2 and array.shape[1] == width > 1:
        raise ValueError(
            f"{name} has shape {array.shape}, but {loss} takes one integer class label per sample, shape (samples,); {name} looks "
            f"one-hot: use loss='categorical_crossentropy', or pass {name}.argmax(axis=1)"
        )
    array = _integers(array, name, loss)
    for first, part in blocks(array):
        wrong = (part < 0) | (part >= width)
        if ignored is not None:
            wrong &= part != ignored
        if wrong.any():
            at = int(np.argmax(wrong))
            what = "must be ≥ 0" if part[at] < 0 else f"go from 0 to {width - 1}, since the last layer has {_units(width)}"
            raise ValueError(f"{name}[{first + at}] is {part[at]:g}, but integer class labels {what}")
    return as_native(array, np.int32)


def _labels_of_any_kind(array: np.ndarray, name: str) -> np.ndarray:
    """Labels that are only compared with one another."""
    array = _integers(array, name, "circle")
    for first, part in blocks(array):
        wrong = np.abs(part.astype(np.float64)) >= EXACT_INT_LIMIT
        if wrong.any():
            at = int(np.argmax(wrong))
            raise ValueError(
                f"{name}[{first + at}] is {part[at]:.0f}, but circle takes integer class labels from {1 - EXACT_INT_LIMIT} to "
                f"{EXACT_INT_LIMIT - 1}; label the classes from 0: np.unique({name}, return_inverse=True)[1]"
            )
    return as_native(array, np.int32)


def _integers(array: np.ndarray, name: str, loss: str) -> np.ndarray:
    """Labels ``(samples,)``, checked to be integers."""
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise ValueError(f"{name} has shape {array.shape}, but {loss} takes one integer class label per sample, shape (samples,)")
    for first, part in blocks(array):
        if part.dtype.kind == "f":
            whole = np.floor(part) == part
            if not whole.all():
                at = int(np.argmin(whole))
                raise ValueError(f"{name}[{first + at}] is {part[at]:g}, but {loss} takes integer class labels")
    return array


def _wrong_shape(name: str, shape: tuple[int, ...], loss: str, width: int, columns: int) -> str:
    text = f"{name} has shape {shape}, but the last layer has {_units(width)}, so {loss} takes (samples, {columns})"
    labels = len(shape) == 1 or (len(shape) == 2 and shape[1] == 1)
    if loss == "gaussian_nll":
        return f"{text}: it reads a mean and a variance for each target"
    if labels and loss in ("categorical_focal_crossentropy", "categorical_hinge", "kl_divergence"):
        return f"{text}: one-hot targets; pass utils.to_categorical({name}, {width})"
    if labels and loss == "categorical_crossentropy":
        return f"{text}: one-hot targets; use loss='sparse_categorical_crossentropy', or pass utils.to_categorical({name}, {width})"
    if labels and loss.startswith("binary"):
        return f"{text}; for one yes-no answer end the model in Dense(1, activation='sigmoid')"
    return text


def _units(width: int) -> str:
    return "1 unit" if width == 1 else f"{width} units"


def _check_probabilities(array: np.ndarray, loss: str, name: str) -> None:
    if array.size and (array.min() < -1e-6 or array.max() > 1 + 1e-6):
        row, column = np.argwhere((array < -1e-6) | (array > 1 + 1e-6))[0]
        hint = "use labels 0 and 1" if loss.startswith("binary") else "use one-hot targets (utils.to_categorical)"
        raise ValueError(f"{name}[{row}, {column}] is {array[row, column]:g}, but {loss} takes values from 0 to 1; {hint}")


def _check_sides(array: np.ndarray, loss: str, name: str) -> None:
    zeros = array == 0
    if zeros.any() and not (zeros | (array == 1)).all():
        row, column = np.argwhere(~zeros & (array != 1))[0]
        raise ValueError(f"{name} holds 0 and also {array[row, column]:g} (at [{row}, {column}]), but {loss} takes -1 and 1, or 0 and 1")


def check_lengths(**arrays: Sized | None) -> int:
    """The number of samples, which all arrays must have in common and which must be at least 1."""
    lengths = {name: len(array) for name, array in arrays.items() if array is not None}
    if len(set(lengths.values())) > 1:
        given = ", ".join(f"{name} has {length} samples" for name, length in lengths.items())
        raise ValueError(f"{given}; they must have the same number of samples")
    name, samples = next(iter(lengths.items()))
    if samples == 0:
        raise ValueError(f"{name} has no samples")
    return samples
