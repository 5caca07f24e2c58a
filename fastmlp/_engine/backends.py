"""The two engines by name: ``native`` (C) and ``reference`` (NumPy, written for reading).

Both implement :class:`~fastmlp._engine.network.Network` and compute the same numbers.
"""

from __future__ import annotations

from types import ModuleType
from typing import Literal, TypeAlias, TypedDict, cast

import numpy as np

import fastmlp._engine.threads as threads
from fastmlp._base import checks
from fastmlp._engine.network import Network
from fastmlp._engine.spec import Plan

NAMES = ("native", "reference")
DEFAULT = "native"


EngineName: TypeAlias = Literal["native", "reference"]


def check(name: object) -> str:
    """Returns ``name`` if it is the name of an engine, else raises ValueError."""
    if name not in NAMES:
        raise ValueError(f"engine must be 'native' or 'reference', got {name!r}")
    return str(name)


def module(name: str) -> ModuleType:
    """The module of an engine, with its ``Network`` and ``shuffle``."""
    if name == "reference":
        from fastmlp import reference

        return reference
    from fastmlp import _core

    return _core


def make_network(name: str, plan: Plan, seed: int) -> Network:
    """Creates a network of this engine for ``plan``, with all parameters zero.

    A plan with user functions always runs on the reference engine: the native engine can't call them.
    """
    if name == "reference" or any(node.functions is not None for node in plan.nodes):
        from fastmlp import reference

        return reference.Network(plan, seed)
    from fastmlp import _core

    threads.apply_default()
    return _core.Network(plan, seed)


SkipZeros: TypeAlias = bool | float | Literal["auto"]
"""When the first layer skips zeros: always, never, below this fraction of non-zeros, or where the engine estimates that it is faster."""
_SKIP_BELOW = {"auto": -1.0, True: 2.0, False: 0.0}


def check_skip_zeros(value: object) -> SkipZeros:
    """Returns ``value`` if it is a :data:`SkipZeros`, else raises TypeError or ValueError."""
    if isinstance(value, str) and value == "auto":
        return "auto"
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    try:
        return checks.check_float("skip_zeros", value, 0.0, 1.0)
    except TypeError:
        raise TypeError(f"skip_zeros must be 'auto', True, False or a fraction of non-zeros from 0 to 1, got {value!r}") from None


def set_skip_zeros(network: Network, value: SkipZeros) -> None:
    """Sets when a network skips zeros. The reference engine ignores it."""
    from fastmlp import _core

    if isinstance(network, _core.Network):
        network.set_skip_below(_SKIP_BELOW[value] if isinstance(value, (bool, str)) else value)


def flush(network: Network) -> None:
    """Flushes deferred updates at the end of an epoch, so that results do not depend on when weights are read."""
    if hasattr(network, "flush"):
        network.flush()


class BuildInfo(TypedDict):
    """What :func:`build_info` returns."""

    version: str
    compiler: str
    isas: list[str]
    """The instruction sets compiled in."""
    isa: str
    """The instruction set in use."""
    isa_reason: str
    threads: int
    threads_because: str


def build_info() -> BuildInfo:
    """Returns information about this build: version, compiler, instruction sets compiled in and in use, thread count and its source.

    Example:

    >>> import fastmlp
    >>> fastmlp.build_info()["threads"] >= 1
    True
    """
    from fastmlp import _core

    return cast(BuildInfo, {**_core.build_info(), "threads": threads.get_num_threads(), "threads_because": threads.reason()})
