"""``soft_update``: the weights of a target network follow those of another model."""

from __future__ import annotations

from fastmlp._base import checks
from fastmlp._models.model import Model

__all__ = ["soft_update"]


def soft_update(target: Model, model: Model, tau: float) -> None:
    """Move all weights of a model towards those of another: ``target = (1 - tau) · target + tau · model``, in place.

    For target networks of reinforcement learning (Lillicrap et al. 2015, "Continuous control with deep reinforcement learning"); with
    ``tau=1`` the weights are copied. Moving statistics and frozen weights follow too.

    Args:
        target: The model whose weights change, such as ``clone_model(model)``.
        model: A model with weights of the same shapes in the same order.
        tau: How far the target moves, from 0 to 1.

    Raises:
        ValueError: The shapes of the weights differ, or a model is not built.

    Example:

    >>> from fastmlp import layers, models
    >>> model = models.Sequential([layers.Dense(1, kernel_initializer="ones", input_shape=(2,))])
    >>> target = models.clone_model(model)
    >>> _ = model.layers[0].kernel.assign([[3.0], [5.0]])
    >>> models.soft_update(target, model, 0.25)
    >>> target.layers[0].kernel.numpy().ravel().tolist()
    [1.5, 2.0]
    """
    for name, one in (("target", target), ("model", model)):
        if not isinstance(one, Model):
            raise TypeError(f"{name} must be a fastmlp model, got {one!r:.80}")
        one._require_plan()
    tau = checks.check_float("tau", tau, 0.0, 1.0)
    pairs = list(zip(target._weights, model._weights, strict=False))
    for own, other in pairs:
        if own.shape != other.shape:
            raise ValueError(f"{own.path} of the target has shape {own.shape}, but {other.path} of the model has {other.shape}")
    if len(target._weights) != len(model._weights):
        raise ValueError(f"the target has {len(target._weights)} weights, but the model has {len(model._weights)}")
    network, source = target._connected_network(), model._connected_network()
    if type(network) is type(source) and not target._shares_weights:
        network.blend(source, tau)
        return
    for own, other in pairs:
        own.assign((1 - tau) * own.read() + tau * other.read())
