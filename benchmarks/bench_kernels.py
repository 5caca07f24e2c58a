"""Time of every kernel for every instruction set that this processor supports: ``pytest benchmarks/bench_kernels.py``.

The data fit in cache, and each time includes several microseconds for the call through ctypes, so compare only times of the same kernel.
Each kernel is a group with one row per instruction set. `tests/kernels/test_kernel_benchmarks.py` checks that every kernel has an entry.
"""

from __future__ import annotations

import numpy as np
import pytest
from kernel_harness import ISAS, PANEL, kernels

from fastmlp import _core

ROWS, COLUMNS = 128, 256
SIZE = ROWS * COLUMNS
PANELS = COLUMNS // PANEL


def floats(*shape: int) -> np.ndarray:
    """Numbers between 0.5 and 1.5, which are not special cases for any activation, logarithm or optimizer."""
    return np.random.default_rng(0).uniform(0.5, 1.5, shape).astype(np.float32)


def elementwise(**more):
    return {"n": SIZE, "x": floats(SIZE), "y": floats(SIZE), "out": floats(SIZE), **more}


def gemm(**more):
    """128 × 256 outputs, each the sum of 256 products."""
    return {
        "rows": ROWS,
        "depth": COLUMNS,
        "panels": PANELS,
        "a": floats(COLUMNS * COLUMNS),
        "b": floats(COLUMNS * COLUMNS),
        "c": floats(COLUMNS * COLUMNS),
        **more,
    }


def sparse_rows():
    """A 128 × 256 matrix with 20 % non-zeros, as in MNIST, times 256 × 256."""
    begin = np.arange(ROWS, dtype=np.intp) * (COLUMNS // 5)
    index = np.tile(np.arange(0, COLUMNS, 5, dtype=np.int32)[: COLUMNS // 5], ROWS)
    entries = {"begin": begin, "end": begin + COLUMNS // 5, "index": index, "value": floats(len(index))}
    weights = {"b": floats(COLUMNS * COLUMNS), "b_step": PANEL, "b_panel": COLUMNS * PANEL}
    return {"rows": ROWS, "panels": PANELS, **entries, **weights, "c": floats(SIZE), "c_row": COLUMNS, "c_panel": PANEL}


def mostly_zeros():
    x = floats(SIZE)
    x[np.arange(SIZE) % 5 != 0] = 0
    return {"n": SIZE, "x": x, "index": np.zeros(SIZE, np.int32), "value": floats(SIZE), "count": np.zeros(1, np.intp)}


def loss(name: str):
    weights = {"weight": floats(ROWS), "scale": 1.0, "threshold": 0.5, "parameter": (2.0, 0.5, 0.5)}
    targets = {
        "x": floats(ROWS, COLUMNS),
        "x_row": COLUMNS,
        "y": floats(ROWS, COLUMNS),
        "y_row": COLUMNS,
        "labels": np.zeros(ROWS, np.int32),
    }
    results = {"loss": floats(ROWS), "room": floats(3 * ROWS)}
    if not name.endswith("accuracy"):
        results |= {"grad": floats(ROWS, COLUMNS), "grad_row": COLUMNS}
    if name.endswith("logits"):
        results |= {"probs": floats(ROWS, COLUMNS), "probs_row": COLUMNS, "hit": floats(ROWS)}
    return {"rows": ROWS, "cols": COLUMNS, **targets, **weights, **results}


def update():
    constants = {"learning_rate": 1e-6, "momentum": 0.9, "rho": 0.9, "epsilon": 1e-7}
    complements = {"one_minus_rho": 0.1, "one_minus_beta_1": 0.1, "one_minus_beta_2": 0.001}
    return {"n": SIZE, "w": floats(SIZE), "g": floats(SIZE), "slot": tuple(floats(SIZE) for _ in range(3)), **constants, **complements}


def replay():
    """A step of each of 128 rows, which are one step late."""
    rows = {"rows": ROWS, "panels": PANELS, "panel": ROWS * PANEL, "done": np.zeros(ROWS, np.uint32)}
    return {"update": update(), **rows, "steps": 1, "learning_rate": np.full(1, 1e-6, np.float32), "max_learning_rate": 1e-6}


def rows(**more):
    """128 × 256 numbers, with everything that normalizations and noise read and write."""
    return {"rows": ROWS, "cols": COLUMNS, "x": floats(SIZE), "x_row": COLUMNS, "out": floats(SIZE), "out_row": COLUMNS, **more}


def normalized(**more):
    return rows(grad=floats(SIZE), grad_row=COLUMNS, gamma=floats(COLUMNS), **more)


def periodic(**more):
    """8 numbers in each row, 16 frequencies: rows of 256 sines and cosines."""
    return {"rows": ROWS, "inputs": 8, "frequencies": 16, "x": floats(ROWS * 8), "x_row": 8, "c": floats(128), "panel": 128} | {
        "out": floats(SIZE),
        "out_row": COLUMNS,
        **more,
    }


def matrix():
    return {"rows": ROWS, "cols": COLUMNS, "x": floats(SIZE), "x_panel": ROWS * PANEL}


# By kernel, the fields of its struct in src/kernels/include; created when its benchmark runs.
FIELDS = {
    "gemm_forward": lambda: gemm(
        a_row=COLUMNS, b_step=PANEL, b_panel=COLUMNS * PANEL, c_row=COLUMNS, c_panel=PANEL, epilogue=1, bias=floats(COLUMNS)
    ),
    "gemm_dw": lambda: gemm(a_step=COLUMNS, b_step=COLUMNS, b_panel=PANEL, c_row=PANEL, c_panel=COLUMNS * PANEL),
    "gemm_dx": lambda: gemm(a_step=COLUMNS * PANEL, b_step=COLUMNS, b_panel=PANEL, c_row=COLUMNS, c_panel=PANEL),
    "compress": mostly_zeros,
    "spmm": sparse_rows,
    "gemm_dx_few": lambda: {
        "rows": 1,
        "depth": 512,
        "cols": 512,
        "grad": floats(512),
        "grad_panel": 16,
        "w": floats(512 * 512),
        "w_panel": 512 * 16,
        "c": floats(512),
        "c_row": 512,
    },
    "transpose": lambda: {
        "rows": ROWS,
        "cols": COLUMNS,
        "in_": floats(COLUMNS, ROWS),
        "in_row": ROWS,
        "out": floats(ROWS, COLUMNS),
        "out_row": COLUMNS,
        "out_panel": PANEL,
    },
    "column_sums": lambda: {
        "rows": ROWS,
        "cols": COLUMNS,
        "in_": floats(ROWS, COLUMNS),
        "in_row": COLUMNS,
        "in_panel": PANEL,
        "out": floats(COLUMNS),
    },
    "pack": lambda: {"rows": COLUMNS, "depth": ROWS, "in_": floats(ROWS, COLUMNS), "in_step": COLUMNS, "out": floats(SIZE)},
    "from_uint8": lambda: {"n": SIZE, "x": np.zeros(SIZE, np.uint8), "out": floats(SIZE)},
    **{
        f"{name}{way}": lambda: {
            "rows": ROWS,
            "cols": COLUMNS,
            "stride": COLUMNS,
            "x": floats(SIZE),
            "grad": floats(SIZE),
            "out": floats(SIZE),
        }
        for name in ("softmax", "log_softmax", "sparsemax")
        for way in ("", "_backward")
    },
    "glu": lambda: rows(cols=COLUMNS // 2),
    "glu_backward": lambda: rows(cols=COLUMNS // 2, grad=floats(SIZE), grad_row=COLUMNS),
    "column_moments": lambda: {
        "rows": ROWS,
        "cols": COLUMNS,
        "x": floats(SIZE),
        "x_row": COLUMNS,
        "mean": floats(COLUMNS),
        "variance": floats(COLUMNS),
    },
    "batch_norm": lambda: rows(mean=floats(COLUMNS), variance=floats(COLUMNS), gamma=floats(COLUMNS), beta=floats(COLUMNS)),
    "batch_norm_backward": lambda: normalized(
        mean=floats(COLUMNS), variance=floats(COLUMNS), dgamma=floats(COLUMNS), dbeta=floats(COLUMNS)
    ),
    "layer_norm": lambda: rows(gamma=floats(COLUMNS), beta=floats(COLUMNS), centered=1, mean=floats(ROWS), scale=floats(ROWS)),
    "layer_norm_backward": lambda: normalized(mean=floats(ROWS), scale=floats(ROWS), centered=1),
    "layer_norm_parameter_gradients": lambda: {
        "rows": ROWS,
        "cols": COLUMNS,
        "x": floats(SIZE),
        "x_row": COLUMNS,
        "grad": floats(SIZE),
        "grad_row": COLUMNS,
        "mean": floats(ROWS),
        "scale": floats(ROWS),
        "dgamma": floats(COLUMNS),
        "dbeta": floats(COLUMNS),
    },
    "prelu": lambda: rows(alpha=floats(COLUMNS)),
    "prelu_backward": lambda: rows(alpha=floats(COLUMNS), grad=floats(SIZE), grad_row=COLUMNS, dalpha=floats(COLUMNS)),
    "periodic": lambda: periodic(),
    "periodic_backward": lambda: periodic(grad=floats(SIZE), grad_row=COLUMNS, dc=floats(128), dx=floats(ROWS * 8), dx_row=8),
    "gaussian_noise": lambda: rows(stddev=1.0),
    "alpha_dropout": lambda: {"n": SIZE, "x": floats(SIZE), "mask": floats(SIZE), "out": floats(SIZE), "kept": 0.9, "dropped": -0.1},
    **{f"replay_{name}": replay for name in ("sgd", "rmsprop", "adam")},
    "dropout_mask": lambda: {"rows": ROWS, "cols": COLUMNS, "mask": floats(SIZE), "mask_row": COLUMNS, "rate": 0.5, "keep_scale": 2.0},
    "adjust": lambda: {"n": SIZE, "w": floats(SIZE), "g": floats(SIZE), "l2": 1e-4, "scale": 1.0, "clip": 1.0},
    "combine": lambda: {"n": SIZE, "x": floats(SIZE), "y": floats(SIZE), "a": 0.9, "b": 0.1, "out": floats(SIZE)},
    "column_norms": lambda: {**matrix(), "absolute": floats(COLUMNS), "square": floats(COLUMNS)},
    "row_norms": lambda: {**matrix(), "square": floats(ROWS)},
    "activity": lambda: {"rows": ROWS, "cols": COLUMNS, "x": floats(SIZE), "row": COLUMNS, "l1": 1e-4, "l2": 1e-4, "loss": floats(ROWS)},
    "activity_backward": lambda: {
        "rows": ROWS,
        "cols": COLUMNS,
        "x": floats(SIZE),
        "row": COLUMNS,
        "l1": 1e-4,
        "grad": floats(SIZE),
        "out": floats(SIZE),
    },
    "rescale": lambda: {**matrix(), "column": np.ones(COLUMNS, np.float32)},
    "smooth": lambda: {
        "rows": ROWS,
        "cols": COLUMNS,
        "y": floats(ROWS, COLUMNS),
        "y_row": COLUMNS,
        "keep": 0.9,
        "share": 0.1,
        "out": floats(ROWS, COLUMNS),
        "out_row": COLUMNS,
    },
    "peak": lambda: {"iterations": 10_000, "factor": 0.5, "term": 1.0, "out": floats(512), "count": np.zeros(1, np.intp)},
    **dict.fromkeys(("multiply", "add", "subtract", "maximum", "minimum", "scale", "exp", "log", "erf"), elementwise),
    "maximum_backward": lambda: elementwise(grad=floats(SIZE)),
    **{
        f"{kernel} {name}": lambda code=code: elementwise(activation=code)
        for kernel in ("activation", "activation_backward")
        for name, code in _core.ACTIVATIONS.items()
    },
    **{f"loss_{name}": lambda name=name: loss(name) for name in _core.LOSSES},
    **{name: update for name in _core.kernel_addresses(ISAS[0]) if name.startswith("update_")},
}


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("name", FIELDS)
def bench_kernel(benchmark, name, isa):
    fields = FIELDS[name]()
    call = kernels(isa)[name.split()[0]]
    benchmark.group = f"kernel {name}"
    benchmark(call, **fields)
