"""Reuters: 11,228 news as lists of word numbers, each of one of 46 topics (Lewis, 1987)."""

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
    """The news, downloaded once if they are not on this machine, in the order and with the numbers of Keras.

    Args:
        path: A file of your own with the arrays ``x`` and ``y``; by default the data set's.
        num_words: Only numbers below are kept, those of the most frequent words; by default all.
        skip_top: Numbers below are not kept: those of words so frequent that they say little.
        maxlen: News of this length or longer are left out; by default none.
        test_split: The fraction that becomes the test set.
        seed: Decides the order.
        start_char: Begins every text; None for nothing.
        oov_char: Stands where a word was not kept; None to leave the place out.
        index_from: Added to the numbers of :func:`get_word_index`.

    Returns:
        ``(x_train, y_train), (x_test, y_test)``: arrays of 8,982 and 2,246 lists of numbers, and of as many topics from 0 to 45.

    Raises:
        DownloadError: The file is not here and cannot be downloaded; the message says where to put it by hand.

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
    """The words and their numbers, 1 for the most frequent; ``load_data`` adds ``index_from`` to them.

    Args:
        path: A file of your own; by default the data set's.
    """
    return read_word_index(existing(path, _WORDS))


def get_label_names() -> tuple[str, ...]:
    """The topics, in the order of their labels."""
    return tuple(_TOPICS.split())
