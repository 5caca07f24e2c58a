"""Tables that were read already."""

from __future__ import annotations

import numpy as np

__all__ = ["ReadTable"]


class ReadTable(np.ndarray):
    """What an encoder has read of a table, ``(samples, columns)``: the encoder takes it as it is, so it need not read the table again."""
