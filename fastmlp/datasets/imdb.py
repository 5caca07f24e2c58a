"""IMDb: 50,000 film reviews as lists of word numbers, half of them positive (Maas and others, 2011).

Dense networks read them as counts or as what words occur, best as a sparse matrix; docs/examples has the whole program.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from fastmlp._base import checks
from fastmlp.datasets._files import RemoteFile
from fastmlp.datasets._npz import read_npz
from fastmlp.datasets._sequences import encode, object_array, read_word_index, shorter_than, shuffled
from fastmlp.datasets._tables import Pair, existing

__all__ = ["get_word_index", "load_data"]

_FILE = RemoteFile("imdb", "imdb.npz", "69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f")
_WORDS = RemoteFile("imdb", "imdb_word_index.json", "bfafd718b763782e994055a2d397834f")


def load_data(
    path: str | os.PathLike[str] = "imdb.npz",
    num_words: int | None = None,
    skip_top: int = 0,
    maxlen: int | None = None,
    seed: int = 113,
    start_char: int | None = 1,
    oov_char: int | None = 2,
    index_from: int | None = 3,
    **options: Any,
) -> tuple[Pair, Pair]:
    """The reviews, downloaded once if they are not on this machine, in the order and with the numbers of Keras.

    Args:
        path: A file of your own with the arrays ``x_train``, ``y_train``, ``x_test`` and ``y_test``; by default the data set's.
        num_words: Only numbers below are kept, those of the most frequent words; by default all.
        skip_top: Numbers below are not kept: those of words so frequent that they say little.
        maxlen: Reviews of this length or longer are left out; by default none.
        seed: Decides the order.
        start_char: Begins every review; None for nothing.
        oov_char: Stands where a word was not kept; None to leave the place out.
        index_from: Added to the numbers of :func:`get_word_index`.

    Returns:
        ``(x_train, y_train), (x_test, y_test)``: arrays of 25,000 lists of numbers, and of as many labels, 1 for a positive review.

    Raises:
        DownloadError: The file is not here and cannot be downloaded; the message says where to put it by hand.

    Example:
        >>> from fastmlp.datasets import imdb
        >>> (x_train, y_train), (x_test, y_test) = imdb.load_data(num_words=10000)  # doctest: +SKIP
    """
    checks.reject_unknown("imdb.load_data", options, {"nb_words": "it is called num_words"})
    x_train, y_train, x_test, y_test = read_npz(existing(path, _FILE), ("x_train", "y_train", "x_test", "y_test"))
    generator, parts = np.random.RandomState(seed), []
    for x, y in ((x_train, y_train), (x_test, y_test)):
        texts, labels = shuffled(x, y, generator)
        parts.append(shorter_than(maxlen, texts, labels, start_char is not None))
    train = len(parts[0][0])
    lists = object_array(encode([*parts[0][0], *parts[1][0]], num_words, skip_top, start_char, oov_char, index_from))
    return (lists[:train], parts[0][1]), (lists[train:], parts[1][1])


def get_word_index(path: str | os.PathLike[str] = "imdb_word_index.json") -> dict[str, int]:
    """The words and their numbers, 1 for the most frequent; ``load_data`` adds ``index_from`` to them.

    Args:
        path: A file of your own; by default the data set's.
    """
    return read_word_index(existing(path, _WORDS))
