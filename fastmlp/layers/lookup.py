"""Layers that make numbers of words and classes before training: they are called on arrays, and are in no model."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from fastmlp import checks
from fastmlp.layers.arrays import DROPPED, ArrayLayer, batches, bucket, elements, encoded, mapped, salt_pair


class _IndexLookup(ArrayLayer):
    """What the two lookups share: a vocabulary, and the index of each of its tokens."""

    dtype: Any = object
    """Of the array that an inverse lookup gives."""

    def __init__(
        self,
        max_tokens: int | None,
        num_oov_indices: int,
        mask_token: Any,
        oov_token: Any,
        vocabulary: Any,
        idf_weights: Any,
        invert: bool,
        output_mode: str,
        pad_to_max_tokens: bool,
        sparse: bool,
        salt: Any,
        **options: Any,
    ) -> None:
        static, size = options.pop("has_input_vocabulary", vocabulary is not None), options.pop("vocabulary_size", None)
        super().__init__(**options)
        self.max_tokens = None if max_tokens is None else checks.whole_number("max_tokens", max_tokens, 2)
        self.pad_to_max_tokens = checks.flag("pad_to_max_tokens", pad_to_max_tokens)
        if self.pad_to_max_tokens and self.max_tokens is None:
            raise ValueError("pad_to_max_tokens=True needs max_tokens=, the number of columns")
        self.num_oov_indices = checks.whole_number("num_oov_indices", num_oov_indices, 0)
        mode = {"binary": "multi_hot", "tf-idf": "tf_idf"}.get(output_mode, output_mode) if isinstance(output_mode, str) else output_mode
        self.output_mode = self.check_mode(mode, sparse, ("int", "one_hot", "multi_hot", "count", "tf_idf"))
        self.invert = checks.flag("invert", invert)
        if self.invert and self.output_mode != "int":
            raise ValueError(f"invert=True needs output_mode='int', got {output_mode!r}")
        self.salt = salt_pair(salt)
        self.mask_token = None if mask_token is None else self._token(mask_token)
        self.oov_token = None if oov_token is None else self._token(oov_token)
        self._static, self._size = checks.flag("has_input_vocabulary", static), size
        self._tokens: list[Any] = []
        self._indices: dict[Any, int] = {}
        self._idf: np.ndarray | None = None
        if vocabulary is not None:
            self.set_vocabulary(vocabulary, idf_weights)
        elif idf_weights is not None:
            raise ValueError("idf_weights belong to a vocabulary; give vocabulary= as well")

    def _token(self, value: Any) -> Any:
        """A token as the vocabulary has it; a TypeError where it is none."""
        raise NotImplementedError

    def _out_of_vocabulary(self, token: Any) -> int:
        """Which of several indices a token that is not in the vocabulary gets."""
        return bucket(str(token).encode(), self.num_oov_indices, self.salt)

    def _special(self) -> list[Any]:
        masks = 1 if self.mask_token is not None and self.output_mode == "int" else 0
        return [self.mask_token] * masks + [self.oov_token] * self.num_oov_indices

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[Any]:
        """The tokens, in the order of their indices.

        Args:
            include_special_tokens: Whether to begin with the mask token and the tokens for what is not in the vocabulary.
        """
        return (self._special() if include_special_tokens else []) + self._tokens

    def vocabulary_size(self) -> int:
        """The number of tokens, the special ones included."""
        return len(self._special()) + len(self._tokens)

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Replace the vocabulary.

        Args:
            vocabulary: The tokens, with or without the special ones in front; or the path of a text file with a token in each line.
            idf_weights: With ``output_mode="tf_idf"``, the inverse document frequency of each of them.
        """
        if (self.output_mode == "tf_idf") != (idf_weights is not None):
            raise ValueError(
                f"idf_weights must be given with output_mode='tf_idf', and only then; got output_mode={self.output_mode!r} and "
                f"idf_weights={idf_weights!r:.60}"
            )
        special = self._special()
        has_special = False
        if isinstance(vocabulary, (str, Path)):
            if not Path(vocabulary).is_file():
                raise ValueError(f"vocabulary file {str(vocabulary)!r} does not exist")
            if self.output_mode == "tf_idf":
                raise ValueError("a vocabulary from a file has no idf_weights; give a list with output_mode='tf_idf'")
            tokens = [self._read(line) for line in Path(vocabulary).read_text(encoding="utf-8").splitlines()]
        else:
            given = elements("vocabulary", vocabulary)
            if given.ndim != 1:
                raise ValueError(f"vocabulary must be a list of tokens or the path of a file, got {vocabulary!r:.80}")
            tokens = given.tolist()
            has_special = tokens[: len(special)] == special
            tokens = [self._token(token) for token in (tokens[len(special) :] if has_special else tokens)]
            if not given.size:
                raise ValueError("vocabulary must not be empty")
        self._check_tokens(tokens)
        idf = None
        if idf_weights is not None:
            idf = np.asarray(idf_weights, np.float64)
            if idf.shape != (len(tokens) + has_special * len(special),):
                raise ValueError(f"idf_weights must be as many as the tokens of the vocabulary, {len(given)}, got shape {idf.shape}")
            if not has_special:
                idf = np.concatenate((np.full(len(special), np.average(idf)), idf))
        self._install(tokens, idf)

    def _read(self, line: str) -> Any:
        return line

    def _check_tokens(self, tokens: list[Any]) -> None:
        repeated = [token for token, count in Counter(tokens).items() if count > 1]
        if repeated:
            raise ValueError(f"each token of the vocabulary must be there once, but there are more of {repeated!r:.80}")
        reserved = [(self.mask_token, "mask_token"), *([(self.oov_token, "oov_token")] if self.invert else [])]
        for token, name in reserved:
            if token is not None and token in tokens:
                raise ValueError(f"the {name} {token!r} may be in the vocabulary only in front, as {self._special()!r}; or leave it out")
        if self.max_tokens is not None and len(self._special()) + len(tokens) > self.max_tokens:
            raise ValueError(f"the vocabulary has {len(self._special()) + len(tokens)} tokens, but max_tokens is {self.max_tokens}")

    def _install(self, tokens: list[Any], idf: np.ndarray | None) -> None:
        size = len(self._special()) + len(tokens)
        if self.output_mode != "int" and not self.pad_to_max_tokens and self._size not in (None, size):
            raise RuntimeError(
                f"the vocabulary of layer {self.name!r} can't change its size from {self._size} to {size}, because there is a column for "
                "each token; make a new layer, or give max_tokens= and pad_to_max_tokens=True"
            )
        start = len(self._special())
        self._size, self._tokens = size, tokens
        self._indices = {token: start + index for index, token in enumerate(tokens)}
        self._idf = None if idf is None else idf.astype(np.float32)

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Learn the vocabulary: the most frequent tokens first, of equally frequent ones the last in order first.

        Args:
            data: An array or a list, or an iterable of batches. With ``output_mode="tf_idf"`` each row is a document; a batch of one axis
                is one.
            steps: The most batches to look at; by default all.
        """
        if self._static:
            raise ValueError(f"layer {self.name!r} was given its vocabulary, so there is nothing to learn")
        counts: Counter[Any] = Counter()
        documents: Counter[Any] = Counter()
        number = 0
        for batch, whole in batches(data, steps, lists_are_arrays=True):
            if batch.ndim < 2:
                batch = batch.reshape(-1, 1) if whole else batch.reshape(1, -1)
            tokens = mapped(batch, self._token, object)
            counts.update(tokens.ravel().tolist())
            if self.output_mode == "tf_idf":
                for document in tokens:
                    documents.update(set(document.ravel().tolist()))
                number += len(tokens)
        if not counts:
            return
        for special in (self.mask_token, self.oov_token):
            counts.pop(special, None)
        most = None if self.max_tokens is None else max(0, self.max_tokens - len(self._special()))
        learned = sorted(counts, key=lambda token: (counts[token], self._order(token)), reverse=True)[:most]
        idf = None
        if self.output_mode == "tf_idf":
            found = np.array([documents[token] for token in learned], np.float64)
            idf = np.log(1 + number / (1 + found)).astype(np.float32)
            idf = np.concatenate((np.full(len(self._special()), idf.mean() if idf.size else 0.0, np.float32), idf))
        self._install(learned, idf)

    def _order(self, token: Any) -> Any:
        return token

    def _of(self, inputs: Any) -> np.ndarray:
        array = elements("data", inputs)
        if self.invert:
            table = dict(enumerate(self.get_vocabulary()))
            inverse = mapped(array, lambda index: table.get(_whole(index), self.oov_token), object)
            return np.asarray(inverse, self.dtype)
        if self.output_mode == "int":
            return mapped(array, self._index, np.int64)
        if not self._size and not self.pad_to_max_tokens:
            raise RuntimeError(f"layer {self.name!r} has no vocabulary yet: call adapt(data), or give vocabulary=")
        depth = self.max_tokens if self.pad_to_max_tokens and self.max_tokens else self.vocabulary_size()
        indices = mapped(array, self._index, np.int64)
        if self.output_mode != "tf_idf":
            return encoded(indices, self.output_mode, depth, np.int64)
        if self._idf is None:
            raise ValueError(f"layer {self.name!r} has no idf_weights yet: call adapt(data), or set_vocabulary(vocabulary, idf_weights)")
        return np.asarray(encoded(indices, "count", depth, np.float32) * np.pad(self._idf, (0, depth - self._idf.size)))

    def _index(self, value: Any) -> int:
        token = self._token(value)
        if self.mask_token is not None and token == self.mask_token:
            return 0 if self.output_mode == "int" else DROPPED
        index = self._indices.get(token)
        if index is not None:
            return index
        if not self.num_oov_indices:
            raise ValueError(f"{token!r:.80} is not in the vocabulary of layer {self.name!r}; consider num_oov_indices=1")
        first = len(self._special()) - self.num_oov_indices
        return first if self.num_oov_indices == 1 else first + self._out_of_vocabulary(token)

    def get_config(self) -> dict[str, Any]:
        idf = None if self._idf is None else self._idf.tolist()
        return super().get_config() | {
            "max_tokens": self.max_tokens,
            "num_oov_indices": self.num_oov_indices,
            "mask_token": self.mask_token,
            "oov_token": self.oov_token,
            "vocabulary": self.get_vocabulary(include_special_tokens=idf is not None) if self._tokens else None,
            "idf_weights": idf if self._tokens else None,
            "invert": self.invert,
            "output_mode": self.output_mode,
            "pad_to_max_tokens": self.pad_to_max_tokens,
            "salt": self.salt,
            "has_input_vocabulary": self._static,
            "vocabulary_size": self._size,
        }


class StringLookup(_IndexLookup):
    """Words as the indices they have in a vocabulary, given or learned by :meth:`adapt`; called on arrays, before training.

    Args:
        max_tokens: The most tokens of the vocabulary, the special ones included; by default any number.
        num_oov_indices: How many indices there are for words that are not in the vocabulary; 0 makes such a word an error.
        mask_token: A word that gets index 0, or no column.
        oov_token: What an inverse lookup gives for words that are not in the vocabulary.
        vocabulary: The words, or the path of a text file with a word in each line.
        idf_weights: With ``output_mode="tf_idf"``, the weight of each of the words.
        invert: Whether to give the words of indices instead.
        output_mode: ``"int"``, ``"one_hot"``, ``"multi_hot"``, ``"count"`` or ``"tf_idf"``.
        pad_to_max_tokens: Whether there are ``max_tokens`` columns, however many words there are.
        sparse: False.
        encoding: Of words that are bytes.
        salt: Another way to spread unknown words over several indices: a number, or two.

    Example:

    >>> from fastmlp import layers
    >>> lookup = layers.StringLookup(vocabulary=["red", "green"])
    >>> lookup(["green", "red", "blue"])
    array([2, 1, 0])
    """

    dtype = str

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: str | None = None,
        oov_token: str | None = "[UNK]",
        vocabulary: Any = None,
        idf_weights: Any = None,
        invert: bool = False,
        output_mode: str = "int",
        pad_to_max_tokens: bool = False,
        sparse: bool = False,
        encoding: str = "utf-8",
        salt: Any = None,
        **options: Any,
    ) -> None:
        self.encoding = encoding
        super().__init__(
            max_tokens,
            num_oov_indices,
            mask_token,
            oov_token,
            vocabulary,
            idf_weights,
            invert,
            output_mode,
            pad_to_max_tokens,
            sparse,
            salt,
            **options,
        )

    def _token(self, value: Any) -> str:
        if isinstance(value, bytes):
            return value.decode(self.encoding)
        if not isinstance(value, str):
            raise TypeError(f"StringLookup takes strings, got {value!r:.60}; fill missing values, and use IntegerLookup for whole numbers")
        return value

    def _order(self, token: str) -> bytes:
        return token.encode()

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"encoding": self.encoding}


class IntegerLookup(_IndexLookup):
    """Whole numbers as the indices they have in a vocabulary, given or learned by :meth:`adapt`; called on arrays, before training.

    Args:
        max_tokens: The most tokens of the vocabulary, the special ones included; by default any number.
        num_oov_indices: How many indices there are for numbers that are not in the vocabulary; 0 makes such a number an error.
        mask_token: A number that gets index 0, or no column.
        oov_token: What an inverse lookup gives for numbers that are not in the vocabulary.
        vocabulary: The numbers, or the path of a text file with a number in each line.
        vocabulary_dtype: ``"int64"``.
        idf_weights: With ``output_mode="tf_idf"``, the weight of each of the numbers.
        invert: Whether to give the numbers of indices instead.
        output_mode: ``"int"``, ``"one_hot"``, ``"multi_hot"``, ``"count"`` or ``"tf_idf"``.
        sparse: False.
        pad_to_max_tokens: Whether there are ``max_tokens`` columns, however many numbers there are.
        oov_method: How unknown numbers are spread over several indices: by the remainder, ``"floormod"``, or by a hash, ``"farmhash"``.
        salt: Another way to hash them: a number, or two.

    Example:

    >>> from fastmlp import layers
    >>> layers.IntegerLookup(vocabulary=[12, 36], output_mode="multi_hot")([[36, 12], [7, 36]])
    array([[0, 1, 1],
           [1, 0, 1]])
    """

    dtype = np.int64

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: int | None = None,
        oov_token: int | None = -1,
        vocabulary: Any = None,
        vocabulary_dtype: str = "int64",
        idf_weights: Any = None,
        invert: bool = False,
        output_mode: str = "int",
        sparse: bool = False,
        pad_to_max_tokens: bool = False,
        oov_method: str = "floormod",
        salt: Any = None,
        **options: Any,
    ) -> None:
        if vocabulary_dtype != "int64":
            raise ValueError(f"vocabulary_dtype must be 'int64', got {vocabulary_dtype!r:.60}")
        if oov_method not in ("floormod", "farmhash"):
            raise ValueError(f"oov_method must be 'floormod' or 'farmhash', got {oov_method!r:.60}")
        if salt is not None and oov_method != "farmhash":
            raise ValueError(f"salt needs oov_method='farmhash', got {oov_method!r}")
        self.oov_method = oov_method
        super().__init__(
            max_tokens,
            num_oov_indices,
            mask_token,
            oov_token,
            vocabulary,
            idf_weights,
            invert,
            output_mode,
            pad_to_max_tokens,
            sparse,
            salt,
            **options,
        )

    def _token(self, value: Any) -> int:
        return _whole(value)

    def _read(self, line: str) -> int:
        return int(line)

    def _out_of_vocabulary(self, token: int) -> int:
        return token % self.num_oov_indices if self.oov_method == "floormod" else super()._out_of_vocabulary(token)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"oov_method": self.oov_method}


def _whole(value: Any) -> int:
    """A whole number, given as any kind of number."""
    if isinstance(value, (int, float)) and value == value // 1:
        return int(value)
    raise TypeError(f"a lookup of whole numbers takes whole numbers, got {value!r:.60}")
