"""Calls of the functions of ``keras.ops`` whose values and gradients were taken from Keras once: for tests and for ``make_ops_golden.py``.

Written so that it runs on Keras and on fastmlp alike: ``o`` is the module ``ops``.
"""

from __future__ import annotations

import numpy as np

_random = np.random.RandomState(5)
A = _random.uniform(-2, 2, (4, 6)).astype(np.float32)
B = _random.uniform(0.2, 3, (4, 6)).astype(np.float32)
UNIT = _random.uniform(-0.9, 0.9, (4, 6)).astype(np.float32)
ABOVE_ONE = _random.uniform(1.1, 3, (4, 6)).astype(np.float32)
CUBE = _random.uniform(-2, 2, (4, 3, 2)).astype(np.float32)
TIES = np.array([[1, 2, 2, 0, -1, 2], [0, 0, 0, 0, 0, 0], [3, -3, 1, 1, 3, -3], [-1, -1, 2, 1, 0, 1]], np.float32)
HOT = np.eye(6, dtype=np.float32)[[1, 0, 5, 3]]
WEIGHTS = _random.uniform(-1, 1, (6, 3)).astype(np.float32)
CLASSES = np.array([1, 0, 5, 3], np.int32)
PLACES = np.array([[0, 5], [2, 2], [1, 0], [-1, 4]], np.int32)


def _each(names, *arrays):
    """The arrays as arguments of each of these functions."""
    return dict.fromkeys(names.split(), arrays)


ONE_ARGUMENT = (
    "abs absolute negative sign square floor ceil exp expm1 sin cos tan arctan sinh cosh tanh arcsinh erf exp2 trunc round relu relu6 "
    "leaky_relu elu selu celu gelu silu swish sigmoid log_sigmoid softplus softsign hard_sigmoid hard_silu hard_swish hard_tanh "
    "hard_shrink soft_shrink tanh_shrink squareplus sparse_plus sparse_sigmoid glu isnan isfinite isinf softmax log_softmax logsumexp norm "
    "normalize sum mean max min amax amin prod var std argmax argmin ravel transpose flip cumsum ones_like zeros_like nan_to_num average "
    "squeeze shape ndim size"
)
TWO_ARGUMENTS = (
    "add subtract multiply divide true_divide divide_no_nan maximum minimum mod floor_divide arctan2 equal not_equal less less_equal "
    "greater greater_equal logaddexp"
)
_NAMED = {
    **_each(ONE_ARGUMENT, A),
    **_each("sqrt rsqrt log log2 log10 log1p reciprocal", B),
    **_each("arcsin arccos arctanh", UNIT),
    **_each("arccosh", ABOVE_ONE),
    **_each(TWO_ARGUMENTS, A, B),
    **_each("power", B, A),
}


def _named(name):
    return lambda o, *arrays: getattr(o, name)(*arrays)


def _swapped(name):
    return lambda o, x, y: getattr(o, name)(y, x)


# name: (arguments, function of o and the arguments). Gradients are by the first argument.
PROGRAMS = {name: (arrays, _named(name)) for name, arrays in _NAMED.items()}
PROGRAMS |= {f"{name} of ties": (arrays, _named(name)) for name, arrays in _each("abs sign max min prod relu argmax argmin", TIES).items()}
PROGRAMS |= {f"{name} of ties": (arrays, _named(name)) for name, arrays in _each("relu6 softplus", TIES).items()}
PROGRAMS |= {f"{name} by x2": (arrays, _swapped(name)) for name, arrays in _each(TWO_ARGUMENTS, B, A).items()}
PROGRAMS |= {
    "power by the exponent": ((A, B), lambda o, x, y: o.power(y, x)),
    "power of 2": ((A,), lambda o, x: o.power(x, 2)),
    "power of 3": ((A,), lambda o, x: o.power(x, 3)),
    "power of 5": ((A,), lambda o, x: o.power(x, 5.0)),
    "power of -1": ((A,), lambda o, x: o.power(x, -1)),
    "power of a half": ((B,), lambda o, x: o.power(x, 0.5)),
    "power operator": ((B,), lambda o, x: x**1.5),
    "maximum of ties": ((TIES,), lambda o, x: o.maximum(x, 0.0)),
    "minimum of ties": ((TIES,), lambda o, x: o.minimum(x, 2.0)),
    "clip": ((A,), lambda o, x: o.clip(x, -1.0, 0.5)),
    "clip of ties": ((TIES,), lambda o, x: o.clip(x, -1.0, 2.0)),
    "where": ((A, B), lambda o, x, y: o.where(x > 0, x * y, o.square(x))),
    "where of equal": ((TIES,), lambda o, x: o.where(o.equal(x, 2.0), x, 3.0 * x)),
    "logical_and": ((A, B), lambda o, x, y: o.logical_and(x > 0, y > 1)),
    "logical_or": ((A, B), lambda o, x, y: o.logical_or(x > 0, y > 1)),
    "logical_xor": ((A, B), lambda o, x, y: o.logical_xor(x > 0, y > 1)),
    "logical_not": ((A,), lambda o, x: o.logical_not(x > 0)),
    "cast to int": ((A,), lambda o, x: o.cast(x, "int32")),
    "cast to bool": ((TIES,), lambda o, x: o.cast(x, "bool")),
    "cast of bool": ((A,), lambda o, x: o.cast(x > 0, "float32") * x),
    "stop_gradient": ((A,), lambda o, x: x * o.stop_gradient(x)),
    "round to decimals": ((A,), lambda o, x: o.round(x, 1)),
    "nan_to_num of log": ((A,), lambda o, x: o.nan_to_num(o.log(x))),
    "celu of 2": ((A,), lambda o, x: o.celu(x, 2.0)),
    "elu of 2": ((A,), lambda o, x: o.elu(x, 2.0)),
    "exact gelu": ((A,), lambda o, x: o.gelu(x, approximate=False)),
    "threshold": ((A,), lambda o, x: o.threshold(x, 0.5, -1.0)),
    "sum of rows": ((A,), lambda o, x: o.sum(x, axis=1)),
    "sum of columns": ((A,), lambda o, x: o.sum(x, axis=0)),
    "sum of two axes": ((CUBE,), lambda o, x: o.sum(x, axis=(0, 2))),
    "sum of booleans": ((A,), lambda o, x: o.sum(x > 0, axis=-1)),
    "mean of rows": ((A,), lambda o, x: o.mean(x, axis=-1, keepdims=True)),
    "mean of columns": ((A,), lambda o, x: o.mean(x, axis=0, keepdims=True)),
    "mean of booleans": ((A,), lambda o, x: o.mean(x > 0)),
    "max of rows": ((TIES,), lambda o, x: o.max(x, axis=1)),
    "min of columns": ((TIES,), lambda o, x: o.min(x, axis=0)),
    "max from": ((A,), lambda o, x: o.max(x, axis=1, initial=1.0)),
    "prod of rows": ((TIES,), lambda o, x: o.prod(x, axis=1)),
    "var of rows": ((A,), lambda o, x: o.var(x, axis=1)),
    "std of columns": ((A,), lambda o, x: o.std(x, axis=0)),
    "logsumexp of rows": ((A,), lambda o, x: o.logsumexp(x, axis=1, keepdims=True)),
    "norm of rows": ((A,), lambda o, x: o.norm(x, axis=1)),
    "norm 1": ((A,), lambda o, x: o.norm(x, ord=1, axis=1)),
    "norm 3": ((A,), lambda o, x: o.norm(x, ord=3, axis=1)),
    "norm inf": ((A,), lambda o, x: o.norm(x, ord=np.inf, axis=1)),
    "argmax of rows": ((TIES,), lambda o, x: o.argmax(x, axis=1)),
    "argmin of rows": ((TIES,), lambda o, x: o.argmin(x, axis=1, keepdims=True)),
    "any": ((A,), lambda o, x: o.any(x > 1.5, axis=1)),
    "all": ((A,), lambda o, x: o.all(x > -1.5, axis=1)),
    "count_nonzero": ((TIES,), lambda o, x: o.count_nonzero(x, axis=1)),
    "average with weights": ((A, B), lambda o, x, y: o.average(x, axis=1, weights=y)),
    "softmax of the middle": ((CUBE,), lambda o, x: o.softmax(x, axis=1)),
    "log_softmax of the middle": ((CUBE,), lambda o, x: o.log_softmax(x, axis=1)),
    "one_hot": ((A,), lambda o, x: x * o.one_hot(CLASSES, 6)),
    "one_hot of the first": ((A,), lambda o, x: o.one_hot(o.argmax(x, axis=1), 6, axis=1)),
    "top_k": ((A,), lambda o, x: o.top_k(x, 2)[0]),
    "top_k of ties": ((TIES,), lambda o, x: o.top_k(x, 3)[1]),
    "cumsum of rows": ((A,), lambda o, x: o.cumsum(x, axis=1)),
    "take": ((A,), lambda o, x: o.take(x, [0, 2, 2, -1], axis=1)),
    "take a matrix of places": ((A,), lambda o, x: o.take(x, [[0, 2], [1, -1]], axis=1)),
    "take from a table": ((A,), lambda o, x: o.sum(x, axis=1, keepdims=True) * o.take(WEIGHTS, o.argmax(x, axis=1), axis=0)),
    "take_along_axis": ((A,), lambda o, x: o.take_along_axis(x, PLACES, axis=1)),
    "take_along_axis of argmax": ((A,), lambda o, x: o.take_along_axis(x, o.argmax(x, axis=1, keepdims=True), axis=-1)),
    "matmul": ((A,), lambda o, x: o.matmul(x, WEIGHTS)),
    "matmul operator": ((A,), lambda o, x: x @ WEIGHTS),
    "matmul of matrices": ((CUBE,), lambda o, x: o.matmul(x, o.transpose(x, (0, 2, 1)))),
    "matmul of a vector": ((A,), lambda o, x: o.matmul(x, WEIGHTS[:, 0])),
    "dot": ((A,), lambda o, x: o.dot(x, WEIGHTS)),
    "dot of a computed matrix": ((A,), lambda o, x: o.dot(x, o.sum(o.expand_dims(x, 2) * WEIGHTS, axis=0))),
    "tensordot": ((CUBE,), lambda o, x: o.tensordot(x, WEIGHTS[:2], axes=1)),
    "inner": ((A,), lambda o, x: o.inner(x, o.transpose(WEIGHTS))),
    "vdot": ((A, B), lambda o, x, y: o.vdot(x, y)),
    "einsum product": ((A,), lambda o, x: o.einsum("ni,ij->nj", x, WEIGHTS)),
    "einsum of rows": ((A, B), lambda o, x, y: o.einsum("ni,ni->n", x, y)),
    "einsum transposed": ((CUBE,), lambda o, x: o.einsum("nij,ki->njk", x, WEIGHTS[:5])),
    "einsum of one": ((CUBE,), lambda o, x: o.einsum("nij->nj", x)),
    "reshape": ((CUBE,), lambda o, x: o.reshape(x, (-1, 6))),
    "reshape to a vector": ((CUBE,), lambda o, x: o.sum(o.square(o.reshape(x, [-1])))),
    "reshape by shape": ((CUBE,), lambda o, x: o.reshape(x, (o.shape(x)[0], 2, 3))),
    "transpose of the last": ((CUBE,), lambda o, x: o.transpose(x, (0, 2, 1))),
    "swapaxes": ((CUBE,), lambda o, x: o.swapaxes(x, 1, 2)),
    "moveaxis": ((CUBE,), lambda o, x: o.moveaxis(x, -1, 1)),
    "concatenate": ((A, B), lambda o, x, y: o.concatenate([x, y, 2 * x], axis=-1)),
    "stack": ((A, B), lambda o, x, y: o.stack([x, x * y], axis=1)),
    "hstack": ((A, B), lambda o, x, y: o.hstack([x, y])),
    "split": ((A,), lambda o, x: o.split(x, 3, axis=1)[1]),
    "split at": ((A,), lambda o, x: o.split(x, [1, 4], axis=1)[1]),
    "unstack": ((A,), lambda o, x: o.unstack(x, axis=1)[2]),
    "expand_dims": ((A,), lambda o, x: o.expand_dims(x, -1)),
    "squeeze the last": ((A,), lambda o, x: o.squeeze(o.sum(x, axis=1, keepdims=True), -1)),
    "broadcast_to": ((A,), lambda o, x: o.broadcast_to(o.mean(x, axis=1, keepdims=True), o.shape(x))),
    "repeat": ((A,), lambda o, x: o.repeat(x, 2, axis=1)),
    "tile": ((A,), lambda o, x: o.tile(x, (1, 2))),
    "flip of rows": ((A,), lambda o, x: o.flip(x, axis=1)),
    "roll": ((A,), lambda o, x: o.roll(x, 2, axis=1)),
    "pad": ((A,), lambda o, x: o.pad(x, ((0, 0), (1, 2)))),
    "pad with ones": ((A,), lambda o, x: o.pad(x, ((0, 0), (1, 2)), constant_values=1.0)),
    "pad reflecting": ((A,), lambda o, x: o.pad(x, ((0, 0), (1, 2)), mode="reflect")),
    "slices": ((A,), lambda o, x: x[:, 1:5:2] + x[..., :2]),
    "one column": ((A,), lambda o, x: x[:, 2] * x[:, -1]),
    "new axis": ((A,), lambda o, x: x[:, None, :] - x[:, :, None]),
    "full_like": ((A,), lambda o, x: o.full_like(x, 2.0) * x),
    "ones of the shape": ((A,), lambda o, x: o.ones(o.shape(x)) * x),
    "division by the batch size": ((A,), lambda o, x: o.sum(x) / o.cast(o.shape(x)[0], "float32")),
    "binary_crossentropy": ((UNIT,), lambda o, x: o.binary_crossentropy(HOT, (x + 1) / 2)),
    "binary_crossentropy of logits": ((A,), lambda o, x: o.binary_crossentropy(HOT, x, from_logits=True)),
    "categorical_crossentropy": ((B,), lambda o, x: o.categorical_crossentropy(HOT, x)),
    "categorical_crossentropy of logits": ((A,), lambda o, x: o.categorical_crossentropy(HOT, x, from_logits=True)),
    "sparse_categorical_crossentropy": ((B,), lambda o, x: o.sparse_categorical_crossentropy(CLASSES, x)),
    "sparse_categorical_crossentropy of logits": ((A,), lambda o, x: o.sparse_categorical_crossentropy(CLASSES, x, from_logits=True)),
    "arange": ((A,), lambda o, x: x * o.arange(6)),
    "arange of floats": ((A,), lambda o, x: x[:, :4] * o.arange(0.0, 2.0, 0.5)),
    "linspace": ((A,), lambda o, x: x * o.linspace(0.0, 1.0, 6)),
    "eye": ((A,), lambda o, x: o.matmul(x, o.eye(6))),
    "identity": ((A,), lambda o, x: o.matmul(x, o.identity(6))),
    "zeros": ((A,), lambda o, x: x + o.zeros((1, 6))),
    "full": ((A,), lambda o, x: x * o.full((6,), 3.0)),
    "outer": ((A,), lambda o, x: o.outer(x, WEIGHTS[0])),
    "abs operator": ((A,), lambda o, x: abs(-x) % 0.7),
    "floor division": ((A,), lambda o, x: x // 0.7),
    "operators of numbers": ((B,), lambda o, x: 2 - x + 3 * x / 4 - 1 / x),
    "operators of integers": ((A,), lambda o, x: o.argmax(x, axis=1) * 2 + 1),
    "integers divided": ((A,), lambda o, x: o.argmax(x, axis=1) / 2),
    "mask operators": ((A,), lambda o, x: o.where((x > 0) & (x < 1) | ~(x > -1), x, 0.0)),
}
WITHOUT_BATCH = {
    *("transpose", "flip", "cumsum", "argmax", "argmin", "squeeze", "argmax of ties", "argmin of ties", "one_hot", "normalize"),
    *("take_along_axis", "binary_crossentropy", "binary_crossentropy of logits", "categorical_crossentropy"),
    *("categorical_crossentropy of logits", "sparse_categorical_crossentropy", "sparse_categorical_crossentropy of logits"),
    *("shape", "ndim", "size", "ravel"),
}
"""Programs of arrays whose first axis is not that of a batch: they move samples, or hold constants for each of them."""


def direction(shape):
    """The weights of the elements of a result in the number whose gradient is compared."""
    return np.cos(np.arange(int(np.prod(shape, dtype=int)), dtype=np.float32)).reshape(shape)
