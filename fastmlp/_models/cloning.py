"""``clone_model``: a copy of a model's architecture, with new layers and weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from fastmlp._base import custom_objects, keywords
from fastmlp._graph import symbolic
from fastmlp._graph.nest import Nest
from fastmlp._graph.symbolic import Tensor
from fastmlp._models.functional import Functional
from fastmlp._models.model import Model, Tensors
from fastmlp._models.sequential import Sequential
from fastmlp.layers import InputLayer, Layer

__all__ = ["clone_model"]

Member: TypeAlias = Layer | Model
"""A layer of a model, or a model used as a layer."""
CloneFunction: TypeAlias = Callable[[Any], Member]  # users declare the class of layer that they expect
CallFunction: TypeAlias = Callable[..., Tensors]


@keywords.answering
def clone_model(
    model: Model,
    input_tensors: Tensors | None = None,
    clone_function: CloneFunction | None = None,
    call_function: CallFunction | None = None,
    recursive: bool = False,
) -> Model:
    """Clone a model: new layers of the same classes and names, connected in the same way, with newly initialized weights.

    If the model is compiled, so is the clone, with its own optimizer. To copy the weights too, call
    ``clone.set_weights(model.get_weights())``.

    Args:
        model: The model to clone.
        input_tensors: Tensors returned by ``Input`` to build the clone on, in the structure of the model's inputs; by default new ones.
        clone_function: Called with each layer, and each model used as a layer, except input layers; returns the layer to use in the clone,
            which may be the same.
        call_function: Called as ``call_function(layer, inputs)`` instead of the layers of a functional model, with ``training=True`` too if
            the layer was called with it.
        recursive: Whether models inside the model are cloned layer by layer, with the same functions.

    Example:

    >>> from fastmlp import layers, models
    >>> model = models.Sequential([layers.Dense(4, input_shape=(3,))])
    >>> models.clone_model(model).count_params()
    16
    """
    if not isinstance(model, Model):
        raise TypeError(f"model must be a fastmlp model, got {model!r:.80}")
    for name, function in (("clone_function", clone_function), ("call_function", call_function)):
        if function is not None and not callable(function):
            raise TypeError(f"{name} must be a function, got {function!r:.80}")
    with custom_objects.collecting() as found, custom_objects.CustomObjectScope(found):
        clone = _Cloning(clone_function, call_function, recursive, {}).of(model, input_tensors)
        compiled = model.get_compile_config()
        if compiled is not None:
            clone.compile_from_config(compiled)
    if input_tensors is None:
        clone._set_columns(model._columns.names)
    if clone._number_of_classes() in (None, model._number_of_classes()):
        clone.class_names = model.class_names
    return clone


class _Cloning:
    """Clones models; see :func:`clone_model`.

    Args:
        clone_function, call_function, recursive: See :func:`clone_model`.
        cloned: The clones made so far, by the ``id`` of the original, so that a layer used twice is cloned once.
    """

    def __init__(
        self, clone_function: CloneFunction | None, call_function: CallFunction | None, recursive: bool, cloned: dict[int, Member]
    ) -> None:
        self._clone_function, self._call_function, self._recursive, self._cloned = clone_function, call_function, recursive, cloned

    def of(self, model: Model, input_tensors: Tensors | None = None) -> Model:
        """The clone of a model, not compiled."""
        if input_tensors is None and self._clone_function is None and self._call_function is None:
            return type(model).from_config(model.get_config())
        if isinstance(model, Functional):
            return self._of_functional(model, input_tensors)
        assert isinstance(model, Sequential)
        if self._call_function is not None:
            raise ValueError("call_function is for functional models; the layers of a Sequential are not called one by one")
        first: Sequence[Layer | Tensor]
        if input_tensors is not None:
            alone = input_tensors[0] if isinstance(input_tensors, (list, tuple)) and len(input_tensors) == 1 else input_tensors
            first = symbolic.as_tensors("clone_model(input_tensors=...)", [alone])
        else:
            first = [InputLayer.from_config(layer.get_config()) for layer in model._layers[:1] if isinstance(layer, InputLayer)]
        return Sequential([*first, *map(self._layer, model.layers)], name=model.name)

    def _of_functional(self, model: Functional, input_tensors: Tensors | None) -> Functional:
        if input_tensors is None:
            starts = [InputLayer.from_config(tensor.call.layer.get_config()).tensor() for tensor in model.graph.inputs]
        elif isinstance(input_tensors, Mapping):
            starts = model.in_order(input_tensors)
        else:
            starts = symbolic.as_tensors("clone_model(input_tensors=...)", input_tensors)
        if len(starts) != len(model.graph.inputs):
            raise ValueError(f"the model has {len(model.graph.inputs)} inputs, but input_tensors has {len(starts)}")
        tensors: dict[Tensor, Tensor] = dict(zip(model.graph.inputs, starts, strict=True))
        for call in sorted(model.graph.calls, key=lambda call: call.number):
            given = [tensors[tensor] for tensor in call.inputs]
            inputs = call.layer.arrange_inputs(given) if hasattr(call.layer, "arrange_inputs") else given[0] if len(given) == 1 else given
            layer = self._layer(call.layer)
            options = {} if call.training is None else {"training": call.training}
            if self._call_function is None:
                returned = symbolic.connect(layer, inputs, call.training)
            else:
                returned = self._call_function(layer, inputs, **options)
            _, results = Nest.of("output", returned)
            tensors.update(zip(call.outputs, results, strict=True))
        outputs = model.arrange_outputs([tensors[tensor] for tensor in model.graph.outputs])
        return Functional(model.arrange_inputs(starts), outputs, name=model.name)

    def _layer(self, layer: Member) -> Member:
        if id(layer) not in self._cloned:
            self._cloned[id(layer)] = self._new(layer)
        return self._cloned[id(layer)]

    def _new(self, layer: Member) -> Member:
        if isinstance(layer, Model) and self._recursive:
            inner = _Cloning(self._clone_function, self._call_function if isinstance(layer, Functional) else None, True, self._cloned)
            return inner.of(layer)
        if self._clone_function is not None:
            return self._clone_function(layer)
        return type(layer).from_config(layer.get_config())
