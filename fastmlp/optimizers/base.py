"""The base class of all optimizers: learning rate or schedule, and the options common to all update rules."""

from __future__ import annotations

import re
import weakref
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Protocol, Self, TypeAlias, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

import fastmlp.optimizers.schedules as schedules
from fastmlp._base import checks, settings
from fastmlp._base.arguments import Boolean, Integer, Real, Text
from fastmlp._base.configs import Config, StoredConfig
from fastmlp._base.custom_objects import CustomObjectScope
from fastmlp._base.registry import Configurable
from fastmlp._engine.network import Network, Trainer
from fastmlp._engine.spec import Parameter, Update
from fastmlp.errors import UnsupportedError
from fastmlp.optimizers.numbers import Iterations, LearningRate, Slot
from fastmlp.optimizers.own_variables import OwnVariables, gradients_by_place
from fastmlp.optimizers.schedules import LearningRateLike
from fastmlp.variables import Variable


class SharedOptions(TypedDict, total=False):
    """Arguments of :class:`Optimizer` that every optimizer takes as well, besides its name."""

    clipnorm: float | None
    clipvalue: float | None
    global_clipnorm: float | None
    use_ema: bool
    ema_momentum: float
    ema_overwrite_frequency: int | None
    gradient_accumulation_steps: int | None


class OptimizerOptions(SharedOptions, total=False):
    """Arguments of :class:`Optimizer` that every optimizer takes as well."""

    name: str | None


class OptimizedModel(Protocol):
    """What an optimizer uses of the model that it is compiled with."""

    @property
    def name(self) -> str: ...
    @property
    def built(self) -> bool: ...
    @property
    def network(self) -> Network: ...

    stop_training: bool

    def training_state(self) -> Config: ...
    def refuse_while_training(self, what: str) -> None: ...
    def optimizer_changed(self) -> None: ...
    @property
    def _weights(self) -> Sequence[Variable]: ...
    @property
    def trainable_variables(self) -> Sequence[Variable]: ...
    def _trainable_places(self) -> Mapping[int, int]: ...
    def _uses(self, optimizer: Optimizer) -> bool: ...
    def _learned(self) -> Sequence[tuple[int, Variable]]: ...
    def _configured_network(self) -> Network: ...
    def _apply_gradients(self, gradients: Sequence[NDArray[np.float32] | None]) -> None: ...


_UNSUPPORTED = {
    "loss_scale_factor": "everything is float32, so no scale is needed",
    "decay": "use learning_rate=schedules.InverseTimeDecay(learning_rate, 1, decay)",
}


class Optimizer(Configurable):
    """Base class of all optimizers, with the arguments they share.

    Args:
        learning_rate: The learning rate, ≥ 0, which may be changed at any time, in callbacks too:
            ``model.optimizer.learning_rate = 1e-4``. Or a schedule of :mod:`fastmlp.optimizers.schedules`, which computes the rate of every
            batch; then it can't be assigned, and reads as the rate of the next batch.
        name: The name of the optimizer.
        weight_decay: Decoupled weight decay (Loshchilov & Hutter 2019, "Decoupled weight decay regularization"):
            w ← w − learning_rate · weight_decay · w before each step. See :meth:`exclude_from_weight_decay`.
        clipnorm: The maximum L2 norm of the gradient of each weight array.
        clipvalue: The maximum absolute value of a gradient element. Only one of the three clipping arguments may be set.
        global_clipnorm: The maximum L2 norm of the gradient of all weights together (Pascanu et al. 2013, "On the difficulty of training
            recurrent neural networks").
        use_ema: Whether to keep an exponential moving average (EMA) of the weights (Polyak & Juditsky 1992): average ← ema_momentum ·
            average + (1 − ema_momentum) · w after each step. It overwrites the weights when ``fit`` ends; see
            :class:`fastmlp.callbacks.SwapEMAWeights`.
        ema_momentum: The momentum of the EMA, from 0 to 1.
        ema_overwrite_frequency: Also overwrite the weights with their EMA every this many steps; None for at the end only.
        gradient_accumulation_steps: Take one step per this many batches, ≥ 2, with the mean of their gradients.

    Raises:
        ValueError: An argument is out of range, or more than one clipping argument is set.
        TypeError: An argument is of the wrong type or unknown.
    """

    full_batch: ClassVar[bool] = False
    """True if each step needs all samples."""
    number_for_nothing: ClassVar[bool] = False
    """Whether Keras stores a scalar where a slot is empty for a weight."""
    _learning_rate: float = 0.0
    _schedule: schedules.LearningRateSchedule | None = None
    _model: weakref.ReferenceType[OptimizedModel] | None = None
    _training: bool = False
    """Whether that model has been trained with this optimizer."""
    _own: OwnVariables | None = None
    """The variables of :meth:`apply`, where they are not weights of that model."""

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
        learning_rate: LearningRateLike,
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
        **options: Any,  # lr and not_decayed, as older configurations have them; all others are refused
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
            raise ValueError(f"only one of clipnorm, clipvalue and global_clipnorm can be set, got {' and '.join(several)}")
        self.use_ema, self.ema_momentum, self.ema_overwrite_frequency = use_ema, ema_momentum, ema_overwrite_frequency
        self.gradient_accumulation_steps = gradient_accumulation_steps

    @property
    def rate(self) -> float:
        """The current learning rate, as a plain float."""
        return self._learning_rate if self._schedule is None else float(self._rates_of(self._schedule, self._batches, 1)[0])

    @property
    def learning_rate(self) -> LearningRate:
        """The current learning rate: a float that can be assigned like a variable.

        A change takes effect from the next batches on, a new schedule from the next epoch on.
        """
        return LearningRate.of(self, self.rate)

    @learning_rate.setter
    def learning_rate(self, value: LearningRateLike) -> None:
        schedule = schedules.of(value)
        if schedule is not None:
            self._schedule = schedule
        elif self._schedule is not None:
            raise TypeError(
                f"this optimizer follows a schedule, {type(self._schedule).__name__}, so its learning rate can't be set; "
                f"create the optimizer with a number, such as {type(self).__name__}(learning_rate=0.001), to change it while training"
            )
        else:
            self._learning_rate = checks.check_float("learning_rate", value, 0.0)

    lr = learning_rate

    @property
    def iterations(self) -> Iterations:
        """The number of updates of the model compiled with this optimizer, an int that can be assigned like a variable; 0 before."""
        return Iterations.of(self, self._batches // (self.gradient_accumulation_steps or 1))

    @iterations.setter
    def iterations(self, value: int) -> None:
        batches = checks.check_int("iterations", value, 0) * (self.gradient_accumulation_steps or 1)
        model = self._user()
        if model is None and self._own is not None:
            self._own.network.iterations = batches
            return
        if model is None or not model.built:
            raise ValueError("iterations counts the updates of the optimizer's model; compile and build a model with it first")
        model.network.iterations = batches

    @property
    def variables(self) -> list[Iterations | LearningRate | Slot]:
        """The iterations, the learning rate (without a schedule) and, once the model has been trained, the slots of each trainable weight,
        as variables under Keras' names."""
        numbers: list[Iterations | LearningRate | Slot] = [self.iterations]
        if not self.follows_schedule:
            numbers.append(self.learning_rate)
        model = self._user()
        if model is None and self._own is not None:
            learned = list(enumerate(self._own.variables))
        elif model is not None and self._training:
            learned = [(index, weight) for index, weight in model._learned() if weight.trainable]
        else:
            return numbers
        slots = (Slot(self, slot, index, weight) for index, weight in learned for slot in self.network().slot_names)
        return [*numbers, *(slot for slot in slots if slot.size)]

    def network(self) -> Network:
        """The engine's network, which holds the optimizer's state."""
        model = self._user()
        if model is not None:
            return model._configured_network()
        if self._own is None:
            raise ValueError("the optimizer no longer belongs to a model, so it has no state")
        return self._own.network

    @property
    def _batches(self) -> int:
        model = self._user()
        if model is None:
            return 0 if self._own is None else self._own.network.iterations
        return int(model.training_state()["iterations"])

    def _user(self) -> OptimizedModel | None:
        """The model compiled with this optimizer, if it still uses it."""
        model = self._model() if self._model is not None else None
        return model if model is not None and model._uses(self) else None

    def _change_setting(self, name: str, value: object) -> None:
        _, _, changed = settings.changed_by(self, name, value)
        model = self._user()
        if model is not None:
            model.refuse_while_training(f"{name} of the optimizer can't be changed")
        before = {one: self.__dict__.get(one) for one in changed}
        self.__dict__.update(changed)
        follower = self._own.optimizer_changed if model is None and self._own is not None else None
        follower = model.optimizer_changed if model is not None else follower
        if follower is not None:
            try:
                follower()
            except BaseException:
                self.__dict__.update(before)
                raise

    def _refuse_unknown(self, name: str) -> None:
        known = settings.settings_of(type(self)) | {"learning_rate", "iterations"}
        settings.refuse_misspelled(type(self).__name__, name, known)
        if type(self).__module__.partition(".")[0] == "fastmlp":
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}; it has {', '.join(sorted(known))}")

    def attach(self, model: OptimizedModel) -> None:
        """Called by ``compile``: sets the model whose updates :attr:`iterations` and schedules count."""
        if not self._training or self._user() is None:
            self._model, self._training = weakref.ref(model), False

    def begin(self, model: OptimizedModel) -> None:
        """Called when training starts. Raises ValueError if another model, to whose weights the state belongs, trains with it already."""
        user = self._user()
        if self._training and user is not None and user is not model:
            raise ValueError(
                f"this {type(self).__name__} already trains the model {user.name!r}; use a separate one for the model {model.name!r}: "
                f"compile(optimizers.{type(self).__name__}.from_config(optimizer.get_config()), ...)"
            )
        self._model, self._training = weakref.ref(model), True

    @property
    def follows_schedule(self) -> bool:
        """Whether the learning rate follows a schedule, and so can't be set."""
        return self._schedule is not None

    @property
    def rounds_updates(self) -> bool:
        """Whether deferred updates are equal to others only up to rounding, so that bits depend on when they are made."""
        return False

    def count_scalars(self) -> int:
        """How many scalars ``summary`` counts besides the slots, as Keras: the iterations, and the learning rate unless scheduled."""
        return 1 if self.follows_schedule else 2

    @property
    def rate_source(self) -> float | schedules.LearningRateSchedule:
        """The number or schedule that determines the learning rate; one may replace the other."""
        return self._schedule or self._learning_rate

    @rate_source.setter
    def rate_source(self, value: LearningRateLike) -> None:
        self._schedule = None
        self.learning_rate = value

    def rates(self, first: int, count: int) -> NDArray[np.float64] | None:
        """The learning rates of batches ``first`` … ``first + count - 1``; None without a schedule."""
        return None if self._schedule is None else self._rates_of(self._schedule, first, count)

    @staticmethod
    def _rates_of(schedule: schedules.LearningRateSchedule, first: int, count: int) -> NDArray[np.float64]:
        rates = schedule.rates(np.arange(first, first + count))
        bad = np.flatnonzero(~(np.isfinite(rates) & (rates >= 0)))
        if len(bad):
            raise ValueError(
                f"{type(schedule).__name__} returns the learning rate {rates[bad[0]]:g} at step {first + bad[0]}; it must be ≥ 0"
            )
        return rates

    def __getstate__(self) -> Config:
        return {name: value for name, value in vars(self).items() if name not in ("_model", "_training", "_own")}

    def __repr__(self) -> str:
        return super().__repr__() if self._schedule is None else f"{type(self).__name__}(learning_rate={self._schedule!r}, ...)"

    def exclude_from_weight_decay(self, var_list: None = None, var_names: Sequence[str] | None = None) -> None:
        """Excludes weights from weight decay; call it before the model is compiled.

        Args:
            var_list: Not supported; name the weights.
            var_names: Regular expressions; weights whose name, such as ``"kernel"`` or ``"bias"``, contains a match do not decay.

        Raises:
            TypeError: ``var_names`` is not a list of strings.
            ValueError: A name is not a valid regular expression.
            UnsupportedError: ``var_list`` is set.

        Example:

        >>> from fastmlp import optimizers
        >>> optimizer = optimizers.AdamW(weight_decay=0.01)
        >>> optimizer.exclude_from_weight_decay(var_names=["bias"])
        """
        if var_list is not None:
            raise UnsupportedError("exclude_from_weight_decay(var_list=...) is not in fastmlp; use names: var_names=['bias']")
        self._not_decayed = names_of("var_names", var_names or ())

    def build(self, variables: Iterable[Variable]) -> None:
        """Sets the variables that :meth:`apply` updates; the first call of that does so too.

        Args:
            variables: Variables of floating-point numbers. Weights of a model that is compiled with this optimizer need no call.
        """
        if self._user() is None:
            self._own = OwnVariables(self, variables)

    def apply(self, grads: Sequence[ArrayLike | None], trainable_variables: Iterable[Variable] | None = None) -> None:
        """Takes one step with these gradients, for training loops of one's own.

        A step on the weights of a model that is compiled with this optimizer, with or without a loss, is the one that ``fit`` takes, with
        the same slots, schedule and bits, so that the two can be mixed. For any other variables the optimizer has slots of its own, which
        are neither copied nor pickled with it.

        Args:
            grads: An array of the shape of each variable, or None for variables that stay as they are (a gradient of zeros if gradients are
                accumulated). Penalties of regularizers are not added.
            trainable_variables: The variables; by default the trainable weights of the optimizer's model, or those of :meth:`build`.

        Raises:
            ValueError: The gradients do not fit the variables or are not finite, or a variable is not one of the optimizer's.
            NonFiniteWeightsError: The step makes weights NaN or infinite.

        Example:

        >>> import fastmlp
        >>> from fastmlp import optimizers
        >>> x = fastmlp.Variable([1.0, -2.0])
        >>> optimizer = optimizers.SGD(learning_rate=0.25)
        >>> for _ in range(2):
        ...     optimizer.apply([2 * x.numpy()], [x])
        >>> x.numpy().tolist()
        [0.25, -0.5]
        """
        if self.full_batch:
            raise UnsupportedError(f"{type(self).__name__} searches along the loss of all samples, so it can't apply gradients; call fit")
        grads = list(grads)
        variables = None if trainable_variables is None else list(trainable_variables)
        if not grads and not variables:
            return
        model = self._user()
        if model is not None:
            if not model.built:
                raise ValueError(f"the model {model.name!r} is not built, so it has no weights yet; call build")
            given = list(model.trainable_variables) if variables is None else variables
            owner = f"the trainable weights of the model {model.name!r}"
            model._apply_gradients(gradients_by_place(grads, given, model._trainable_places(), owner, len(model._weights)))
            return
        if self._own is None:
            if variables is None:
                raise ValueError("apply needs the variables that the gradients belong to: apply(gradients, variables)")
            self._own = OwnVariables(self, variables)
        self._own.apply(grads, variables, self.rate)

    def apply_gradients(self, grads_and_vars: Iterable[tuple[ArrayLike | None, Variable]]) -> Iterations:
        """:meth:`apply` for pairs of a gradient and a variable, such as ``zip(gradients, variables)``; returns :attr:`iterations`."""
        pairs = list(grads_and_vars)
        self.apply([gradient for gradient, _ in pairs], [variable for _, variable in pairs])
        return self.iterations

    def update(self, parameters: Sequence[Parameter] = ()) -> Update:
        """The update rule and its constants, for the engines.

        Args:
            parameters: The parameters of the network, to determine which of them decay.
        """
        for excluded in self._not_decayed if parameters else ():
            names = {one.name.rpartition("/")[2] for one in parameters}
            if not any(re.search(excluded, name) for name in names):
                checks.warn(
                    f"exclude_from_weight_decay got {excluded!r}, but no weight of the model has a matching name; the names are "
                    f"{', '.join(sorted(names))}"
                )
        pattern = "|".join(self._not_decayed)
        undecayed = tuple(i for i, one in enumerate(parameters) if pattern and re.search(pattern, one.name.rpartition("/")[2]))
        options = {
            "weight_decay": self.weight_decay,
            "undecayed": undecayed or None,
            "clipnorm": self.clipnorm,
            "global_clipnorm": self.global_clipnorm,
            "clipvalue": self.clipvalue,
            "accumulate": self.gradient_accumulation_steps,
            "ema_momentum": self.ema_momentum if self.use_ema else None,
            "ema_overwrite_frequency": self.ema_overwrite_frequency,
        }
        used: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
        rule = self.rule_for(parameters)
        return replace(rule, **used) if used else rule

    def trainer(self, network: Network) -> Trainer:
        """The object that trains the network: by default the network itself."""
        return network

    def rule_for(self, parameters: Sequence[Parameter]) -> Update:
        """The rule, with the parameters that it treats as matrices."""
        rule, matrices = self.rule(), self._matrices(parameters)
        return replace(rule, matrices=matrices) if matrices else rule

    def _matrices(self, parameters: Sequence[Parameter]) -> tuple[int, ...]:
        return ()

    def rule(self) -> Update:
        """The update rule, without the options common to all optimizers."""
        raise NotImplementedError(f"{type(self).__name__} is not an optimizer of fastmlp's engines; use one of fastmlp.optimizers")

    @classmethod
    def from_config(cls, config: StoredConfig, custom_objects: Mapping[str, object] | None = None) -> Self:
        with CustomObjectScope(custom_objects):
            return cls(**config)

    def get_config(self) -> Config:
        rate = self._learning_rate if self._schedule is None else schedules.serialize(self._schedule)
        config = {"name": self.name, "learning_rate": rate, **super().get_config()}
        return {**config, "not_decayed": list(self._not_decayed)} if self._not_decayed else config


OptimizerLike: TypeAlias = str | Optimizer | type[Optimizer] | StoredConfig
"""An optimizer by name, as an object, as a class, or as ``serialize`` returned it."""


def names_of(argument: str, value: Iterable[str]) -> tuple[str, ...]:
    """Returns ``value`` if it is a list of regular expressions."""
    if isinstance(value, str) or not np.iterable(value) or not all(isinstance(name, str) for name in value):
        raise TypeError(f"{argument} must be a list of names, got {value!r}")
    for name in value:
        try:
            re.compile(name)
        except re.error as error:
            raise ValueError(f"{argument} has {name!r}, which is not a valid regular expression: {error}") from error
    return tuple(value)
