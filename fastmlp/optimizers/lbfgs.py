"""L-BFGS, as an optimizer; :mod:`fastmlp.optimizers.minimizer` has the algorithm."""

from __future__ import annotations

from typing import Any

from fastmlp._base import checks
from fastmlp._base.arguments import Integer
from fastmlp._engine.spec import Update
from fastmlp.optimizers.base import Optimizer

__all__ = ["LBFGS"]


class LBFGS(Optimizer):
    """Limited-memory BFGS: few, long, well-aimed steps for small data (Nocedal & Wright 2006, "Numerical optimization", algorithm 7.5).

    Every step reads all rows, so ``fit`` takes one step an epoch and ``batch_size`` is left out. A step asks for the loss and its gradient
    at one to a few places, until the strong Wolfe conditions hold. It runs in NumPy over the engine's gradients, and is worth it for
    thousands of rows and smooth activations such as tanh. The last steps are forgotten when a model is saved or backed up. Where rounding
    hides what a step would change, as for targets of 1e12, a warning says so and ``fit`` stops. Keras has no such optimizer.

    Args:
        learning_rate: The length of the first step, which knows no curvature yet.
        history: How many of the last steps shape the next one.

    Example:

    >>> import numpy as np
    >>> from fastmlp import layers, models, optimizers
    >>> model = models.Sequential([layers.Dense(1, input_shape=(2,))])
    >>> model.compile(optimizer=optimizers.LBFGS(), loss="mse")
    >>> history = model.fit(np.eye(2), [1, 2], epochs=20, verbose=0)
    >>> history.history["loss"][-1] < 1e-6
    True
    """

    in_keras = False

    full_batch = True

    history = Integer()

    def __init__(self, learning_rate: float = 1.0, history: int = 10, name: str | None = None, **options: Any) -> None:
        checks.reject_unknown("LBFGS", {key: value for key, value in options.items() if key != "lr"}, _NOT_LBFGS)
        super().__init__(checks.check_float("learning_rate", options.get("lr", learning_rate), 0.0), name)
        self.history = history
        self._minimizer: Any = None

    def rule(self) -> Update:
        return Update("sgd")

    def trainer(self, network: Any) -> Any:
        if self._minimizer is None or self._minimizer.network is not network:
            from fastmlp.optimizers.minimizer import NetworkMinimizer

            self._minimizer = NetworkMinimizer(network, self)
        return self._minimizer

    def give_up(self) -> None:
        """Called where no step can be taken: the next one would end the same way, so ``fit`` stops."""
        checks.warn(
            "LBFGS can't take another step: the loss still slopes down, but rounding to float32 hides any difference, so training stops "
            "here. If the loss isn't as small as it should be, scale x and y to a mean of 0 and a standard deviation of 1, as in "
            f"y = (y - y.mean()) / y.std(), or set another learning_rate, the length of the first step (now {self.rate:g})"
        )
        model = self._model() if self._model is not None else None
        if model is not None:
            model.stop_training = True

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "learning_rate": self.rate, "history": self.history}

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_minimizer": None}


_NOT_LBFGS = {
    "weight_decay": "use kernel_regularizer='l2'",
    **dict.fromkeys(("clipnorm", "clipvalue", "global_clipnorm"), "its line search keeps steps from being too long"),
    **dict.fromkeys(("use_ema", "ema_momentum", "ema_overwrite_frequency"), "its steps are not noisy, so there is nothing to average"),
    "gradient_accumulation_steps": "it always takes all rows",
}
