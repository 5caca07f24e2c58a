"""Layers that make numbers of words and of integers, by a vocabulary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from fastmlp._base import checks
from fastmlp._base.arguments import Boolean, Choice, Converted, Integer, Text
from fastmlp._base.shapes import Shape
from fastmlp._engine.spec import Constant, Table
from fastmlp._graph.operation import Operation
from fastmlp.errors import UnsupportedError
from fastmlp.layers.arrays import DROPPED, ArrayLayer, batches, bucket, elements, encoded, exact, lookup, mapped, method_of, salt_pair
from fastmlp.layers.categories import MAX_NUMBERS

__all__ = ["IntegerLookup", "StringLookup"]


class _IndexLookup(ArrayLayer):
    """What the two lookups share: a vocabulary, and the index of each of its tokens."""

    _token_dtype: Any = object
    """Of the array that an inverse lookup gives."""

    max_tokens = Integer(2, optional=True)
    num_oov_indices = Integer(0, MAX_NUMBERS)
    invert = Boolean()
    output_mode = Choice("int", "one_hot", "multi_hot", "count", "tf_idf")
    pad_to_max_tokens = Boolean()
    salt = Converted(salt_pair)

    def __init__(
        self,
        max_tokens: int | None,
        num_oov_indices: int,
        mask_token: Any,
        oov_token: Any,
        invert: bool,
        output_mode: str,
        pad_to_max_tokens: bool,
        sparse: bool,
        *,
        has_input_vocabulary: bool | None = None,
        vocabulary_size: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.refuse_sparse(sparse)
        self.max_tokens, self.pad_to_max_tokens = max_tokens, pad_to_max_tokens
        if self.pad_to_max_tokens and self.max_tokens is None:
            raise ValueError("pad_to_max_tokens=True needs max_tokens=, the number of columns")
        self.num_oov_indices, self.invert = num_oov_indices, invert
        self.output_mode = (
            {"binary": "multi_hot", "tf-idf": "tf_idf"}.get(output_mode, output_mode) if isinstance(output_mode, str) else output_mode
        )
        if self.invert and self.output_mode != "int":
            raise ValueError(f"invert=True needs output_mode='int', got {output_mode!r}")
        self.mask_token = None if mask_token is None else self._token(mask_token)
        self.oov_token = None if oov_token is None else self._token(oov_token)
        self._static = None if has_input_vocabulary is None else checks.check_bool("has_input_vocabulary", has_input_vocabulary)
        self._size = None if vocabulary_size is None else checks.check_int("vocabulary_size", vocabulary_size, 0)
        self._tokens: list[Any] = []
        self._indices: dict[Any, int] = {}
        self._idf: np.ndarray | None = None

    def _begin(self, vocabulary: Any, idf_weights: Any, salt: Any) -> None:
        """The rest of the constructor."""
        self.salt = salt
        if self._static is None:
            self._static = vocabulary is not None
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

    def _masks(self) -> int:
        """How many indices the mask token has."""
        return int(self.mask_token is not None and self.output_mode == "int")

    def _special(self) -> list[Any]:
        return [self.mask_token] * self._masks() + [self.oov_token] * self.num_oov_indices

    def _start(self) -> int:
        """The index of the first token."""
        return self._masks() + self.num_oov_indices

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[Any]:
        """The tokens, in the order of their indices.

        Args:
            include_special_tokens: Whether to begin with the mask token and the tokens for what is not in the vocabulary.
        """
        return (self._special() if include_special_tokens else []) + self._tokens

    def vocabulary_size(self) -> int:
        """The number of tokens, the special ones included."""
        return self._start() + len(self._tokens)

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
        start = self._start()
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
            has_special = start <= len(tokens) and tokens[:start] == self._special()
            tokens = [self._token(token) for token in (tokens[start:] if has_special else tokens)]
            if not given.size:
                raise ValueError("vocabulary must not be empty")
        self._check_tokens(tokens)
        idf = None
        if idf_weights is not None:
            idf = np.asarray(idf_weights, np.float64)
            if idf.shape != (len(tokens) + has_special * start,):
                raise ValueError(f"idf_weights must be as many as the tokens of the vocabulary, {len(given)}, got shape {idf.shape}")
            if not has_special:
                idf = np.concatenate((np.full(start, np.average(idf)), idf))
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
                raise ValueError(
                    f"the {name} {token!r} may be in the vocabulary only in front, with all special tokens in the order of "
                    "get_vocabulary(); or leave it out"
                )
        if self.max_tokens is not None and self._start() + len(tokens) > self.max_tokens:
            raise ValueError(f"the vocabulary has {self._start() + len(tokens)} tokens, but max_tokens is {self.max_tokens}")

    def _install(self, tokens: list[Any], idf: np.ndarray | None) -> None:
        start = self._start()
        size = start + len(tokens)
        if self.output_mode != "int" and not self.pad_to_max_tokens and self._size not in (None, size):
            raise RuntimeError(
                f"the vocabulary of layer {self.name!r} can't change its size from {self._size} to {size}, because there is a column for "
                "each token; make a new layer, or give max_tokens= and pad_to_max_tokens=True"
            )
        self._take_effect(
            {
                "_size": size,
                "_tokens": tokens,
                "_indices": {token: start + index for index, token in enumerate(tokens)},
                "_idf": None if idf is None else idf.astype(np.float32),
            }
        )

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
        most = None if self.max_tokens is None else max(0, self.max_tokens - self._start())
        learned = sorted(counts, key=lambda token: (counts[token], self._order(token)), reverse=True)[:most]
        idf = None
        if self.output_mode == "tf_idf":
            found = np.array([documents[token] for token in learned], np.float64)
            idf = np.log(1 + number / (1 + found)).astype(np.float32)
            idf = np.concatenate((np.full(self._start(), idf.mean() if idf.size else 0.0, np.float32), idf))
        self._install(learned, idf)

    def _order(self, token: Any) -> Any:
        return token

    def _of(self, inputs: Any) -> np.ndarray:
        array = elements("data", inputs)
        if self.invert:
            table = dict(enumerate(self.get_vocabulary()))
            inverse = mapped(array, lambda index: table.get(_whole(index), self.oov_token), object)
            return np.asarray(inverse, self._token_dtype)
        if self.output_mode == "int":
            return mapped(array, self._index, np.int64)
        if not self._size and not self.pad_to_max_tokens:
            raise RuntimeError(self._nothing_learned())
        indices = mapped(array, self._index, np.int64)
        if self.output_mode != "tf_idf":
            return encoded(indices, self.output_mode, self._depth(), np.int64)
        return np.asarray(encoded(indices, "count", self._depth(), np.float32) * self._column_weights())

    def _nothing_learned(self) -> str:
        return f"layer {self.name!r} has no vocabulary yet: call adapt(data), or give vocabulary="

    def _depth(self) -> int:
        return self.max_tokens if self.pad_to_max_tokens and self.max_tokens else self.vocabulary_size()

    def _column_weights(self) -> np.ndarray:
        if self._idf is None:
            raise ValueError(f"layer {self.name!r} has no idf_weights yet: call adapt(data), or set_vocabulary(vocabulary, idf_weights)")
        return np.pad(self._idf, (0, self._depth() - self._idf.size))

    def _index(self, value: Any) -> int:
        token = self._token(value)
        if self.mask_token is not None and token == self.mask_token:
            return 0 if self.output_mode == "int" else DROPPED
        index = self._indices.get(token)
        if index is not None:
            return index
        if not self.num_oov_indices:
            raise ValueError(f"{token!r:.80} is not in the vocabulary of layer {self.name!r}; consider num_oov_indices=1")
        return self._masks() if self.num_oov_indices == 1 else self._masks() + self._out_of_vocabulary(token)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> _IndexLookup:
        """A layer made from what :meth:`get_config` returned, with the vocabulary it had learned."""
        if isinstance(config.get("vocabulary"), (str, Path)):
            raise ValueError(f"a configuration holds the tokens of a vocabulary, not the path of a file, got {config['vocabulary']!r:.80}")
        try:
            return cls(**config)
        except RuntimeError as error:  # vocabulary_size is of another one
            raise ValueError(str(error)) from None

    def get_config(self) -> dict[str, Any]:
        idf = None if self._idf is None else self._idf.tolist()
        return super().get_config() | {
            "mask_token": self.mask_token,
            "oov_token": self.oov_token,
            "vocabulary": self.get_vocabulary(include_special_tokens=idf is not None) if self._tokens else None,
            "idf_weights": idf if self._tokens else None,
            "has_input_vocabulary": self._static,
            "vocabulary_size": self._size,
        }


class StringLookup(_IndexLookup):
    """Words as the indices they have in a vocabulary, given or learned by :meth:`adapt`.

    It is called on arrays before ``fit``: what a model reads are numbers.

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

    _token_dtype = str

    encoding = Text()

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
        super().__init__(max_tokens, num_oov_indices, mask_token, oov_token, invert, output_mode, pad_to_max_tokens, sparse, **options)
        self._begin(vocabulary, idf_weights, salt)

    def _token(self, value: Any) -> str:
        if isinstance(value, bytes):
            return value.decode(self.encoding)
        if not isinstance(value, str):
            raise TypeError(f"StringLookup takes strings, got {value!r:.60}; fill missing values, and use IntegerLookup for integers")
        return value

    def _order(self, token: str) -> bytes:
        return token.encode()

    def check_in_model(self) -> None:
        """Refuse it always."""
        raise UnsupportedError(
            f"layer {self.name!r} reads strings or gives them, but what a model reads and gives are numbers; call it on the data before "
            "fit, x = layer(data), and begin the model with Input(shape) of what that gives"
        )


class IntegerLookup(_IndexLookup):
    """Integers as the indices they have in a vocabulary, given or learned by :meth:`adapt`; on arrays, or in a model.

    A model reads float32, so there the numbers and those of the vocabulary lie between -2²⁴ and 2²⁴. Without ``num_oov_indices`` a number
    that the vocabulary lacks is an error. A vocabulary that is learned anew takes effect in all models of the layer.

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

    only_in_keras: ClassVar = {"sparse": False, "vocabulary_dtype": "int64"}
    _token_dtype = np.int64

    oov_method = Choice("floormod", "farmhash")

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
        self.oov_method = oov_method
        if salt is not None and oov_method != "farmhash":
            raise ValueError(f"salt needs oov_method='farmhash', got {oov_method!r}")
        super().__init__(max_tokens, num_oov_indices, mask_token, oov_token, invert, output_mode, pad_to_max_tokens, sparse, **options)
        self._begin(vocabulary, idf_weights, salt)

    def _token(self, value: Any) -> int:
        return _whole(value)

    def _read(self, line: str) -> int:
        return int(line)

    def _out_of_vocabulary(self, token: int) -> int:
        return token % self.num_oov_indices if self.oov_method == "floormod" else super()._out_of_vocabulary(token)

    def _replacement(self) -> Operation:
        if not self._tokens:
            raise ValueError(f"{self._nothing_learned()}, before the layer becomes part of a model")
        exact("a token", self, self._tokens)
        if self.invert:
            exact("oov_token", self, [self.oov_token])
            exact("mask_token", self, [] if self.mask_token is None else [self.mask_token])
            tokens = self.get_vocabulary()
            return lookup(Table(tuple(map(float, range(len(tokens)))), tuple(map(float, tokens)), int(self.oov_token or 0), 1))
        values: dict[int, int] = dict(self._indices)
        if self.mask_token is not None:
            exact("mask_token", self, [self.mask_token])
            values[self.mask_token] = 0 if self.output_mode == "int" else DROPPED
        keys = sorted(values)
        method = {} if self.oov_method == "floormod" else method_of(self.salt)
        known = tuple(map(float, keys)), tuple(float(values[key]) for key in keys)
        return lookup(Table(*known, self._masks(), self.num_oov_indices, **method))

    def operations(self, input_shape: Shape) -> tuple[Operation, ...]:
        if self.output_mode != "tf_idf":
            return super().operations(input_shape)
        row = self.row_after(input_shape)
        weights, nothing = Constant(tuple(self._column_weights().tolist()), row, row), Constant((0.0,), (), row)
        return (*super().operations(input_shape), Operation("rescaling", settings={"constants": (("scale", weights), ("offset", nothing))}))


def _whole(value: Any) -> int:
    """An integer, given as any kind of number."""
    if isinstance(value, (int, float)) and value == value // 1:
        return int(value)
    raise TypeError(f"a lookup of integers takes integers, got {value!r:.60}")
