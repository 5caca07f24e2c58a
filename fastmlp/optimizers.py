"""Optimizers: how the weights move, by name (``"adam"``) or as an object (``Adam(1e-3)``)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

from fastmlp import checks
from fastmlp.errors import UnsupportedError
from fastmlp.plan import Parameter, Update
from fastmlp.registry import Configurable, Registry

__all__ = ["LBFGS", "SGD", "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "Lion", "Nadam", "Optimizer", "RMSprop", "get"]

_UNSUPPORTED = {
    "loss_scale_factor": "everything is float32, so no scale is needed",
    "decay": "set model.optimizer.learning_rate in a callback's on_epoch_begin",
}


class Optimizer(Configurable):
    """The base of all optimizers, with the arguments that all of them take.

    Args:
        learning_rate: The step size, at least 0; may be changed at any time, in callbacks too: ``model.optimizer.learning_rate = 1e-4``.
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

    def __init__(
        self,
        learning_rate: float,
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
        self._not_decayed: tuple[str, ...] = _names("exclude_from_weight_decay", options.pop("not_decayed", ()))
        checks.reject_unknown(type(self).__name__, options, _UNSUPPORTED)
        self.name = name or type(self).__name__.lower()
        self.weight_decay = _optional("weight_decay", weight_decay)
        self.clipnorm = _optional("clipnorm", clipnorm)
        self.clipvalue = _optional("clipvalue", clipvalue)
        self.global_clipnorm = _optional("global_clipnorm", global_clipnorm)
        given = {"clipnorm": self.clipnorm, "clipvalue": self.clipvalue, "global_clipnorm": self.global_clipnorm}
        several = [name for name, value in given.items() if value is not None]
        if len(several) > 1:
            raise ValueError(f"only one of clipnorm, clipvalue and global_clipnorm can be used at a time, got {' and '.join(several)}")
        self.use_ema = checks.flag("use_ema", use_ema)
        self.ema_momentum = checks.number("ema_momentum", ema_momentum, 0.0, 1.0)
        self.ema_overwrite_frequency = (
            None if ema_overwrite_frequency is None else checks.whole_number("ema_overwrite_frequency", ema_overwrite_frequency)
        )
        self.gradient_accumulation_steps = (
            None
            if gradient_accumulation_steps is None
            else checks.whole_number("gradient_accumulation_steps", gradient_accumulation_steps, 2)
        )

    @property
    def learning_rate(self) -> float:
        """The step size; a change takes effect at the next batches."""
        return self._learning_rate

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        if callable(value) or hasattr(value, "get_config"):
            raise UnsupportedError(
                "learning rate schedules are not in fastmlp yet; set model.optimizer.learning_rate in a callback's on_epoch_begin"
            )
        self._learning_rate = checks.number("learning_rate", value, 0.0)

    lr = learning_rate

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
        self._not_decayed = _names("var_names", var_names or ())

    def update(self, parameters: Sequence[Parameter] = ()) -> Update:
        """The rule and its constants, for the engines.

        Args:
            parameters: What will be trained, to see which of it decays.
        """
        pattern = "|".join(self._not_decayed)
        return replace(
            self.rule(),
            weight_decay=self.weight_decay or 0.0,
            undecayed=tuple(i for i, one in enumerate(parameters) if pattern and re.search(pattern, one.name.rpartition("/")[2])),
            clipnorm=self.clipnorm or 0.0,
            global_clipnorm=self.global_clipnorm or 0.0,
            clipvalue=self.clipvalue or 0.0,
            accumulate=self.gradient_accumulation_steps or 1,
            average_momentum=self.ema_momentum if self.use_ema else None,
            overwrite_every=self.ema_overwrite_frequency or 0,
        )

    def trainer(self, network: Any) -> Any:
        """What has the method ``train``: the network itself, unless steps are taken from outside it."""
        return network

    def rule(self) -> Update:
        """How this optimizer steps, without what all of them have."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        config = {
            "name": self.name,
            "learning_rate": self.learning_rate,
            "weight_decay": self.weight_decay,
            "clipnorm": self.clipnorm,
            "global_clipnorm": self.global_clipnorm,
            "clipvalue": self.clipvalue,
            "use_ema": self.use_ema,
            "ema_momentum": self.ema_momentum,
            "ema_overwrite_frequency": self.ema_overwrite_frequency,
            "gradient_accumulation_steps": self.gradient_accumulation_steps,
        }
        return {**config, "not_decayed": list(self._not_decayed)} if self._not_decayed else config


class SGD(Optimizer):
    """Stochastic gradient descent: w ← w − lr·g; with momentum m ← μ·m − lr·g, w ← w + m.

    Args:
        learning_rate: See :class:`Optimizer`.
        momentum: From 0 to 1.
        nesterov: Look ahead: w ← w + μ·m − lr·g (Sutskever et al. 2013, "On the importance of initialization and momentum in deep
            learning").
    """

    def __init__(
        self,
        learning_rate: float = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float | None = None,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay=weight_decay, **options)
        self.momentum = checks.number("momentum", momentum, 0.0, 1.0)
        self.nesterov = checks.flag("nesterov", nesterov)

    def rule(self) -> Update:
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
        centered: Divide by the standard deviation instead (Graves 2013, "Generating sequences with recurrent neural networks").
    """

    def __init__(
        self,
        learning_rate: float = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        weight_decay: float | None = None,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay=weight_decay, **options)
        self.rho = _share("rho", rho)
        self.momentum = checks.number("momentum", momentum, 0.0, 1.0)
        self.epsilon = checks.number("epsilon", epsilon, 0.0)
        self.centered = checks.flag("centered", centered)

    def rule(self) -> Update:
        return Update("rmsprop", momentum=self.momentum, rho=self.rho, epsilon=self.epsilon, centered=self.centered)

    def get_config(self) -> dict[str, Any]:
        own = {"rho": self.rho, "momentum": self.momentum, "epsilon": self.epsilon, "centered": self.centered}
        return {**super().get_config(), **own}


class _Moments(Optimizer):
    """What the optimizers with running means of the gradient and of its size share.

    Args:
        learning_rate: See :class:`Optimizer`.
        beta_1: How much of the mean is kept, from 0 up to but not including 1.
        beta_2: The same for the mean size.
        epsilon: Added to what is divided by.
    """

    kind: ClassVar[str]

    def __init__(
        self,
        learning_rate: float = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        weight_decay: float | None = None,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay=weight_decay, **options)
        self.beta_1 = _share("beta_1", beta_1)
        self.beta_2 = _share("beta_2", beta_2)
        self.epsilon = checks.number("epsilon", epsilon, 0.0)

    def rule(self) -> Update:
        return Update(self.kind, beta_1=self.beta_1, beta_2=self.beta_2, epsilon=self.epsilon)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}


class Adam(_Moments):
    """Adaptive moments: running means of the gradient and of its square (Kingma & Ba 2014, "Adam: a method for stochastic optimization").

    Args:
        learning_rate: See :class:`Optimizer`.
        beta_1: How much of the mean is kept, from 0 up to but not including 1.
        beta_2: The same for the mean square.
        epsilon: Added to the root.
        amsgrad: Divide by the root of the largest mean square so far (Reddi et al. 2018, "On the convergence of Adam and beyond").
        catch_up: For wide input of which a batch has few columns, such as words. The weights of an absent column still move with their
            momentum; they do so when the column comes again, or somebody looks. ``"exact"`` takes every missed step, bit for bit;
            ``"rounded"`` adds them up at once, the same up to rounding and much faster where most words are rare. Neither is done where
            weights move for other reasons as well (weight decay, penalties, constraints, averages) or gradients are needed whole (clipping,
            accumulation, amsgrad): every weight then takes every step.
    """

    kind = "adam"

    def __init__(
        self,
        learning_rate: float = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        weight_decay: float | None = None,
        *,
        catch_up: str = "exact",
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, beta_1, beta_2, epsilon, weight_decay, **options)
        if catch_up not in ("exact", "rounded"):
            raise ValueError(f"catch_up must be 'exact' or 'rounded', got {catch_up!r}")
        self.catch_up = catch_up
        self.amsgrad = checks.flag("amsgrad", amsgrad)

    def rule(self) -> Update:
        return replace(super().rule(), amsgrad=self.amsgrad, rounded=self.catch_up == "rounded")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "amsgrad": self.amsgrad, "catch_up": self.catch_up}


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019, "Decoupled weight decay regularization"); biases decay too.

    Args:
        learning_rate, beta_1, beta_2, epsilon, amsgrad, catch_up: See :class:`Adam`.
        weight_decay: w ← w − learning_rate · weight_decay · w before each step.
    """

    def __init__(
        self,
        learning_rate: float = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **options: Any,
    ) -> None:
        if weight_decay is None:
            raise ValueError("AdamW needs a weight_decay; use Adam for none")
        super().__init__(learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay, **options)


class Adamax(_Moments):
    """Adam with the largest recent gradient in the place of the root mean square (Kingma & Ba 2014, section 7.1).

    Args:
        learning_rate, beta_1, beta_2, epsilon: See :class:`Adam`; epsilon is added to the largest gradient.
    """

    kind = "adamax"


class Nadam(_Moments):
    """Adam with Nesterov's momentum, which grows in the first steps (Dozat 2015, "Incorporating Nesterov momentum into Adam").

    Args:
        learning_rate, beta_1, beta_2, epsilon: See :class:`Adam`.
    """

    kind = "nadam"


class Adagrad(Optimizer):
    """Steps that shrink with all that a weight's gradients have been (Duchi et al. 2011, "Adaptive subgradient methods").

    Args:
        learning_rate: See :class:`Optimizer`.
        initial_accumulator_value: What the sum of squared gradients begins with, at least 0.
        epsilon: Added inside the root.
    """

    def __init__(
        self,
        learning_rate: float = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
        weight_decay: float | None = None,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay=weight_decay, **options)
        self.initial_accumulator_value = checks.number("initial_accumulator_value", initial_accumulator_value, 0.0)
        self.epsilon = checks.number("epsilon", epsilon, 0.0)

    def rule(self) -> Update:
        return Update("adagrad", initial_accumulator=self.initial_accumulator_value, epsilon=self.epsilon)

    def get_config(self) -> dict[str, Any]:
        own = {"initial_accumulator_value": self.initial_accumulator_value, "epsilon": self.epsilon}
        return {**super().get_config(), **own}


class Adadelta(Optimizer):
    """Steps in the units of the weights (Zeiler 2012, "Adadelta: an adaptive learning rate method"), which calls for a learning rate of 1.

    Args:
        learning_rate: See :class:`Optimizer`.
        rho: How much of the history is kept, from 0 up to but not including 1.
        epsilon: Added inside the roots; above 0, or no step is ever taken.
    """

    def __init__(
        self,
        learning_rate: float = 0.001,
        rho: float = 0.95,
        epsilon: float = 1e-7,
        weight_decay: float | None = None,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay=weight_decay, **options)
        self.rho = _share("rho", rho)
        self.epsilon = checks.number("epsilon", epsilon, 0.0)

    def rule(self) -> Update:
        return Update("adadelta", rho=self.rho, epsilon=self.epsilon)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rho": self.rho, "epsilon": self.epsilon}


class Lion(Optimizer):
    """Steps of one size, by the sign of a mean gradient (Chen et al. 2023, "Symbolic discovery of optimization algorithms").

    Use a third to a tenth of Adam's learning rate, and as many times its weight decay.

    Args:
        learning_rate: See :class:`Optimizer`.
        beta_1: Weight of the mean against the gradient where the sign is taken, above 0 and at most 1.
        beta_2: How much of the mean is kept, from 0 up to but not including 1.
    """

    def __init__(
        self, learning_rate: float = 0.001, beta_1: float = 0.9, beta_2: float = 0.99, weight_decay: float | None = None, **options: Any
    ) -> None:
        super().__init__(learning_rate, weight_decay=weight_decay, **options)
        self.beta_1 = checks.number("beta_1", beta_1, 0.0, 1.0)
        if self.beta_1 == 0:
            raise ValueError("beta_1 must be above 0: with 0 Lion would be the sign of the last gradient alone")
        self.beta_2 = _share("beta_2", beta_2)

    def rule(self) -> Update:
        return Update("lion", beta_1=self.beta_1, beta_2=self.beta_2)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "beta_1": self.beta_1, "beta_2": self.beta_2}


class LBFGS(Optimizer):
    """Limited-memory BFGS: few, long, well-aimed steps for small data (Nocedal & Wright 2006, "Numerical optimization", algorithm 7.5).

    Every step reads all rows, so ``fit`` takes one step an epoch and ``batch_size`` is left out. A step asks for the loss and its gradient
    at one to a few places, until the strong Wolfe conditions hold. It runs in NumPy over the engine's gradients, and is worth it for
    thousands of rows and smooth activations such as tanh. The last steps are forgotten when a model is saved. Keras has no such optimizer.

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

    full_batch = True

    def __init__(self, learning_rate: float = 1.0, history: int = 10, name: str | None = None, **options: Any) -> None:
        checks.reject_unknown("LBFGS", {key: value for key, value in options.items() if key != "lr"}, _NOT_LBFGS)
        super().__init__(options.get("lr", learning_rate), name)
        self.history = checks.whole_number("history", history)
        self._minimizer: Any = None

    def rule(self) -> Update:
        return Update("sgd")

    def trainer(self, network: Any) -> Any:
        if self._minimizer is None or self._minimizer.network is not network:
            from fastmlp.lbfgs import NetworkMinimizer

            self._minimizer = NetworkMinimizer(network, self.history, self.learning_rate)
        return self._minimizer

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "learning_rate": self.learning_rate, "history": self.history}

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_minimizer": None}


_NOT_LBFGS = {
    "weight_decay": "use kernel_regularizer='l2'",
    **dict.fromkeys(("clipnorm", "clipvalue", "global_clipnorm"), "its line search keeps steps from being too long"),
    **dict.fromkeys(("use_ema", "ema_momentum", "ema_overwrite_frequency"), "its steps are not noisy, so there is nothing to average"),
    "gradient_accumulation_steps": "it always takes all rows",
}


def _optional(name: str, value: Any) -> float | None:
    return None if value is None else checks.number(name, value, 0.0)


def _share(name: str, value: Any) -> float:
    return checks.number(name, value, 0.0, 1.0, open_high=True)


def _names(argument: str, value: Any) -> tuple[str, ...]:
    if isinstance(value, str) or not all(isinstance(name, str) for name in value):
        raise TypeError(f"{argument} must be a list of names, got {value!r}")
    for name in value:
        try:
            re.compile(name)
        except re.error as error:
            raise ValueError(f"{argument} has {name!r}, which is not a regular expression: {error}") from error
    return tuple(value)


registry: Registry[Optimizer] = Registry(
    "optimizer",
    Optimizer,
    (SGD, RMSprop, Adam, AdamW, Adagrad, Adadelta, Adamax, Nadam, Lion, LBFGS),
    elsewhere={
        "ftrl": "use 'adagrad', with a kernel_regularizer for its L1 and L2",
        "adafactor": "it saves memory in models far larger than these; use 'adam'",
        "lamb": "it is for batches of tens of thousands; use 'adamw'",
        "muon": "use 'adamw' or 'nadam'",
        "schedulefreeadamw": "use AdamW(use_ema=True), which averages the weights too",
        "lossscaleoptimizer": "everything is float32, so no loss needs a scale; use the optimizer inside it",
        "multioptimizer": "train the parts as models of their own, or use one optimizer for all weights",
    },
)


def get(identifier: Any) -> Optimizer:
    """The optimizer meant by a name (any case), a class, an object or a configuration.

    Example:

    >>> from fastmlp import optimizers
    >>> optimizers.get("RMSprop").learning_rate
    0.001
    """
    return registry.get(identifier)


def __getattr__(name: str) -> Any:
    return registry.missing(name, __name__)
