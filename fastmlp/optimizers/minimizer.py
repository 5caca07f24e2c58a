"""L-BFGS: steps along the gradient times an approximate inverse Hessian, from the last few steps and changes of the gradient.

:class:`Minimizer` takes functions of a vector; :class:`NetworkMinimizer` makes one of a network and all samples. They run in NumPy on the
engine's gradients: a few vector operations for each pass over the data. The algorithms are those of Nocedal & Wright 2006, "Numerical
optimization", chapters 3 and 7.

Why not SciPy: ``fit`` takes one step per epoch, with metrics, validation and callbacks between the steps, and may stop or resume after
any of them. ``scipy.optimize.minimize(method="L-BFGS-B")`` has no public way to take one step and keep its history. Nor would it find
smaller losses. Final losses after 100 steps (same network, initial weights and history of 10; mean of 3 seeds; SciPy 1.17, started with
ftol = gtol = 0):

    ==================================  ==========  ==========  =================  =================
    problem                             fastmlp     SciPy       passes, fastmlp    passes, SciPy
    ==================================  ==========  ==========  =================  =================
    iris, 4-16-3, L2                    0.0202      0.0203      209                109
    wine, 13-16-3, L2                   0.00404     0.00404     206                107
    breast cancer, 30-16-2, L2          0.00702     0.00702     205                105
    digits, 64-32-10, L2                0.0171      0.0171      203                105
    diabetes, 10-16-1                   0.218       0.217       207                108
    diabetes, 10-16-1, relu             0.279       0.279       203                105
    spiral, 2-64-64-3, L2               0.0492      0.0483      209                112
    inputs of scales 1 … 10⁴, 5-16-1    1.54        1.54        255                178
    linear regression, 5-1              0.00946     0.00946     2531               49, then it ends
    ==================================  ==========  ==========  =================  =================

SciPy passes over the data half as often, as it need not begin each step with the gradient of the last one: here that is of the samples in
their new order, which rounds otherwise. Past a minimum SciPy ends, in 3 of 36 runs with "ABNORMAL"; here ``fit`` goes on to its last
epoch, or until :class:`~fastmlp.callbacks.EarlyStopping` ends it.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np

from fastmlp._base.numeric import as_caller, as_native, quiet
from fastmlp._engine.spec import Batches
from fastmlp.errors import NonFiniteLossError

Evaluation = tuple[float, np.ndarray]
"""The value of a function and its gradient."""

SUFFICIENT_DECREASE = 1e-4
CURVATURE = 0.9
MAX_EVALUATIONS = 25
"""In one line search."""
ROUNDING = 2.0**-22
"""A relative change of a loss that rounding alone may make."""
MAX_PROBES = 40
"""Each LONGER times as long as the one before."""
LONGER = 8.0


class Minimizer:
    """Finds a minimum of a smooth function, step by step.

    Args:
        function: Value and gradient at a vector of float64; the value may be infinite.
        history: How many of the last steps shape the next one.
        first_step: The length of the first step, which knows no curvature yet.
    """

    stuck = False
    """Whether the last step was not taken although the function still slopes down: rounding hides any difference."""

    def __init__(self, function: Callable[[np.ndarray], Evaluation], history: int, first_step: float) -> None:
        self.first_step = first_step
        self._function = function
        self._pairs: deque[tuple[np.ndarray, np.ndarray]] = deque(maxlen=history)

    def step(self, x: np.ndarray, value: float, gradient: np.ndarray) -> tuple[np.ndarray, float, np.ndarray] | None:
        """One step from ``x``: the new vector, its value and its gradient; None where nothing smaller is found."""
        self.stuck = False
        length = float(np.linalg.norm(gradient))
        if not length:
            return None
        direction, found = -gradient, None
        if self._pairs:
            direction = self._direction(gradient)
            found = line_search(self._along(x, direction), direction, value, float(gradient @ direction), 1.0)
        if found is None:  # the curvature was of no use, or there is none: straight downhill
            self._pairs.clear()
            direction = -gradient
            found = self._downhill(self._along(x, direction), direction, value, self.first_step / length)
        if found is None:
            return None
        t, new_value, new_gradient = found
        self._remember(t * direction, new_gradient - gradient)
        return x + t * direction, new_value, new_gradient

    def _downhill(
        self, function: Callable[[float], Evaluation], direction: np.ndarray, value: float, start: float
    ) -> tuple[float, float, np.ndarray] | None:
        """A line search against the gradient; where rounding hides what ``start`` changes, from the first longer step that shows."""
        slope = -float(direction @ direction)
        found = line_search(function, direction, value, slope, start)
        if found is not None:
            return found
        there, gradient = function(start)
        if math.isfinite(there) and (_differ(there, value) or float(gradient @ direction) >= 0):
            return None  # uphill: this is a minimum
        for probe in range(1, MAX_PROBES):
            t = start * LONGER**probe
            there = function(t)[0]
            if not math.isfinite(there) or _differ(there, value):
                found = line_search(function, direction, value, slope, t) if there < value else None
                break
        self.stuck = found is None
        return found

    def _along(self, x: np.ndarray, direction: np.ndarray) -> Callable[[float], Evaluation]:
        return lambda t: self._function(x + t * direction)

    def _direction(self, gradient: np.ndarray) -> np.ndarray:
        """The inverse Hessian, as the last steps show it, times the gradient: algorithm 7.4, the two loops."""
        q = -gradient
        weights = []
        for s, y in reversed(self._pairs):
            weight = float(s @ q) / float(s @ y)
            weights.append(weight)
            q = q - weight * y
        if self._pairs:
            s, y = self._pairs[-1]
            q = q * (float(s @ y) / float(y @ y))
        for (s, y), weight in zip(self._pairs, reversed(weights), strict=True):
            q = q + (weight - float(y @ q) / float(s @ y)) * s
        return q

    def _remember(self, s: np.ndarray, y: np.ndarray) -> None:
        if float(s @ y) > 1e-10 * float(np.linalg.norm(s) * np.linalg.norm(y)):  # what has no curvature teaches nothing
            self._pairs.append((s, y))


def line_search(
    function: Callable[[float], Evaluation], direction: np.ndarray, value: float, slope: float, start: float
) -> tuple[float, float, np.ndarray] | None:
    """A step length that meets the strong Wolfe conditions: algorithms 3.5 and 3.6.

    Args:
        function: Value and gradient at a step length.
        direction: Where to.
        value, slope: The function's value at 0, and its derivative along the direction, which must be negative.
        start: The first length to try.

    Returns:
        The length, the value and the gradient there; None if no smaller value is found. Where rounding leaves no length that meets the
        conditions, the one with the smallest value.
    """
    if slope >= 0:
        return None
    low = (0.0, value, slope)
    high: tuple[float, float, float] | None = None
    best: tuple[float, float, np.ndarray] | None = None
    t = start
    for _ in range(MAX_EVALUATIONS):
        new_value, gradient = function(t)
        new_slope = float(gradient @ direction)
        here = (t, new_value, new_slope)
        if math.isfinite(new_value) and new_value < (value if best is None else best[1]):
            best = (t, new_value, gradient)
        if not math.isfinite(new_value) or new_value > value + SUFFICIENT_DECREASE * t * slope or new_value >= low[1]:
            high = here
        elif abs(new_slope) <= -CURVATURE * slope:
            return t, new_value, gradient
        else:
            if new_slope * ((high[0] if high else math.inf) - low[0]) >= 0:
                high = low
            low = here
        t = _between(low, high) if high else 2 * t
        if high and abs(high[0] - low[0]) <= 1e-9 * max(high[0], low[0]):
            break
    return best


def _differ(a: float, b: float) -> bool:
    """Whether rounding alone does not make these two losses differ."""
    return abs(a - b) > ROUNDING * abs(b)


def _between(low: tuple[float, float, float], high: tuple[float, float, float]) -> float:
    """Where the cubic through both ends has its minimum, kept away from the ends; the middle where it has none."""
    (a, value_a, slope_a), (b, value_b, slope_b) = low, high
    middle, margin = (a + b) / 2, 0.1 * abs(b - a)
    if not math.isfinite(value_b):
        return middle
    d1 = slope_a + slope_b - 3 * (value_a - value_b) / (a - b)
    inside = d1 * d1 - slope_a * slope_b
    if inside < 0:
        return middle
    d2 = math.copysign(math.sqrt(inside), b - a)
    divisor = slope_b - slope_a + 2 * d2
    t = b - (b - a) * (slope_b + d2 - d1) / divisor if divisor else middle
    return min(max(t, min(a, b) + margin), max(a, b) - margin)


class NetworkLoss:
    """A network's loss over all samples and its gradient, as a function of all parameters in one vector of float64.

    Args:
        network: Of either engine, configured.
        batches: One batch of all samples.
    """

    def __init__(self, network: Any, batches: Batches | None = None) -> None:
        self.network, self.batches = network, batches

    def __call__(self, x: np.ndarray) -> Evaluation:
        """Value and gradient at ``x``, where the network's parameters are then; the value is infinite where it overflows."""
        self.move(x)
        try:
            with as_caller():
                value, gradients = self.network.gradients(self.batches)
        except NonFiniteLossError:
            return math.inf, np.zeros_like(x)
        return value, np.concatenate([gradient.ravel() for gradient in gradients]).astype(np.float64)

    def parameters(self) -> np.ndarray:
        """The network's parameters."""
        network = self.network
        return np.concatenate([network.get_parameter(i).ravel() for i in range(len(network.plan.parameters))]).astype(np.float64)

    def move(self, x: np.ndarray) -> None:
        """Set the network's parameters."""
        at = 0
        for index, parameter in enumerate(self.network.plan.parameters):
            size = math.prod(parameter.shape)
            self.network.set_parameter(index, as_native(x[at : at + size], np.float32).reshape(parameter.shape))
            at += size


class NetworkMinimizer:
    """L-BFGS on a network's loss over all samples.

    Args:
        network: Of either engine, configured.
        optimizer: The :class:`~fastmlp.optimizers.LBFGS` with the settings, which is notified if no step can be taken.
    """

    def __init__(self, network: Any, optimizer: Any) -> None:
        bounded = [one.name for one in network.plan.parameters if one.bounds is not None]
        if bounded:
            raise ValueError(f"LBFGS knows no constraints, but {bounded[0]} has one; use another optimizer")
        self.network, self.optimizer = network, optimizer
        self._loss = NetworkLoss(network)
        self._minimizer = Minimizer(self._loss, optimizer.history, optimizer.rate)

    def train(self, batches: Batches, first: int, stop: int, seconds: float, totals: np.ndarray) -> int:
        """One step, in the place of the network's own ``train``; adds loss and metrics of before the step to the totals."""
        if batches.count != 1:
            raise ValueError(
                f"LBFGS needs all {len(batches.x)} rows in one batch, but a batch has {batches.batch_size}; let one batch have all of them"
            )
        network, self._loss.batches = self.network, batches
        network.evaluate(batches, 0, 1, seconds, totals)
        x = self._loss.parameters()
        value, gradient = self._loss(x)
        if not math.isfinite(value):
            raise NonFiniteLossError(batch=first)
        self._minimizer.first_step = self.optimizer.rate
        with quiet():
            stepped = self._minimizer.step(x, value, gradient)
        self._loss.move(x if stepped is None else stepped[0])
        network.iterations += 1
        if self._minimizer.stuck:
            self.optimizer.give_up()
        return stop
