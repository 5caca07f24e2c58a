"""Arrays of numbers as the engines read them, and errors that say which number they can't read."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from fastmlp import _core
from fastmlp._base.numeric import as_native
from fastmlp._base.shapes import Shape
from fastmlp._engine.spec import SparseRows

BLOCK_SAMPLES = 1 << 16
"""Number of samples that are checked at a time: the temporary arrays of a check stay in cache and do not grow with the data."""

_DATES = ("Timestamp", "datetime", "date", "time", "Timedelta", "timedelta")
"""Classes that stand for dates and times in arrays of objects."""


def blocks(array: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Consecutive parts of at most :data:`BLOCK_SAMPLES` samples, each with the index of its first sample."""
    for first in range(0, len(array), BLOCK_SAMPLES):
        yield first, array[first : first + BLOCK_SAMPLES]


TABLE_ADVICE = "begin the model with a layers.TableEncoder, after encoder.adapt(table)"
"""What to do about features that are categories, dates or missing."""


def is_features(name: str) -> bool:
    """Whether data of this name in messages are x, or a column of it."""
    return name.rpartition(" of ")[2].removeprefix("val_")[:1] == "x"


def describe_contents(name: str, array: np.ndarray, value: object = None) -> str:
    """Describe the contents of an array that is not numeric, with advice, for messages.

    Args:
        name: What to call the data in messages.
        array: The array.
        value: The object that it was converted from, which may be lists.
    """
    kind = array.dtype.kind
    first = array.flat[0] if kind == "O" and array.size else None
    if kind in "mM" or "datetime" in str(array.dtype) or type(first).__name__ in _DATES:
        return "dates or times; turn them into numbers first" + (f", or {TABLE_ADVICE}" if is_features(name) else "")
    if kind in "UST" or isinstance(first, str):
        text = _first_text(value if isinstance(value, (list, tuple)) else array)
        example = "" if text is None else f" such as {text!r:.40}"
        advice = "for example with layers.StringLookup or layers.Hashing"
        if is_features(name):
            advice = f"or {TABLE_ADVICE}; words become numbers with layers.StringLookup or layers.Hashing"
        elif name.removeprefix("val_") == "y":
            advice = f"such as integer class labels: np.unique({name}, return_inverse=True)[1]"
        return f"strings{example}; turn them into numbers first, {advice}"
    if kind == "O":
        kinds = sorted({type(item).__name__ for item in array.flat[:1000]})
        return (
            f"Python objects ({', '.join(kinds[:4])}); make it one numeric array, with samples of one shape: np.array(..., dtype='float32')"
        )
    if kind == "c":
        return "complex values; pass real and imaginary parts as features"
    return f"{array.dtype} values; turn them into numbers first"


def _first_text(value: Sequence[object] | np.ndarray) -> str | bytes | None:
    """The first string, also bytes, in an array or in lists inside of lists."""
    for item in value if isinstance(value, (list, tuple)) else np.asarray(value).ravel()[:1].tolist():
        found = _first_text(item) if isinstance(item, (list, tuple, np.ndarray)) else item
        if isinstance(found, (str, bytes)):
            return found
    return None


def as_float32(
    name: str,
    array: np.ndarray,
    *,
    check_finite: bool = True,
    sample_shape: Shape | None = None,
    columns: Sequence[Hashable] | None = None,
    gaps: np.ndarray | None = None,
) -> np.ndarray:
    """``array`` (two axes) as C-contiguous float32; NaN, Inf and values float32 can't hold are errors that say where.

    ``gaps`` says of each feature whether it may be NaN.
    """
    result = as_native(array, np.float32)
    if check_finite and array.dtype.kind == "f":
        at = _core.first_nonfinite(result)
        if at >= 0 and gaps is not None:
            at = _first_refused(result, gaps)
        if at >= 0:
            raise ValueError(_not_finite(name, array, at, sample_shape, columns, gaps))
    return result


def _first_refused(inputs: np.ndarray, gaps: np.ndarray) -> int:
    """The index of the first number that is not finite, and no NaN where there may be one; -1 if there is none."""
    for first, part in blocks(inputs):
        at = _core.first_nonfinite(np.where(np.isnan(part) & gaps, np.float32(0), part))
        if at >= 0:
            return first * inputs.shape[1] + at
    return -1


@dataclass(frozen=True, slots=True)
class IntegerFeatures:
    """Features ``begin`` … ``end - 1`` of a network's input, which hold integers ``lowest`` … ``highest``."""

    begin: int
    end: int
    lowest: int
    highest: int
    known: tuple[float, ...] | None = None
    """The only integers in the vocabulary of the first layer; None if it accepts all."""


def check_integer_features(name: str, inputs: np.ndarray | SparseRows, integers: IntegerFeatures) -> None:
    """An error if some features hold anything but the integers that the first layer reads."""
    begin, end = integers.begin, integers.end
    if isinstance(inputs, SparseRows):
        entries = inputs.values[(inputs.columns >= begin) & (inputs.columns < end)]
        if entries.size < len(inputs) * (end - begin):
            entries = np.append(entries, np.float32(0))  # one stands for all zeros
        inputs = entries[:, None]
        begin, end = 0, 1
    values = inputs[:, begin:end]
    known = None if integers.known is None else np.array(integers.known, np.float32)
    for first, part in blocks(values):
        bad = ~((part >= integers.lowest) & (part <= integers.highest) & (part == np.floor(part)))
        what = f"the first layer reads integers from {integers.lowest} to {integers.highest}"
        if integers.lowest < 0:
            what += " in a model; to use larger ones, call it on the data before fit: x = layer(data)"
        if known is not None and not bad.any():
            bad = ~np.isin(part, known)
            what = "it is not in the vocabulary of the first layer; give the layer num_oov_indices=1"
        if bad.any():
            at = np.argwhere(bad)[0]
            where = ", ".join(str(i) for i in (first + at[0], *(begin + at[1:])))
            raise ValueError(f"{name}[{where}] is {_shown(part[tuple(at)])}, but {what}")


def _shown(value: float) -> str:
    """A number as text, with all digits of an integer."""
    return str(int(value)) if abs(value) < 1e15 and value == int(value) else f"{value:g}"


def _not_finite(
    name: str, array: np.ndarray, at: int, sample_shape: Shape | None, columns: Sequence[Hashable] | None, gaps: np.ndarray | None
) -> str:
    places = np.unravel_index(at, array.shape if sample_shape is None else (len(array), *sample_shape))
    where = f"{places[0]}, {columns[int(places[1])]!r}" if columns else ", ".join(map(str, places))
    value = array.ravel()[at] if array.flags.c_contiguous else array[np.unravel_index(at, array.shape)]
    allowed = 0 if gaps is None else int((np.isnan(array) & gaps).sum())
    message = describe_not_finite(name, where, value, int(array.size - np.isfinite(array).sum()) - allowed)
    return message + (f"; or {TABLE_ADVICE}, if they are missing" if columns and np.isnan(value) and is_features(name) else "")


def describe_not_finite(name: str, where: str, value: float, count: int) -> str:
    """What to say of ``count`` numbers that float32 can't hold, the first of which is this one."""
    if np.isfinite(value):
        return f"{name}[{where}] is {value:g}, which is too large for float32 (3.4e38); scale {name} down"
    what = "NaN" if np.isnan(value) else "Inf" if value > 0 else "-Inf"
    more = f" ({count} such values in all)" if count > 1 else ""
    return f"{name}[{where}] is {what}{more}; remove these samples or replace the values, for example with np.nan_to_num({name})"
