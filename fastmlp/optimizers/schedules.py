"""Learning rate schedules: the rate as a function of the number of updates done; ``fastmlp.optimizers.schedules`` as in Keras.

An optimizer takes one in place of a number, ``Adam(learning_rate=ExponentialDecay(...))``, and every minibatch then has its own rate. They
are computed before an epoch, for all its batches at once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fastmlp._base import checks
from fastmlp._base.arguments import Boolean, Choice, Converted, Integer, Real, Text
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
    """The base of all schedules; override ``__call__`` for one of your own.

    A schedule of your own costs one Python call for each minibatch (about a microsecond for a simple formula), unless it overrides
    :meth:`rates` as well. A model that uses it can't be saved together with its optimizer, since a file names fastmlp's own classes only.

    Example:

    >>> from fastmlp.optimizers import Adam
    >>> from fastmlp.optimizers.schedules import LearningRateSchedule
    >>> class Warmup(LearningRateSchedule):
    ...     def __call__(self, step):
    ...         return 1e-3 * min(1.0, (step + 1) / 100)
    >>> round(Adam(learning_rate=Warmup()).learning_rate, 7)
    1e-05
    """

    def __call__(self, step: Any) -> Any:
        """The learning rate of the update after ``step`` others."""
        raise NotImplementedError(f"{type(self).__name__} must define __call__(self, step), which gives the learning rate")

    def rates(self, steps: np.ndarray) -> np.ndarray:
        """The rates at many steps: int64 ``(count,)`` to float64 ``(count,)``."""
        return np.array([float(self(step)) for step in steps.tolist()], np.float64)


class _Number(Real[float]):
    """A number whose integers are ints, so that configurations read as they were written."""

    def check(self, value: Any) -> float:
        number: float = super().check(value)
        return int(number) if number == int(number) else number


def _numbers(name: str, given: Any, low: float) -> list[float]:
    if not np.iterable(given):
        raise TypeError(f"{name} must be a list of numbers, got {given!r:.80}")
    return [checks.check_float(f"a number in {name}", value, low) for value in given]


class _Formula(LearningRateSchedule):
    """A schedule that is computed for many steps at once.

    Args:
        name: What Keras calls it; changes nothing.
    """

    name = Text(optional=True)

    def __init__(self, name: str) -> None:
        self.name = name

    @quietly
    def __call__(self, step: Any) -> Any:
        """The rate at ``step``, a float; for an array of steps an array of the same shape, float64."""
        steps = np.asarray(step, np.float64)
        rates = self._at(np.atleast_1d(steps)).reshape(steps.shape)  # never a scalar: NumPy's power of one may differ in the last bit
        return rates if steps.ndim else float(rates)

    def rates(self, steps: np.ndarray) -> np.ndarray:
        return np.asarray(self(steps))

    def _at(self, step: np.ndarray) -> np.ndarray:
        raise NotImplementedError


class _Decay(_Formula):
    """What the decays over a number of steps share."""

    initial_learning_rate = Real(0)
    decay_steps = _Number(above=0)

    def __init__(self, initial_learning_rate: float, decay_steps: float, name: str) -> None:
        super().__init__(name)
        self.initial_learning_rate, self.decay_steps = initial_learning_rate, decay_steps


class ExponentialDecay(_Decay):
    """initial · decay_rate^(step / decay_steps).

    Args:
        initial_learning_rate: The rate of the first update.
        decay_steps: Updates after which the rate is multiplied by ``decay_rate``.
        decay_rate: The factor.
        staircase: Whether the rate falls in steps, not continuously.
        name: What Keras calls it; changes nothing.

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
        decay_steps: Updates in one unit of time.
        decay_rate: How fast the rate falls.
        staircase: Whether the rate falls in steps, not continuously.
        name: What Keras calls it; changes nothing.
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
    """From the initial to the end rate: (initial − end) · (1 − step / decay_steps)^power + end.

    Args:
        initial_learning_rate: The rate of the first update.
        decay_steps: Updates after which the end is reached.
        end_learning_rate: The rate from then on.
        power: 1 for a straight line.
        cycle: Whether, past the end, the rate jumps up again and decays to the next multiple of ``decay_steps``.
        name: What Keras calls it; changes nothing.
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
    """A constant for each stretch of training.

    Args:
        boundaries: Steps, ascending; ``values[i]`` holds up to and including ``boundaries[i]``.
        values: One rate more than there are boundaries.
        name: What Keras calls it; changes nothing.

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
                f"there must be one value more than boundaries, got {len(self.values)} values and {len(self.boundaries)} boundaries"
            )
        if sorted(self.boundaries) != self.boundaries:
            raise ValueError(f"boundaries must ascend, got {self.boundaries}")

    def _at(self, step: np.ndarray) -> np.ndarray:
        return np.array(self.values)[np.searchsorted(self.boundaries, step, side="left")]


class CosineDecay(_Decay):
    """Half a cosine from the initial rate down to alpha times it, after a linear warm-up if one is wanted.

    Loshchilov & Hutter 2016, "SGDR: stochastic gradient descent with warm restarts".

    Args:
        initial_learning_rate: The rate of the first update.
        decay_steps: Updates of the decay.
        alpha: The share of the rate that is left at the end.
        name: What Keras calls it; changes nothing.
        warmup_target: The rate that the warm-up leads to, and the decay begins at; None for no warm-up.
        warmup_steps: Updates of the warm-up.
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
            return self.initial_learning_rate * self._share_left(step)
        climb = (self.warmup_target - self.initial_learning_rate) * step / max(self.warmup_steps, 1) + self.initial_learning_rate
        return np.where(step < self.warmup_steps, climb, self.warmup_target * self._share_left(step - self.warmup_steps))

    def _share_left(self, step: np.ndarray) -> np.ndarray:
        cosine = 0.5 * (1 + np.cos(np.pi * np.minimum(step, self.decay_steps) / self.decay_steps))
        return (1 - self.alpha) * cosine + self.alpha


class CosineDecayRestarts(_Formula):
    """Cosine decays one after another, each ``t_mul`` times as long as the one before and starting at ``m_mul`` times its rate.

    Loshchilov & Hutter 2016, "SGDR: stochastic gradient descent with warm restarts".

    Args:
        initial_learning_rate: The rate of the first update.
        first_decay_steps: Updates of the first decay.
        t_mul: Growth of the lengths, at least 1.
        m_mul: Growth of the rates.
        alpha: The share of the initial rate below which it never falls.
        name: What Keras calls it; changes nothing.
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
            # The logarithm may be a hair short of an integer, and powers of processors differ in their last digit.
            restarts += time >= self._begin(restarts + 1) * (1 - 1e-12)
            share = np.maximum(time - self._begin(restarts), 0) / self.t_mul**restarts
        cosine = 0.5 * self.m_mul**restarts * (1 + np.cos(np.pi * share))
        return self.initial_learning_rate * ((1 - self.alpha) * cosine + self.alpha)

    def _begin(self, restarts: np.ndarray) -> np.ndarray:
        """When a decay begins, in lengths of the first one."""
        return (self.t_mul**restarts - 1) / (self.t_mul - 1)


class OneCycle(_Formula):
    """One rise to the highest rate and one fall, far below where it began. Not in Keras.

    Smith & Topin 2018, "Super-convergence: very fast training of neural networks using large learning rates". The rates are those of
    PyTorch's ``OneCycleLR``: up from ``max_learning_rate / div_factor`` during ``pct_start`` of the steps, then down to the initial rate
    over ``final_div_factor``, which also holds after ``total_steps``. The momentum is left alone.

    Args:
        max_learning_rate: The highest rate; see :class:`fastmlp.callbacks.LearningRateFinder` for how to choose it.
        total_steps: Updates in the cycle: batches in an epoch times epochs.
        pct_start: Share of the steps spent on the rise.
        anneal_strategy: ``"cos"`` or ``"linear"``.
        div_factor: The initial rate is the highest one over this.
        final_div_factor: The last rate is the initial one over this.
        three_phase: Whether the fall is as long as the rise and ends at the initial rate, and a third phase goes on down from there.
        name: Changes nothing.

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
        # Which phase, and how far it has come; one without any length is over at once.
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


def serialize(learning_rate_schedule: LearningRateSchedule) -> dict[str, Any]:
    """``{"class": name, "config": {...}}`` of a schedule, as JSON values."""
    return registry.serialize(learning_rate_schedule)


def deserialize(config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> LearningRateSchedule:
    """The schedule that :func:`serialize` described; anything malformed is a ValueError."""
    return registry.deserialize(config, custom_objects)


def of(learning_rate: Any) -> LearningRateSchedule | None:
    """The schedule that is meant by an optimizer's argument; None for a number. A function is refused."""
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
