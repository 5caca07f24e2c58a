"""Images of weights, for TensorBoard."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np

__all__ = ["image_of", "image_summary"]


def image_of(values: np.ndarray) -> np.ndarray | None:
    """Gray levels from black for the minimum to white for the maximum; a matrix with the longer side horizontal, a vector as one row.

    None for arrays with more axes, or without elements.
    """
    squeezed = np.squeeze(values)
    if squeezed.ndim > 2 or not squeezed.size:
        return None
    matrix = np.atleast_2d(squeezed)
    matrix = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
    finite = matrix[np.isfinite(matrix)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    scaled = (np.nan_to_num(matrix.astype(np.float64), nan=low, posinf=high, neginf=low) - low) / ((high - low) or 1.0)
    return np.asarray(np.rint(255 * scaled).astype(np.uint8))


def image_summary(tag: str, gray: np.ndarray) -> Any:
    """TensorBoard's summary of a picture ``(height, width)``, uint8."""
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.image.metadata import create_summary_metadata
    from tensorboard.util.tensor_util import make_tensor_proto

    height, width = gray.shape
    content = make_tensor_proto([str(width).encode(), str(height).encode(), _png(gray)])
    metadata = create_summary_metadata(display_name=None, description=None)
    return Summary(value=[Summary.Value(tag=tag, tensor=content, metadata=metadata)])


def _png(gray: np.ndarray) -> bytes:
    height, width = gray.shape
    lines = b"".join(b"\0" + line.tobytes() for line in gray)
    parts = ((b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)), (b"IDAT", zlib.compress(lines)), (b"IEND", b""))
    chunks = [struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)
