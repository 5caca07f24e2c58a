"""Helpers of imdb and reuters: texts as lists of word numbers, and the choice of words to keep."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np

from fastmlp._base import checks

__all__ = ["encode", "object_array", "read_word_index", "shorter_than", "shuffled"]


WordNumbers: TypeAlias = Sequence[int] | np.ndarray
"""A text: the number of each of its words."""


def shuffled(texts: np.ndarray, labels: np.ndarray, generator: np.random.RandomState) -> tuple[list[WordNumbers], np.ndarray]:
    """Texts and labels in the order of Keras, which uses one generator for all parts of a data set."""
    order = np.arange(len(texts))
    generator.shuffle(order)
    return [texts[i] for i in order], labels[order]


def encode(
    texts: Sequence[WordNumbers], num_words: int | None, skip_top: int, start_char: int | None, oov_char: int | None, index_from: int | None
) -> list[list[int]]:
    """The numbers of the kept words.

    Args:
        texts: For each text, the numbers of its words, 1 for the most frequent.
        num_words: Keep words with a number below this; by default all.
        skip_top: Drop words with a number below this.
        start_char: The number at the start of every text; None for none.
        oov_char: The number in place of a dropped word; None to omit it.
        index_from: The offset added to every word number.
    """
    checks.check_int("skip_top", skip_top, 0)
    if num_words is not None:
        checks.check_int("num_words", num_words)
    offset = index_from or 0
    begin = [] if start_char is None else [start_char]
    arrays = [np.concatenate([begin, np.asarray(text, np.int64) + offset]).astype(np.int64) for text in texts]
    if num_words is None:
        num_words = max((int(array.max()) for array in arrays if len(array)), default=0)
    encoded = []
    for array in arrays:
        kept = (array >= skip_top) & (array < num_words)
        encoded.append((array[kept] if oov_char is None else np.where(kept, array, oov_char)).tolist())
    return encoded


def shorter_than(
    maxlen: int | None, texts: Sequence[WordNumbers], labels: np.ndarray, begins: bool
) -> tuple[Sequence[WordNumbers], np.ndarray]:
    """The texts of fewer than ``maxlen`` numbers, the one at the start included."""
    if not maxlen:
        return texts, labels
    kept = [i for i, text in enumerate(texts) if len(text) + begins < maxlen]
    if not kept:
        raise ValueError(f"no text is shorter than maxlen={maxlen}; increase maxlen")
    return [texts[i] for i in kept], labels[kept]


def object_array(texts: Sequence[list[int]]) -> np.ndarray:
    """An array of lists, even if all have the same length."""
    array = np.empty(len(texts), object)
    for i, text in enumerate(texts):
        array[i] = text
    return array


def read_word_index(file: Path) -> dict[str, int]:
    """The number of every word, 1 for the most frequent."""
    index: dict[str, int] = json.loads(file.read_text(encoding="utf-8"))
    return index
