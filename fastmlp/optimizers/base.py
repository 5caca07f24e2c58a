"""What all optimizers have: a learning rate or a schedule, and the options around a step."""

from __future__ import annotations

import re
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np

import fastmlp.optimizers.schedules as schedules
from fastmlp._base import checks, settings
from fastmlp._base.arguments import Boolean, Integer, Real, Text
from fastmlp._base.custom_objects import CustomObjectScope
from fastmlp._base.registry import Configurable
from fastmlp._engine.spec import Parameter, Update
from fastmlp.errors import UnsupportedError
from fastmlp.optimizers.numbers import Iterations, LearningRate, Slot

_UNSUPPORTED = {
    "loss_scale_factor": "everything is float32, so no scale is needed",
    "decay": "use learning_rate=schedules.InverseTimeDecay(learning_rate, 1, decay)",
}


class Optimizer(Configurable):
    """The base of all optimizers, with the arguments that all of them take.

    Args:
        learning_rate: The step size, at least 0; may be changed at any time, in callbacks too: ``model.optimizer.learning_rate = 1e-4``.
            Or one of :mod:`fastmlp.optimizers.schedules`, which gives every batch its own; then it can't be changed, but reads as the rate
            of the next batch.
        name: Its name.
        weight_decay: Shrinks weights apart from the gradient (Loshchilov & Hutter 2019, "Decoupled weight decay regularization"):
            w ← w − learning_rate · weight_decay · w before each step. See :meth:`exclude_from_weight_decay`.
        clipnorm: The gradient of a kernel or bias is shortened to this length where it is longer.
        clipvalue: Every number of a gradient is cut to ±clipvalue. At most one of the three is given.
        global_clipnorm: The gradient of all weights together is shortened to this length where it is longer (Pascanu et al. 2013, "On the
            difficulty of training recurrent neural networks").
        use_ema: Whether to keep a running average of the weights (Polyak & Juditsky 1992): average ← ema_momentum · average +
            (1 − ema_momentum) · w after each step. It takes the weights' place when ``fit`` ends; see
            :class:`fastmlp.callbacks.SwapEMAWeights`.
        ema_momentum: From 0 to 1.
        ema_overwrite_frequency: The average takes the weights' place every so many steps too.
        gradient_accumulation_steps: A step is taken only every so many batches, with the mean of their gradients; at least 2.
    """

    full_batch: ClassVar[bool] = False
    """True if a step needs all rows at once."""
    number_for_nothing: ClassVar[bool] = False
    """Whether Keras keeps a number where a slot holds nothing for a weight."""
    _learning_rate: float = 0.0
    _schedule: schedules.LearningRateSchedule | None = None
    _model: weakref.ReferenceType[Any] | None = None
    _training: bool = False
    """Whether that model has been trained with it."""

    name = Text()
    weight_decay = Real(0, optional=True)
    clipnorm = Real(0, optional=True)
    clipvalue = Real(0, optional=True)
    global_clipnorm = Real(0, optional=True)
    use_ema = Boolean()
    ema_momentum = Real(0, 1)
    ema_overwrite_frequency = Integer(optional=True)
    gradient_accumulation_steps = Integer(2, optional=True)

    def __init__(
        self,
        learning_rate: Any,
        name: str | None = None,
        *,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        gradient_accumulation_steps: int | None = None,
        **options: Any,
    ) -> None:
        self.learning_rate = options.pop("lr", learning_rate)
        self._not_decayed: tuple[str, ...] = names_of("exclude_from_weight_decay", options.pop("not_decayed", ()))
        checks.reject_unknown(type(self), options, _UNSUPPORTED)
        self.name = name or type(self).__name__.lower()
        self.weight_decay = weight_decay
        self.clipnorm, self.clipvalue, self.global_clipnorm = clipnorm, clipvalue, global_clipnorm
        given = {"clipnorm": self.clipnorm, "clipvalue": self.clipvalue, "global_clipnorm": self.global_clipnorm}
        several = [name for name, value in given.items() if value is not None]
        if len(several) > 1:
            raise ValueError(f"only one of clipnorm, clipvalue and global_clipnorm can be used at a time, got {' and '.join(several)}")
        self.use_ema, self.ema_momentum, self.ema_overwrite_frequency = use_ema, ema_momentum, ema_overwrite_frequency
        self.gradient_accumulation_steps = gradient_accumulation_steps

    @property
    def rate(self) -> float:
        """The step size, now."""
        return self._learning_rate if self._schedule is None else float(self._rates_of(self._schedule, self._batches, 1)[0])

    @property
    def learning_rate(self) -> Any:
        """The step size, now: a float that can be assigned like a variable.

        A change takes effect at the next batches, a new schedule at the next epoch.
        """
        return LearningRate.of(self, self.rate)

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
            self._learning_rate = checks.check_float("learning_rate", value, 0.0)

    lr = learning_rate

    @property
    def iterations(self) -> Any:
        """Updates done in the model that was compiled with this optimizer, an int that can be assigned like a variable; 0 before."""
        return Iterations.of(self, self._batches // (self.gradient_accumulation_steps or 1))

    @iterations.setter
    def iterations(self, value: int) -> None:
        batches = checks.check_int("iterations", value, 0) * (self.gradient_accumulation_steps or 1)
        model = self._user()
        if model is None or not model.built:
            raise ValueError("an optimizer counts the iterations of its model; compile a model with it, and build that, to set them")
        model.network.iterations = batches

    @property
    def variables(self) -> list[Any]:
        """The iterations, the learning rate (without a schedule) and, once its model has been trained, for each trained weight what the
        optimizer keeps for it, as variables under Keras' names."""
        numbers = [self.iterations] if self.follows_schedule else [self.iterations, self.learning_rate]
        model = self._user()
        if model is None or not self._training:
            return numbers
        learned = [(index, weight) for index, weight in model._learned() if weight.trainable]
        slots = (Slot(self, slot, index, weight) for index, weight in learned for slot in self.network().slot_names)
        return [*numbers, *(slot for slot in slots if slot.size)]

    def network(self) -> Any:
        """The engine's network that has the optimizer's state."""
        model = self._user()
        if model is None:
            raise ValueError("the optimizer belongs to no model any more, so it has no state")
        return model._configured_network()

    @property
    def _batches(self) -> int:
        model = self._user()
        return 0 if model is None else int(model.training_state()["iterations"])

    def _user(self) -> Any:
        """The model that was compiled with this optimizer, if it still uses it."""
        model = self._model() if self._model is not None else None
        return model if model is not None and model.compiled and model.optimizer is self else None

    def _change_setting(self, name: str, value: Any) -> None:
        _, _, changed = settings.changed_by(self, name, value)
        model = self._user()
        if model is not None:
            model.refuse_while_training(f"{name} of the optimizer can't be changed")
        before = {one: self.__dict__.get(one) for one in changed}
        self.__dict__.update(changed)
        if model is not None:
            try:
                model.optimizer_changed()
            except BaseException:
                self.__dict__.update(before)
                raise

    def _refuse_unknown(self, name: str) -> None:
        known = {*settings.settings_of(type(self)), "learning_rate", "iterations"}
        settings.refuse_misspelled(type(self).__name__, name, known)
        if type(self).__module__.partition(".")[0] == "fastmlp":
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}; it has {', '.join(sorted(known))}")

    def attach(self, model: Any) -> None:
        """Called by ``compile``: whose updates :attr:`iterations` counts, and whose batches a schedule."""
        if not self._training or self._user() is None:
            self._model, self._training = weakref.ref(model), False

    def begin(self, model: Any) -> None:
        """Called where training begins: an error if the optimizer trains another model already, to whose weights its state belongs."""
        user = self._user()
        if self._training and user is not None and user is not model:
            raise ValueError(
                f"this {type(self).__name__} trains the model {user.name!r} already; give the model {model.name!r} one of its own: "
                f"compile(optimizers.{type(self).__name__}.from_config(optimizer.get_config()), ...)"
            )
        self._model, self._training = weakref.ref(model), True

    @property
    def follows_schedule(self) -> bool:
        """Whether the learning rate comes from a schedule, and so can't be set."""
        return self._schedule is not None

    def count_scalars(self) -> int:
        """How many single numbers ``summary`` counts beside the slots, as Keras: the iterations, and the learning rate if it can be set."""
        return 1 if self.follows_schedule else 2

    @property
    def rate_source(self) -> float | schedules.LearningRateSchedule:
        """The number or the schedule that the learning rate comes from; either can be replaced by either."""
        return self._schedule or self._learning_rate

    @rate_source.setter
    def rate_source(self, value: Any) -> None:
        self._schedule = None
        self.learning_rate = value

    def rates(self, first: int, count: int) -> np.ndarray | None:
        """The rates of ``count`` batches from number ``first`` on, float64; None without a schedule."""
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
        return {name: value for name, value in vars(self).items() if name not in ("_model", "_training")}

    def __repr__(self) -> str:
        return super().__repr__() if self._schedule is None else f"{type(self).__name__}(learning_rate={self._schedule!r}, ...)"

    def exclude_from_weight_decay(self, var_list: Any = None, var_names: Sequence[str] | None = None) -> None:
        """Say which weights do not decay; before the model is compiled.

        Args:
            var_list: None; weights are known by their names.
            var_names: Regular expressions. Weights in whose name, ``"kernel"`` or ``"bias"``, one of them is found are left alone.

        Example:

        >>> from fastmlp import optimizers
        >>> optimizer = optimizers.AdamW(weight_decay=0.01)
        >>> optimizer.exclude_from_weight_decay(var_names=["bias"])
        """
        if var_list is not None:
            raise UnsupportedError("exclude_from_weight_decay(var_list=...) is not in fastmlp; name the weights: var_names=['bias']")
        self._not_decayed = names_of("var_names", var_names or ())

    def update(self, parameters: Sequence[Parameter] = ()) -> Update:
        """The rule and its constants, for the engines.

        Args:
            parameters: What will be trained, to see which of it decays.
        """
        names = {one.name.rpartition("/")[2] for one in parameters}
        for excluded in self._not_decayed if parameters else ():
            if not any(re.search(excluded, name) for name in names):
                checks.warn(
                    f"exclude_from_weight_decay got {excluded!r}, but no weight of the model has such a name; there are "
                    f"{', '.join(sorted(names))}"
                )
        pattern = "|".join(self._not_decayed)
        return replace(
            self.rule_for(parameters),
            weight_decay=self.weight_decay or 0.0,
            undecayed=tuple(i for i, one in enumerate(parameters) if pattern and re.search(pattern, one.name.rpartition("/")[2])),
            clipnorm=self.clipnorm or 0.0,
            global_clipnorm=self.global_clipnorm or 0.0,
            clipvalue=self.clipvalue or 0.0,
            accumulate=self.gradient_accumulation_steps or 1,
            ema_momentum=self.ema_momentum if self.use_ema else None,
            ema_overwrite_frequency=self.ema_overwrite_frequency or 0,
        )

    def trainer(self, network: Any) -> Any:
        """What has the method ``train``: the network itself, unless steps are taken from outside it."""
        return network

    def rule_for(self, parameters: Sequence[Parameter]) -> Update:
        """The rule, and which of the parameters it takes as matrices."""
        return replace(self.rule(), matrices=self._matrices(parameters))

    def _matrices(self, parameters: Sequence[Parameter]) -> tuple[int, ...]:
        return ()

    def rule(self) -> Update:
        """How this optimizer steps, without what all of them have."""
        raise NotImplementedError(f"{type(self).__name__} is no optimizer that fastmlp's engines know; use one of fastmlp.optimizers")

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Self:
        with CustomObjectScope(custom_objects):
            return cls(**config)

    def get_config(self) -> dict[str, Any]:
        rate = self._learning_rate if self._schedule is None else schedules.serialize(self._schedule)
        config = {"name": self.name, "learning_rate": rate, **super().get_config()}
        return {**config, "not_decayed": list(self._not_decayed)} if self._not_decayed else config


def names_of(argument: str, value: Any) -> tuple[str, ...]:
    """``value`` if it is a list of regular expressions."""
    if isinstance(value, str) or not np.iterable(value) or not all(isinstance(name, str) for name in value):
        raise TypeError(f"{argument} must be a list of names, got {value!r}")
    for name in value:
        try:
            re.compile(name)
        except re.error as error:
            raise ValueError(f"{argument} has {name!r}, which is not a regular expression: {error}") from error
    return tuple(value)
