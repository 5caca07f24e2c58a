"""Keras' process-wide settings. fastmlp has one value for each; other values raise an error.

Example:

>>> from fastmlp import config
>>> config.floatx(), config.epsilon(), config.image_data_format()
('float32', 1e-07, 'channels_last')
"""

from __future__ import annotations

from numpy.typing import DTypeLike

from fastmlp._base import checks
from fastmlp._base.configs import StoredConfig
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
    """``"fastmlp"``, which is its own backend."""
    return "fastmlp"


def set_backend(backend: str) -> None:
    """Accepts only ``"fastmlp"``; otherwise raises :class:`~fastmlp.errors.UnsupportedError`."""
    if backend != "fastmlp":
        raise UnsupportedError(f"the backend {backend!r} is not in fastmlp, which is its own backend; remove the call of set_backend")


def floatx() -> str:
    """``"float32"``, the type of all computations."""
    return "float32"


def set_floatx(value: str) -> None:
    """Accepts only ``"float32"``; otherwise raises :class:`~fastmlp.errors.UnsupportedError`."""
    checks.float32_only(value)


def dtype_policy() -> str:
    """``"float32"``."""
    return "float32"


def set_dtype_policy(policy: DTypeLike | StoredConfig) -> None:
    """Accepts only ``"float32"``; otherwise raises :class:`~fastmlp.errors.UnsupportedError`."""
    checks.float32_only(policy)


def epsilon() -> float:
    """1e-7, the small number by which losses and metrics keep probabilities and divisors away from 0."""
    return _EPSILON


def set_epsilon(value: float) -> None:
    """Accepts only 1e-7; layers and optimizers have an ``epsilon`` argument of their own."""
    if checks.check_float("epsilon", value, 0.0) != _EPSILON:
        raise UnsupportedError(f"epsilon {value!r} is not in fastmlp, whose losses use 1e-7; give epsilon= to the optimizer or the layer")


def image_data_format() -> str:
    """``"channels_last"``."""
    return "channels_last"


def set_image_data_format(data_format: str) -> None:
    """Accepts only ``"channels_last"``; otherwise raises :class:`~fastmlp.errors.UnsupportedError`."""
    if data_format != "channels_last":
        raise UnsupportedError(f"image_data_format {data_format!r} is not in fastmlp; transpose images to channels last before fit")
