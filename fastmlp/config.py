"""Keras' settings of the whole process, with the values that fastmlp has; others are refused.

Example:

>>> from fastmlp import config
>>> config.floatx(), config.epsilon(), config.image_data_format()
('float32', 1e-07, 'channels_last')
"""

from __future__ import annotations

from typing import Any

from fastmlp._base import checks
from fastmlp.errors import UnsupportedError

__all__ = [
    "backend",
    "dtype_policy",
    "epsilon",
    "floatx",
    "image_data_format",
    "set_backend",
    "set_dtype_policy",
    "set_epsilon",
    "set_floatx",
    "set_image_data_format",
]

_EPSILON = 1e-7


def backend() -> str:
    """``"fastmlp"``: it is its own backend."""
    return "fastmlp"


def set_backend(backend: str) -> None:
    """Accepts ``"fastmlp"`` alone."""
    if backend != "fastmlp":
        raise UnsupportedError(f"the backend {backend!r} is not in fastmlp, which is its own backend; leave set_backend out")


def floatx() -> str:
    """``"float32"``: everything is computed in it."""
    return "float32"


def set_floatx(value: str) -> None:
    """Accepts ``"float32"`` alone."""
    checks.float32_only(value)


def dtype_policy() -> str:
    """``"float32"``."""
    return "float32"


def set_dtype_policy(policy: Any) -> None:
    """Accepts ``"float32"`` alone."""
    checks.float32_only(policy)


def epsilon() -> float:
    """The small number that losses and metrics keep probabilities and divisors away from 0 by: 1e-7."""
    return _EPSILON


def set_epsilon(value: float) -> None:
    """Accepts 1e-7 alone; layers and optimizers take an ``epsilon`` of their own."""
    if checks.check_float("epsilon", value, 0.0) != _EPSILON:
        raise UnsupportedError(f"epsilon {value!r} is not in fastmlp, whose losses use 1e-7; give epsilon= to the optimizer or the layer")


def image_data_format() -> str:
    """``"channels_last"``."""
    return "channels_last"


def set_image_data_format(data_format: str) -> None:
    """Accepts ``"channels_last"`` alone."""
    if data_format != "channels_last":
        raise UnsupportedError(f"image_data_format {data_format!r} is not in fastmlp; transpose images to channels last before fit")
