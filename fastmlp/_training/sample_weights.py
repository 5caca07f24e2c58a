"""Sample weights and class weights, for arrays, batches and validation data.

Engines read one weight per sample, ``(samples,)``, or with several losses one per sample and loss, ``(samples, losses)``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from fastmlp._base import checks
from fastmlp._base.numeric import as_native
from fastmlp._base.typing import WeightData
from fastmlp._data.adapters import choose_adapter
from fastmlp._data.batch_sampler import Samples
from fastmlp._data.conversion import BLOCK_SAMPLES, as_float32, blocks
from fastmlp._data.targets import check_lengths
from fastmlp._engine.spec import Plan
from fastmlp._training.compile_config import CompileConfig
from fastmlp._training.objective import ResolvedObjective
from fastmlp._training.typing import ClassWeights
from fastmlp.errors import UnsupportedError

__all__ = ["check_one_kind_of_weight", "read_sample_weights", "with_class_weights"]


def check_one_kind_of_weight(class_weight: ClassWeights | None, sample_weight: WeightData | None) -> None:
    """Raises an error if both are passed."""
    if class_weight is not None and sample_weight is not None:
        raise ValueError("pass class_weight or sample_weight, not both")


# Sample weights


def read_sample_weights(config: CompileConfig, objective: ResolvedObjective, given: WeightData | None, name: str) -> np.ndarray | None:
    """Convert sample weights; None means that all are 1.

    Args:
        config: The arguments of ``compile``.
        objective: The objective resolved for the network.
        given: Weights for all outputs, or for each output.
        name: Name of the weights in messages.
    """
    if given is None:
        return None
    _check_weighable(objective, name)
    outputs = config.form
    of_each = isinstance(given, Mapping) or (isinstance(given, (list, tuple)) and len(given) == outputs.count and np.ndim(given[0]) > 0)
    if outputs.count == 1 or not of_each:
        return _as_weights(given, name)
    by_output = zip(config.outputs, outputs.flatten(name, given, optional=True), strict=True)
    weights = [None if value is None else _as_weights(value, name) for output, value in by_output if output.is_read]
    if len(weights) == 1:
        return weights[0]
    if all(weight is None for weight in weights):
        return None
    samples = check_lengths(**{f"{name}[{index}]": weight for index, weight in enumerate(weights) if weight is not None})
    return np.stack([np.ones(samples, np.float32) if weight is None else weight for weight in weights], axis=1)


def _check_weighable(objective: ResolvedObjective, name: str) -> None:
    """Raise an error for weights of samples whose losses can't be told apart."""
    for one in objective.objectives:
        if one.mixes_rows:
            raise UnsupportedError(
                f"{name} needs a loss for each sample, but {one.loss} mixes the samples of a batch; return one value for each sample from "
                "it, without a mean over the first axis"
            )


def _as_weights(value: object, name: str) -> np.ndarray:
    """Weights of one output as a float32 array ``(samples,)``."""
    array = choose_adapter(value).as_array(name)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise ValueError(f"{name} has shape {array.shape}, but each sample has one weight: shape (samples,)")
    return as_float32(name, array)


# Class weights


def with_class_weights(
    samples: Samples,
    class_weight: ClassWeights | None,
    config: CompileConfig,
    objective: ResolvedObjective,
    plan: Plan,
    *,
    check: bool = True,
) -> Samples:
    """The samples, with sample weights that follow from their classes.

    Args:
        samples: Converted samples.
        class_weight: Maps classes to weights; with several outputs, a mapping for each output whose classes are weighted.
        config: The arguments of ``compile``.
        objective: The objective resolved for the network.
        plan: The network.
        check: Whether to warn about keys that are not classes.
    """
    if class_weight is None:
        return samples
    _check_weighable(objective, "class_weight")
    if objective.row:
        raise UnsupportedError("class_weight needs one vector of classes per sample; pass sample_weight instead")
    if samples.weight is not None:
        raise ValueError("pass class_weight or sample weights, not both; the batches of x contain sample weights")
    weights: list[np.ndarray] = []
    columns = iter(zip(objective.objectives, objective.columns, strict=True))
    by_output = _by_output(config, class_weight)
    for (key, of_output), output, buffer in zip(by_output.items(), config.outputs, plan.outputs or (plan.output,), strict=True):
        if not output.is_read:
            if of_output is not None and of_output is not class_weight:
                raise ValueError(f"class_weight has the output {key!r}, which has no loss; omit it")
            continue
        read, place = next(columns)
        if of_output is None:
            weights.append(np.ones(len(samples), np.float32))
            continue
        y = place.of_targets(samples.y)
        if read.sparse and y.ndim == 2:
            y = y[:, 0].astype(np.int64)
        by_class = _by_class(of_output)
        if check:
            _warn_of_unknown_classes(by_class, output.classes(y, plan.widths[buffer]))
        weights.append(_of_samples(by_class, y))
    return replace(samples, weight=weights[0] if len(weights) == 1 else np.stack(weights, axis=1))


def _by_output(config: CompileConfig, given: ClassWeights) -> dict[str, object]:
    """The class weights of each output; None for outputs without class weights."""
    outputs = config.form
    if outputs.count == 1:
        return {outputs.keys[0]: given}
    if isinstance(given, (list, tuple)) or (isinstance(given, Mapping) and {*outputs.keys, *outputs.names}.issuperset(given)):
        return dict(zip(outputs.keys, outputs.flatten("class_weight", given, optional=True), strict=True))
    if sum(output.is_read for output in config.outputs) > 1 or not isinstance(given, Mapping):
        raise ValueError(
            f"the model has several outputs, so class_weight must be a dict from output to class weights, such as "
            f"{{{outputs.keys[0]!r}: {{0: 1.0, 1: 5.0}}}}, got {given!r:.80}"
        )
    return dict.fromkeys(outputs.keys, given)


def _by_class(class_weight: object) -> dict[int, float]:
    """Validated class weights."""
    if isinstance(class_weight, str):
        raise TypeError(
            f"class_weight must be a dict from integer class label to weight, got {class_weight!r}; for weights that balance the classes: "
            "counts = np.bincount(labels), then class_weight={k: len(labels) / (len(counts) * n) for k, n in enumerate(counts) if n}"
        )
    if not isinstance(class_weight, Mapping):
        raise TypeError(
            f"class_weight must be a dict from integer class label to weight, such as {{0: 1.0, 1: 5.0}}, got {class_weight!r:.80}"
        )
    weights: dict[int, float] = {}
    for key, weight in class_weight.items():
        try:
            label = checks.check_float("a class in class_weight", int(key) if isinstance(key, (bool, np.bool_)) else key, 0.0)
            if label != int(label):
                raise TypeError(f"a class in class_weight must be an integer, got {key!r}")
            weights[int(label)] = checks.check_float(f"class_weight[{key!r}]", weight)
        except TypeError as error:
            raise TypeError(f"class_weight must map integer class labels to weights: {error}") from None
    return weights


def _warn_of_unknown_classes(by_class: Mapping[int, float], classes: int | None) -> None:
    """Warn about weights for classes that do not exist, if the number of classes is known."""
    unknown = [] if classes is None else [label for label in by_class if label >= classes]
    if classes is not None and unknown:
        plural = "s" if len(unknown) > 1 else ""
        checks.warn(
            f"class_weight has the key{plural} {', '.join(map(str, unknown))}, but the classes go from 0 to "
            f"{max(classes - 1, 0)}; the weight{plural} there {'have' if plural else 'has'} no effect"
        )


def _of_samples(by_class: Mapping[int, float], y: np.ndarray) -> np.ndarray:
    """The weight of each sample, ``(samples,)``; it is 1 for classes without an entry.

    Args:
        by_class: Maps classes to weights.
        y: Converted targets: labels ``(samples,)``, one-hot, or one column of zeros and ones.
    """
    weights = np.empty(len(y), np.float32)
    for first, part in blocks(y):
        labels = _labels(part)
        if labels.min() >= 0 and labels.max() < BLOCK_SAMPLES:
            kinds, places = list(range(int(labels.max()) + 1)), labels
        else:
            found, places = np.unique(labels, return_inverse=True)
            kinds, places = found.tolist(), places.reshape(-1)
        weights[first : first + len(part)] = as_native([by_class.get(label, 1.0) for label in kinds], np.float32)[places]
    return weights


def _labels(y: np.ndarray) -> np.ndarray:
    """The class of each sample of converted targets."""
    if y.ndim == 1:
        return y
    if y.shape[1] == 1:
        return np.asarray(np.maximum(np.rint(y[:, 0]), 0).astype(np.int64))
    return np.asarray(y.argmax(axis=1))
