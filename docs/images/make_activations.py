"""Draws docs/images/activations.png: every elementwise activation and, thinner, its derivative. Needs matplotlib and Pillow.

python docs/images/make_activations.py
"""

from __future__ import annotations

import math
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from fastmlp import activations
from fastmlp.reference.activations import ACTIVATIONS, READ_INPUT

NAMES = (
    *("relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "mish", "hard_silu"),
    *("sigmoid", "hard_sigmoid", "log_sigmoid", "softplus", "softsign", "tanh", "hard_tanh", "exponential"),
    *("hard_shrink", "soft_shrink", "tanh_shrink", "squareplus", "sparse_plus", "sparse_sigmoid"),
)
COLUMNS = 6
PATH = Path(__file__).with_name("activations.png")


def main() -> None:
    z = np.linspace(-5, 8, 1301)
    rows = math.ceil(len(NAMES) / COLUMNS)
    figure, axes = plt.subplots(rows, COLUMNS, figsize=(2 * COLUMNS, 1.9 * rows), sharex=True, layout="constrained")
    for axis, name in zip(axes.flat, NAMES, strict=True):
        shown, function = getattr(activations, name), ACTIVATIONS[name]
        constants = (shown.alpha, shown.threshold, shown.max_value) if ACTIVATIONS[name].limited else (shown.alpha,)
        a = function.forward(z, *constants)
        slope = function.backward(z if name in READ_INPUT else a, np.ones_like(z), *constants)
        axis.axhline(0, color="0.8", linewidth=0.7)
        axis.axvline(0, color="0.8", linewidth=0.7)
        axis.plot(z, a, color="tab:blue", linewidth=1.8, label="f(z)")
        axis.plot(z, slope, color="tab:orange", linewidth=1.2, label="f'(z)")
        high = min(max(a.max() * 1.1, 1.3), 6.6 if name == "relu6" else 4)
        axis.set(title=name, xlim=(z[0], z[-1]), ylim=(max(a.min() * 1.1, -3) - 0.15, high))
        axis.title.set_size(9)
        axis.tick_params(labelsize=7)
        axis.spines[["top", "right"]].set_visible(False)
    axes.flat[0].legend(fontsize=7, frameon=False, loc="upper left")
    figure.savefig(PATH, dpi=100)
    with Image.open(PATH) as image:
        image.convert("RGB").quantize(32).save(PATH, optimize=True)


if __name__ == "__main__":
    main()
