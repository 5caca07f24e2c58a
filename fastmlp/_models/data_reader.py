"""Reading the data of ``fit``, ``evaluate`` and ``predict``: x, y and sample weights as the arrays of an engine."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any, Concatenate, ParamSpec, TypeVar

import numpy as np

from fastmlp._base.typing import ValidationData
from fastmlp._data import conversion, targets
from fastmlp._data.adapters import DataAdapter, StreamAdapter, choose_adapter, unwrap_single
from fastmlp._data.batch_sampler import Samples
from fastmlp._data.batch_stream import BatchStream
from fastmlp._data.columns import Columns, Names, check_class_names, check_names
from fastmlp._engine.spec import SparseRows
from fastmlp._graph.symbolic import Tensor
from fastmlp._models.binding import NetworkBinding
from fastmlp._training import validation
from fastmlp._training.objective import ResolvedObjective
from fastmlp._training.output_targets import name_of_output, read_targets
from fastmlp._training.sample_weights import read_sample_weights
from fastmlp.layers import TableEncoder

__all__ = ["DataReader", "unbuilt_after_failure"]

P = ParamSpec("P")
T = TypeVar("T")


def unbuilt_after_failure(method: Callable[Concatenate[Any, P], T]) -> Callable[Concatenate[Any, P], T]:
    """Decorates methods that build a model for its data: if they raise before the first update, the model is unbuilt again."""

    @functools.wraps(method)
    def call(self: Any, /, *args: P.args, **options: P.kwargs) -> T:
        if self._row_shape() is not None:
            return method(self, *args, **options)
        before = self.before_building()
        try:
            return method(self, *args, **options)
        except BaseException:
            if self._network is None or not self._network.iterations:
                self.undo_building(before)
            raise

    return call


class DataReader(NetworkBinding):
    """A model that reads data, and that is built for the first data if it does not know its input shape yet."""

    def __init__(self) -> None:
        super().__init__()
        self._columns = Columns()
        self._class_names: list[Any] | None = None

    def _read_samples(self, x: Any, y: Any, sample_weight: Any, prefix: str = "") -> tuple[Samples, ResolvedObjective]:
        """The data as arrays that an engine reads, and the objective of the model, which may follow from the targets."""
        inputs = self._inputs(choose_adapter(x), prefix)
        if y is None:
            raise ValueError(f"{prefix}y is missing: pass the targets, one for each sample of x")
        samples = len(inputs)
        y, sample_weight = unwrap_single(y, samples=samples), unwrap_single(sample_weight, samples=samples)
        compiled = self._compiled
        assert compiled is not None
        undecided = not compiled.resolvable
        try:
            values = self._targets_of_outputs(y, f"{prefix}y", optional=not compiled.reads_all_outputs)
            if self._columns.names:
                keys = [name_of_output(compiled.form, f"{prefix}y", key) for key in compiled.form.keys]
                values = [
                    None if value is None else self._columns.align(key, choose_adapter(value)).value
                    for key, value in zip(keys, values, strict=True)
                ]
            if undecided:
                compiled.see_targets(values, self._require_plan())
            elif compiled.learn_target_shapes(values, self._require_plan()):
                self._forget_objective()
                self.optimizer_changed()
            objective = self._current_objective()
            outputs = read_targets(compiled, objective, values, self._require_plan(), f"{prefix}y")
            weight = read_sample_weights(compiled, objective, sample_weight, f"{prefix}sample_weight")
            if not samples or len(outputs) != samples or (weight is not None and len(weight) != samples):
                targets.check_lengths(**{f"{prefix}x": inputs, f"{prefix}y": outputs, f"{prefix}sample_weight": weight})
        except BaseException:
            if undecided:
                compiled.forget_targets()
                self._forget_objective()
            raise
        return Samples(inputs, outputs, weight), objective

    def _targets_of_outputs(self, y: Any, name: str, *, optional: bool) -> list[Any]:
        """The targets of each output; where ``optional``, None for those that a dict lacks."""
        return [y]

    def _read_training_samples(self, x: Any, y: Any, sample_weight: Any) -> tuple[Samples, ResolvedObjective]:
        """The same for training data: the names of their columns become the model's."""
        if not type(x) is type(y) is np.ndarray:  # arrays have no names
            tables = self._tables()
            named = {key: choose_adapter(value) for key, value in self._named(x, y).items() if key not in tables}
            self._columns.learn(named, self._adapted_to)
        return self._read_samples(x, y, sample_weight)

    def _read_validation_data(self, data: ValidationData, steps: int | None) -> Samples | BatchStream:
        """``validation_data`` of ``fit``, of which ``steps`` batches are evaluated."""
        adapter = choose_adapter(data)
        if not isinstance(adapter, StreamAdapter):
            x, y, weight = validation.unpack_validation(data)
            return self._read_samples(x, y, weight, prefix="val_")[0]
        stream = BatchStream("validation_data", adapter, steps)
        if not stream.restarts and steps is None:
            raise ValueError("validation_data is a generator, so give validation_steps: the number of its batches to validate on")
        return stream

    def _named(self, x: Any, y: Any) -> dict[str, Any]:
        """The parts of x and y, which may be frames, by their names in messages."""
        return {name: value for name, value in (("x", x), ("y", y)) if value is not None}

    def _inputs(self, data: DataAdapter, prefix: str = "", *, check_finite: bool = True) -> np.ndarray | SparseRows:
        """x as an engine reads it, ``(samples, features)``."""
        name = f"{prefix}x"
        if self._encoders:
            return self._encoders[0].read_table(unwrap_single(data.value), name, single=not check_finite)
        shape = self._row_shape()
        if type(data.value) is not np.ndarray:
            if isinstance(data.value, (list, tuple)):
                data = choose_adapter(unwrap_single(data.value, sample_shape=shape))
            data = self._columns.align(name, data)
        if shape is None:
            return self._build_for(data, prefix, check_finite=check_finite)
        inputs = data.as_inputs(shape, name=name, check_finite=check_finite, gaps=self._gaps)
        for numbers in self._integer_features:
            conversion.check_integer_features(name, inputs, numbers)
        return inputs

    def _build_for(self, data: DataAdapter, prefix: str, *, check_finite: bool) -> np.ndarray | SparseRows:
        """:meth:`_inputs` of a model that is built for them, and only if nothing is wrong with them."""
        name = f"{prefix}x"
        shape = data.shape(name)
        if not all(shape[1:]):
            raise ValueError(f"{name} has shape {shape}: its samples are empty")
        before = self.before_building()
        try:
            self._build_from(shape[1:] or (1,))
            return self._inputs(data, prefix, check_finite=check_finite)
        except BaseException:
            self.undo_building(before)
            raise

    def _arranged(self, predictions: np.ndarray) -> Any:
        """An engine's predictions in the form that users get: samples of the shape that the last layer gives."""
        return predictions.reshape(len(predictions), *self._require_plan().row())

    # The names of features

    @property
    def feature_names(self) -> Any:
        """The names of the features, in order; None without names. With several inputs, a dict of them.

        A model trained on a frame of pandas, polars or pyarrow finds its columns by these names in every other frame, whatever their order.
        Arrays have no names and are taken as they are. Set it to rename the features, or to None to forget the names.

        Example:

        >>> import pandas as pd
        >>> from fastmlp import layers, models
        >>> frame = pd.DataFrame({"age": [30, 40], "height": [1.5, 1.75]})
        >>> model = models.Sequential([layers.Dense(1, input_shape=(2,))])
        >>> model.compile("sgd", "mse")
        >>> history = model.fit(frame, [0.0, 1.0], verbose=0)
        >>> model.feature_names
        ['age', 'height']
        >>> bool((model.predict(frame, verbose=0) == model.predict(frame[["height", "age"]], verbose=0)).all())
        True
        """
        found = {key: list(names) for key, names in self.column_names().items() if key.startswith("x")}
        return found.get("x") if set(found) <= {"x"} else {key[3:-2]: names for key, names in found.items()}

    @feature_names.setter
    def feature_names(self, names: Any) -> None:
        given = {} if names is None else self._named(names, None)
        if fixed := self._tables().keys() & given.keys():
            encoder = self._tables()[min(fixed)]
            raise ValueError(f"feature_names are those of the table that layer {encoder.name!r} was adapted to, and can't be changed")
        self._set_columns({key: value for key, value in self._columns.names.items() if not key.startswith("x")} | given)

    @property
    def class_names(self) -> list[Any] | None:
        """The labels of the classes in the order of the outputs, for programs that show predictions; None by default.

        A model with a single column of predictions has two classes, that of small and that of large ones. Set it to a list of different
        strings, numbers or booleans; files, copies and clones keep it. It is forgotten when the number of columns changes.

        Example:

        >>> from fastmlp import layers, models
        >>> model = models.Sequential([layers.Dense(3, activation="softmax", input_shape=(2,))])
        >>> model.class_names = ["red", "green", "blue"]
        >>> index = int(model.predict([[0.0, 1.0]], verbose=0).argmax())
        >>> model.class_names[index] in ("red", "green", "blue")
        True
        """
        names, classes = self._class_names, self._number_of_classes()
        return None if names is None or classes not in (None, len(names)) else list(names)

    @class_names.setter
    def class_names(self, names: Any) -> None:
        self._class_names = None if names is None else check_class_names(names, self._number_of_classes())

    def _number_of_classes(self) -> int | None:
        """The number of classes that predictions distinguish; None before the model is built, 0 if it has several outputs."""
        plan = self.plan
        if plan is None:
            return None
        return 0 if plan.outputs else max(plan.widths[plan.output], 2)

    def _adapted_to(self) -> dict[str, Names]:
        """The names of the features in the frames that the first layers were adapted to, or that models inside this one were trained on."""
        firsts: list[tuple[str, Any]] = [("x", layer) for layer in self.layers[:1]]
        if self.built:
            inputs = self._named_inputs().items()
            firsts = [(key, call.layer) for key, tensor in inputs for call in self.graph.calls if call.inputs == (tensor,)]
        found = {key: getattr(layer, "feature_names", None) for key, layer in firsts}
        return {key: tuple(names) for key, names in found.items() if isinstance(names, (list, tuple))}

    def _tables(self) -> dict[str, TableEncoder]:
        """The encoders of the inputs that are tables, by the names of their data in messages."""
        if not self._encoders:
            return {}
        names = list(self._named_inputs())
        return {names[index]: encoder for index, encoder in self._encoders.items()}

    def _input_names(self) -> tuple[str, ...] | None:
        """The names of the features that an engine reads, of a model with one input; None where there are none."""
        encoder = self._tables().get("x")
        return self._columns.names.get("x") if encoder is None else encoder.input_names

    def column_names(self) -> dict[str, Names]:
        """The names of features and targets, by the names of their data in messages."""
        of_tables = {key: encoder.feature_names for key, encoder in self._tables().items()}
        return {**self._columns.names, **{key: tuple(names) for key, names in of_tables.items() if names is not None}}

    def _named_inputs(self) -> dict[str, Tensor]:
        """The input tensors, by the names of their data in messages."""
        tensors = list(self.graph.inputs)
        return self._named(tensors if len(tensors) > 1 else tensors[0], None)

    def _set_columns(self, names: Mapping[str, Any]) -> None:
        """Set names of features and targets that are not learned from data."""
        widths, tables = dict[str, int](), self._tables()
        if self.built:
            widths = {key: math.prod(tensor.row) for key, tensor in self._named_inputs().items()}
        given = {key: value for key, value in names.items() if value is not None and key not in tables}
        self._columns.names = {key: check_names(key, value, widths.get(key)) for key, value in given.items()}

    @property
    def feature_names_in_(self) -> np.ndarray:
        """:attr:`feature_names` as an array, as scikit-learn calls it; there is no such attribute where there are no names."""
        names = self.feature_names
        if not isinstance(names, list):
            raise AttributeError(f"the model {self.name!r} was not trained on a frame, so it has no feature_names_in_")
        return np.array(names, object)
