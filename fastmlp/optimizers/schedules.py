"""Learning rate schedules: the learning rate as a function of the number of updates.

An optimizer takes a schedule in place of a number, ``Adam(learning_rate=ExponentialDecay(...))``; every minibatch then has its own rate.
The rates of an epoch are computed at its start.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastmlp._base import checks
from fastmlp._base.arguments import Boolean, Choice, Converted, Integer, Real, Text
from fastmlp._base.configs import Config, StoredConfig
from fastmlp._base.numeric import quietly
from fastmlp._base.registry import Configurable, Registry
from fastmlp.errors import UnsupportedError

__all__ = [
    "CosineDecay",
    "CosineDecayRestarts",
    "ExponentialDecay",
    "InverseTimeDecay",
    "LearningRateSchedule",
    "OneCycle",
    "PiecewiseConstantDecay",
    "PolynomialDecay",
    "deserialize",
    "serialize",
]


class LearningRateSchedule(Configurable):
    """Base class of all schedules; for a custom schedule, override ``__call__``.

    A custom schedule costs one Python call per minibatch (about a microsecond for a simple formula), unless it overrides :meth:`rates` as
    well. A model that uses it can't be saved together with its optimizer, since files name fastmlp's own classes only.

    Example:

    >>> from fastmlp.optimizers import Adam
    >>> from fastmlp.optimizers.schedules import LearningRateSchedule
    >>> class Warmup(LearningRateSchedule):
    ...     def __call__(self, step):
    ...         return 1e-3 * min(1.0, (step + 1) / 100)
    >>> round(Adam(learning_rate=Warmup()).learning_rate, 7)
    1e-05
    """

    def __call__(self, step: int) -> float:
        """Returns the learning rate of the update number ``step``, counted from 0."""
        raise NotImplementedError(f"{type(self).__name__} must define __call__(self, step), which returns the learning rate")

    def rates(self, steps: NDArray[np.int64]) -> NDArray[np.float64]:
        """Returns the learning rates at several steps, ``(count,)``."""
        return np.array([float(self(step)) for step in steps.tolist()], np.float64)


class _Number(Real[float]):
    """A float that is stored as an int if it has an integer value, so that configurations keep the form they were written in."""

    def check(self, value: object) -> float:
        number: float = super().check(value)
        return int(number) if number == int(number) else number


def _numbers(name: str, given: object, low: float) -> list[float]:
    if not isinstance(given, Iterable):
        raise TypeError(f"{name} must be a list of numbers, got {given!r:.80}")
    return [checks.check_float(f"a number in {name}", value, low) for value in given]


class _Formula(LearningRateSchedule):
    """Base class of schedules that are computed for several steps at once.

    Args:
        name: The name of the schedule; no effect.
    """

    name = Text(optional=True)

    def __init__(self, name: str) -> None:
        self.name = name

    @overload
    def __call__(self, step: float) -> float: ...
    @overload
    def __call__(self, step: ArrayLike) -> float | NDArray[np.float64]: ...
    @quietly
    def __call__(self, step: ArrayLike) -> float | NDArray[np.float64]:
        """Returns the learning rate at ``step`` as a float; for an array of steps, a float64 array of the same shape."""
        steps = np.asarray(step, np.float64)
        rates = self._at(np.atleast_1d(steps)).reshape(steps.shape)  # never a scalar: NumPy's power of one may differ in the last bit
        return rates if steps.ndim else float(rates)

    def rates(self, steps: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.asarray(self(steps))

    def _at(self, step: np.ndarray) -> np.ndarray:
        raise NotImplementedError


class _Decay(_Formula):
    """Base class of decays over a number of steps."""

    initial_learning_rate = Real(0)
    decay_steps = _Number(above=0)

    def __init__(self, initial_learning_rate: float, decay_steps: float, name: str) -> None:
        super().__init__(name)
        self.initial_learning_rate, self.decay_steps = initial_learning_rate, decay_steps


class ExponentialDecay(_Decay):
    """initial · decay_rate^(step / decay_steps).

    Args:
        initial_learning_rate: The rate of the first update.
        decay_steps: The number of updates after which the rate has been multiplied by ``decay_rate``, > 0.
        decay_rate: The decay factor, ≥ 0.
        staircase: Whether the rate decays in discrete intervals instead of continuously.
        name: The name of the schedule; no effect.

    Example:

    >>> from fastmlp.optimizers.schedules import ExponentialDecay
    >>> ExponentialDecay(0.1, decay_steps=100, decay_rate=0.5)(200)
    0.025
    """

    decay_rate = Real(0)
    staircase = Boolean()

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str = "ExponentialDecay",
    ) -> None:
        super().__init__(initial_learning_rate, decay_steps, name)
        self.decay_rate, self.staircase = decay_rate, staircase

    def _at(self, step: np.ndarray) -> np.ndarray:
        return self.initial_learning_rate * self.decay_rate ** self._periods(step)

    def _periods(self, step: np.ndarray) -> np.ndarray:
        periods = step / self.decay_steps
        return np.floor(periods) if self.staircase else periods


class InverseTimeDecay(ExponentialDecay):
    """initial / (1 + decay_rate · step / decay_steps).

    Args:
        initial_learning_rate: The rate of the first update.
        decay_steps: The number of updates per unit of time, > 0.
        decay_rate: The decay rate per unit of time, ≥ 0.
        staircase: Whether the rate decays in discrete intervals instead of continuously.
        name: The name of the schedule; no effect.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str = "InverseTimeDecay",
    ) -> None:
        super().__init__(initial_learning_rate, decay_steps, decay_rate, staircase, name)

    def _at(self, step: np.ndarray) -> np.ndarray:
        return self.initial_learning_rate / (1 + self.decay_rate * self._periods(step))


class PolynomialDecay(_Decay):
    """(initial − end) · (1 − step / decay_steps)^power + end, a polynomial decay from the initial to the end learning rate.

    Args:
        initial_learning_rate: The rate of the first update.
        decay_steps: The number of updates until the end rate is reached, > 0.
        end_learning_rate: The rate after ``decay_steps`` updates.
        power: The power of the polynomial; 1 is linear.
        cycle: Whether to start over after ``decay_steps`` updates, with a decay up to the next multiple of ``decay_steps``.
        name: The name of the schedule; no effect.
    """

    end_learning_rate = Real(0)
    power = Real(0)
    cycle = Boolean()

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
        name: str = "PolynomialDecay",
    ) -> None:
        super().__init__(initial_learning_rate, decay_steps, name)
        self.end_learning_rate, self.power, self.cycle = end_learning_rate, power, cycle

    def _at(self, step: np.ndarray) -> np.ndarray:
        if self.cycle:
            length = self.decay_steps * np.maximum(np.ceil(step / self.decay_steps), 1)
        else:
            step, length = np.minimum(step, self.decay_steps), np.asarray(self.decay_steps)
        return (self.initial_learning_rate - self.end_learning_rate) * (1 - step / length) ** self.power + self.end_learning_rate


class PiecewiseConstantDecay(_Formula):
    """A constant learning rate for each interval of steps.

    Args:
        boundaries: Steps in ascending order; ``values[i]`` is used up to and including step ``boundaries[i]``.
        values: The learning rates, one more than there are boundaries.
        name: The name of the schedule; no effect.

    Example:

    >>> from fastmlp.optimizers.schedules import PiecewiseConstantDecay
    >>> PiecewiseConstantDecay([100, 200], [0.1, 0.01, 0.001])([0, 100, 101, 500]).tolist()
    [0.1, 0.1, 0.01, 0.001]
    """

    boundaries = Converted(lambda given: _numbers("boundaries", given, -math.inf))
    values = Converted(lambda given: _numbers("values", given, 0.0))

    def __init__(self, boundaries: Sequence[float], values: Sequence[float], name: str = "PiecewiseConstant") -> None:
        super().__init__(name)
        self.boundaries, self.values = boundaries, values
        if len(self.values) != len(self.boundaries) + 1:
            raise ValueError(
                f"values must have one element more than boundaries, got {len(self.values)} values and {len(self.boundaries)} boundaries"
            )
        if sorted(self.boundaries) != self.boundaries:
            raise ValueError(f"boundaries must be in ascending order, got {self.boundaries}")

    def _at(self, step: np.ndarray) -> np.ndarray:
        return np.array(self.values)[np.searchsorted(self.boundaries, step, side="left")]


class CosineDecay(_Decay):
    """Cosine decay from the initial learning rate to ``alpha`` times it, optionally after a linear warm-up.

    Loshchilov & Hutter 2016, "SGDR: stochastic gradient descent with warm restarts".

    Args:
        initial_learning_rate: The rate of the first update.
        decay_steps: The number of updates of the decay, > 0.
        alpha: The final learning rate as a fraction of the initial one.
        name: The name of the schedule; no effect.
        warmup_target: The rate at the end of the warm-up, from which the decay starts; None for no warm-up.
        warmup_steps: The number of updates of the warm-up.
    """

    alpha = Real()
    warmup_target = Real(0, optional=True)
    warmup_steps = _Number(0)

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        alpha: float = 0.0,
        name: str = "CosineDecay",
        warmup_target: float | None = None,
        warmup_steps: float = 0,
    ) -> None:
        super().__init__(initial_learning_rate, decay_steps, name)
        self.alpha, self.warmup_target, self.warmup_steps = alpha, warmup_target, warmup_steps

    def _at(self, step: np.ndarray) -> np.ndarray:
        if self.warmup_target is None:
            return self.initial_learning_rate * self._decay(step)
        climb = (self.warmup_target - self.initial_learning_rate) * step / max(self.warmup_steps, 1) + self.initial_learning_rate
        return np.where(step < self.warmup_steps, climb, self.warmup_target * self._decay(step - self.warmup_steps))

    def _decay(self, step: np.ndarray) -> np.ndarray:
        cosine = 0.5 * (1 + np.cos(np.pi * np.minimum(step, self.decay_steps) / self.decay_steps))
        return (1 - self.alpha) * cosine + self.alpha


class CosineDecayRestarts(_Formula):
    """Cosine decay with restarts: each period is ``t_mul`` times as long as the previous one and starts at ``m_mul`` times its rate.

    Loshchilov & Hutter 2016, "SGDR: stochastic gradient descent with warm restarts".

    Args:
        initial_learning_rate: The rate of the first update.
        first_decay_steps: The number of updates of the first period, > 0.
        t_mul: The factor between the lengths of successive periods, ≥ 1.
        m_mul: The factor between the initial rates of successive periods, ≥ 0.
        alpha: The minimum learning rate as a fraction of the initial one.
        name: The name of the schedule; no effect.
    """

    initial_learning_rate = Real(0)
    first_decay_steps = _Number(above=0)
    t_mul = Real(1)
    m_mul = Real(0)
    alpha = Real()

    def __init__(
        self,
        initial_learning_rate: float,
        first_decay_steps: float,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
        name: str = "SGDRDecay",
    ) -> None:
        super().__init__(name)
        self.initial_learning_rate, self.first_decay_steps = initial_learning_rate, first_decay_steps
        self.t_mul, self.m_mul, self.alpha = t_mul, m_mul, alpha

    def _at(self, step: np.ndarray) -> np.ndarray:
        time = step / self.first_decay_steps
        if self.t_mul == 1:
            restarts = np.floor(time)
            share = time - restarts
        else:
            restarts = np.floor(np.log1p(time * (self.t_mul - 1)) / np.log(self.t_mul))
            # The logarithm may be slightly below an integer, and powers differ between processors in the last digit.
            restarts += time >= self._begin(restarts + 1) * (1 - 1e-12)
            share = np.maximum(time - self._begin(restarts), 0) / self.t_mul**restarts
        cosine = 0.5 * self.m_mul**restarts * (1 + np.cos(np.pi * share))
        return self.initial_learning_rate * ((1 - self.alpha) * cosine + self.alpha)

    def _begin(self, restarts: np.ndarray) -> np.ndarray:
        """When a period starts, in units of the first period's length."""
        return (self.t_mul**restarts - 1) / (self.t_mul - 1)


class OneCycle(_Formula):
    """The one-cycle policy: the learning rate rises to a maximum, then falls far below its initial value. Not in Keras.

    Smith & Topin 2018, "Super-convergence: very fast training of neural networks using large learning rates". The rates are those of
    PyTorch's ``OneCycleLR``: they rise from ``max_learning_rate / div_factor`` during the fraction ``pct_start`` of the steps, then fall to
    the initial rate divided by ``final_div_factor``, which is also used after ``total_steps``. The momentum does not change.

    Args:
        max_learning_rate: The maximum; see :class:`fastmlp.callbacks.LearningRateFinder` for how to choose it.
        total_steps: The number of updates in the cycle: batches per epoch times epochs.
        pct_start: The fraction of the steps in which the rate rises.
        anneal_strategy: ``"cos"`` or ``"linear"``.
        div_factor: The initial rate is the maximum divided by this.
        final_div_factor: The final rate is the initial rate divided by this.
        three_phase: Whether the fall is as long as the rise and ends at the initial rate, followed by a third phase down to the final rate.
        name: The name of the schedule; no effect.

    Example:

    >>> from fastmlp.optimizers import SGD
    >>> from fastmlp.optimizers.schedules import OneCycle
    >>> schedule = OneCycle(0.5, total_steps=1000)
    >>> optimizer = SGD(learning_rate=schedule, momentum=0.9)
    >>> [round(schedule(step), 6) for step in (0, 299, 999)]
    [0.02, 0.5, 2e-06]
    """

    in_keras = False

    max_learning_rate = Real(0)
    total_steps = Integer()
    pct_start = Real(0, 1)
    anneal_strategy = Choice("cos", "linear")
    div_factor = _Number(above=0)
    final_div_factor = _Number(above=0)
    three_phase = Boolean()

    def __init__(
        self,
        max_learning_rate: float,
        total_steps: int,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        name: str = "OneCycle",
    ) -> None:
        super().__init__(name)
        self.max_learning_rate, self.total_steps, self.pct_start = max_learning_rate, total_steps, pct_start
        self.anneal_strategy, self.three_phase = anneal_strategy, three_phase
        self.div_factor, self.final_div_factor = div_factor, final_div_factor

    def _at(self, step: np.ndarray) -> np.ndarray:
        top = self.max_learning_rate
        start = top / self.div_factor
        peak = self.pct_start * self.total_steps - 1
        steps, rates = [0.0, peak], [start, top]
        if self.three_phase:
            steps.append(2 * peak)
            rates.append(start)
        steps.append(self.total_steps - 1.0)
        rates.append(start / self.final_div_factor)
        # The phase of each step, and the completed fraction of it; an empty phase is complete at once.
        phase = np.minimum(np.searchsorted(steps[1:], step, side="left"), len(steps) - 2)
        begin, end = np.array(steps[:-1])[phase], np.array(steps[1:])[phase]
        done = np.clip((step - begin) / np.where(end > begin, end - begin, 1.0), 0, 1)
        if self.anneal_strategy == "cos":
            done = 0.5 * (1 - np.cos(np.pi * done))
        return np.array(rates[:-1])[phase] * (1 - done) + np.array(rates[1:])[phase] * done


registry: Registry[LearningRateSchedule] = Registry(
    "learning rate schedule",
    LearningRateSchedule,
    (ExponentialDecay, InverseTimeDecay, PolynomialDecay, PiecewiseConstantDecay, CosineDecay, CosineDecayRestarts, OneCycle),
)


def serialize(learning_rate_schedule: LearningRateSchedule) -> Config:
    """Returns ``{"class": name, "config": {...}}`` of a schedule, in JSON values."""
    return registry.serialize(learning_rate_schedule)


def deserialize(config: StoredConfig, custom_objects: Mapping[str, object] | None = None) -> LearningRateSchedule:
    """Returns the schedule that :func:`serialize` described.

    Raises:
        ValueError: The configuration is malformed.
    """
    return registry.deserialize(config, custom_objects)


LearningRateLike: TypeAlias = float | LearningRateSchedule | StoredConfig
"""A learning rate: a number, a schedule, or a schedule as :func:`serialize` returned it."""


def of(learning_rate: LearningRateLike) -> LearningRateSchedule | None:
    """The schedule that an optimizer's argument stands for; None for a number. Raises UnsupportedError for a function."""
    if isinstance(learning_rate, LearningRateSchedule):
        return learning_rate
    if isinstance(learning_rate, Mapping):
        return deserialize(learning_rate)
    if callable(learning_rate) or hasattr(learning_rate, "get_config"):
        raise UnsupportedError(
            f"the learning rate must be a number or a schedule of fastmlp.optimizers.schedules, got {learning_rate!r:.80}; for a function "
            "of the step, derive a class from LearningRateSchedule, and for one of the epoch use callbacks.LearningRateScheduler"
        )
    return None
