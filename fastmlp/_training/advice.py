"""Warnings about losses and metrics that do not match a model's output, such as probabilities interpreted as logits."""

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
"""By loss, the output activation that is fused with it."""

PROBABILITIES, SCORES = "probabilities", "scores"
_PASSES = ("branch", "activity", "dropout", "reshape")
"""Ops that return their input unchanged in inference, apart from its shape."""
_UNBOUNDED = ("batch_normalization", "layer_normalization", "rms_normalization", "normalization", "prelu", "embedding")


def output_form(plan: Plan, buffer: int) -> str | None:
    """Whether a buffer holds probabilities or scores (logits); None if that is unknown."""
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
    """Warn about a softmax over a single unit, which is always 1."""
    for node in plan.nodes:
        if node.activation in ("softmax", "log_softmax") and plan.widths[node.output] == 1:
            checks.warn(
                f"a {node.activation} over a single unit is always {1 if node.activation == 'softmax' else 0}, so nothing before it can "
                "learn; use activation='sigmoid' for one yes-no output, or one unit for each class"
            )
            return


def warn_of_loss(loss: Loss, form: str | None, closing: str, width: int) -> None:
    """Warn about a loss that interprets scores as probabilities, or probabilities as scores."""
    activation = CLOSING.get(loss.kind)
    if activation is None:
        return
    text = ""
    if loss.from_logits and form == PROBABILITIES:
        ending = "returns probabilities" if closing == "linear" else f"ends in a {closing}"
        text = f"the loss has from_logits=True, but the last layer {ending}; drop one of the two"
    elif not loss.from_logits and form == SCORES:
        text = (
            f"{loss.kind} reads the output as probabilities, but the last layer has no {activation}; "
            f"add activation='{activation}' there, or from_logits=True to the loss"
        )
    elif activation == "softmax" and width == 1 and closing != "softmax":
        text = f"{loss.kind} of a single output is always 0; use Dense(1, activation='sigmoid') and binary_crossentropy"
    if text:
        checks.warn(text)


def warn_of_metrics(form: str | None, named: Iterable[tuple[str, Metric]]) -> None:
    """Warn about metrics that interpret the scores of a model with ``from_logits=True`` as probabilities."""
    if form == PROBABILITIES:
        return
    for name, metric in named:
        advice = metric.advice_for_logits()
        if advice:
            checks.warn(f"the metric {name!r} reads probabilities, but with from_logits=True the model predicts scores; {advice}")
