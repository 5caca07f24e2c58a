"""Keras' JSON for what ``compile`` was given, losses, metrics, optimizers and schedules, translated into fastmlp's and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import fastmlp.saving.formats.kerasconfig as kerasconfig
from fastmlp import losses, metrics, optimizers
from fastmlp._base import custom_objects, naming
from fastmlp.errors import UnsupportedError
from fastmlp.optimizers import schedules

__all__ = ["OUR_OPTIMIZER", "read_compile", "write_compile"]

OUR_OPTIMIZER = frozenset(("catch_up", "not_decayed"))
"""Arguments of optimizers that Keras' files have no place for."""
_OPTIMIZER = {"decay": 0.0, "is_legacy_optimizer": False}  # of Keras 2
_LOSS = {"label_smoothing": 0.0, "axis": -1, "ignore_class": None}
_KERAS_NAMES = ("accuracy", "acc", "crossentropy", "ce", "mse", "mae", "mape", "msle")


# Reading


def read_compile(data: Any, outputs: int = 1) -> dict[str, Any] | None:
    """``Model.get_compile_config()`` from Keras' ``compile_config``, or from the ``training_config`` of the older files.

    Args:
        data: That.
        outputs: How many the model has.
    """
    if data is None:
        return None
    if not isinstance(data, Mapping):
        raise ValueError(f"the compile configuration must be a JSON object, got {data!r:.80}")
    optimizer = data.get("optimizer", data.get("optimizer_config"))
    if optimizer is None:
        return None
    weights = data.get("loss_weights")
    if outputs == 1 and isinstance(weights, (list, tuple, Mapping)) and len(weights) != 1:
        raise UnsupportedError("its loss has several weights, which are for models with several outputs; this one has one")
    loss, plain, weighted = (_of_one_output(data.get(what), outputs) for what in ("loss", "metrics", "weighted_metrics"))
    return {
        "loss_weights": weights,
        "optimizer": _read_optimizer(optimizer),
        "loss": _read_measure(loss, losses.registry.classes, "loss"),
        "metrics": _read_measure(plain, metrics.registry.classes, "metric"),
        "weighted_metrics": _read_measure(weighted, metrics.registry.classes, "metric"),
    }


def _of_one_output(given: Any, outputs: int) -> Any:
    """What is given by the name of the only output, without the name."""
    if outputs == 1 and isinstance(given, Mapping) and "class_name" not in given and len(given) == 1:
        return next(iter(given.values()))
    return given


def _read_optimizer(data: Any) -> dict[str, Any]:
    if (custom := kerasconfig.read_custom(data, "optimizer")) is not None:
        neutral = {**_OPTIMIZER, "jit_compile": custom["config"].get("jit_compile")}
        return {**custom, "config": kerasconfig.without_neutral(custom["config"], neutral)}
    name, config = kerasconfig.class_and_config(data, "optimizer")
    if name not in optimizers.registry.classes:
        raise UnsupportedError(
            f"its optimizer is {name!r:.80}, which is not in fastmlp; there are {', '.join(optimizers.registry.classes)}; load it with "
            "compile=False, and compile it anew"
        )
    config.pop("jit_compile", None)
    if isinstance(config.get("learning_rate"), Mapping):
        config["learning_rate"] = _read_schedule(config["learning_rate"])
    return {"class": name, "config": kerasconfig.without_neutral(config, _OPTIMIZER)}


def _read_schedule(data: Any) -> dict[str, Any]:
    if (custom := kerasconfig.read_custom(data, "learning rate schedule")) is not None:
        return custom
    name, config = kerasconfig.class_and_config(data, "learning rate schedule")
    if name not in schedules.registry.classes:
        raise UnsupportedError(
            f"its learning rate follows the schedule {name!r:.80}, which is not in fastmlp; there are "
            f"{', '.join(schedules.registry.classes)}; load it with compile=False, and compile it anew"
        )
    return {"class": name, "config": config}


def _read_measure(data: Any, classes: Mapping[str, Any], kind: str) -> Any:
    """A loss or metrics: a name, an object, or a list or dict of such."""
    if isinstance(data, list):
        return [_read_measure(item, classes, kind) for item in data]
    if not isinstance(data, Mapping):
        return data
    if "class_name" not in data:  # by the names of outputs
        return {name: _read_measure(item, classes, kind) for name, item in data.items()}
    if kerasconfig.is_function(data):
        return data["config"]  # keras.losses.mean_squared_error itself, or a function of the user's own
    if (custom := kerasconfig.read_custom(data, kind)) is not None:
        return custom
    name, config = kerasconfig.class_and_config(data, kind)
    if name == "MeanMetricWrapper" and kind == "metric" and kerasconfig.is_function(config.get("fn")):
        function = {"class": custom_objects.FUNCTION, "config": {"name": config["fn"]["config"]}}
        return {"class": name, "config": {**config, "fn": function}}
    if name not in classes:
        raise UnsupportedError(
            f"its {kind} is {name!r:.80}, which is not in fastmlp; there are {', '.join(classes)}; load it with compile=False, and compile "
            "it anew"
        )
    kerasconfig.check_float32(config.pop("dtype", None))
    if config.get("reduction") == "auto":  # Keras 2
        del config["reduction"]
    return {"class": name, "config": kerasconfig.without_neutral(config, _LOSS)}


# Writing


def write_compile(config: Mapping[str, Any]) -> dict[str, Any]:
    """What Keras stores of ``Model.get_compile_config()``."""
    return {
        "optimizer": _write_optimizer(config["optimizer"]),
        "loss": _write_measure(config["loss"], "loss"),
        "loss_weights": config.get("loss_weights"),
        "metrics": _write_measure(config["metrics"], "metric") or None,
        "weighted_metrics": _write_measure(config["weighted_metrics"], "metric") or None,
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
    known: Any = (optimizers if kind == "optimizer" else schedules).registry.classes.get(data["class"])
    if known is None:
        return kerasconfig.write_custom(data)
    if not known.in_keras:
        raise kerasconfig.not_in_keras(kind, data["class"])
    return kerasconfig.write_object(module, data["class"], data["config"])


def _write_measure(value: Any, kind: str) -> Any:
    """A loss or a metric, or several in a list: an object, or a name that Keras knows."""
    if isinstance(value, list):
        return [_write_measure(item, kind) for item in value]
    if value is None or (kind == "metric" and value in _KERAS_NAMES):
        return value
    if isinstance(value, str) and kind == "loss":
        raise UnsupportedError(f"the loss for {value!r} depends on the first targets; save the model after fit, or pass a specific loss")
    config, name = value, ""
    if isinstance(value, str):
        named = metrics.get(value)
        config, name = metrics.registry.serialize(named), named.name
    known: Any = (losses if kind == "loss" else metrics).registry.classes.get(config["class"])
    if known is not None and not known.in_keras:
        raise kerasconfig.not_in_keras(kind, config["class"])
    if config["class"] == "MeanMetricWrapper":
        function = kerasconfig.write_custom(config["config"]["fn"])
        as_given = {"fn", "name"} == set(config["config"]) and config["config"]["name"] == function["config"]
        return function if as_given else kerasconfig.write_object("keras.metrics", config["class"], {**config["config"], "fn": function})
    if known is None:
        return kerasconfig.write_custom(config)
    if name == naming.snake_case(config["class"]):
        return name
    arguments = config["config"]
    if config["class"] == "SparseCategoricalCrossentropy":
        arguments = kerasconfig.without_neutral(arguments, {"label_smoothing": 0.0})
        if "label_smoothing" in arguments:
            raise kerasconfig.not_in_keras(kind, f"{config['class']}(label_smoothing=...)")
    return kerasconfig.write_object("keras.losses" if kind == "loss" else "keras.metrics", config["class"], arguments)
