"""The two engines by name: ``native`` (C) and ``reference`` (NumPy, made to be read).

They have the same interface and give the same numbers.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from fastmlp import threads
from fastmlp.plan import Plan

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


def build_info() -> dict[str, Any]:
    """What this build is and does: version, compiler, instruction sets compiled in and in use, threads, and why.

    Example:

    >>> import fastmlp
    >>> fastmlp.build_info()["threads"] >= 1
    True
    """
    from fastmlp import _core

    return {"version": _core.version(), **_core.build_info(), "threads": threads.get_num_threads(), "threads_because": threads.reason()}
