"""Layers that replace words or integers by their indices in a vocabulary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from fastmlp._base import checks
from fastmlp._base.arguments import Boolean, Choice, Converted, Integer, Text
from fastmlp._base.configs import Config, StoredConfig
from fastmlp._base.shapes import Shape
from fastmlp._engine.spec import Constant, Table
from fastmlp._graph.operation import Operation
from fastmlp.errors import UnsupportedError
from fastmlp.layers.arrays import DROPPED, ArrayLayer, batches, bucket, elements, encoded, exact, lookup, mapped, method_of, salt_pair
from fastmlp.layers.categories import MAX_NUMBERS

__all__ = ["IntegerLookup", "StringLookup"]


Vocabulary: TypeAlias = str | Path | ArrayLike
"""Tokens, or the path of a text file with one token per line."""


class _IndexLookup(ArrayLayer):
    """The base class of both lookups: a vocabulary, and the index of each of its tokens."""

    _token_dtype: DTypeLike = object
    """The dtype of the array that an inverse lookup returns."""

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
            raise ValueError("pad_to_max_tokens=True needs max_tokens=, the number of outputs")
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
        self._idf: NDArray[np.float32] | None = None

    def _begin(self, vocabulary: Vocabulary | None, idf_weights: ArrayLike | None, salt: int | Sequence[int] | None) -> None:
        """The rest of the constructor."""
        self.salt = salt
        if self._static is None:
            self._static = vocabulary is not None
        if vocabulary is not None:
            self.set_vocabulary(vocabulary, idf_weights)
        elif idf_weights is not None:
            raise ValueError("idf_weights need a vocabulary; pass vocabulary= as well")

    def _token(self, value: object) -> Any:
        """``value`` as a token of the vocabulary; a TypeError if it can't be one."""
        raise NotImplementedError

    def _out_of_vocabulary(self, token: Any) -> int:
        """Which of the indices for unknown tokens a token gets."""
        return bucket(str(token).encode(), self.num_oov_indices, self.salt)

    def _masks(self) -> int:
        """The number of indices reserved for the mask token, 0 or 1."""
        return int(self.mask_token is not None and self.output_mode == "int")

    def _special(self) -> list[Any]:
        return [self.mask_token] * self._masks() + [self.oov_token] * self.num_oov_indices

    def _start(self) -> int:
        """The index of the first token."""
        return self._masks() + self.num_oov_indices

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[Any]:
        """The tokens, in the order of their indices.

        Args:
            include_special_tokens: Whether the list starts with the mask token and the tokens for unknown values.
        """
        return (self._special() if include_special_tokens else []) + self._tokens

    def vocabulary_size(self) -> int:
        """The number of tokens, the special ones included."""
        return self._start() + len(self._tokens)

    def set_vocabulary(self, vocabulary: Vocabulary, idf_weights: ArrayLike | None = None) -> None:
        """Replace the vocabulary.

        Args:
            vocabulary: The tokens, with or without the special ones at the start; or the path of a text file with one token per line.
            idf_weights: With ``output_mode="tf_idf"``, the inverse document frequency of each token.

        Raises:
            ValueError: Tokens are repeated, there are more than ``max_tokens``, or ``idf_weights`` does not fit.
            TypeError: A token has the wrong type.
        """
        if (self.output_mode == "tf_idf") != (idf_weights is not None):
            raise ValueError(
                f"idf_weights must be passed with output_mode='tf_idf', and only then; got output_mode={self.output_mode!r} and "
                f"idf_weights={idf_weights!r:.60}"
            )
        start = self._start()
        has_special = False
        if isinstance(vocabulary, (str, Path)):
            if not Path(vocabulary).is_file():
                raise ValueError(f"vocabulary file {str(vocabulary)!r} does not exist")
            if self.output_mode == "tf_idf":
                raise ValueError("a vocabulary from a file has no idf_weights; pass a list with output_mode='tf_idf'")
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
                raise ValueError(f"idf_weights must have one value per token of the vocabulary, {len(given)}, got shape {idf.shape}")
            if not has_special:
                idf = np.concatenate((np.full(start, np.average(idf)), idf))
        self._install(tokens, idf)

    def _read(self, line: str) -> Any:
        return line

    def _check_tokens(self, tokens: list[Any]) -> None:
        repeated = [token for token, count in Counter(tokens).items() if count > 1]
        if repeated:
            raise ValueError(f"the tokens of a vocabulary must be unique, but {repeated!r:.80} are repeated")
        reserved = [(self.mask_token, "mask_token"), *([(self.oov_token, "oov_token")] if self.invert else [])]
        for token, name in reserved:
            if token is not None and token in tokens:
                raise ValueError(
                    f"the {name} {token!r} can only be at the start of the vocabulary, with all special tokens in the order of "
                    "get_vocabulary(); or omit it"
                )
        if self.max_tokens is not None and self._start() + len(tokens) > self.max_tokens:
            raise ValueError(f"the vocabulary has {self._start() + len(tokens)} tokens, but max_tokens is {self.max_tokens}")

    def _install(self, tokens: list[Any], idf: NDArray[np.floating] | None) -> None:
        start = self._start()
        size = start + len(tokens)
        if self.output_mode != "int" and not self.pad_to_max_tokens and self._size not in (None, size):
            raise RuntimeError(
                f"the vocabulary of layer {self.name!r} can't change its size from {self._size} to {size}, because there is one output "
                "per token; make a new layer, or pass max_tokens= and pad_to_max_tokens=True"
            )
        self._take_effect(
            {
                "_size": size,
                "_tokens": tokens,
                "_indices": {token: start + index for index, token in enumerate(tokens)},
                "_idf": None if idf is None else idf.astype(np.float32),
            }
        )

    def adapt(self, data: ArrayLike | Iterable[ArrayLike], steps: int | None = None) -> None:
        """Learn the vocabulary, in the order of descending frequency; equally frequent tokens are in descending order.

        Args:
            data: An array or a list, or an iterable of batches. With ``output_mode="tf_idf"`` each row is a document; a batch with one
                axis is one document.
            steps: The maximum number of batches to read; by default all.

        Raises:
            ValueError: The layer has a fixed vocabulary.
        """
        if self._static:
            raise ValueError(f"layer {self.name!r} has a fixed vocabulary, so there is nothing to learn")
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
        limit = None if self.max_tokens is None else max(0, self.max_tokens - self._start())
        learned = sorted(counts, key=lambda token: (counts[token], self._order(token)), reverse=True)[:limit]
        idf = None
        if self.output_mode == "tf_idf":
            found = np.array([documents[token] for token in learned], np.float64)
            idf = np.log(1 + number / (1 + found)).astype(np.float32)
            idf = np.concatenate((np.full(self._start(), idf.mean() if idf.size else 0.0, np.float32), idf))
        self._install(learned, idf)

    def _order(self, token: Any) -> Any:
        return token

    def _of(self, inputs: object) -> NDArray[Any]:
        array = elements("data", inputs)
        if self.invert:
            table = dict(enumerate(self.get_vocabulary()))
            inverse = mapped(array, lambda index: table.get(_integer(index), self.oov_token), object)
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
        return f"layer {self.name!r} has no vocabulary yet: call adapt(data), or pass vocabulary="

    def _depth(self) -> int:
        return self.max_tokens if self.pad_to_max_tokens and self.max_tokens else self.vocabulary_size()

    def _column_weights(self) -> NDArray[Any]:
        if self._idf is None:
            raise ValueError(f"layer {self.name!r} has no idf_weights yet: call adapt(data), or set_vocabulary(vocabulary, idf_weights)")
        return np.pad(self._idf, (0, self._depth() - self._idf.size))

    def _index(self, value: object) -> int:
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
    def from_config(cls, config: StoredConfig) -> _IndexLookup:
        """A layer with the configuration that :meth:`get_config` returned, including a learned vocabulary."""
        if isinstance(config.get("vocabulary"), (str, Path)):
            raise ValueError(f"the vocabulary in a configuration must be a list of tokens, not a path, got {config['vocabulary']!r:.80}")
        try:
            return cls(**config)
        except RuntimeError as error:  # vocabulary_size is of another one
            raise ValueError(str(error)) from None

    def get_config(self) -> Config:
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
    """Replaces words by their indices in a vocabulary, which is passed or learned by :meth:`adapt`.

    It is called on arrays before ``fit``, because the inputs of a model are numbers.

    Args:
        max_tokens: The maximum size of the vocabulary, including special tokens; by default there is none.
        num_oov_indices: The number of indices for words that are not in the vocabulary; with 0 such a word is an error.
        mask_token: A word that gets index 0, or no output in the other modes; by default none.
        oov_token: The word that an inverse lookup returns for indices of unknown words.
        vocabulary: The words, or the path of a text file with one word per line.
        idf_weights: With ``output_mode="tf_idf"``, the inverse document frequency of each word.
        invert: Whether to replace indices by words instead.
        output_mode: ``"int"``, ``"one_hot"``, ``"multi_hot"``, ``"count"`` or ``"tf_idf"``.
        pad_to_max_tokens: Whether there are ``max_tokens`` outputs even if the vocabulary is smaller.
        sparse: False.
        encoding: The encoding of words that are bytes.
        salt: One or two integers, a key for the hash that distributes unknown words over several indices.
        options: See :class:`Layer`.

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
        vocabulary: Vocabulary | None = None,
        idf_weights: ArrayLike | None = None,
        invert: bool = False,
        output_mode: str = "int",
        pad_to_max_tokens: bool = False,
        sparse: bool = False,
        encoding: str = "utf-8",
        salt: int | Sequence[int] | None = None,
        **options: Any,
    ) -> None:
        self.encoding = encoding
        super().__init__(max_tokens, num_oov_indices, mask_token, oov_token, invert, output_mode, pad_to_max_tokens, sparse, **options)
        self._begin(vocabulary, idf_weights, salt)

    def _token(self, value: object) -> str:
        if isinstance(value, bytes):
            return value.decode(self.encoding)
        if not isinstance(value, str):
            raise TypeError(f"StringLookup needs strings, got {value!r:.60}; replace missing values, and use IntegerLookup for integers")
        return value

    def _order(self, token: str) -> bytes:
        return token.encode()

    def check_in_model(self) -> None:
        """Always raises an error: a model can't read strings."""
        raise UnsupportedError(
            f"layer {self.name!r} reads or returns strings, but the inputs and outputs of a model are numbers; call it on the data before "
            "fit, x = layer(data), and start the model with the Input of that"
        )


class IntegerLookup(_IndexLookup):
    """Replaces integers by their indices in a vocabulary, which is passed or learned by :meth:`adapt`. On arrays, or part of a model.

    In a model, whose inputs are float32, the integers and the vocabulary must lie between -2²⁴ and 2²⁴. When :meth:`adapt` is called again,
    the new vocabulary takes effect in all models of the layer.

    Args:
        max_tokens: The maximum size of the vocabulary, including special tokens; by default there is none.
        num_oov_indices: The number of indices for integers that are not in the vocabulary; with 0 such an integer is an error.
        mask_token: An integer that gets index 0, or no output in the other modes; by default none.
        oov_token: The integer that an inverse lookup returns for indices of unknown integers.
        vocabulary: The integers, or the path of a text file with one integer per line.
        vocabulary_dtype: ``"int64"``.
        idf_weights: With ``output_mode="tf_idf"``, the inverse document frequency of each integer.
        invert: Whether to replace indices by integers instead.
        output_mode: ``"int"``, ``"one_hot"``, ``"multi_hot"``, ``"count"`` or ``"tf_idf"``.
        sparse: False.
        pad_to_max_tokens: Whether there are ``max_tokens`` outputs even if the vocabulary is smaller.
        oov_method: How unknown integers are distributed over several indices: ``"floormod"``, the remainder, or ``"farmhash"``, a hash.
        salt: One or two integers, a key for the hash.
        options: See :class:`Layer`.

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
        vocabulary: Vocabulary | None = None,
        vocabulary_dtype: str = "int64",
        idf_weights: ArrayLike | None = None,
        invert: bool = False,
        output_mode: str = "int",
        sparse: bool = False,
        pad_to_max_tokens: bool = False,
        oov_method: Literal["floormod", "farmhash"] = "floormod",
        salt: int | Sequence[int] | None = None,
        **options: Any,
    ) -> None:
        if vocabulary_dtype != "int64":
            raise ValueError(f"vocabulary_dtype must be 'int64', got {vocabulary_dtype!r:.60}")
        self.oov_method = oov_method
        if salt is not None and oov_method != "farmhash":
            raise ValueError(f"salt needs oov_method='farmhash', got {oov_method!r}")
        super().__init__(max_tokens, num_oov_indices, mask_token, oov_token, invert, output_mode, pad_to_max_tokens, sparse, **options)
        self._begin(vocabulary, idf_weights, salt)

    def _token(self, value: object) -> int:
        return _integer(value)

    def _read(self, line: str) -> int:
        return int(line)

    def _out_of_vocabulary(self, token: int) -> int:
        return token % self.num_oov_indices if self.oov_method == "floormod" else super()._out_of_vocabulary(token)

    def _replacement(self) -> Operation:
        if not self._tokens:
            raise ValueError(f"{self._nothing_learned()}, before the layer is used in a model")
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


def _integer(value: object) -> int:
    """A number of any type as an integer; a TypeError if it is none."""
    if isinstance(value, (int, float)) and value == value // 1:
        return int(value)
    raise TypeError(f"IntegerLookup needs integers, got {value!r:.60}")
