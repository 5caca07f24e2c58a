"""Sequential models: a chain of layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import fastmlp._models.graph_config as graph_config
from fastmlp._base import checks, keywords, naming, seeding, shapes
from fastmlp._base.configs import Config, StoredConfig
from fastmlp._base.custom_objects import CustomObjectScope
from fastmlp._graph.symbolic import Graph, Tensor, chain, only_call
from fastmlp._models.model import Model, model_class, own_config
from fastmlp._training.state import OptimizerState
from fastmlp.layers import InputLayer, Layer

__all__ = ["Sequential"]


@model_class
class Sequential(Model):
    """A chain of layers.

    The shape of a sample comes from an ``Input`` as the first layer, from ``input_shape=`` of the first layer, from :meth:`build`, or from
    the first data the model gets.

    Args:
        layers: The layers, or models with one input and one output, in order; more can be added. Layers of another model are shared
            with it, and so are their weights.
        trainable: False to freeze all of them.
        name: The model's name.

    Example:

    >>> from fastmlp import layers, models
    >>> model = models.Sequential()
    >>> model.add(layers.Dense(512, activation="relu", input_shape=(28 * 28,)))
    >>> model.add(layers.Dense(10, activation="softmax"))
    >>> model.count_params()
    407050
    """

    @keywords.answering
    def __init__(self, layers: Sequence[Layer | Model | Tensor] | None = None, trainable: bool = True, name: str | None = None) -> None:
        super().__init__(name=name)
        self._layers: list[Layer | Model] = []  # layers, and models used as layers
        self._graph: Graph | None = None
        empty = self.before_building()
        listed = list(layers or ())
        before = [(layer, layer.before_building()) for layer in listed if isinstance(layer, (Layer, Model))]
        try:
            for layer in listed:
                self._append(layer)
            if not trainable:
                self.trainable = checks.check_bool("trainable", trainable)
            self._rebuild()
        except BaseException:
            self.undo_building(empty)
            for layer, state in before:
                layer.undo_building(state)  # the layers can be used in another model
            raise

    @property
    def layers(self) -> list[Layer]:
        return cast("list[Layer]", self._layers[self._row_shape() is not None :])  # models have what layers have

    def add(self, layer: Layer | Model | Tensor, rebuild: bool = True) -> None:
        """Append a layer. The other layers keep their weights; the optimizer is reset.

        Args:
            layer: The layer, or a model used as a layer.
            rebuild: Accepted for compatibility with Keras.
        """
        with self._exclusively("add"):
            before, state = self.before_building(), OptimizerState.capture(self)
            of_layer: Any = layer.before_building() if isinstance(layer, (Layer, Model)) else None
            try:
                self._append(layer)
                self._rebuild()
            except BaseException:
                self.undo_building(before)
                if isinstance(layer, (Layer, Model)):
                    layer.undo_building(of_layer)
                if self._row_shape() is not None:
                    self._rebuild()
                if state is not None:
                    state.restore(self)
                raise

    def pop(self, rebuild: bool = True) -> Layer | Model:
        """Remove the last layer, and return it with its weights; ``rebuild`` is accepted for compatibility with Keras."""
        if not self._layers:
            raise ValueError("the model has no layers to remove")
        with self._exclusively("pop"):
            self._disconnect()
            layer = self._layers.pop()
            self._forget_layer(layer)
            self._rebuild()
            return layer

    def build(self, input_shape: Any = None) -> None:
        """Create the weights for data of this shape, batch axis included: ``model.build((None, 784))``."""
        if input_shape is not None:
            sizes = tuple(input_shape) if isinstance(input_shape, (tuple, list)) else (None, input_shape)
            if len(sizes) < 2:
                raise ValueError(f"input_shape must include the batch axis, such as (None, 784), got {sizes}")
            if any(size is None for size in sizes[1:]):
                raise ValueError(f"input_shape must have every size but the batch axis, got {sizes}")
            row = tuple(checks.check_int("a size in input_shape", size) for size in sizes[1:])
            if self._row_shape() not in (None, row):
                raise ValueError(f"the model is built for samples of shape {self._row_shape()}, so it can't be built for {row}")
            if self._row_shape() is None:
                self._build_from(row)
        self._require_layers()
        self._require_shape()

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """The shape of the predictions for data of this shape, both with the batch axis; the model need not be built."""
        return (None, *self.row_after(shapes.row_of_batch("input_shape", input_shape)))

    def row_after(self, row: tuple[int, ...]) -> tuple[int, ...]:
        for layer in self.layers:
            row = layer.row_after(row)
        return row

    @property
    def graph(self) -> Graph:
        """The chain of built layers."""
        if self._graph is None:
            self._require_shape()
            head = self._layers[0]
            assert isinstance(head, InputLayer)
            self._graph = chain(head.tensor(), self.layers)
        return self._graph

    @property
    def inputs(self) -> list[Tensor]:
        """The input tensor, in a list."""
        return list(self.graph.inputs)

    @property
    def outputs(self) -> list[Tensor]:
        """The output tensor, in a list."""
        return list(self.graph.outputs)

    @property
    def input(self) -> Tensor:
        """The input tensor; of a model that was called once, as part of another, the tensor it was called on."""
        return only_call(self).inputs[0] if len(self.calls) == 1 else self.inputs[0]

    @property
    def output(self) -> Tensor:
        """The output tensor; of a model that was called once, as part of another, the tensor it returned there."""
        return only_call(self).outputs[0] if len(self.calls) == 1 else self.outputs[0]

    def _append(self, layer: Any) -> None:
        if isinstance(layer, Tensor):
            if layer.call.inputs:
                raise TypeError(f"add takes a layer, got the output of layer {layer.name!r}; use Model(inputs, outputs) for that")
            layer = layer.call.layer
        if isinstance(layer, type) and issubclass(layer, Layer):
            raise TypeError(f"add takes a layer, got the class {layer.__name__}; create a layer: {layer.__name__}(...)")
        is_layer = isinstance(layer, Layer)
        if not is_layer and not isinstance(layer, Model):
            raise TypeError(f"add takes a layer such as layers.Dense(10), or a model, got {layer!r:.80}")
        if layer is self:
            raise ValueError("a model can't be a layer of itself")
        if is_layer:
            layer.check_in_model()
        if any(other.name == layer.name for other in self._layers):
            raise ValueError(f"the model has a layer called {layer.name!r} already; pass another name= to the new one")
        if self._layers and isinstance(layer, InputLayer):
            raise ValueError("Input must be the first layer of a model, but this one has layers already")
        if not self._layers and (row := _row_before(layer)) is not None:
            self._layers.append(InputLayer(row))
        if is_layer:
            layer._chains.add(self)
        self._layers.append(layer)

    def _forget_layer(self, layer: Layer | Model) -> None:
        """Clear the reference from a removed layer to the model."""
        if isinstance(layer, Layer):
            layer._chains.discard(self)

    def _row_shape(self) -> tuple[int, ...] | None:
        return self._layers[0].input_row if self._layers and isinstance(self._layers[0], InputLayer) else None

    def _build_from(self, row_shape: tuple[int, ...]) -> None:
        self._require_layers()
        before = self.before_building()
        try:
            self._layers.insert(0, InputLayer(row_shape))
            self._rebuild()
        except BaseException:
            self.undo_building(before)
            raise

    def before_building(self) -> Any:
        members = [(layer, layer.before_building()) for layer in self._layers]
        return list(self._layers), members, seeding.position(), self.built

    def undo_building(self, before: Any) -> None:
        layers, members, position, was_built = before
        if was_built and layers == self._layers:
            return
        self._forget_plan()
        for layer in self._layers:
            if layer not in layers:
                self._forget_layer(layer)
                naming.give_back("InputLayer", layer.name)
        self._layers, self._graph = layers, None
        for layer, state in members:
            layer.undo_building(state)
        seeding.rewind(position)

    def _rebuild(self) -> None:
        shape = self._row_shape()
        self._graph = None
        self._forget_plan()
        if shape is None:
            return
        computes = False
        members: list[Layer | Model] = [*self.layers]
        for layer in members:
            if isinstance(layer, Model):
                layer.connect([shape])
                shape, computes = layer.row_after(shape), True
            else:
                layer.build_rows(shape)
                computes = computes or bool(layer.operations(shape))
                assert layer.output_row is not None
                shape = layer.output_row
        if computes:
            self._adopt(self.graph)

    def get_config(self) -> Config:
        return {"name": self.name, "layers": [graph_config.serialize_layer(layer) for layer in self._layers]}

    @classmethod
    def from_config(cls, config: StoredConfig, custom_objects: Mapping[str, Any] | None = None) -> Sequential:
        """A new model from the configuration that :meth:`get_config` returned, with new weights; a malformed one is a ValueError."""
        with CustomObjectScope(custom_objects):
            return cls._from_config(config)

    @classmethod
    def _from_config(cls, config: StoredConfig) -> Sequential:
        config = own_config("Sequential", config)
        if not isinstance(config, Mapping) or set(config) != {"name", "layers"} or not isinstance(config["layers"], list):
            raise ValueError(f"the configuration of a model must have a name and a list of layers, got {config!r:.200}")
        if not isinstance(config["name"], str) or not config["name"]:
            raise ValueError(f"the name of a model must be a non-empty string, got {config['name']!r:.80}")
        model = cls.__new__(cls)  # the constructor of a subclass has arguments of its own
        Sequential.__init__(model, [graph_config.deserialize_layer(layer) for layer in config["layers"]], name=config["name"])
        return model


def _row_before(layer: Layer | Model) -> tuple[int, ...] | None:
    """The shape of a sample that a layer or model takes as the first of a chain; None if it is not known."""
    if isinstance(layer, InputLayer):
        return None
    if isinstance(layer, Model):
        return layer._row_shape()
    return layer.declared_shape if layer.declared_shape is not None else layer.input_row
