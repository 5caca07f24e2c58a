"""What is computed with symbolic tensors, and the same with arrays."""

import numpy as np

from fastmlp import layers

rng = np.random.default_rng(5)
GRID, ROW = rng.normal(size=(6, 4, 3)).astype(np.float32), rng.normal(size=(6, 3)).astype(np.float32)
UNIT_ROW = ROW / np.linalg.norm(ROW, axis=-1, keepdims=True)
EXPRESSIONS = {
    "a row is added to each of a grid": (lambda g, r: g + r, GRID + ROW[:, None]),
    "a row divides a grid": (lambda g, r: g / r, GRID / ROW[:, None]),
    "a number divided by a tensor": (lambda g, r: 2 / r, 2 / ROW),
    "a tensor divided by a number": (lambda g, r: r / 2, ROW / 2),
    "a difference to a number": (lambda g, r: 1 - r, 1 - ROW),
    "the negative": (lambda g, r: -r, -ROW),
    "a power": (lambda g, r: r**3, ROW**3),
    "columns": (lambda g, r: r[:, 1:], ROW[:, 1:]),
    "one column": (lambda g, r: r[:, 1], ROW[:, 1]),
    "steps of a grid": (lambda g, r: g[:, 1:3], GRID[:, 1:3]),
    "a column of a grid": (lambda g, r: g[..., 1], GRID[..., 1]),
    "a column backwards": (lambda g, r: g[:, ::-1, 0], GRID[:, ::-1, 0]),
    "Minimum": (lambda g, r: layers.Minimum()([g, r]), np.minimum(GRID, ROW[:, None])),
    "Permute": (lambda g, r: layers.Permute((2, 1))(g), GRID.transpose(0, 2, 1)),
    "RepeatVector": (lambda g, r: layers.RepeatVector(2)(r), np.repeat(ROW[:, None], 2, 1)),
    "Identity": (lambda g, r: layers.Identity()(g) * 1.0, GRID),
    "Dot of a grid and a row": (lambda g, r: layers.Dot((2, 1))([g, r]), np.einsum("ntc,nc->nt", GRID, ROW)),
    "Dot of two grids": (lambda g, r: layers.Dot(1)([g, g]), np.einsum("nta,ntb->nab", GRID, GRID)),
    "Dot of rows": (lambda g, r: layers.dot([r, r], axes=-1), (ROW**2).sum(-1, keepdims=True)),
    "Dot of rows of length 1": (
        lambda g, r: layers.Dot(-1, normalize=True)([r, r[:, ::-1]]),
        (UNIT_ROW * UNIT_ROW[:, ::-1]).sum(-1)[:, None],
    ),
    "the mean of vectors": (lambda g, r: layers.GlobalAveragePooling1D()(g), GRID.mean(1)),
    "the maximum of vectors": (lambda g, r: layers.GlobalMaxPooling1D(keepdims=True)(g), GRID.max(1, keepdims=True)),
    "grids on top of each other": (lambda g, r: layers.Concatenate(axis=1)([g, -g]), np.concatenate([GRID, -GRID], 1)),
    "grids side by side": (lambda g, r: layers.Concatenate()([g, -g]), np.concatenate([GRID, -GRID], -1)),
}
