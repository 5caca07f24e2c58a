"""Products of matrices and sums of products; cross-entropies of targets and outputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import fastmlp.ops.arranging as a
import fastmlp.ops.elementwise as e
import fastmlp.ops.reductions as r
from fastmlp._program.recording import TraceError, where_called
from fastmlp.ops._operands import apply, axis_of, floating, shape_of, shown

__all__ = [
    "binary_crossentropy",
    "categorical_crossentropy",
    "dot",
    "einsum",
    "inner",
    "matmul",
    "outer",
    "sparse_categorical_crossentropy",
    "tensordot",
    "vdot",
]

_EPSILON = 1e-7


def matmul(x1: Any, x2: Any) -> Any:
    """The product of matrices, or of a vector and a matrix, for each place of the axes before the last two.

    Example:

    >>> from fastmlp import ops
    >>> ops.matmul([[1.0, 2.0]], [[3.0], [4.0]])
    array([[11.]], dtype=float32)
    """
    x1, x2 = floating(x1), floating(x2)
    one, two = len(shape_of(x1)), len(shape_of(x2))
    if not one or not two:
        raise TraceError(f"ops.matmul takes vectors and matrices, got a number{where_called()}")
    if two == 1 and one > 1:
        return r.sum(e.multiply(x1, x2), -1)
    if one == 1:
        left = a.expand_dims(x1, 0)
        product = matmul(left, a.expand_dims(x2, 1) if two == 1 else x2)
        return a.squeeze(product, (0, 1) if two == 1 else -2)
    return apply("matmul", x1, x2)


def tensordot(x1: Any, x2: Any, axes: Any = 2) -> Any:
    """The sum of products over axes of both: the last ``axes`` of x1 and the first of x2, or a pair of lists of axes."""
    x1, x2 = floating(x1), floating(x2)
    one, two = len(shape_of(x1)), len(shape_of(x2))
    if isinstance(axes, int):
        left, right = list(range(one - axes, one)), list(range(axes))
    else:
        left, right = (
            [axis_of(x, axis) for axis in (given if isinstance(given, (list, tuple)) else [given])]
            for x, given in zip((x1, x2), axes, strict=True)
        )
    labels = [chr(ord("a") + place) for place in range(one + two)]
    first, second = labels[:one], labels[one:]
    for mine, its in zip(left, right, strict=True):
        second[its] = first[mine]
    rest = [label for place, label in enumerate(first) if place not in left] + [
        label for place, label in enumerate(second) if place not in right
    ]
    return einsum(f"{''.join(first)},{''.join(second)}->{''.join(rest)}", x1, x2)


def dot(x1: Any, x2: Any) -> Any:
    """The sum of products over the last axis of x1 and the last but one of x2, or its only one; the product with a number."""
    x1, x2 = floating(x1), floating(x2)
    one, two = len(shape_of(x1)), len(shape_of(x2))
    if not one or not two:
        return e.multiply(x1, x2)
    return matmul(x1, x2) if two <= 2 else tensordot(x1, x2, [[one - 1], [two - 2]])


def outer(x1: Any, x2: Any) -> Any:
    """The products of every element of x1 with every one of x2, both as vectors."""
    return e.multiply(a.reshape(floating(x1), [-1, 1]), a.reshape(floating(x2), [1, -1]))


def inner(x1: Any, x2: Any) -> Any:
    """The sum of products over the last axis of both."""
    x1, x2 = floating(x1), floating(x2)
    if not len(shape_of(x1)) or not len(shape_of(x2)):
        return e.multiply(x1, x2)
    return tensordot(x1, x2, [[len(shape_of(x1)) - 1], [len(shape_of(x2)) - 1]])


def vdot(x1: Any, x2: Any) -> Any:
    """The sum of the products of all elements."""
    return r.sum(e.multiply(a.ravel(floating(x1)), a.ravel(floating(x2))))


def einsum(subscripts: str, *operands: Any) -> Any:
    """Einstein's summation of one or two arrays: ``einsum("bi,ij->bj", x, w)``.

    Args:
        subscripts: A letter for each axis of each array, and those of the result; without ``->``, those that occur once, in alphabetical
            order. Axes of a letter that the result does not have are summed.
        operands: The arrays.

    Raises:
        ValueError: The letters do not fit the arrays, there are more than two of them, or a letter occurs twice in one.
    """
    given, arrow, result = subscripts.replace(" ", "").partition("->")
    terms = given.split(",")
    if not arrow:
        result = "".join(sorted(letter for letter in set(given) if letter.isalpha() and given.count(letter) == 1))
    arrays = [floating(one) for one in operands]
    valid = len(terms) == len(arrays) <= 2 and all(
        len(set(term)) == len(term) == len(shape_of(x)) for term, x in zip(terms, arrays, strict=False)
    )
    if (
        not valid
        or not set(result) <= set(given) - {","}
        or len(set(result)) != len(result)
        or not all(letter.isalpha() for letter in "".join(terms))
    ):
        shapes = ", ".join(str(shown(shape_of(x))) for x in arrays)
        raise TraceError(
            f"einsum of one or two arrays without repeated letters or '...' is supported; got {subscripts!r} for {shapes}{where_called()}"
        )
    if len(arrays) == 2 and _is_product(terms, result):
        return _product(terms, result, arrays)
    return _sum_of_products(terms, result, arrays)


def _is_product(terms: Sequence[str], result: str) -> bool:
    """Whether it is a product of matrices in which no axis moves: ``"…ik,kj->…ij"``."""
    one, two = terms
    return len(two) == 2 and len(one) > 1 and one[-1] == two[0] and result == one[:-1] + two[1] and two[1] not in one


def _product(terms: Sequence[str], result: str, arrays: Sequence[Any]) -> Any:
    x, w = arrays
    rows = shape_of(x)[:-1]
    flat = apply("reshape", x, shape=(int(np.prod(rows, dtype=np.int64)), shape_of(x)[-1]))
    return apply("reshape", apply("matmul", flat, w), shape=(*rows, shape_of(w)[1]))


def _sum_of_products(terms: Sequence[str], result: str, arrays: Sequence[Any]) -> Any:
    """Broadcast over all letters, multiplied and summed."""
    letters = list(result) + sorted(set("".join(terms)) - set(result))
    first = next((term[0] for term, x in zip(terms, arrays, strict=True) if term and shape_of(x)[0] < 0), None)
    if first is not None:  # the batch axis
        letters.remove(first)
        letters.insert(0, first)
    total: Any = None
    for term, x in zip(terms, arrays, strict=True):
        order = sorted(range(len(term)), key=lambda place, term=term: letters.index(term[place]))  # type: ignore[misc]
        moved = a.transpose(x, order) if len(term) > 1 else x
        shape = iter(shape_of(moved))
        spread = apply("reshape", moved, shape=tuple(next(shape) if letter in term else 1 for letter in letters))
        total = spread if total is None else e.multiply(total, spread)
    summed = tuple(place for place, letter in enumerate(letters) if letter not in result)
    total = r.sum(total, summed) if summed else total
    left = [letter for letter in letters if letter in result]
    return a.transpose(total, [left.index(letter) for letter in result]) if left != list(result) else total


def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> Any:
    """−y·log p − (1 − y)·log(1 − p), element by element; p are clipped to [10⁻⁷, 1 − 10⁻⁷], or computed from logits."""
    target, output = floating(target), floating(output)
    if from_logits:
        return e.subtract(e.logaddexp(output, 0.0), e.multiply(target, output))
    output = e.clip(output, _EPSILON, 1 - _EPSILON)
    return e.negative(e.add(e.multiply(target, e.log(output)), e.multiply(e.subtract(1.0, target), e.log(e.subtract(1.0, output)))))


def _log_probabilities(output: Any, from_logits: bool, axis: int) -> Any:
    if from_logits:
        return r.log_softmax(output, axis)
    output = e.divide(output, r.sum(output, axis, keepdims=True))
    return e.log(e.clip(output, _EPSILON, 1 - _EPSILON))


def categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Any:
    """−Σ y·log p along an axis; p are divided by their sum and clipped to [10⁻⁷, 1 − 10⁻⁷], or computed from logits."""
    logarithms = _log_probabilities(floating(output), from_logits, axis)
    return e.negative(r.sum(e.multiply(floating(target), logarithms), axis))


def sparse_categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Any:
    """−log p of the true class along an axis, for integer class labels; see :func:`categorical_crossentropy`."""
    output = floating(output)
    axis = axis_of(output, axis)
    if len(shape_of(target)) == len(shape_of(output)) and shape_of(target)[-1] == 1:
        target = a.squeeze(target, -1)
    hot = r.one_hot(target, shape_of(output)[axis], axis)
    return e.negative(r.sum(e.multiply(hot, _log_probabilities(output, from_logits, axis)), axis))
