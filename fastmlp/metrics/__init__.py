"""Metrics, given by name (``"accuracy"``) or as an object (``BinaryAccuracy(threshold=0.8)``).

Those of :mod:`fastmlp.metrics.accuracies` and :mod:`fastmlp.metrics.loss_metrics` are means over samples, computed by the engines. The
others are computed in NumPy from the engines' predictions, thousands of samples at a time.
"""

from __future__ import annotations

from collections.abc import Mapping

import fastmlp.metrics.accuracies as accuracies
import fastmlp.metrics.confusion as confusion
import fastmlp.metrics.correlation as correlation
import fastmlp.metrics.curves as curves
import fastmlp.metrics.functions as functions
import fastmlp.metrics.loss_metrics as loss_metrics
import fastmlp.metrics.means as means
from fastmlp import losses
from fastmlp._base import custom_objects, keras_names
from fastmlp._base.configs import Config
from fastmlp._base.registry import Registry, classes_in
from fastmlp.metrics.accuracies import *
from fastmlp.metrics.base import Metric, MetricLike
from fastmlp.metrics.confusion import *
from fastmlp.metrics.correlation import *
from fastmlp.metrics.curves import *
from fastmlp.metrics.functions import *
from fastmlp.metrics.loss_metrics import *
from fastmlp.metrics.loss_metrics import metric_of_loss
from fastmlp.metrics.means import *

__all__ = ["Metric", "deserialize", "get", "serialize"]
__all__ += accuracies.__all__
__all__ += confusion.__all__
__all__ += correlation.__all__
__all__ += curves.__all__
__all__ += functions.__all__
__all__ += means.__all__
__all__ += loss_metrics.__all__

_NOT_NAMED = (Mean, MeanMetricWrapper, Sum)
"""Metrics of values or of a function, which can't be created from their name alone."""

registry: Registry[Metric] = Registry(
    "metric",
    Metric,
    [cls for cls in classes_in(Metric, accuracies, loss_metrics, means, curves, confusion, correlation) if cls not in _NOT_NAMED],
    "metrics",
)

_OF_FUNCTIONS = {getattr(functions, name): registry.named(name) for name in functions.__all__}
"""The metric class of each function."""

deserialize = registry.deserialize


def serialize(metric: Metric) -> Config:
    """Returns ``{"class": name, "config": {...}}`` in JSON values; custom metrics are identified by name alone."""
    if type(metric) is MeanMetricWrapper:
        return {"class": "MeanMetricWrapper", "config": metric.get_config()}
    return registry.serialize(metric)


def get(identifier: MetricLike) -> Metric:
    """Returns the metric object for a name, a class, an object, a loss, a function or a configuration.

    ``"accuracy"`` and ``"crossentropy"`` depend on the model and are resolved by ``compile``.

    Args:
        identifier: A name such as ``"mae"``, a :class:`Metric` or its class, a dict from :func:`serialize`, a loss, or a function of
            ``y_true`` and ``y_pred``.

    Raises:
        ValueError: The name is unknown or the configuration malformed.
        TypeError: ``identifier`` is none of these.

    Example:

    >>> from fastmlp import metrics
    >>> metrics.get("mae").name
    'mean_absolute_error'
    """
    if isinstance(identifier, losses.Loss):
        return metric_of_loss(identifier)
    if callable(identifier) and not isinstance(identifier, (type, Metric)):
        if identifier in _OF_FUNCTIONS:
            return _OF_FUNCTIONS[identifier]()
        return metric_of_loss(losses.get(identifier)) if identifier in losses.functions.CLASSES else MeanMetricWrapper(identifier)
    if isinstance(identifier, str) and callable(custom := custom_objects.find(identifier)):
        return get(custom)
    of_values = identifier if isinstance(identifier, type) else type(identifier)
    if getattr(of_values, "update_state", None) in (Mean.update_state, Sum.update_state):
        raise TypeError(
            f"{of_values.__name__} averages or adds up values, so it can't be a metric of a model; pass a function of y_true and y_pred"
        )
    if isinstance(identifier, Mapping) and identifier.get("class") == "MeanMetricWrapper" and isinstance(identifier.get("config"), Mapping):
        return MeanMetricWrapper(**identifier["config"])
    return registry.get(identifier)


def __getattr__(name: str) -> object:
    return keras_names.missing("metrics", name)
