"""The exceptions fastmlp raises beyond Python's own.

Bad arguments are ``ValueError`` or ``TypeError`` and misuse (training a model that was not compiled) is ``RuntimeError``; only what a
program may want to catch by itself has a class here.
"""

from __future__ import annotations

from os import PathLike, fspath

__all__ = ["DownloadError", "ModelFileError", "NonFiniteLossError", "NonFiniteWeightsError", "UnsupportedError"]


# What both engines answer where a network can't be used.

INSIDE_FUNCTION = (
    "a loss function can't use the model that is being trained with it; it gets the predictions as an argument, and whatever else it wants "
    "of the model has to be taken before the training, or in a callback between two batches"
)
"""A function of the user's, called by an engine in the middle of a batch, comes back to the same network."""

INSIDE_METRIC = (
    "a metric can't measure or train the model that it is a metric of; in its methods it may call predict, and evaluate belongs into a "
    "callback, or behind the training"
)
"""A metric of the user's, called in the middle of a pass, begins another pass that it measures."""

OCCUPIED = (
    "this call changes the model, or measures it, while a loss function that another thread is in has been running for more than a second; "
    "call again when it has returned, and never let a loss function wait for such a call"
)

STALE = "the model was compiled anew, by another thread, while this call was running; call again"
"""What was checked for one objective meets a network that has been configured for another."""


class NonFiniteLossError(FloatingPointError):
    """The loss of a minibatch became NaN or infinite; the weights keep the values they had before that batch.

    Args:
        batch: Index of the minibatch in its epoch, from 0.
        message: What to tell the user; an engine leaves it out, ``fit`` fills in the epoch and advice.
        epoch: Index of the epoch, from 0; None when an engine raises it, since an engine knows no epochs.
    """

    def __init__(self, batch: int, message: str | None = None, *, epoch: int | None = None) -> None:
        super().__init__(message or f"the loss of batch {batch} is not finite")
        self.batch = batch
        self.epoch = epoch


class NonFiniteWeightsError(NonFiniteLossError):
    """The losses of all minibatches were finite, but the last update left weights that are NaN or infinite.

    Such weights show in the loss of the next batch. After the last batch of an epoch, and of ``train_on_batch``, the weights themselves are
    looked at.
    """


class UnsupportedError(NotImplementedError, ValueError):
    """An argument or a name that Keras has and fastmlp does not; the message names the nearest alternative."""


class ModelFileError(ValueError):
    """A file is not a model that fastmlp can load: damaged, foreign, hostile, or of a newer version. The message names file and reason.

    Args:
        path: The file.
        reason: What is wrong with it, as a clause: ``"it is a PNG image"``.
    """

    def __init__(self, path: str | PathLike[str], reason: str) -> None:
        super().__init__(f"cannot load {fspath(path)}: {reason}")
        self.path = path
        self.reason = reason

    def __reduce__(self) -> tuple[type[ModelFileError], tuple[str | PathLike[str], str]]:
        return type(self), (self.path, self.reason)


class DownloadError(OSError):
    """A data set could not be downloaded; the message says why, and where to put the files by hand."""
