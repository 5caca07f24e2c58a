"""Keras' JSON for models, layers, losses, metrics and optimizers, translated into fastmlp's and back.

Keras describes an object as ``{"module": "keras.layers", "class_name": "Dense", "config": {...}, "registered_name": null}``, fastmlp as
``{"class": "Dense", "config": {...}}``. Classes and arguments have the same names in both, so a translation is mostly a matter of what
Keras writes beside them; :data:`LAYERS` says it layer by layer. A class is looked up in fastmlp's own tables; custom objects, lambdas and
functions of the user are refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from fastmlp import activations, layers, losses, metrics, naming, optimizers, schedules
from fastmlp.errors import UnsupportedError
from fastmlp.layers import Layer
from fastmlp.layers.inputs import is_whole

__all__ = ["KERAS_VERSION", "LAYERS", "OUR_OPTIMIZER", "legacy", "read_compile", "read_model", "write_compile", "write_model"]

KERAS_VERSION = "3.15.1"
"""The version whose files these are like."""

_NO_CUSTOM = "fastmlp loads Keras' own classes only and never runs code from a file"
_DTYPE = MappingProxyType({"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}, "registered_name": None})


LAYERS: dict[str, dict[str, Any]] = {
    "InputLayer": {"sparse": False, "ragged": False, "optional": False},
    "Dense": {},
    "Activation": {},
    "ActivityRegularization": {},
    "Dropout": {"noise_shape": None},
    "Flatten": {"data_format": "channels_last"},
    "ReLU": {},
    "LeakyReLU": {},
    "ELU": {},
    "Softmax": {"axis": -1},
    "PReLU": {},
    "AlphaDropout": {"noise_shape": None},
    "GaussianDropout": {},
    "GaussianNoise": {},
    "BatchNormalization": {"synchronized": False, "renorm": False, "renorm_clipping": None, "renorm_momentum": 0.99},
    "LayerNormalization": {"rms_scaling": False},
    "RMSNormalization": {},
    "Reshape": {},
    "Rescaling": {},
    "Normalization": {},
    "CategoryEncoding": {},
    "Embedding": {"activity_regularizer": None, "mask_zero": False},
}
"""The layers, each with the arguments that Keras has and ours has not, and the value of those that asks for nothing.

A layer's weights need no table: both list them in the same order and under the same names (``Layer.weight_shapes``), but for
:func:`fastmlp.formats.variables.beside`.
"""

_ACTIVATION_LAYERS = {"relu": ("ReLU", "re_lu"), "leaky_relu": ("LeakyReLU", "leaky_re_lu"), "elu": ("ELU", "elu")}
"""Activations with arguments: the layers that stand for them in Keras."""
_INITIALIZER = {"input_axes": None, "output_axes": None}
OUR_OPTIMIZER = frozenset(("catch_up", "not_decayed"))
"""Arguments of optimizers that Keras' files have no place for."""
_OURS = {
    "optimizer": frozenset(("LBFGS",)),
    "schedule": frozenset(("OneCycle",)),
    "loss": frozenset(("GaussianNLL", "Quantile")),
    "metric": frozenset(("BinaryFocalCrossentropy", "CategoricalFocalCrossentropy", "GaussianNLL", "Huber", "Quantile")),
}
"""Classes that Keras has not."""
_OPTIMIZER = {"decay": 0.0, "is_legacy_optimizer": False}  # of Keras 2
_KERAS_NAMES = ("accuracy", "acc", "crossentropy", "ce", "mse", "mae", "mape", "msle")
_OTHER_FILES = "save the model as .safetensors, or its weights with save_weights"
_LOSS = {"label_smoothing": 0.0, "axis": -1, "ignore_class": None}


# Reading


def read_model(data: Any) -> dict[str, Any]:
    """``Sequential.get_config()`` of a Sequential model, or of a functional one that is a plain chain.

    Raises:
        UnsupportedError: It has layers or connections that fastmlp lacks.
        ValueError: It is malformed.
    """
    name, config = _named(data, "model")
    stored = config.get("layers")
    if name not in ("Sequential", "Functional", "Model") or not isinstance(stored, list):
        raise UnsupportedError(f"its model is of class {name!r:.80}, which is not in fastmlp; Sequential models are")
    if not isinstance(config.get("name"), str):
        raise ValueError(f"the name of the model must be a string, got {config.get('name')!r:.80}")
    described = [_read_layer(item) for item in (stored if name == "Sequential" else _chain(config, stored))]
    shape = config.get("build_input_shape")
    if config.get("trainable") is False:
        for layer in described:
            layer["config"] |= {} if layer["class"] == "InputLayer" else {"trainable": False}
    if name == "Sequential" and described and described[0]["class"] != "InputLayer" and isinstance(shape, list):
        described.insert(0, {"class": "InputLayer", "config": {"batch_shape": shape}})
    return {"name": config["name"], "layers": described}


def read_compile(data: Any) -> dict[str, Any] | None:
    """``Model.get_compile_config()`` from Keras' ``compile_config``, or from the ``training_config`` of the older files."""
    if data is None:
        return None
    if not isinstance(data, Mapping):
        raise ValueError(f"the compile configuration must be a JSON object, got {data!r:.80}")
    optimizer = data.get("optimizer", data.get("optimizer_config"))
    if optimizer is None:
        return None
    weights = data.get("loss_weights")
    if isinstance(weights, (list, tuple, Mapping)) and len(weights) != 1:
        raise UnsupportedError("its loss has several weights, which are for models with several outputs; those are not in fastmlp")
    return {
        "optimizer": _read_optimizer(optimizer),
        "loss": _read_measure(data.get("loss"), losses.registry.classes, "loss"),
        "loss_weights": weights,
        "metrics": _read_measure(data.get("metrics"), metrics.registry.classes, "metric"),
        "weighted_metrics": _read_measure(data.get("weighted_metrics"), metrics.registry.classes, "metric"),
    }


def _named(data: Any, kind: str) -> tuple[str, dict[str, Any]]:
    """Class name and arguments of an object of Keras' own."""
    if not isinstance(data, Mapping) or not isinstance(data.get("class_name"), str) or not isinstance(data.get("config"), Mapping):
        raise ValueError(f"the configuration of a {kind} must have class_name and config, got {data!r:.200}")
    name, module, registered = data["class_name"], data.get("module"), data.get("registered_name")
    if name in ("Lambda", "__lambda__"):
        raise UnsupportedError(f"its {kind} {data['config'].get('name', name)!r:.80} is a lambda; {_NO_CUSTOM}")
    foreign = module is not None and (not isinstance(module, str) or module.partition(".")[0] != "keras")
    if foreign or registered not in (None, name):
        raise UnsupportedError(f"its {kind} of class {name!r:.80} is a custom object ({registered or module!r:.80}); {_NO_CUSTOM}")
    return name, dict(data["config"])


def _without(config: Mapping[str, Any], neutral: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments without those that ask for nothing."""
    return {name: value for name, value in config.items() if name not in neutral or value != neutral[name]}


def _read_layer(data: Any) -> dict[str, Any]:
    name, config = _named(data, "layer")
    if name not in LAYERS:
        raise UnsupportedError(
            f"its layer {config.get('name')!r:.80} is of class {name!r:.80}, which is not in fastmlp; there are {', '.join(LAYERS)}"
        )
    dtype = config.pop("dtype", None)
    if name != "InputLayer" or not is_whole(dtype):
        _check_float32(dtype)
    if config.get("trainable") is True:
        del config["trainable"]
    if name == "InputLayer" and "batch_input_shape" in config:  # Keras 2
        config["batch_shape"] = config.pop("batch_input_shape")
    if name == "Normalization":
        config["axis"] = _read_axes(config.get("axis"), config.get("mean"))
    return {"class": name, "config": {key: _read_argument(key, value) for key, value in _without(config, LAYERS[name]).items()}}


def _read_axes(axes: Any, mean: Any) -> Any:
    """Ours for the axes along which Keras has several means: the columns, or None where one mean, or those given, are spread over rows."""
    if axes == [] or (mean is not None and isinstance(axes, list) and len(axes) > 1 and axes == list(range(-len(axes), 0))):
        return None
    return axes


def _check_float32(dtype: Any) -> None:
    if isinstance(dtype, Mapping) and isinstance(dtype.get("config"), Mapping):
        dtype = dtype["config"].get("name")
    if dtype not in (None, "float32"):
        raise UnsupportedError(f"it computes in {dtype!r:.80}; fastmlp computes in float32 only")


def _read_argument(key: str, value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    if value.get("class_name") == "__tuple__":
        return value.get("items")
    if value.get("class_name") == "__numpy__":
        return _named(value, key)[1].get("value")
    if key == "activation":
        return _read_activation(value)
    name, config = _named(value, key.rpartition("_")[2])
    return {"class": name, "config": _without(config, _INITIALIZER)}


def _read_activation(data: Mapping[str, Any]) -> Any:
    """The activation meant by a function's name or by an activation layer."""
    if data.get("class_name") == "function" and isinstance(data.get("config"), str):
        return data["config"]
    if "class_name" not in data:
        raise UnsupportedError(f"an activation is a lambda; {_NO_CUSTOM}")
    return activations.serialize(activations.get(layers.registry.deserialize(_read_layer(data))))


def _chain(config: Mapping[str, Any], stored: Sequence[Any]) -> list[Any]:
    """The layers of a functional model in the order of computation, if each feeds the next one and nothing else."""
    refusal = UnsupportedError(
        "its layers branch, share or have several inputs or outputs; of functional models, fastmlp loads plain chains"
    )
    by_source: dict[str, Any] = {}
    start: Any = None
    for layer in stored:
        if not isinstance(layer, Mapping):
            raise ValueError(f"a layer of the model must be a JSON object, got {layer!r:.80}")
        nodes = layer.get("inbound_nodes")
        if not isinstance(nodes, list) or not isinstance(layer.get("name"), str):
            raise ValueError(f"layer {layer.get('name')!r:.80} of the model has no valid name and inbound_nodes")
        sources = [name for node in nodes for name in _sources(node)]
        if len(sources) != len(nodes) or len(nodes) > 1 or (sources and sources[0] in by_source) or (not sources and start is not None):
            raise refusal
        if sources:
            by_source[sources[0]] = layer
        else:
            start = layer
    if start is None:
        raise refusal
    chain = [start]
    while len(chain) < len(stored) and chain[-1]["name"] in by_source:
        chain.append(by_source[chain[-1]["name"]])
    if len(chain) != len(stored) or _ends(config.get("output_layers")) != [chain[-1]["name"]]:
        raise refusal
    return chain


def _sources(node: Any) -> list[str]:
    """The names of the layers whose outputs one call of a layer took: in Keras 3's form, or in that of Keras 2."""
    if isinstance(node, Mapping):
        arguments = node.get("args")
        if any(value not in (None, False) for value in (node.get("kwargs") or {}).values()) or not isinstance(arguments, list):
            return []
        histories = [item["config"]["keras_history"] for item in arguments if _is_tensor(item)]
        return [history[0] for history in histories] if len(histories) == len(arguments) else []
    if isinstance(node, list) and all(isinstance(item, list) and item and isinstance(item[0], str) for item in node):
        return [item[0] for item in node]
    return []


def _is_tensor(item: Any) -> bool:
    history = item.get("config", {}) if isinstance(item, Mapping) else {}
    history = history.get("keras_history") if isinstance(history, Mapping) else None
    return isinstance(history, list) and bool(history) and isinstance(history[0], str)


def _ends(stored: Any) -> list[Any]:
    """The layers named by ``["dense", 0, 0]`` or by a list of such."""
    if isinstance(stored, list) and stored and isinstance(stored[0], str):
        stored = [stored]
    return [item[0] for item in stored if isinstance(item, list) and item] if isinstance(stored, list) else []


def _read_optimizer(data: Any) -> dict[str, Any]:
    name, config = _named(data, "optimizer")
    if name not in optimizers.registry.classes:
        raise UnsupportedError(
            f"its optimizer is {name!r:.80}, which is not in fastmlp; there are {', '.join(optimizers.registry.classes)}; load it with "
            "compile=False, and compile it anew"
        )
    config.pop("jit_compile", None)
    if isinstance(config.get("learning_rate"), Mapping):
        config["learning_rate"] = _read_schedule(config["learning_rate"])
    return {"class": name, "config": _without(config, _OPTIMIZER)}


def _read_schedule(data: Any) -> dict[str, Any]:
    name, config = _named(data, "learning rate schedule")
    if name not in schedules.registry.classes:
        raise UnsupportedError(
            f"its learning rate follows the schedule {name!r:.80}, which is not in fastmlp; there are "
            f"{', '.join(schedules.registry.classes)}; load it with compile=False, and compile it anew"
        )
    return {"class": name, "config": config}


def _read_measure(data: Any, classes: Mapping[str, Any], kind: str) -> Any:
    """A loss or metrics: a name, an object, or a list of such."""
    if isinstance(data, list):
        return [_read_measure(item, classes, kind) for item in data]
    if not isinstance(data, Mapping):
        return data
    if data.get("class_name") == "function" and isinstance(data.get("config"), str):
        return data["config"]  # keras.losses.mean_squared_error itself
    name, config = _named(data, kind)
    if name not in classes:
        raise UnsupportedError(
            f"its {kind} is {name!r:.80}, which is not in fastmlp; there are {', '.join(classes)}; load it with compile=False, and compile "
            "it anew"
        )
    _check_float32(config.pop("dtype", None))
    if config.get("reduction") == "auto":  # Keras 2
        del config["reduction"]
    return {"class": name, "config": _without(config, _LOSS)}


# Writing


def write_model(config: Mapping[str, Any], built: Sequence[Layer], input_shape: Sequence[int | None]) -> dict[str, Any]:
    """What Keras stores of a Sequential model.

    Args:
        config: ``Sequential.get_config()``.
        built: The model's layers, without the input layer.
        input_shape: The shape of x, rows left open.
    """
    shapes = {layer.name: [None, *(layer.input_shape or ())] for layer in built if layer.weight_shapes}
    described: list[dict[str, Any]] = []
    for data in config["layers"]:
        layer = _write_layer(data)
        if data["class"] in ("CategoryEncoding", "Embedding") and described and described[0]["class_name"] == "InputLayer":
            described[0]["config"]["dtype"] = "int32"
        if "/" in layer["config"]["name"]:
            raise ValueError(f"the layer's name {layer['config']['name']!r} has a slash, which Keras refuses; choose another name")
        if layer["config"]["name"] in shapes:
            layer["build_config"] = {"input_shape": shapes[layer["config"]["name"]]}
        described.append(layer)
    arguments = {
        "name": config["name"],
        "trainable": True,
        "dtype": dict(_DTYPE),
        "layers": described,
        "build_input_shape": list(input_shape),
    }
    return {**_object("keras", "Sequential", arguments), "build_config": {"input_shape": list(input_shape)}}


def write_compile(config: Mapping[str, Any]) -> dict[str, Any]:
    """What Keras stores of ``Model.get_compile_config()``."""
    return {
        "optimizer": _write_optimizer(config["optimizer"]),
        "loss": _write_measure(config["loss"], "loss"),
        "loss_weights": config["loss_weights"],
        "metrics": [_write_measure(metric, "metric") for metric in config["metrics"]] or None,
        "weighted_metrics": [_write_measure(metric, "metric") for metric in config["weighted_metrics"]] or None,
        "run_eagerly": False,
        "steps_per_execution": 1,
        "jit_compile": "auto",
    }


def _write_optimizer(data: Mapping[str, Any]) -> dict[str, Any]:
    config = {name: value for name, value in data["config"].items() if name not in OUR_OPTIMIZER}
    rate = config["learning_rate"]
    if isinstance(rate, Mapping):
        config["learning_rate"] = _object_of_keras("schedule", "keras.optimizers.schedules", rate)
    return _object_of_keras("optimizer", "keras.optimizers", {**data, "config": config})


def _object_of_keras(kind: str, module: str, data: Mapping[str, Any]) -> dict[str, Any]:
    if data["class"] in _OURS[kind]:
        raise _not_in_keras(kind, data["class"])
    return _object(module, data["class"], data["config"])


def _not_in_keras(kind: str, what: str) -> UnsupportedError:
    return UnsupportedError(f"Keras has no {kind} like {what}; {_OTHER_FILES}")


def legacy(data: Any) -> Any:
    """The same in the form of the older files: class_name and config only, except inside a layer's arguments."""
    if not isinstance(data, Mapping):
        return data
    if "class_name" not in data:
        renamed = {"optimizer_config" if name == "optimizer" else name: value for name, value in data.items()}
        return {name: [legacy(item) for item in value] if isinstance(value, list) else legacy(value) for name, value in renamed.items()}
    config = dict(data["config"])
    if isinstance(config.get("layers"), list):
        config["layers"] = [legacy(layer) for layer in config["layers"]]
    return {"class_name": data["class_name"], "config": config}


def _object(module: str, name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    return {"module": module, "class_name": name, "config": dict(config), "registered_name": None}


def _write_layer(data: Mapping[str, Any]) -> dict[str, Any]:
    name, config = data["class"], data["config"]
    if name not in LAYERS:
        raise UnsupportedError(f"the layer {config.get('name')!r} is of class {name}, which can't be saved in Keras' files yet")
    common = {"dtype": "float32"} if name == "InputLayer" else {"trainable": True, "dtype": dict(_DTYPE)}
    arguments = {key: _write_argument(key, value) for key, value in config.items()}
    if name == "Normalization":
        arguments["axis"] = list(range(-np.ndim(config["mean"] or 0), 0)) or ([] if config["axis"] is None else [config["axis"]])
    elif name in ("LayerNormalization", "RMSNormalization"):
        arguments["axis"] = [config["axis"]]
    return _object("keras.layers", name, {**common, **LAYERS[name], **arguments})


def _write_argument(key: str, value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    if key == "activation":  # with arguments that are not the usual ones
        if value["class"] not in _ACTIVATION_LAYERS:
            raise UnsupportedError(f"Keras' files have no place for the arguments of {value['class']}: {value['config']}; {_OTHER_FILES}")
        kind, layer = _ACTIVATION_LAYERS[value["class"]]
        return _write_layer({"class": kind, "config": {"name": layer, **value["config"]}})
    return _object(f"keras.{key.rpartition('_')[2]}s", value["class"], value["config"])


def _write_measure(value: Any, kind: str) -> Any:
    """A loss or a metric: an object, or a name that Keras knows."""
    if value is None or (kind == "metric" and value in _KERAS_NAMES):
        return value
    if isinstance(value, str) and kind == "loss":
        raise UnsupportedError(f"which loss {value!r} means is told by the first targets; save the model after fit, or name the loss")
    config, name = value, ""
    if isinstance(value, str):
        named = metrics.get(value)
        config, name = metrics.registry.serialize(named), named.name
    if config["class"] in _OURS[kind]:
        raise _not_in_keras(kind, config["class"])
    if name == naming.snake_case(config["class"]):
        return name
    arguments = config["config"]
    if config["class"] == "SparseCategoricalCrossentropy":
        arguments = _without(arguments, {"label_smoothing": 0.0})
        if "label_smoothing" in arguments:
            raise _not_in_keras(kind, f"{config['class']}(label_smoothing=...)")
    return _object("keras.losses" if kind == "loss" else "keras.metrics", config["class"], arguments)
