"""The two engines by name: ``native`` (C) and ``reference`` (NumPy, made to be read).

They have the same interface and give the same numbers.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any, Literal

import numpy as np

import fastmlp._engine.threads as threads
from fastmlp._base import checks
from fastmlp._engine.spec import Plan, Update

NAMES = ("native", "reference")
DEFAULT = "native"


def check(name: Any) -> str:
    """``name`` if it is an engine's."""
    if name not in NAMES:
        raise ValueError(f"engine must be 'native' or 'reference', got {name!r}")
    return str(name)


def module(name: str) -> ModuleType:
    """The module of an engine: its ``Network`` and ``shuffle``."""
    if name == "reference":
        from fastmlp import reference

        return reference
    from fastmlp import _core

    return _core


def make_network(name: str, plan: Plan, seed: int) -> Any:
    """A network of this engine for ``plan``; its parameters are zero.

    A plan with functions of the user's own always gets the reference engine: the native one can't call Python.
    """
    if any(node.functions is not None for node in plan.nodes):
        name = "reference"
    if name == "native":
        threads.apply_default()
    return module(name).Network(plan, seed)


SkipZeros = bool | float | Literal["auto"]
_SKIP_BELOW = {"auto": -1.0, True: 2.0, False: 0.0}


def check_skip_zeros(value: Any) -> SkipZeros:
    """``value`` if it says when a first layer skips zeros: ``"auto"``, True, False, or the share of non-zeros below which it does."""
    if isinstance(value, str) and value == "auto":
        return "auto"
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    try:
        return checks.check_float("skip_zeros", value, 0.0, 1.0)
    except TypeError:
        raise TypeError(f"skip_zeros must be 'auto', True, False or a share of non-zeros from 0 to 1, got {value!r}") from None


def set_skip_zeros(network: Any, value: SkipZeros) -> None:
    """Tell a network when to skip zeros. The reference engine never does: it is for reading."""
    from fastmlp import _core

    if isinstance(network, _core.Network):
        network.set_skip_below(_SKIP_BELOW[value] if isinstance(value, (bool, str)) else value)


def settle(network: Any, update: Update) -> None:
    """At the end of an epoch: leave nothing that would let the bits depend on when somebody looks next."""
    if update.rounded and hasattr(network, "settle"):
        network.settle()


def build_info() -> dict[str, Any]:
    """What this build is and does: version, compiler, instruction sets compiled in and in use, threads, and why.

    Example:

    >>> import fastmlp
    >>> fastmlp.build_info()["threads"] >= 1
    True
    """
    from fastmlp import _core

    return {"version": _core.version(), **_core.build_info(), "threads": threads.get_num_threads(), "threads_because": threads.reason()}
