"""Calls single kernels of src/kernels from Python: their argument structs, their addresses, and memory with a guard page at its edge.

    call = kernels("avx2")["exp"]
    call(n=5, x=x, out=out)          # fields by name, as in src/kernels/kernels.h; arrays become pointers, what is not named is 0 or NULL

The engine flushes denormals while it runs; a kernel called from here does not, because nobody has set the processor's floating-point mode.
Tests therefore keep denormals out of their data, or accept them as zeros.
"""

from __future__ import annotations

import ctypes
import math
import mmap
import os
from collections.abc import Callable
from ctypes import POINTER, Structure, c_float, c_int, c_int32, c_ssize_t, c_uint8, c_uint32
from typing import Any

import numpy as np

from fastmlp import _core

PANEL = 16
"""Columns of a weight panel, and the lanes of every fixed-order sum."""

ISAS = _core.supported_isas()

Floats = POINTER(c_float)

Sizes = POINTER(c_ssize_t)

DTYPES = {
    Floats: np.float32,
    Sizes: np.intp,
    POINTER(c_int32): np.int32,
    POINTER(c_uint32): np.uint32,
    POINTER(c_uint8): np.uint8,
}


class Gemm(Structure):
    _fields_ = [
        ("rows", c_ssize_t),
        ("depth", c_ssize_t),
        ("panels", c_ssize_t),
        ("a", Floats),
        ("a_row", c_ssize_t),
        ("a_step", c_ssize_t),
        ("b", Floats),
        ("b_step", c_ssize_t),
        ("b_panel", c_ssize_t),
        ("c", Floats),
        ("c_row", c_ssize_t),
        ("c_panel", c_ssize_t),
        ("streams", c_int),
        ("updated", Floats),
        ("updated_panel", c_ssize_t),
        ("accumulate", c_int),
        ("epilogue", c_int),
        ("bias", Floats),
        ("activation", c_int),
        ("alpha", c_float),
        ("threshold", c_float),
        ("max_value", c_float),
        ("derivative", Floats),
    ]


class Compress(Structure):
    _fields_ = [("n", c_ssize_t), ("x", Floats), ("index", POINTER(c_int32)), ("value", Floats), ("count", Sizes)]


class Spmm(Structure):
    _fields_ = [
        ("rows", c_ssize_t),
        ("panels", c_ssize_t),
        ("begin", Sizes),
        ("end", Sizes),
        ("index", POINTER(c_int32)),
        ("value", Floats),
        ("b", Floats),
        ("b_step", c_ssize_t),
        ("b_panel", c_ssize_t),
        ("c", Floats),
        ("c_row", c_ssize_t),
        ("c_panel", c_ssize_t),
        ("epilogue", c_int),
        ("bias", Floats),
        ("activation", c_int),
        ("alpha", c_float),
        ("threshold", c_float),
        ("max_value", c_float),
        ("derivative", Floats),
    ]


class GemmDxFew(Structure):
    _fields_ = [
        ("rows", c_ssize_t),
        ("depth", c_ssize_t),
        ("cols", c_ssize_t),
        ("grad", Floats),
        ("grad_panel", c_ssize_t),
        ("w", Floats),
        ("w_panel", c_ssize_t),
        ("c", Floats),
        ("c_row", c_ssize_t),
    ]


class Transpose(Structure):
    _fields_ = [
        ("rows", c_ssize_t),
        ("cols", c_ssize_t),
        ("in_", Floats),
        ("in_row", c_ssize_t),
        ("values", Floats),
        ("values_row", c_ssize_t),
        ("out", Floats),
        ("out_row", c_ssize_t),
        ("out_panel", c_ssize_t),
        ("out_t", Floats),
        ("out_t_row", c_ssize_t),
        ("activation", c_int),
        ("alpha", c_float),
    ]


class ColumnSums(Structure):
    _fields_ = [("rows", c_ssize_t), ("cols", c_ssize_t), ("in_", Floats), ("in_row", c_ssize_t), ("in_panel", c_ssize_t), ("out", Floats)]


class Pack(Structure):
    _fields_ = [("rows", c_ssize_t), ("depth", c_ssize_t), ("in_", Floats), ("in_step", c_ssize_t), ("out", Floats)]


class Elementwise(Structure):
    _fields_ = [
        ("n", c_ssize_t),
        ("x", Floats),
        ("y", Floats),
        ("out", Floats),
        ("activation", c_int),
        ("alpha", c_float),
        ("threshold", c_float),
        ("max_value", c_float),
    ]


class MaximumBackward(Structure):
    _fields_ = [("n", c_ssize_t), ("x", Floats), ("y", Floats), ("grad", Floats), ("out", Floats)]


class FromUint8(Structure):
    _fields_ = [("n", c_ssize_t), ("x", POINTER(c_uint8)), ("out", Floats)]


class Softmax(Structure):
    _fields_ = [("rows", c_ssize_t), ("cols", c_ssize_t), ("stride", c_ssize_t), ("x", Floats), ("grad", Floats), ("out", Floats)]


class Glu(Structure):
    _fields_ = [
        ("rows", c_ssize_t),
        ("cols", c_ssize_t),
        ("x", Floats),
        ("x_row", c_ssize_t),
        ("grad", Floats),
        ("grad_row", c_ssize_t),
        ("out", Floats),
        ("out_row", c_ssize_t),
    ]


class Loss(Structure):
    _fields_ = [
        ("rows", c_ssize_t),
        ("cols", c_ssize_t),
        ("x", Floats),
        ("x_row", c_ssize_t),
        ("y", Floats),
        ("y_row", c_ssize_t),
        ("labels", POINTER(c_int32)),
        ("weight", Floats),
        ("scale", c_float),
        ("threshold", c_float),
        ("parameter", c_float * 3),
        ("loss", Floats),
        ("grad", Floats),
        ("grad_row", c_ssize_t),
        ("probs", Floats),
        ("probs_row", c_ssize_t),
        ("hit", Floats),
        ("room", Floats),
    ]


class Smooth(Structure):
    _fields_ = [
        ("rows", c_ssize_t),
        ("cols", c_ssize_t),
        ("y", Floats),
        ("y_row", c_ssize_t),
        ("labels", POINTER(c_int32)),
        ("keep", c_float),
        ("share", c_float),
        ("out", Floats),
        ("out_row", c_ssize_t),
    ]


STEP_CONSTANTS = ("learning_rate", "one_minus_rho", "one_minus_beta_1", "one_minus_beta_2", "ahead", "correction", "average")
"""FM_STEP_CONSTANT in src/kernels/kernels.def."""


class Update(Structure):
    _fields_ = [
        ("n", c_ssize_t),
        ("w", Floats),
        ("g", Floats),
        ("slot", Floats * 3),
        *((name, c_float) for name in _core.HYPERPARAMETERS),
        *((name, c_float) for name in STEP_CONSTANTS),
        ("index", POINTER(c_int32)),
    ]


class Replay(Structure):
    _fields_ = [
        ("update", Update),
        ("rows", c_ssize_t),
        ("panels", c_ssize_t),
        ("panel", c_ssize_t),
        ("done", POINTER(c_uint32)),
        ("steps", c_ssize_t),
        ("learning_rate", Floats),
        ("max_learning_rate", c_float),
        ("series", Floats),
        ("decay", Floats),
    ]


class Dropout(Structure):
    _fields_ = [
        ("rows", c_ssize_t),
        ("cols", c_ssize_t),
        ("first_row", c_ssize_t),
        ("mask", Floats),
        ("mask_row", c_ssize_t),
        ("rate", c_float),
        ("keep_scale", c_float),
        ("key", c_uint32 * 2),
        ("step", c_uint32),
        ("node", c_uint32),
    ]


class ColumnMoments(Structure):
    _fields_ = [("rows", c_ssize_t), ("cols", c_ssize_t), ("x", Floats), ("x_row", c_ssize_t), ("mean", Floats), ("variance", Floats)]


class BatchNorm(Structure):
    _fields_ = [
        ("rows", c_ssize_t),
        ("cols", c_ssize_t),
        ("x", Floats),
        ("x_row", c_ssize_t),
        ("mean", Floats),
        ("variance", Floats),
        ("gamma", Floats),
        ("beta", Floats),
        ("epsilon", c_float),
        ("kind", c_int),
        ("out", Floats),
        ("out_row", c_ssize_t),
    ]


class BatchNormBackward(Structure):
    _fields_ = [
        ("rows", c_ssize_t),
        ("cols", c_ssize_t),
        ("x", Floats),
        ("x_row", c_ssize_t),
        ("grad", Floats),
        ("grad_row", c_ssize_t),
        ("mean", Floats),
        ("variance", Floats),
        ("gamma", Floats),
        ("epsilon", c_float),
        ("out", Floats),
        ("out_row", c_ssize_t),
        ("dgamma", Floats),
        ("dbeta", Floats),
    ]


class LayerNorm(Structure):
    _fields_ = [
        ("rows", c_ssize_t),
        ("cols", c_ssize_t),
        ("x", Floats),
        ("x_row", c_ssize_t),
        ("gamma", Floats),
        ("beta", Floats),
        ("epsilon", c_float),
        ("centered", c_int),
        ("out", Floats),
        ("out_row", c_ssize_t),
        ("mean", Floats),
        ("scale", Floats),
    ]


class LayerNormBackward(Structure):
    _fields_ = [
        ("rows", c_ssize_t),
        ("cols", c_ssize_t),
        ("x", Floats),
        ("x_row", c_ssize_t),
        ("grad", Floats),
        ("grad_row", c_ssize_t),
        ("gamma", Floats),
        ("mean", Floats),
        ("scale", Floats),
        ("centered", c_int),
        ("out", Floats),
        ("out_row", c_ssize_t),
    ]


class LayerNormParameterGradients(Structure):
    _fields_ = [
        ("rows", c_ssize_t),
        ("cols", c_ssize_t),
        ("x", Floats),
        ("x_row", c_ssize_t),
        ("grad", Floats),
        ("grad_row", c_ssize_t),
        ("mean", Floats),
        ("scale", Floats),
        ("dgamma", Floats),
        ("dbeta", Floats),
    ]


class Prelu(Structure):
    _fields_ = [
        ("rows", c_ssize_t),
        ("cols", c_ssize_t),
        ("x", Floats),
        ("x_row", c_ssize_t),
        ("alpha", Floats),
        ("grad", Floats),
        ("grad_row", c_ssize_t),
        ("out", Floats),
        ("out_row", c_ssize_t),
        ("dalpha", Floats),
    ]


class GaussianNoise(Structure):
    _fields_ = [
        ("rows", c_ssize_t),
        ("cols", c_ssize_t),
        ("first_row", c_ssize_t),
        ("x", Floats),
        ("x_row", c_ssize_t),
        ("out", Floats),
        ("out_row", c_ssize_t),
        ("mean", c_float),
        ("stddev", c_float),
        ("key", c_uint32 * 2),
        ("step", c_uint32),
        ("node", c_uint32),
    ]


class AlphaDropout(Structure):
    _fields_ = [("n", c_ssize_t), ("x", Floats), ("mask", Floats), ("out", Floats), ("kept", c_float), ("dropped", c_float)]


class Adjust(Structure):
    _fields_ = [("n", c_ssize_t), ("w", Floats), ("g", Floats), *((name, c_float) for name in ("l1", "l2", "scale", "clip", "decay"))]


class Combine(Structure):
    _fields_ = [("n", c_ssize_t), ("x", Floats), ("y", Floats), ("a", c_float), ("b", c_float), ("out", Floats)]


class Norms(Structure):
    _fields_ = [("rows", c_ssize_t), ("cols", c_ssize_t), ("x", Floats), ("x_panel", c_ssize_t), ("absolute", Floats), ("square", Floats)]


class Rescale(Structure):
    _fields_ = [("rows", c_ssize_t), ("cols", c_ssize_t), ("x", Floats), ("x_panel", c_ssize_t), ("column", Floats), ("row", Floats)]


class Activity(Structure):
    _fields_ = [
        ("rows", c_ssize_t),
        ("cols", c_ssize_t),
        ("x", Floats),
        ("row", c_ssize_t),
        ("l1", c_float),
        ("l2", c_float),
        ("loss", Floats),
        ("grad", Floats),
        ("out", Floats),
    ]


class Periodic(Structure):
    _fields_ = [
        ("rows", c_ssize_t),
        ("inputs", c_ssize_t),
        ("frequencies", c_ssize_t),
        ("x", Floats),
        ("x_row", c_ssize_t),
        ("c", Floats),
        ("panel", c_ssize_t),
        ("out", Floats),
        ("out_row", c_ssize_t),
        ("grad", Floats),
        ("grad_row", c_ssize_t),
        ("dc", Floats),
        ("dx", Floats),
        ("dx_row", c_ssize_t),
    ]


class Peak(Structure):
    _fields_ = [("iterations", c_ssize_t), ("factor", c_float), ("term", c_float), ("out", Floats), ("count", Sizes)]


STRUCTS: dict[str, type[Structure]] = {
    "gemm_forward": Gemm,
    "gemm_dw": Gemm,
    "gemm_dx": Gemm,
    "pack": Pack,
    "compress": Compress,
    "spmm": Spmm,
    "gemm_dx_few": GemmDxFew,
    "transpose": Transpose,
    "column_sums": ColumnSums,
    "from_uint8": FromUint8,
    **dict.fromkeys((f"{name}{way}" for name in ("softmax", "log_softmax", "sparsemax") for way in ("", "_backward")), Softmax),
    **dict.fromkeys(("glu", "glu_backward"), Glu),
    "dropout_mask": Dropout,
    "column_moments": ColumnMoments,
    "batch_norm": BatchNorm,
    "batch_norm_backward": BatchNormBackward,
    "layer_norm": LayerNorm,
    "layer_norm_backward": LayerNormBackward,
    "layer_norm_parameter_gradients": LayerNormParameterGradients,
    "prelu": Prelu,
    "prelu_backward": Prelu,
    **dict.fromkeys(("periodic", "periodic_backward"), Periodic),
    "gaussian_noise": GaussianNoise,
    "alpha_dropout": AlphaDropout,
    "adjust": Adjust,
    "combine": Combine,
    "column_norms": Norms,
    "row_norms": Norms,
    "rescale": Rescale,
    **dict.fromkeys(("activity", "activity_backward"), Activity),
    "smooth": Smooth,
    "peak": Peak,
    **dict.fromkeys(("activation", "activation_backward", "exp", "log", "erf"), Elementwise),
    **dict.fromkeys(("multiply", "add", "subtract", "maximum", "minimum", "scale"), Elementwise),
    "maximum_backward": MaximumBackward,
    **{f"loss_{name}": Loss for name in _core.LOSSES},
    **{name: Update for name in _core.kernel_addresses("portable") if name.startswith("update_")},
    **{f"replay_{name}": Replay for name in ("sgd", "rmsprop", "adam")},
}


def pointer(array: np.ndarray | None, kind: Any = Floats) -> Any:
    """The address of an array's first element as a pointer of this kind, NULL for None. The caller keeps the array alive."""
    if array is None:
        return kind()
    if array.dtype != DTYPES[kind]:
        raise TypeError(f"a kernel wants {np.dtype(DTYPES[kind])} here, not {array.dtype}")
    return ctypes.cast(array.ctypes.data, kind)


def filled(struct: type[Structure], fields: dict[str, Any]) -> Structure:
    """A struct with these fields; those not named are 0 or NULL. Fields of a struct within it come as a dict."""
    arguments = struct()
    kinds: dict[str, Any] = dict(struct._fields_)
    for field, value in fields.items():
        kind = kinds[field]  # a misspelt field is a KeyError
        if kind in DTYPES:
            value = pointer(value, kind)
        elif kind == Floats * 3:
            value = kind(*(pointer(array) for array in value))
        elif kind in (c_uint32 * 2, c_float * 3):
            value = kind(*value)
        elif isinstance(value, dict):
            value = filled(kind, value)
        setattr(arguments, field, value)
    return arguments


def kernels(isa: str) -> dict[str, Callable[..., None]]:
    """Every kernel of one instruction set, by name, as a function that takes the fields of its struct by keyword."""

    def bind(name: str, address: int) -> Callable[..., None]:
        struct = STRUCTS[name]
        function = ctypes.CFUNCTYPE(None, POINTER(struct))(address)
        return lambda **fields: function(ctypes.byref(filled(struct, fields)))

    return {name: bind(name, address) for name, address in _core.kernel_addresses(isa).items()}


def round_up(n: int) -> int:
    """Columns of a padded row."""
    return -(-n // PANEL) * PANEL


def padded(values: np.ndarray, pad: float = 1e30) -> np.ndarray:
    """A copy whose rows are padded to a multiple of 16 columns, with a number that would be noticed if it were used."""
    rows, cols = values.shape
    matrix = np.full((rows, round_up(cols)), pad, values.dtype)
    matrix[:, :cols] = values
    return matrix


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    """True if two float32 arrays are equal to the last bit; all NaNs count as one."""
    a, b = (np.where(np.isnan(v), np.float32(np.nan), v).view(np.uint32) for v in (a, b))
    return np.array_equal(a, b)


def fixed_sum(values: np.ndarray) -> np.ndarray:
    """Sums float32 rows in the order that kernels.h promises: 16 lanes, each adding every sixteenth column, and then a tree."""
    rows, cols = values.shape
    lanes = np.zeros((rows, PANEL), np.float32)
    for first in range(0, cols, PANEL):
        part = values[:, first : first + PANEL]
        lanes[:, : part.shape[1]] += part
    while lanes.shape[1] > 1:
        half = lanes.shape[1] // 2
        lanes = lanes[:, :half] + lanes[:, half:]
    return lanes[:, 0]


_libc = ctypes.CDLL(None, use_errno=True)
_libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, c_int]

CANARY = 0xA5


class Guarded:
    """An array that ends, or begins, exactly where memory that may not be touched begins, or ends.

    A single byte beyond that edge ends the process. The rest of the other edge's page is filled with a pattern that ``check`` looks at.

    Args:
        values: What the array holds at first; its shape and dtype.
        side: The edge that is guarded by a page: "end" or "start".
    """

    def __init__(self, values: np.ndarray, side: str = "end") -> None:
        page = mmap.PAGESIZE
        inside = max(1, math.ceil(values.nbytes / page)) * page
        self._memory = mmap.mmap(-1, inside + 2 * page)
        everything = np.frombuffer(self._memory, np.uint8)
        base = everything.ctypes.data
        for address in (base, base + page + inside):
            if _libc.mprotect(address, page, 0) != 0:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        allowed = everything[page : page + inside]
        allowed[:] = CANARY
        slack = inside - values.nbytes
        own = allowed[slack:] if side == "end" else allowed[: values.nbytes]
        self._slack = allowed[:slack] if side == "end" else allowed[values.nbytes :]
        self.array = own.view(values.dtype).reshape(values.shape)
        self.array[...] = values

    def check(self) -> None:
        """Raises AssertionError if anything was written beyond the edge that no page guards."""
        assert (self._slack == CANARY).all(), "a kernel wrote outside its array"
