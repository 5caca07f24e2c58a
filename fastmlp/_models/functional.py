"""Functional models: any graph of layers, from inputs to outputs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

import fastmlp._models.graph_config as graph_config
from fastmlp._base import checks, keywords, shapes
from fastmlp._base.configs import Config, StoredConfig
from fastmlp._base.custom_objects import CustomObjectScope
from fastmlp._data import conversion, targets
from fastmlp._data.adapters import DataAdapter, choose_adapter
from fastmlp._data.adapters.sparse import SparseAdapter
from fastmlp._engine.spec import SparseRows
from fastmlp._graph.nest import Nest
from fastmlp._graph.symbolic import Graph, Tensor, holds_tensors, trace
from fastmlp._models.model import Model, Tensors, model_class, own_config
from fastmlp.errors import UnsupportedError
from fastmlp.layers import InputLayer, Layer

__all__ = ["Functional"]


@model_class
class Functional(Model):
    """A model of the layers between some inputs and some outputs; ``Model(inputs, outputs)`` creates one.

    Models may share layers, and with them weights: an encoder can be trained as part of an autoencoder and used alone.

    Args:
        inputs: Tensors of ``Input``; several in a list or a dict.
        outputs: Tensors that layers returned; several in a list or a dict.
        name: The model's name.
        trainable: False to freeze all layers.

    Raises:
        ValueError: An output depends on an input that is not in ``inputs``, or two layers have the same name.

    Example:

    >>> from fastmlp import Model, layers
    >>> x = layers.Input(shape=(20,))
    >>> hidden = layers.Dense(32, activation="relu")(x)
    >>> hidden = layers.Add()([hidden, layers.Dense(32, activation="relu")(hidden)])
    >>> model = Model(x, layers.Dense(3, activation="softmax")(hidden))
    >>> model.output_shape
    (None, 3)
    """

    _arranges = True

    @keywords.answering
    def __init__(
        self, inputs: Tensors | None = None, outputs: Tensors | None = None, name: str | None = None, trainable: bool = True
    ) -> None:
        if inputs is None or outputs is None:
            raise TypeError("Model takes inputs and outputs: Model(x, layers.Dense(1)(x)) with x = layers.Input(shape=(3,))")
        self._inputs_form, starts = Nest.of("input", inputs)
        self._outputs_form, ends = Nest.of("output", outputs)
        for tensor in starts:
            if not isinstance(tensor.call.layer, InputLayer):
                raise UnsupportedError(
                    f"{tensor!r} can't be an input of a model; create an Input of its shape, and call the layers that follow on that"
                )
        if len(set(starts)) < len(starts):
            raise ValueError("the same Input is passed twice as an input of the model")
        self._graph = trace(starts, ends)
        super().__init__(name=name)
        if not trainable:
            self.trainable = checks.check_bool("trainable", trainable)
        self._adopt(self._graph)

    @property
    def layers(self) -> list[Layer]:
        """The layers, input layers included."""
        return list(self._graph.layers)

    @property
    def graph(self) -> Graph:
        return self._graph

    @property
    def inputs(self) -> list[Tensor]:
        """The input tensors."""
        return list(self._graph.inputs)

    @property
    def outputs(self) -> list[Tensor]:
        """The output tensors."""
        return list(self._graph.outputs)

    @property
    def input(self) -> Tensors:
        """:attr:`inputs` in the structure in which they were passed: one tensor, a list or a dict."""
        return self._inputs_form.arrange(self._graph.inputs)

    @property
    def output(self) -> Tensors:
        """:attr:`outputs` in the structure in which they were passed: one tensor, a list or a dict."""
        return self._outputs_form.arrange(self._graph.outputs)

    @property
    def output_names(self) -> list[str]:
        """The names of the outputs in logs."""
        return list(self._outputs_form.keys)

    @property
    def input_shape(self) -> Any:
        """``(None, features)``: the shape of x, with None for the number of samples; in the structure of the inputs."""
        return self._inputs_form.arrange([tensor.shape for tensor in self._graph.inputs])

    @property
    def output_shape(self) -> Any:
        """``(None, outputs)``: the shape of the predictions, with None for the number of samples; in the structure of the outputs."""
        return self._outputs_form.arrange([tensor.shape for tensor in self._graph.outputs])

    def build(self, input_shape: object = None) -> None:
        """Does nothing: a functional model is built when it is created."""

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Returns :attr:`output_shape`; a ValueError if ``input_shape`` is not the model's own, with any number of samples."""
        given = self._inputs_form.flatten("input_shape", input_shape)
        rows = [shapes.row_of_batch("input_shape", shape) for shape in given]
        wanted = [tensor.row for tensor in self._graph.inputs]
        if rows != wanted:
            raise ValueError(f"the model takes samples of shape {', '.join(map(str, wanted))}, got {', '.join(map(str, rows))}")
        return self.output_shape

    def arrange_inputs(self, inputs: Sequence[Any]) -> Any:
        """The inputs, from a list, in the structure the model takes: one alone, a list or a dict."""
        return self._inputs_form.arrange(inputs)

    def in_order(self, inputs: Mapping[str, Any]) -> list[Any]:
        return self._inputs_form.flatten(f"the call of model {self.name!r}", inputs)

    def arrange_outputs(self, outputs: Sequence[Any]) -> Any:
        return self._outputs_form.arrange(outputs)

    # Data in and out

    def _takes_arrays_directly(self) -> bool:
        return super()._takes_arrays_directly() and self._inputs_form.form == self._outputs_form.form == "single"

    def _row_shape(self) -> tuple[int, ...]:
        return self._graph.inputs[0].row if self._inputs_form.count == 1 else (sum(self._input_widths()),)

    def _input_widths(self) -> list[int]:
        return [int(np.prod(tensor.row)) for tensor in self._graph.inputs]

    def _call(self, x: Any, training: bool | None, out: Any) -> Any:
        if isinstance(x, Mapping) and holds_tensors(x):
            x = self._inputs_form.flatten("x", x)
        if holds_tensors(x) or (self._inputs_form.count == 1 and not isinstance(x, Mapping)):
            return super()._call(x, training, out)
        return self._run(self._inputs(choose_adapter(x), check_finite=False), training, out)

    def _inputs(self, data: DataAdapter, prefix: str = "", *, check_finite: bool = True) -> np.ndarray | SparseRows:
        name = f"{prefix}x"
        if data.value is None:
            raise ValueError(f"{name} is missing (None)")
        values = self._values_of_inputs(name, data.value)
        if self._inputs_form.count == 1:
            return super()._inputs(data if values[0] is data.value else choose_adapter(values[0]), prefix, check_finite=check_finite)
        parts: list[np.ndarray] = []
        begin = 0
        for index, (key, value, tensor) in enumerate(zip(self._inputs_form.keys, values, self._graph.inputs, strict=True)):
            label = f"{name}[{key!r}]"
            if index in self._encoders:
                parts.append(self._encoders[index].read_table(value, label, single=not check_finite))
                begin += parts[-1].shape[1]
                continue
            of_input = self._columns.align(label, choose_adapter(value))
            if isinstance(of_input, SparseAdapter):
                raise UnsupportedError(f"{label} is a sparse matrix, which only models with one input take; pass {label}.toarray()")
            gaps = None if self._gaps is None else self._gaps[begin : begin + math.prod(tensor.row)]
            part = of_input.as_inputs(tensor.row, name=label, check_finite=check_finite, gaps=gaps)
            assert isinstance(part, np.ndarray)
            parts.append(part)
            for numbers in self._integer_features:
                if begin <= numbers.begin < begin + part.shape[1]:
                    own = replace(numbers, begin=numbers.begin - begin, end=numbers.end - begin)
                    conversion.check_integer_features(label, part, own)
            begin += part.shape[1]
        _same_length({f"{name}[{key!r}]": part for key, part in zip(self._inputs_form.keys, parts, strict=True)})
        return np.concatenate(parts, axis=1)

    def _values_of_inputs(self, name: str, x: Any, *, optional: bool = False) -> list[Any]:
        """The data of each input; a dict is the table of a model whose only input is one."""
        if isinstance(x, Mapping) and self._encoders and self._inputs_form.count == 1 and not self._inputs_form.names_all(x):
            return [x]
        return self._inputs_form.flatten(name, x, optional=optional)

    def _named(self, x: object, y: object) -> dict[str, Any]:
        named: dict[str, Any] = {}
        for name, form, given in (("x", self._inputs_form, x), ("y", self._outputs_form, y)):
            if given is None:
                continue
            flatten = self._values_of_inputs if name == "x" else form.flatten
            values = flatten(name, given, optional=True)
            keys = [name] if form.count == 1 else [f"{name}[{key!r}]" for key in form.keys]
            named |= {key: value for key, value in zip(keys, values, strict=True) if value is not None}
        return named

    def _targets_of_outputs(self, y: object, name: str, *, optional: bool) -> list[Any]:
        return self._outputs_form.flatten(name, y, optional=optional)

    def _arranged(self, predictions: np.ndarray) -> Any:
        rows = [tensor.row for tensor in self._graph.outputs]
        ends = np.cumsum([math.prod(row) for row in rows])[:-1]
        parts = np.split(predictions, ends, axis=1) if len(ends) else [predictions]
        return self._outputs_form.arrange(
            [np.ascontiguousarray(part).reshape(len(part), *row) for part, row in zip(parts, rows, strict=True)]
        )

    def _arranged_as_inputs(self, gradient: np.ndarray) -> Any:
        if self._inputs_form.count == 1:
            return super()._arranged_as_inputs(gradient)
        parts = np.split(gradient, np.cumsum(self._input_widths())[:-1], axis=1)
        rows = [tensor.row for tensor in self._graph.inputs]
        return self._inputs_form.arrange(
            [np.ascontiguousarray(part).reshape(len(part), *row) for part, row in zip(parts, rows, strict=True)]
        )

    # Describing

    def _connections_to_show(self) -> Graph:
        return self._graph

    def get_config(self) -> Config:
        return graph_config.describe(self.name, self._graph, self._inputs_form, self._outputs_form)

    @classmethod
    def from_config(cls, config: StoredConfig, custom_objects: Mapping[str, Any] | None = None) -> Functional:
        """A new model from the configuration that :meth:`get_config` returned, with new weights; a malformed one is a ValueError."""
        with CustomObjectScope(custom_objects):
            config = own_config("Functional", config)
            inputs, outputs = graph_config.rebuild(config)
        model = cls.__new__(cls)  # the constructor of a subclass has arguments of its own
        Functional.__init__(model, inputs, outputs, name=config["name"])
        return model


def _same_length(arrays: dict[str, np.ndarray]) -> None:
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        targets.check_lengths(**arrays)
