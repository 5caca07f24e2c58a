"""Warnings of what was compiled and can't be meant: losses and metrics that take a model's output for something else than it is."""

from __future__ import annotations

from collections.abc import Iterable

from fastmlp._base import checks
from fastmlp._engine.spec import Node, Plan
from fastmlp.losses import Loss
from fastmlp.metrics import Metric

CLOSING = {
    "categorical_crossentropy": "softmax",
    "categorical_focal_crossentropy": "softmax",
    "sparse_categorical_crossentropy": "softmax",
    "binary_crossentropy": "sigmoid",
    "binary_focal_crossentropy": "sigmoid",
}
"""The last activation that a loss is computed together with."""

PROBABILITIES, SCORES = "probabilities", "scores"
_PASSES = ("branch", "activity", "dropout", "reshape")
"""Steps whose output is what their input is, when a model predicts."""
_UNBOUNDED = ("batch_normalization", "layer_normalization", "rms_normalization", "normalization", "prelu", "embedding")


def output_form(plan: Plan, buffer: int) -> str | None:
    """What the numbers in a buffer are: probabilities, scores of any size, or None where that can't be known."""
    writer = next((node for node in plan.nodes if node.output == buffer), None)
    if writer is None:
        return None
    if writer.op in ("dense", "activation"):
        return _form_of_activation(writer)
    if writer.op in _PASSES:
        return output_form(plan, writer.inputs[0])
    if writer.op == "concatenate":
        forms = {output_form(plan, part) for part in writer.inputs}
        return SCORES if SCORES in forms else None if None in forms else PROBABILITIES
    return SCORES if writer.op in _UNBOUNDED else None


def _form_of_activation(node: Node) -> str | None:
    if node.activation in ("softmax", "sigmoid", "hard_sigmoid", "sparsemax", "sparse_sigmoid"):
        return PROBABILITIES
    if node.activation == "custom" or (node.activation == "general_relu" and node.max_value <= 1):
        return None
    return SCORES


def warn_of_single_softmax(plan: Plan) -> None:
    """Warn of a softmax over one number, which is always 1."""
    for node in plan.nodes:
        if node.activation in ("softmax", "log_softmax") and plan.widths[node.output] == 1:
            checks.warn(
                f"a {node.activation} over a single unit is always {1 if node.activation == 'softmax' else 0}, so nothing before it can "
                "learn; use activation='sigmoid' for one yes-no output, or one unit for each class"
            )
            return


def warn_of_loss(loss: Loss, form: str | None, closing: str, width: int) -> None:
    """Warn of a loss that takes scores for probabilities, or probabilities for scores."""
    wanted = CLOSING.get(loss.kind)
    if wanted is None:
        return
    text = ""
    if loss.from_logits and form == PROBABILITIES:
        ending = "gives probabilities" if closing == "linear" else f"ends in a {closing}"
        text = f"the loss has from_logits=True, but the last layer {ending}; drop one of the two"
    elif not loss.from_logits and form == SCORES:
        text = (
            f"{loss.kind} takes the output for probabilities, but the last layer has no {wanted}; "
            f"add activation='{wanted}' there, or from_logits=True to the loss"
        )
    elif wanted == "softmax" and width == 1 and closing != "softmax":
        text = f"{loss.kind} of a single output is always 0; use Dense(1, activation='sigmoid') and binary_crossentropy"
    if text:
        checks.warn(text)


def warn_of_metrics(loss: Loss, form: str | None, named: Iterable[tuple[str, Metric]]) -> None:
    """Warn of metrics that take the scores that a loss with ``from_logits=True`` reads for probabilities."""
    if not loss.from_logits or form == PROBABILITIES:
        return
    for name, metric in named:
        advice = metric.advice_for_logits()
        if advice:
            checks.warn(f"the metric {name!r} reads probabilities, but with from_logits=True the model predicts scores; {advice}")
