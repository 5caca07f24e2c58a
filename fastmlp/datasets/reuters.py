"""Reuters: 11,228 newswires as lists of word numbers, in 46 topics (Lewis, 1987)."""

from __future__ import annotations

import os

import numpy as np

from fastmlp._base import checks
from fastmlp.datasets._files import RemoteFile
from fastmlp.datasets._npz import read_npz
from fastmlp.datasets._sequences import encode, object_array, read_word_index, shorter_than, shuffled
from fastmlp.datasets._tables import Pair, existing

__all__ = ["get_label_names", "get_word_index", "load_data"]

_FILE = RemoteFile("reuters", "reuters.npz", "d6586e694ee56d7a4e65172e12b3e987c03096cb01eab99753921ef915959916")
_WORDS = RemoteFile("reuters", "reuters_word_index.json", "4d44cc38712099c9e383dc6e5f11a921")
_TOPICS = (
    "cocoa grain veg-oil earn acq wheat copper housing money-supply coffee sugar trade reserves ship cotton carcass crude nat-gas cpi "
    "money-fx interest gnp meal-feed alum oilseed gold tin strategic-metal livestock retail ipi iron-steel rubber heat jobs lei bop zinc "
    "orange pet-chem dlr gas silver wpi hog lead"
)


def load_data(
    path: str | os.PathLike[str] = "reuters.npz",
    num_words: int | None = None,
    skip_top: int = 0,
    maxlen: int | None = None,
    test_split: float = 0.2,
    seed: int = 113,
    start_char: int | None = 1,
    oov_char: int | None = 2,
    index_from: int | None = 3,
) -> tuple[Pair, Pair]:
    """Loads the newswires, which are downloaded once and cached. The order and the word numbers are those of Keras.

    Args:
        path: A local ``.npz`` file with the arrays ``x`` and ``y``; by default that of the data set.
        num_words: Keep words with a number below this, the most frequent ones; by default all.
        skip_top: Drop words with a number below this, the most frequent ones.
        maxlen: Omit newswires of this length or longer; by default none.
        test_split: The fraction of the samples in the test set, 0 ≤ test_split < 1.
        seed: The seed of the order of the samples.
        start_char: The number at the start of every text; None for none.
        oov_char: The number in place of a dropped word; None to omit it.
        index_from: The offset added to the word numbers of :func:`get_word_index`.

    Returns:
        ``(x_train, y_train), (x_test, y_test)``: arrays of 8,982 and 2,246 lists of word numbers, and of their topics from 0
            to 45.

    Raises:
        DownloadError: The file is not on this machine and can't be downloaded; the message says where to put it manually.

    Example:
        >>> from fastmlp.datasets import reuters
        >>> (x_train, y_train), (x_test, y_test) = reuters.load_data(num_words=10000)  # doctest: +SKIP
    """
    checks.check_float("test_split", test_split, 0, below=1)
    x, y = read_npz(existing(path, _FILE), ("x", "y"))
    texts, labels = shorter_than(maxlen, *shuffled(x, y, np.random.RandomState(seed)), start_char is not None)
    lists = object_array(encode(texts, num_words, skip_top, start_char, oov_char, index_from))
    split = int(len(lists) * (1 - test_split))
    return (lists[:split], labels[:split]), (lists[split:], labels[split:])


def get_word_index(path: str | os.PathLike[str] = "reuters_word_index.json") -> dict[str, int]:
    """Returns the number of every word, 1 for the most frequent; ``load_data`` adds ``index_from`` to them.

    Args:
        path: A local JSON file; by default that of the data set.
    """
    return read_word_index(existing(path, _WORDS))


def get_label_names() -> tuple[str, ...]:
    """Returns the names of the topics, in the order of their labels."""
    return tuple(_TOPICS.split())
