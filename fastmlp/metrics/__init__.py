"""Metrics: numbers to watch beside the loss, by name (``"accuracy"``) or as an object (``BinaryAccuracy(threshold=0.8)``).

Those of :mod:`fastmlp.metrics.accuracies` and :mod:`fastmlp.metrics.of_losses` are means over the rows that the engines compute. The others
are computed in NumPy from the predictions that the engines hand out, thousands of rows at a time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import fastmlp.metrics.accuracies as accuracies
import fastmlp.metrics.confusion as confusion
import fastmlp.metrics.correlation as correlation
import fastmlp.metrics.curves as curves
import fastmlp.metrics.functions as functions
import fastmlp.metrics.means as means
import fastmlp.metrics.of_losses as of_losses
from fastmlp import losses
from fastmlp._base import custom_objects, keras_names
from fastmlp._base.registry import Registry, classes_in
from fastmlp.metrics.accuracies import *
from fastmlp.metrics.base import Metric
from fastmlp.metrics.confusion import *
from fastmlp.metrics.correlation import *
from fastmlp.metrics.curves import *
from fastmlp.metrics.functions import *
from fastmlp.metrics.means import *
from fastmlp.metrics.of_losses import *
from fastmlp.metrics.of_losses import of_loss

__all__ = ["Metric", "deserialize", "get", "serialize"]
__all__ += accuracies.__all__
__all__ += confusion.__all__
__all__ += correlation.__all__
__all__ += curves.__all__
__all__ += functions.__all__
__all__ += means.__all__
__all__ += of_losses.__all__

_NOT_NAMED = (Mean, MeanMetricWrapper, Sum)
"""What is made of values or of a function, which a name alone does not say."""

registry: Registry[Metric] = Registry(
    "metric",
    Metric,
    [cls for cls in classes_in(Metric, accuracies, of_losses, means, curves, confusion, correlation) if cls not in _NOT_NAMED],
    "metrics",
)

_OF_FUNCTIONS = {getattr(functions, name): registry.named(name) for name in functions.__all__}
"""The metric that each function means."""

deserialize = registry.deserialize


def serialize(metric: Metric) -> dict[str, Any]:
    """``{"class": name, "config": {...}}`` of a metric, as JSON values; of one of your own, its name alone says which it is."""
    if type(metric) is MeanMetricWrapper:
        return {"class": "MeanMetricWrapper", "config": metric.get_config()}
    return registry.serialize(metric)


def get(identifier: Any) -> Metric:
    """The metric meant by a name, a class, an object, a loss, a function or a configuration.

    ``"accuracy"`` and ``"crossentropy"`` mean different metrics for different models; ``compile`` resolves them.
    """
    if isinstance(identifier, losses.Loss):
        return of_loss(identifier)
    if callable(identifier) and not isinstance(identifier, (type, Metric)):
        if identifier in _OF_FUNCTIONS:
            return _OF_FUNCTIONS[identifier]()
        return of_loss(losses.get(identifier)) if identifier in losses.functions.CLASSES else MeanMetricWrapper(identifier)
    if isinstance(identifier, str) and callable(custom := custom_objects.find(identifier)):
        return get(custom)
    of_values = identifier if isinstance(identifier, type) else type(identifier)
    if getattr(of_values, "update_state", None) in (Mean.update_state, Sum.update_state):
        raise TypeError(
            f"{of_values.__name__} takes the values it is given, so it can't be a metric of a model; give a function of y_true and y_pred"
        )
    if isinstance(identifier, Mapping) and identifier.get("class") == "MeanMetricWrapper" and isinstance(identifier.get("config"), Mapping):
        return MeanMetricWrapper(**identifier["config"])
    return registry.get(identifier)


def __getattr__(name: str) -> Any:
    return keras_names.missing("metrics", name)
