"""The base of data sets that make their batches on demand."""

from __future__ import annotations

__all__ = ["PyDataset"]


class PyDataset:
    """The base of data sets that make their batches on demand.

    A subclass has ``__len__``, the number of batches, and ``__getitem__(index)``, which returns ``(x, y)`` or ``(x, y, sample_weight)``. It
    may have ``on_epoch_begin`` and ``on_epoch_end``. One batch is made at a time, in the thread that trains.

    Args:
        workers: As in Keras; changes nothing here.
        use_multiprocessing: As in Keras; changes nothing here.
        max_queue_size: As in Keras; changes nothing here.

    Example:

    >>> import numpy as np
    >>> from fastmlp import utils
    >>> class Squares(utils.PyDataset):
    ...     def __len__(self):
    ...         return 3
    ...     def __getitem__(self, index):
    ...         x = np.arange(4.0)[:, None] + 4 * index
    ...         return x, x**2
    >>> len(Squares())
    3
    """

    def __init__(self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10) -> None:
        self.workers, self.use_multiprocessing, self.max_queue_size = workers, use_multiprocessing, max_queue_size

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} must have a method __len__, which returns the number of batches")

    def __getitem__(self, index: int) -> object:
        raise NotImplementedError(f"{type(self).__name__} must have a method __getitem__(index), which returns (x, y) of a batch")

    def on_epoch_begin(self) -> None:
        """Called before the first batch of an epoch."""

    def on_epoch_end(self) -> None:
        """Called after the last batch of an epoch, for example to shuffle."""
