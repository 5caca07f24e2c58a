"""The names of the columns of x and y, learned from frames, and frames whose columns are in another order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np

from fastmlp._base import checks
from fastmlp._data.adapters import DataAdapter

__all__ = ["Columns", "Names", "check_class_names", "check_names"]

Names = tuple[str, ...]
_SHOWN = 10


class Columns:
    """The names of a model's features and targets, learned from the frames it is trained on.

    Args:
        names: For x and y, or for each of several such as ``x['age']``, the names of its columns in order.
    """

    def __init__(self, names: Mapping[str, Names] | None = None) -> None:
        self.names: dict[str, Names] = dict(names or {})

    def learn(self, values: Mapping[str, DataAdapter], adapted: Callable[[], Mapping[str, Names]]) -> None:
        """Learn the names of the columns of frames that the model is trained on; names that are known already stay.

        Args:
            values: The data, by their keys.
            adapted: Returns the names of frames that layers were adapted to.
        """
        for key, data in values.items():
            labels = data.feature_names
            if not labels or key in self.names or (key.startswith("y") and len(labels) == 1):
                continue
            names = tuple(map(str, labels))
            if len(set(names)) < len(names):
                repeated = next(name for name in names if names.count(name) > 1)
                checks.warn(f"{key} has several columns called {repeated!r}, so columns are taken in their order, not by their names")
                continue
            self.names = {**self.names, key: adapted().get(key, names)}

    def describe(self) -> dict[str, str]:
        """The names of the features, as text: ``{"Features": "age, height"}``, with several inputs ``{"Features of 'a'": …}``."""
        titles = {key: f"Features of {key[2:-1]}" if "[" in key else "Features" for key in self.names if key.startswith("x")}
        return {title: _cut(self.names[key]) for key, title in titles.items()}

    @contextmanager
    def forgetting_on_failure(self, is_untrained: Callable[[], bool]) -> Iterator[None]:
        """A context that forgets the names it learned when it ends in an error before the model was trained with them."""
        before = self.names
        try:
            yield
        except BaseException:
            if is_untrained():
                self.names = before
            raise

    def align(self, name: str, data: DataAdapter) -> DataAdapter:
        """The data with their columns in the order of those trained on, if they are a frame.

        Args:
            name: What to call them in messages; without ``val_``, the key of their names.
            data: What the user passed.

        Raises:
            ValueError: The columns have other names.
        """
        known = self.names.get(name.removeprefix("val_")) if self.names else None
        labels = data.feature_names if known else None
        if not known or not labels:
            return data
        given = tuple(map(str, labels))
        if given == known:
            return data
        if len(set(given)) == len(given) and set(given) == set(known):
            return data.select_features([given.index(label) for label in known])
        if _are_numbers(given) or _are_numbers(known):
            checks.warn(
                f"{name} has the columns {_listed(given)}, but the model was trained on {_listed(known)}; names can't be compared with "
                "numbers, so they are taken in their order: give both frames the same names, or pass arrays"
            )
            return data
        raise ValueError(_difference(name, given, known))


def check_names(key: str, names: object, width: int | None = None) -> Names:
    """Names of columns as a tuple, if they are different strings, ``width`` of them."""
    listed = list(names) if isinstance(names, (list, tuple, np.ndarray)) else []
    if not listed or not all(isinstance(name, str) for name in listed) or len(set(listed)) < len(listed):
        raise ValueError(f"the names of the columns of {key} must be a list of different strings, got {names!r:.80}")
    if width is not None and len(listed) != width:
        raise ValueError(f"the model takes {width} features in {key}, but {len(listed)} names are given: {_listed(listed)}")
    return tuple(map(str, listed))


def check_class_names(names: object, classes: int | None) -> list[str | int | float]:
    """Labels of classes as a list of JSON values, if they are different.

    Args:
        names: What the user passed.
        classes: The number of classes; None if it is not known yet, 0 for a model with several outputs.

    Raises:
        ValueError: They are not a list of different strings, numbers or booleans, or not one for each class.
    """
    listed = names if isinstance(names, (list, tuple)) else names.tolist() if isinstance(names, np.ndarray) else []
    labels = [label.item() if isinstance(label, np.generic) else label for label in listed]
    fits = all(isinstance(label, (str, int, float)) and label == label for label in labels)
    if not labels or not fits or len(set(labels)) < len(labels):
        raise ValueError(f"class_names must be a list of different strings, numbers or booleans, got {names!r:.80}")
    if classes == 0:
        raise ValueError("class_names are for models with one output, but this one has several")
    if classes not in (None, len(labels)):
        raise ValueError(f"the model has {classes} classes, but {len(labels)} names are given in class_names: {_listed(labels)}")
    return labels


def _are_numbers(names: Names) -> bool:
    """Whether a frame was given no names, which pandas then numbers."""
    return names == tuple(map(str, range(len(names))))


def _difference(name: str, given: Names, known: Names) -> str:
    missing, extra = [label for label in known if label not in given], [label for label in given if label not in known]
    repeated = [label for label in dict.fromkeys(given) if given.count(label) > 1]
    found = [f"{what} {_listed(labels)}" for what, labels in (("lacks", missing), ("has also", extra), ("repeats", repeated)) if labels]
    return (
        f"{name} has other columns than the model was trained on: it {' and '.join(found)}; it must have {_listed(known)}, in any order. "
        "Select them by name, rename them, or pass an array to have them taken in their order"
    )


def _listed(names: Sequence[object]) -> str:
    return _cut(list(map(repr, names)))


def _cut(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f", ... ({len(names)} in all)" if len(names) > _SHOWN else "")
