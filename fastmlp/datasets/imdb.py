"""IMDb: 50,000 film reviews as lists of word numbers, half of them positive (Maas et al., 2011).

For dense networks, encode them as bags of words, best as a sparse matrix; docs/examples has a complete program.
"""

from __future__ import annotations

import os

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
    **options: object,
) -> tuple[Pair, Pair]:
    """Loads the reviews, which are downloaded once and cached. The order and the word numbers are those of Keras.

    Args:
        path: A local ``.npz`` file with the arrays ``x_train``, ``y_train``, ``x_test`` and ``y_test``; by default that of the data set.
        num_words: Keep words with a number below this, the most frequent ones; by default all.
        skip_top: Drop words with a number below this, the most frequent ones.
        maxlen: Omit reviews of this length or longer; by default none.
        seed: The seed of the order of the samples.
        start_char: The number at the start of every review; None for none.
        oov_char: The number in place of a dropped word; None to omit it.
        index_from: The offset added to the word numbers of :func:`get_word_index`.

    Returns:
        ``(x_train, y_train), (x_test, y_test)``: arrays of 25,000 lists of word numbers, and of 25,000 labels, 1 for a positive
            review.

    Raises:
        DownloadError: The file is not on this machine and can't be downloaded; the message says where to put it manually.

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
    """Returns the number of every word, 1 for the most frequent; ``load_data`` adds ``index_from`` to them.

    Args:
        path: A local JSON file; by default that of the data set.
    """
    return read_word_index(existing(path, _WORDS))
