"""Arrays of the user that predictions are written to."""

from __future__ import annotations

import numpy as np

from fastmlp._base.shapes import Shape
from fastmlp._engine.spec import SparseRows

__all__ = ["check_out"]


def check_out(out: object, shape: Shape, inputs: np.ndarray | SparseRows) -> None:
    """Check the argument ``out`` of a call of a model.

    Args:
        out: What the user passed.
        shape: The shape of the predictions, samples first.
        inputs: The samples that the engine reads.

    Raises:
        TypeError: It is not a float32 array.
        ValueError: An engine can't write predictions of this shape to it, or shares memory with the samples.
    """
    if not isinstance(out, np.ndarray) or out.dtype != np.float32:
        given = f"an array of {out.dtype}" if isinstance(out, np.ndarray) else f"a {type(out).__name__}"
        raise TypeError(f"out must be a float32 array, got {given}; create it with np.empty({shape}, np.float32)")
    if out.shape != shape:
        raise ValueError(f"out must have shape {shape}, (samples, outputs), got {out.shape}")
    if not (out.flags.c_contiguous and out.flags.aligned):
        raise ValueError(f"out must be C-contiguous and aligned, as np.empty({shape}, np.float32) is, got strides {out.strides}")
    if not out.flags.writeable:
        raise ValueError("out is read-only; pass an array that can be written to")
    if np.may_share_memory(out, inputs.values if isinstance(inputs, SparseRows) else inputs):
        raise ValueError("out shares memory with x, which is read while out is written; pass another array")
