"""Functions of arrays, with the names and meanings of ``keras.ops``.

On arrays they compute at once, in float32:

>>> from fastmlp import ops
>>> ops.mean(ops.square([[1.0, 2.0], [3.0, 4.0]]), axis=1)
array([ 2.5, 12.5], dtype=float32)

In a custom loss or activation they work on symbolic values: the function is called once, recorded, and differentiated. See docs/ops.md.
"""

from __future__ import annotations

import fastmlp.ops.activations as activations
import fastmlp.ops.arranging as arranging
import fastmlp.ops.elementwise as elementwise
import fastmlp.ops.products as products
import fastmlp.ops.reductions as reductions
from fastmlp._base import keras_names
from fastmlp.ops.activations import *
from fastmlp.ops.arranging import *
from fastmlp.ops.elementwise import *
from fastmlp.ops.products import *
from fastmlp.ops.reductions import *

__all__: list[str] = []
__all__ += activations.__all__
__all__ += arranging.__all__
__all__ += elementwise.__all__
__all__ += products.__all__
__all__ += reductions.__all__


def __getattr__(name: str) -> object:
    return keras_names.missing("ops", name)
