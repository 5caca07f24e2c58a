"""The exceptions that fastmlp defines.

Invalid arguments raise ``ValueError`` or ``TypeError``, and misuse, such as training a model that was not compiled, raises
``RuntimeError``. Only errors that a program may want to catch separately have a class here.
"""

from __future__ import annotations

from os import PathLike, fspath

__all__ = ["DownloadError", "ModelFileError", "NonFiniteLossError", "NonFiniteWeightsError", "UnsupportedError"]


# Messages of both engines for calls that a network has to refuse.

INSIDE_FUNCTION = (
    "a loss function can't use the model that is being trained with it; the predictions are its argument, and anything else it needs "
    "from the model must be read before training, or in a callback between two batches"
)
"""A user-defined function, called by an engine in the middle of a batch, calls the same network."""

INSIDE_METRIC = (
    "a metric can't evaluate or train the model that it is a metric of; its methods may call predict, and evaluate can be called in a "
    "callback or after training"
)
"""A user-defined metric, called in the middle of a pass, starts another pass that it is measured on."""

OCCUPIED = (
    "this call changes or evaluates the model while a loss function in another thread has been running for more than a second; call "
    "again when it has returned, and never make a loss function wait for such a call"
)

STALE = "the model was compiled again by another thread while this call was running; call again"
"""Arguments were checked for one objective, but the network has been configured for another."""


class NonFiniteLossError(FloatingPointError):
    """The loss of a minibatch became NaN or infinite; the weights keep the values they had before that batch.

    Args:
        batch: Index of the minibatch in its epoch, from 0.
        message: The message; by default it names only the batch. ``fit`` adds the epoch and advice.
        epoch: Index of the epoch, from 0; None if the engine raised the error, since engines do not count epochs.
    """

    def __init__(self, batch: int, message: str | None = None, *, epoch: int | None = None) -> None:
        super().__init__(message or f"the loss of batch {batch} is not finite")
        self.batch = batch
        self.epoch = epoch


class NonFiniteWeightsError(NonFiniteLossError):
    """The losses of all minibatches were finite, but the last update made weights NaN or infinite.

    Normally the loss of the next batch reveals such weights. After the last batch of an epoch, and in ``train_on_batch``, the weights
    themselves are checked.
    """


class UnsupportedError(NotImplementedError, ValueError):
    """An argument or a name that Keras has and fastmlp does not; the message names the nearest alternative."""


class ModelFileError(ValueError):
    """A file is not a model that fastmlp can load: damaged, malicious, in another format, or from a newer version.

    The message names the file and the reason.

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
    """A data set could not be downloaded; the message says why, and where to place the files manually."""
