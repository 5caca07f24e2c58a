"""NumPy's arrays, and everything NumPy makes arrays of."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp._base import checks
from fastmlp._base.shapes import Shape
from fastmlp._data.adapters.base import DataAdapter, Selection
from fastmlp._data.conversion import TABLE_ADVICE, describe_contents, is_features
from fastmlp.errors import UnsupportedError


class ArrayAdapter(DataAdapter):
    """Arrays of NumPy, and what NumPy makes arrays of: lists, data sets of HDF5 files, tensors of other libraries.

    The last adapter that is tried: it accepts everything, and what it can't read is an error that says why.
    """

    _converted: np.ndarray | None = None

    @classmethod
    def accepts(cls, value: object) -> bool:
        return True

    def as_array(self, name: str) -> np.ndarray:
        array: np.ndarray = self.value
        if type(array) is not np.ndarray:
            array = self._read(name)
        if array.dtype.kind not in "biuf":
            raise TypeError(f"{name} must be numbers, but holds {describe_contents(name, array, self.value)}")
        if array.ndim == 0:
            raise ValueError(f"{name} must be an array whose first axis is that of the samples, got the single value {array[()]}")
        return array

    def _read(self, name: str) -> np.ndarray:
        """The value as an array, or an error that says why that can't be."""
        value = self.value
        if value is None:
            raise ValueError(f"{name} is missing (None)")
        if isinstance(value, dict):
            hint = f"; if it is a table, {TABLE_ADVICE}" if is_features(name) else ""
            hint = "; weights of classes are class_weight" if name.endswith("sample_weight") else hint
            raise UnsupportedError(f"{name} is a dict, which is for models with several inputs or outputs; this one takes one array{hint}")
        if isinstance(value, (str, bytes)):
            raise TypeError(f"{name} must be an array of numbers, got {value!r:.60}")
        if checks.is_masked(value):
            raise ValueError(f"{name} has masked elements; fill them first: {name}.filled(0)")
        try:
            array = self._as_it_is()
        except (TypeError, ValueError) as error:
            if "inhomogeneous" in str(error) or "sequence" in str(error):
                raise ValueError(
                    f"{name} is ragged: its samples have different lengths, but a network needs samples of one shape"
                ) from error
            raise TypeError(f"{name} can't be read as an array: {error}") from error
        if array.dtype.kind == "O" and array.ndim == 0:
            raise TypeError(f"{name} must be an array of numbers, got {type(value).__name__}")
        return array

    def _as_it_is(self) -> np.ndarray:
        """The value as an array of whatever type."""
        if self._converted is None:
            self._converted = np.asarray(self.value)
        return self._converted

    def as_batch(self, sample_shape: Shape | None) -> DataAdapter:
        if sample_shape is None or len(sample_shape) != 1 or sample_shape == (1,):
            return self
        array = self.as_array("x")
        return ArrayAdapter(array[None]) if array.ndim == 1 else self

    def sample_count(self) -> int | None:
        array = self._as_it_is()
        return len(array) if array.ndim else None

    def take(self, which: Selection) -> Any:
        return self._as_it_is()[which]

    def _advice_for_one(self, name: str) -> str:
        return f"[{name}]" if isinstance(self.value, (list, tuple)) else super()._advice_for_one(name)
