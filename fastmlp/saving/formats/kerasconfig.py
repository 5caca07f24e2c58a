"""Keras' JSON for models, layers and what their arguments hold, translated into fastmlp's and back.

Keras describes an object as ``{"module": "keras.layers", "class_name": "Dense", "config": {...}, "registered_name": null}``, fastmlp as
``{"class": "Dense", "config": {...}}``. Classes and arguments have the same names in both, so a translation is mostly a matter of what
Keras writes beside them; :data:`LAYERS` says it layer by layer. A class is looked up in fastmlp's own tables and among the custom objects
of the program that loads the file (:mod:`fastmlp._base.custom_objects`); lambdas are refused, because Keras stores their code. The
arguments of ``compile`` are in :mod:`fastmlp.saving.formats.kerascompile`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

import fastmlp.saving.formats.kerasgraph as kerasgraph
import fastmlp.saving.formats.kerasops as kerasops
from fastmlp import activations, constraints, initializers, layers, losses, metrics, optimizers, regularizers
from fastmlp._base import custom_objects, keras_names
from fastmlp._graph.symbolic import Graph, Tensor
from fastmlp._models.functional import Functional
from fastmlp._models.model import Model
from fastmlp.errors import UnsupportedError
from fastmlp.layers import Layer
from fastmlp.layers.inputs import is_integer
from fastmlp.saving.contents import number_inputs

__all__ = [
    "KERAS_VERSION",
    "LAYERS",
    "OTHER_FILES",
    "check_float32",
    "class_and_config",
    "is_function",
    "not_in_keras",
    "read_custom",
    "read_model",
    "without_neutral",
    "write_custom",
    "write_model",
    "write_object",
]

KERAS_VERSION = "3.15.1"
"""The version whose files these are like."""

_KNOWN: dict[str, tuple[Any, str]] = {
    "layer": ({*layers.registry.classes, "Functional", "Model", "Sequential", "Lambda"}, "layers"),
    "loss": (losses.registry.classes, "losses"),
    "metric": ({*metrics.registry.classes, "MeanMetricWrapper"}, "metrics"),
    "optimizer": (optimizers.registry.classes, "optimizers"),
}
"""By kind of object: the names of Keras' own classes that fastmlp has, and the module of Keras whose others have an answer."""
_NO_CUSTOM = "fastmlp loads Keras' own classes only and never runs code from a file"
_DTYPE = MappingProxyType({"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}, "registered_name": None})


LAYERS = {name: cls.only_in_keras for name, cls in layers.registry.classes.items() if cls.in_keras}
"""The layers, each with the arguments that Keras has and ours has not, and the value of those that asks for nothing.

A layer's weights need no table: both list them in the same order and under the same names (``Layer.weight_shapes``), but for
:func:`fastmlp.saving.formats.variables.beside`.
"""

_ACTIVATION_LAYERS = {"relu": ("ReLU", "re_lu"), "leaky_relu": ("LeakyReLU", "leaky_re_lu"), "elu": ("ELU", "elu")}
"""Activations with arguments: the layers that stand for them in Keras."""
_MODELS = ("Sequential", "Functional", "Model")
_INITIALIZER = {"input_axes": None, "output_axes": None}
OTHER_FILES = "save the model as .safetensors, or its weights with save_weights"
"""What messages advise where Keras' files have no place for something."""


# Reading


def read_model(data: Any) -> tuple[str, dict[str, Any]]:
    """The kind, ``sequential`` or ``functional``, and ``Model.get_config()`` of a model.

    Raises:
        UnsupportedError: It has layers or calls that fastmlp lacks.
        ValueError: It is malformed.
    """
    if isinstance(data, Mapping) and data.get("class_name") in _MODELS and data.get("registered_name") not in (None, data["class_name"]):
        raise UnsupportedError(f"its model of class {data['class_name']!r} is a custom object ({data['registered_name']!r:.80})")
    name, config = class_and_config(data, "model")
    if name not in _MODELS or not isinstance(config.get("layers"), list):
        raise UnsupportedError(f"its model is of class {name!r:.80}, which is not in fastmlp; Sequential and functional models are")
    if not isinstance(config.get("name"), str):
        raise ValueError(f"the name of the model must be a string, got {config.get('name')!r:.80}")
    if name == "Sequential":
        kind, described = "sequential", {"name": config["name"], "layers": [_read_layer(item) for item in config["layers"]]}
    else:
        kind, described = "functional", kerasgraph.read(config, _read_layer)
    if config.get("trainable") is False:
        _freeze(described)
    shape, stored = config.get("build_input_shape"), described["layers"]
    if kind == "sequential" and stored and stored[0]["class"] != "InputLayer" and isinstance(shape, list):
        stored.insert(0, {"class": "InputLayer", "config": {"batch_shape": shape}})
    return kind, described


def _freeze(described: Mapping[str, Any]) -> None:
    """Says of every layer of a model that it is not trained."""
    for layer in described["layers"]:
        if layer["class"] in _MODELS:
            _freeze(layer["config"])
        elif layer["class"] != "InputLayer":
            layer["config"]["trainable"] = False


def class_and_config(data: Any, kind: str) -> tuple[str, dict[str, Any]]:
    """Class name and arguments of an object of Keras' own."""
    if not isinstance(data, Mapping) or not isinstance(data.get("class_name"), str) or not isinstance(data.get("config"), Mapping):
        raise ValueError(f"the configuration of a {kind} must have class_name and config, got {data!r:.200}")
    name = data["class_name"]
    if name in ("Lambda", "__lambda__"):
        raise UnsupportedError(f"its {kind} {data['config'].get('name', name)!r:.80} is a lambda; {_NO_CUSTOM}{_without_it(kind)}")
    return name, dict(data["config"])


def read_custom(data: Any, kind: str) -> dict[str, Any] | None:
    """The name and arguments of an object that is not Keras' own; None for those of Keras."""
    if not isinstance(data, Mapping) or not isinstance(data.get("class_name"), str):
        return None
    module, registered = data.get("module"), data.get("registered_name")
    name = registered or data["class_name"]
    if module is None:  # of the older files, which name no modules
        known = _KNOWN.get(kind)
        of_keras = registered is None and (known is None or name in known[0] or keras_names.advice(known[1], name) is not None)
    else:
        of_keras = isinstance(module, str) and module.partition(".")[0] == "keras"
    if not isinstance(name, str) or (of_keras and name == data["class_name"] and custom_objects.find(name) is None):
        return None
    _, config = class_and_config(data, kind)
    advice = custom_objects.how_to_load(kind, name)
    if advice and custom_objects.find(name) is None:
        raise UnsupportedError(
            f"its {kind} of class {data['class_name']!r:.80} is a custom object ({registered or module!r:.80}); {advice}"
        )
    config.pop("dtype", None)
    if config.get("trainable") is True:
        del config["trainable"]
    return {"class": name, "config": {key: _read_argument(key, value) for key, value in config.items()}}


def _is_model(data: Any) -> bool:
    return isinstance(data, Mapping) and data.get("class_name") in _MODELS and data.get("registered_name") in (None, data["class_name"])


def is_function(data: Any) -> bool:
    """Whether ``data`` is how Keras describes a function, by its name."""
    return isinstance(data, Mapping) and data.get("class_name") == "function" and isinstance(data.get("config"), str)


def _without_it(kind: str) -> str:
    return "; load the model with compile=False, and compile it anew" if kind in ("loss", "metric", "optimizer") else ""


def without_neutral(config: Mapping[str, Any], neutral: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments without those that ask for nothing."""
    return {name: value for name, value in config.items() if name not in neutral or value != neutral[name]}


def _read_layer(data: Any) -> dict[str, Any]:
    if not _is_model(data) and (custom := read_custom(data, "layer")) is not None:
        return custom
    name, config = class_and_config(data, "layer")
    if name in _MODELS:
        kind, described = read_model(data)
        return {"class": kind.capitalize(), "config": described}
    if name == "StringLookup":
        layers.StringLookup(name=str(config.get("name"))).check_in_model()  # which says what to do
    if name not in LAYERS and name not in kerasops.LAYERS:
        raise UnsupportedError(
            f"its layer {config.get('name')!r:.80} is of class {name!r:.80}, which is not in fastmlp; there are {', '.join(LAYERS)}"
        )
    dtype = config.pop("dtype", None)
    if name not in ("InputLayer", "Hashing") or not is_integer(_name_of(dtype)):
        check_float32(dtype)
    if config.get("trainable") is True:
        del config["trainable"]
    if name == "InputLayer" and "batch_input_shape" in config:  # Keras 2
        config["batch_shape"] = config.pop("batch_input_shape")
    if name == "Normalization":
        config["axis"] = _read_axes(config.get("axis"), config.get("mean"))
    if name == "IntegerLookup" and config.get("output_mode") == "tf_idf":
        raise _weights_of_tokens(config.get("name"))
    return {
        "class": name,
        "config": {key: _read_argument(key, value) for key, value in without_neutral(config, LAYERS.get(name, {})).items()},
    }


def _read_axes(axes: Any, mean: Any) -> Any:
    """Ours for the axes along which Keras has several means: the columns, or None where one mean, or those given, are spread over rows."""
    if axes == [] or (mean is not None and isinstance(axes, list) and len(axes) > 1 and axes == list(range(-len(axes), 0))):
        return None
    return axes


def _name_of(dtype: Any) -> Any:
    """That of a policy."""
    return dtype["config"].get("name") if isinstance(dtype, Mapping) and isinstance(dtype.get("config"), Mapping) else dtype


def check_float32(dtype: Any) -> None:
    """An UnsupportedError unless a layer or metric computes in float32."""
    if _name_of(dtype) not in (None, "float32"):
        raise UnsupportedError(f"it computes in {_name_of(dtype)!r:.80}; fastmlp computes in float32 only")


def _read_argument(key: str, value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    if value.get("class_name") == "__tuple__":
        return value.get("items")
    if value.get("class_name") == "__numpy__":
        return class_and_config(value, key)[1].get("value")
    if key == "activation":
        return _read_activation(value)
    if "class_name" not in value:
        return value
    if is_function(value):
        return value["config"]
    kind = key.rpartition("_")[2]
    if (custom := read_custom(value, kind)) is not None:
        return custom
    name, config = class_and_config(value, kind)
    config = {name: _read_argument(name, argument) for name, argument in config.items()}
    return {"class": name, "config": without_neutral(config, _INITIALIZER)}


def _read_activation(data: Mapping[str, Any]) -> Any:
    """The activation meant by a function's name or by an activation layer."""
    if is_function(data):
        return data["config"]
    if "class_name" not in data:
        raise UnsupportedError(f"an activation is a lambda; {_NO_CUSTOM}")
    return activations.serialize(activations.get(layers.registry.deserialize(_read_layer(data))))


# Writing


def write_model(model: Model) -> dict[str, Any]:
    """What Keras stores of a model."""
    _check_gates(model.graph)
    if not isinstance(model, Functional):
        return _write_sequential(model)
    graph = model.graph
    arguments = {
        "name": model.name,
        "trainable": model.trainable,
        "layers": [_write_called(graph, layer, number_inputs(model)) for layer in graph.layers],
        "input_layers": model.arrange_inputs(kerasgraph.write_places(graph, graph.inputs)),
        "output_layers": model.arrange_outputs(kerasgraph.write_places(graph, graph.outputs)),
    }
    described = write_object("keras.src.models.functional", "Functional", arguments)
    return {**described, "registered_name": "Functional", "build_config": {"input_shape": None}}


def _check_gates(graph: Graph) -> None:
    """Refuses layers behind a ``glu``: Keras takes its output to be as wide as its input, and makes their weights twice as large."""
    for call in graph.calls:
        for tensor in call.inputs:
            activation = getattr(tensor.call.layer, "activation", None)
            if activation == activations.glu:
                raise UnsupportedError(
                    f"Keras can't load the layer {call.layer.name!r}, because it reads what the activation glu of {tensor.name!r} gives: "
                    f"Keras 3.15 expects twice as many columns there; {OTHER_FILES}"
                )


def _write_sequential(model: Model) -> dict[str, Any]:
    shape = list(model.input_shape)
    start = _write_layer(model.get_config()["layers"][0])
    members: list[Any] = model.layers
    for layer in members:
        if type(layer).__name__ in kerasops.LAYERS:
            raise UnsupportedError(
                f"Keras has no layer like {layer.name!r}, and in a Sequential no slices of tensors; make a functional model, "
                f"or {OTHER_FILES}"
            )
    if number_inputs(model):
        start["config"]["dtype"] = "int32"
    arguments = {
        "name": model.name,
        "trainable": model.trainable,
        "dtype": dict(_DTYPE),
        "layers": [start, *(write_model(layer) if hasattr(layer, "graph") else _write_built(layer) for layer in members)],
        "build_input_shape": shape,
    }
    return {**write_object("keras", "Sequential", arguments), "build_config": {"input_shape": shape}}


def _write_called(graph: Graph, layer: Any, of_numbers: Sequence[Tensor]) -> dict[str, Any]:
    """A layer of a functional model, or a model in its place."""
    described = write_model(layer) if hasattr(layer, "graph") else _write_built(layer)
    if any(tensor.call.layer is layer for tensor in of_numbers):
        described["config"]["dtype"] = "int32"
    return {**described, "name": layer.name, "inbound_nodes": kerasgraph.write_calls(graph, layer)}


def _write_built(layer: Layer) -> dict[str, Any]:
    described = _write_layer(layers.registry.serialize(layer))
    if "/" in layer.name:
        raise ValueError(f"the layer's name {layer.name!r} has a slash, which Keras refuses; choose another name")
    if layer.weight_shapes:
        described["build_config"] = {"input_shape": [None, *(layer.input_row or ())]}
    return described


def not_in_keras(kind: str, what: str) -> UnsupportedError:
    """The error about something that only fastmlp has."""
    return UnsupportedError(f"Keras has no {kind} like {what}; {OTHER_FILES}")


def write_object(module: str, name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """How Keras describes an object of a class of its own."""
    return {"module": module, "class_name": name, "config": dict(config), "registered_name": None}


def write_custom(data: Mapping[str, Any]) -> dict[str, Any]:
    """A function or an object of a class of the user's own."""
    name, config = data["class"], data["config"]
    if not data.keys().isdisjoint(("program", "programs")):  # of which Keras' files hold the name only
        named = config["name"] if name == custom_objects.FUNCTION else name
        custom_objects.note(custom_objects.get_custom_objects().get(named, data), named)
    if name == custom_objects.FUNCTION:
        if config["name"] == "<lambda>":
            raise UnsupportedError(f"Keras' files hold functions by name, and a lambda has none; define it with def, or {OTHER_FILES}")
        return {"module": "builtins", "class_name": "function", "config": config["name"], "registered_name": "function"}
    arguments = {key: _write_argument(key, value) for key, value in config.items()}
    return {"module": None, "class_name": name.rpartition(">")[2], "config": arguments, "registered_name": name}


def _write_layer(data: Mapping[str, Any]) -> dict[str, Any]:
    name, config = data["class"], data["config"]
    if name not in layers.registry.classes:
        return write_custom(data)
    if name in kerasops.LAYERS:
        return kerasops.write(name, config["name"])
    if name not in LAYERS:
        raise not_in_keras("layer", f"{config.get('name')!r}, a {name}")
    common = {"dtype": "float32"} if name in ("InputLayer", "Discretization") else {"trainable": True, "dtype": dict(_DTYPE)}
    if name == "Hashing" and config["output_mode"] == "int":
        common["dtype"] = "int64"
    if name == "IntegerLookup" and config["output_mode"] == "tf_idf":
        raise _weights_of_tokens(config["name"])
    arguments = {key: _write_argument(key, value) for key, value in config.items()}
    if name == "Normalization":
        arguments["axis"] = list(range(-np.ndim(config["mean"] or 0), 0)) or ([] if config["axis"] is None else [config["axis"]])
    elif name in ("LayerNormalization", "RMSNormalization"):
        arguments["axis"] = [config["axis"]]
    elif name == "Discretization":
        arguments.pop("trainable", None)  # which it has no weights for, and Keras no argument
    return write_object("keras.layers", name, {**common, **LAYERS[name], **arguments})


def _weights_of_tokens(name: Any) -> UnsupportedError:
    return UnsupportedError(
        f"the layer {name!r:.80} has output_mode='tf_idf', whose weights of tokens fastmlp does not read and write in Keras' files; "
        "save the model as .safetensors"
    )


def _write_argument(key: str, value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    if value.get("class") == custom_objects.FUNCTION:
        return write_custom(value)
    if key == "activation":  # with arguments that are not the usual ones
        if value["class"] not in _ACTIVATION_LAYERS:
            raise UnsupportedError(f"Keras' files have no place for the arguments of {value['class']}: {value['config']}; {OTHER_FILES}")
        kind, layer = _ACTIVATION_LAYERS[value["class"]]
        return _write_layer({"class": kind, "config": {"name": layer, **value["config"]}})
    if "class" not in value:
        return value
    kind = key.rpartition("_")[2]
    known = {"initializer": initializers, "regularizer": regularizers, "constraint": constraints}[kind].registry.classes
    if value["class"] not in known:
        return write_custom(value)
    config = {name: _write_array(argument) for name, argument in value["config"].items()} if kind == "initializer" else value["config"]
    return write_object(f"keras.{kind}s", value["class"], config)


def _write_array(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    return {"class_name": "__numpy__", "config": {"value": value, "dtype": "float32"}}
