"""Optimizers: how the weights move, by name (``"adam"``) or as an object (``Adam(1e-3)``)."""

from __future__ import annotations

import sys
import weakref
from typing import Any

import numpy as np

from fastmlp import checks, schedules
from fastmlp.plan import Update
from fastmlp.registry import Configurable, Registry

__all__ = ["SGD", "Adam", "Optimizer", "RMSprop", "get", "schedules"]

sys.modules[f"{__name__}.schedules"] = schedules  # importable under Keras' name too, as os.path is

_CLIP = "lower the learning rate, or scale the inputs"
_UNSUPPORTED = {
    "weight_decay": "use Dropout or stop early (callbacks.EarlyStopping)",
    "clipnorm": _CLIP,
    "clipvalue": _CLIP,
    "global_clipnorm": _CLIP,
    "use_ema": "keep the best weights with callbacks.EarlyStopping(restore_best_weights=True)",
    "ema_overwrite_frequency": "keep the best weights with callbacks.EarlyStopping(restore_best_weights=True)",
    "loss_scale_factor": "everything is float32, so no scale is needed",
    "gradient_accumulation_steps": "use a larger batch_size: memory is no limit at these sizes",
    "amsgrad": "use Adam() or RMSprop()",
    "centered": "use RMSprop() or Adam()",
    "decay": "use learning_rate=schedules.InverseTimeDecay(learning_rate, 1, decay)",
}


class Optimizer(Configurable):
    """The base of all optimizers.

    Args:
        learning_rate: The step size, at least 0; may be changed at any time, in callbacks too: ``model.optimizer.learning_rate = 1e-4``.
            Or one of :mod:`fastmlp.optimizers.schedules`, which gives every update its own; then it can't be changed, but reads as the rate
            of the next update.
        name: Its name.
    """

    _learning_rate: float = 0.0
    _schedule: schedules.LearningRateSchedule | None = None
    _model: weakref.ReferenceType[Any] | None = None

    def __init__(self, learning_rate: Any, name: str | None = None, **options: Any) -> None:
        self.learning_rate = options.pop("lr", learning_rate)
        options.pop("ema_momentum", None)
        checks.reject_unknown(type(self).__name__, options, _UNSUPPORTED)
        self.name = name or type(self).__name__.lower()

    @property
    def learning_rate(self) -> float:
        """The step size, now; a change takes effect at the next batches, a new schedule at the next epoch."""
        return self._learning_rate if self._schedule is None else float(self._rates_of(self._schedule, self.iterations, 1)[0])

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        schedule = schedules.of(value)
        if schedule is not None:
            self._schedule = schedule
        elif self._schedule is not None:
            raise TypeError(
                f"this optimizer follows a schedule, {type(self._schedule).__name__}, so its learning rate can't be set; "
                f"make the optimizer with a number, such as {type(self).__name__}(learning_rate=0.001), to change it while training"
            )
        else:
            self._learning_rate = checks.number("learning_rate", value, 0.0)

    lr = learning_rate

    @property
    def iterations(self) -> int:
        """Updates done in the model that was compiled with this optimizer; 0 before."""
        model = self._model() if self._model is not None else None
        return 0 if model is None else int(model.training_state()["iterations"])

    def attach(self, model: Any) -> None:
        """Called by ``compile``: whose updates :attr:`iterations` counts."""
        self._model = weakref.ref(model)

    @property
    def follows_schedule(self) -> bool:
        """Whether the learning rate comes from a schedule, and so can't be set."""
        return self._schedule is not None

    def swap_rate(self, learning_rate: Any) -> Any:
        """Put another number or schedule in the place of the learning rate, whichever it is; returns what was there."""
        before = self._schedule or self._learning_rate
        self._schedule = None
        self.learning_rate = learning_rate
        return before

    def rates(self, first: int, count: int) -> np.ndarray | None:
        """The rates of ``count`` updates from number ``first`` on, float64; None without a schedule."""
        return None if self._schedule is None else self._rates_of(self._schedule, first, count)

    @staticmethod
    def _rates_of(schedule: schedules.LearningRateSchedule, first: int, count: int) -> np.ndarray:
        rates = schedule.rates(np.arange(first, first + count))
        bad = np.flatnonzero(~(np.isfinite(rates) & (rates >= 0)))
        if len(bad):
            raise ValueError(
                f"{type(schedule).__name__} gives the learning rate {rates[bad[0]]:g} at step {first + bad[0]}; it must be at least 0"
            )
        return rates

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_model"}

    def __repr__(self) -> str:
        return super().__repr__() if self._schedule is None else f"{type(self).__name__}(learning_rate={self._schedule!r}, ...)"

    def update(self) -> Update:
        """The rule and its constants, for the engines."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        rate = self._learning_rate if self._schedule is None else schedules.serialize(self._schedule)
        return {"name": self.name, "learning_rate": rate}


class SGD(Optimizer):
    """Stochastic gradient descent: w ← w − lr·g; with momentum m ← μ·m − lr·g, w ← w + m.

    Args:
        learning_rate: See :class:`Optimizer`.
        momentum: From 0 to 1.
        nesterov: Look ahead: w ← w + μ·m − lr·g (Sutskever et al. 2013, "On the importance of initialization and momentum in deep
            learning").
    """

    def __init__(
        self, learning_rate: Any = 0.01, momentum: float = 0.0, nesterov: bool = False, weight_decay: None = None, **options: Any
    ) -> None:
        super().__init__(learning_rate, weight_decay=weight_decay, **options)
        self.momentum = checks.number("momentum", momentum, 0.0, 1.0)
        self.nesterov = checks.flag("nesterov", nesterov)

    def update(self) -> Update:
        return Update("sgd", momentum=self.momentum, nesterov=self.nesterov)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "momentum": self.momentum, "nesterov": self.nesterov}


class RMSprop(Optimizer):
    """Divide each gradient by a running root mean square of its history (Tieleman & Hinton 2012, lecture 6.5).

    Args:
        learning_rate: See :class:`Optimizer`.
        rho: How much of the history is kept, from 0 up to but not including 1.
        momentum: From 0 to 1.
        epsilon: Added inside the root.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, centered=centered, **options)
        self.rho = checks.number("rho", rho, 0.0, 1.0, open_high=True)
        self.momentum = checks.number("momentum", momentum, 0.0, 1.0)
        self.epsilon = checks.number("epsilon", epsilon, 0.0)

    def update(self) -> Update:
        return Update("rmsprop", momentum=self.momentum, rho=self.rho, epsilon=self.epsilon)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rho": self.rho, "momentum": self.momentum, "epsilon": self.epsilon}


class Adam(Optimizer):
    """Adaptive moments: running means of the gradient and of its square (Kingma & Ba 2014, "Adam: a method for stochastic optimization").

    Args:
        learning_rate: See :class:`Optimizer`.
        beta_1: How much of the mean is kept, from 0 up to but not including 1.
        beta_2: The same for the mean square.
        epsilon: Added to the root.
        catch_up: For wide input of which a batch has few columns, such as words. The weights of an absent column still move with their
            momentum; they do so when the column comes again, or somebody looks. ``"exact"`` takes every missed step, bit for bit;
            ``"rounded"`` adds them up at once, the same up to rounding and much faster where most words are rare.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        *,
        catch_up: str = "exact",
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, amsgrad=amsgrad, **options)
        if catch_up not in ("exact", "rounded"):
            raise ValueError(f"catch_up must be 'exact' or 'rounded', got {catch_up!r}")
        self.catch_up = catch_up
        self.beta_1 = checks.number("beta_1", beta_1, 0.0, 1.0, open_high=True)
        self.beta_2 = checks.number("beta_2", beta_2, 0.0, 1.0, open_high=True)
        self.epsilon = checks.number("epsilon", epsilon, 0.0)

    def update(self) -> Update:
        return Update("adam", beta_1=self.beta_1, beta_2=self.beta_2, epsilon=self.epsilon, rounded=self.catch_up == "rounded")

    def get_config(self) -> dict[str, Any]:
        own = {"beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon, "catch_up": self.catch_up}
        return {**super().get_config(), **own}


_ADAPTIVE = "use 'adam' or 'rmsprop'"
registry: Registry[Optimizer] = Registry(
    "optimizer",
    Optimizer,
    (SGD, RMSprop, Adam),
    elsewhere=dict.fromkeys(("adamw", "adagrad", "adadelta", "adamax", "nadam", "lion", "ftrl", "adafactor", "lamb", "muon"), _ADAPTIVE),
)


def get(identifier: Any) -> Optimizer:
    """The optimizer meant by a name (any case), a class, an object or a configuration.

    Example:

    >>> from fastmlp import optimizers
    >>> optimizers.get("RMSprop").learning_rate
    0.001
    """
    return registry.get(identifier)
