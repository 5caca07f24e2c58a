"""What imdb and reuters share: texts as lists of word numbers, and which words are kept."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fastmlp._base import checks

__all__ = ["encode", "object_array", "read_word_index", "shorter_than", "shuffled"]


def shuffled(texts: np.ndarray, labels: np.ndarray, generator: np.random.RandomState) -> tuple[list[Any], np.ndarray]:
    """Texts and labels in the order that Keras gives them with this generator, which it uses for all parts of a data set."""
    order = np.arange(len(texts))
    generator.shuffle(order)
    return [texts[i] for i in order], labels[order]


def encode(
    texts: Sequence[Any], num_words: int | None, skip_top: int, start_char: int | None, oov_char: int | None, index_from: int | None
) -> list[list[int]]:
    """The numbers of the words that are kept.

    Args:
        texts: For each text the numbers of its words, 1 for the most frequent.
        num_words: Numbers from here on are of words too rare to keep; by default all are kept.
        skip_top: Numbers below are of words too frequent to keep.
        start_char: Begins each text; None for nothing.
        oov_char: Stands where a word is not kept; None to leave the place out.
        index_from: Added to the number of every word.
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


def shorter_than(maxlen: int | None, texts: Sequence[Any], labels: np.ndarray, begins: bool) -> tuple[Sequence[Any], np.ndarray]:
    """Only the texts of fewer than ``maxlen`` words, the mark of the beginning counted."""
    if not maxlen:
        return texts, labels
    kept = [i for i, text in enumerate(texts) if len(text) + begins < maxlen]
    if not kept:
        raise ValueError(f"no text is shorter than maxlen={maxlen}; give a larger one")
    return [texts[i] for i in kept], labels[kept]


def object_array(texts: Sequence[list[int]]) -> np.ndarray:
    """An array of lists, also where all are of one length."""
    array = np.empty(len(texts), object)
    for i, text in enumerate(texts):
        array[i] = text
    return array


def read_word_index(file: Path) -> dict[str, int]:
    """Words and their numbers, 1 for the most frequent."""
    index: dict[str, int] = json.loads(file.read_text(encoding="utf-8"))
    return index
