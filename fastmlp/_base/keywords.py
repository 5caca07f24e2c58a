"""Errors for unknown keyword arguments that name the current or the nearest argument."""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_OLD_NAMES = {
    "alpha": ("negative_slope",),
    "b_constraint": ("bias_constraint",),
    "b_regularizer": ("bias_regularizer",),
    "beta1": ("beta_1",),
    "beta2": ("beta_2",),
    "bias": ("use_bias",),
    "callback": ("callbacks",),
    "custom_object": ("custom_objects",),
    "file_path": ("filepath",),
    "filename": ("filepath", "filename"),
    "init": ("kernel_initializer",),
    "input": ("inputs",),
    "lr": ("learning_rate",),
    "metric": ("metrics",),
    "nb_classes": ("num_classes",),
    "nb_epoch": ("epochs",),
    "nb_epochs": ("epochs",),
    "nb_units": ("units",),
    "nb_val_samples": ("validation_steps",),
    "nb_words": ("num_words",),
    "num_epochs": ("epochs",),
    "output": ("outputs",),
    "output_dim": ("units",),
    "p": ("rate",),
    "path": ("filepath",),
    "period": ("save_freq",),
    "samples_per_epoch": ("steps_per_epoch",),
    "sigma": ("stddev",),
    "val_data": ("validation_data",),
    "val_samples": ("validation_steps",),
    "validation_set": ("validation_data",),
    "W_constraint": ("kernel_constraint",),
    "W_regularizer": ("kernel_regularizer",),
    "weights_regularizer": ("kernel_regularizer",),
}
"""Argument names of older versions of Keras or of other libraries, each with the current names."""

_MAX_NAMES = 15


def refusal(owner: str, name: str, known: Iterable[str]) -> TypeError:
    """The error for an unknown argument.

    Args:
        owner: The name of the function or class that was called.
        name: The unknown argument.
        known: The arguments that it has.
    """
    known = list(dict.fromkeys(known))
    today = [new for new in _OLD_NAMES.get(name, ()) if new in known]
    close = difflib.get_close_matches(name, known, n=1)
    if today:
        hint = f"; it is called {today[0]!r}"
    elif close:
        hint = f"; did you mean {close[0]!r}?"
    elif known:
        hint = f"; it has {', '.join(known[:_MAX_NAMES])}{', …' * (len(known) > _MAX_NAMES)}"
    else:
        hint = ""
    return TypeError(f"{owner} has no argument {name!r}{hint}")


def parameters(called: Any) -> list[str]:
    """The names of the keyword arguments of a function, or of a class and those bases to which its constructor hands others on."""
    if not isinstance(called, type):
        return [name for name, one in inspect.signature(called).parameters.items() if name != "self" and one.kind not in _COLLECTING]
    names: list[str] = []
    for cls in called.__mro__:
        constructor = vars(cls).get("__init__")
        if constructor is not None and cls is not object:
            names += parameters(constructor)
            if not any(one.kind is inspect.Parameter.VAR_KEYWORD for one in inspect.signature(constructor).parameters.values()):
                break
    further = [name for cls in called.__mro__ for name in vars(cls).get("further_arguments", ())]
    return list(dict.fromkeys(names + further))


_COLLECTING = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def answering(function: Callable[P, T]) -> Callable[P, T]:
    """A decorator: errors for unknown arguments of the function name the nearest argument."""

    @functools.wraps(function)
    def call(*args: P.args, **options: P.kwargs) -> T:
        try:
            return function(*args, **options)
        except TypeError as error:
            if error.__traceback__ is not None and error.__traceback__.tb_next is not None:
                raise  # the function has begun: the arguments are not what is wrong
            cls = type(args[0]) if function.__name__ == "__init__" and args else None
            known = parameters(cls or function)
            unknown = [name for name in options if name not in known]
            if not unknown:
                raise
            raise refusal(cls.__name__ if cls else function.__name__, unknown[0], known) from None

    return call


def constructors_answer(cls: type) -> None:
    """For ``__init_subclass__``: the constructor of ``cls``, if it has one of its own, is :func:`answering`."""
    if "__init__" in vars(cls):
        setattr(cls, "__init__", answering(vars(cls)["__init__"]))  # noqa: B010 - mypy takes the assignment for a mistake
