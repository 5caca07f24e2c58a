"""The metrics passed to ``compile``: conversion of names to objects, names in logs, and compatibility with outputs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from fastmlp import metrics
from fastmlp._base import custom_objects, naming
from fastmlp._base.shapes import Shape
from fastmlp._training.objective import CIRCLE, GAUSSIAN
from fastmlp._training.typing import MetricsLike
from fastmlp.errors import UnsupportedError
from fastmlp.losses import Loss
from fastmlp.metrics import Metric
from fastmlp.metrics.base import EngineMetric

__all__ = [
    "ACCURACY",
    "CROSSENTROPY",
    "check_form",
    "higher_is_better",
    "metric_list",
    "reads_variances",
    "resolve_metric",
    "unique_name",
    "with_own_targets",
]

ACCURACY = ("accuracy", "acc")
CROSSENTROPY = ("crossentropy", "ce")
"""Names whose metric depends on the output."""


def metric_list(argument: str, given: MetricsLike) -> list[str | Metric]:
    """The metrics of one output as a flat list; an unknown name raises an error here rather than in ``fit``."""
    if given is None:
        return []
    if isinstance(given, Mapping) and "class" not in given:
        raise UnsupportedError(f"{argument} as a dict is for models with several outputs, but this one has one; give a list")
    result: list[str | Metric] = []
    items: Sequence[Any] = given if isinstance(given, (list, tuple)) else [given]
    for item in items:
        if isinstance(item, (list, tuple)):
            result += metric_list(argument, item)
        elif isinstance(item, str) and custom_objects.find(item) is None:
            if item.lower() not in ACCURACY + CROSSENTROPY:
                metrics.registry.named(item)
            result.append(item)
        else:
            result.append(metrics.get(item))
    return result


def resolve_metric(identifier: str | Metric, loss: Loss, width: int) -> tuple[Metric, str]:
    """The metric object and its name, for predictions with ``width`` columns and this loss."""
    if isinstance(identifier, Metric):
        return identifier, identifier.name
    if identifier.lower() in ACCURACY + CROSSENTROPY:
        form = "Binary" if width == 1 and not loss.sparse else "SparseCategorical" if loss.sparse else "Categorical"
        return metrics.get(form + ("Accuracy" if identifier.lower() in ACCURACY else "Crossentropy")), identifier
    return metrics.registry.named(identifier)(name=identifier), identifier


def higher_is_better(identifier: str | Metric) -> bool | None:
    """Whether higher values of a metric are better, for an unknown output; None if neither is."""
    if isinstance(identifier, str):
        if identifier.lower() in ACCURACY + CROSSENTROPY:
            return identifier.lower() in ACCURACY
        identifier = metrics.get(identifier)
    return identifier.higher_is_better


def unique_name(name: str, taken: Sequence[str], weighted: bool) -> str:
    """A name for a metric in logs that differs from the names in ``taken``."""
    if name in taken and weighted:
        name = f"weighted_{name}"
    count = 1
    candidate = name
    while candidate in taken:
        candidate = f"{name}_{count}"
        count += 1
    return candidate


def reads_variances(metric: Metric) -> bool:
    """Whether half of the predictions that the metric reads are variances."""
    return getattr(metric, "kind", None) == GAUSSIAN


def check_form(metric: Metric, name: str, loss: Loss) -> None:
    """Raises an error if the metric reads targets or predictions in another form than the loss."""
    comparable = loss.kind != CIRCLE or not isinstance(metric, metrics.SparseCategoricalCrossentropy)
    if metric.sparse is None or (comparable and metric.sparse == loss.sparse and reads_variances(metric) == (loss.kind == GAUSSIAN)):
        return
    raise ValueError(_form_mismatch(metric, name, loss))


def with_own_targets(metric: Metric, name: str, targets: Shape, width: int) -> Metric:
    """The metric, for a custom loss that reads targets of another shape than that of predictions: computed in Python.

    Raises:
        ValueError: It compares targets with predictions of their shape.
    """
    if not isinstance(metric, EngineMetric):
        return metric
    if isinstance(metric, metrics.CategoricalAccuracy) and math.prod(targets) == 1 < width:  # integer class labels
        return metrics.MeanMetricWrapper(metrics.sparse_categorical_accuracy, name)
    raise ValueError(
        f"the metric {name!r} compares predictions with targets of their shape, but those of the loss have the shape "
        f"({', '.join(map(str, ('samples', *targets)))}); pass a function of both"
    )


def _form_mismatch(metric: Metric, name: str, loss: Loss) -> str:
    if loss.kind == CIRCLE:
        return (
            f"the metric {name!r} compares columns with classes, but with circle these are embeddings and class labels; use a custom "
            "metric, which receives both"
        )
    if loss.kind == GAUSSIAN:
        return f"the metric {name!r} compares columns, but with gaussian_nll half of the predictions are variances; use 'gaussian_nll'"
    if reads_variances(metric):
        return f"the metric {name!r} reads means and variances, which only models trained with the loss gaussian_nll predict"
    if loss.sparse:
        return (
            f"the metric {name!r} compares columns, but the targets of {loss.kind} are integer class labels; use the metric 'accuracy', "
            "or one-hot targets (utils.to_categorical) with loss='categorical_crossentropy'"
        )
    use = naming.snake_case(type(metric).__name__).removeprefix("sparse_")
    return f"the metric {name!r} reads integer class labels, but the targets of {loss.kind} have a column per output; use {use!r}"
