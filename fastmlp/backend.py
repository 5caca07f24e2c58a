"""The functions of ``keras.backend`` that do not involve tensors, usually imported with ``from fastmlp import backend as K``.

Example:

>>> from fastmlp import backend as K
>>> K.clear_session()
>>> K.floatx()
'float32'
"""

from __future__ import annotations

from typing import NoReturn

from fastmlp.config import backend, epsilon, floatx, image_data_format, set_epsilon, set_floatx, set_image_data_format
from fastmlp.utils import clear_session

__all__ = ["backend", "clear_session", "epsilon", "floatx", "image_data_format", "set_epsilon", "set_floatx", "set_image_data_format"]


def __getattr__(name: str) -> NoReturn:
    raise AttributeError(f"module 'fastmlp.backend' has no attribute {name!r}; fastmlp is its own backend: compute with NumPy")
