"""Draws docs/images/optimizers.png: steps of every optimizer down the valley of Rosenbrock's function.

python docs/images/make_optimizers.py
"""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
from PIL import Image

from fastmlp._engine.spec import Update
from fastmlp.optimizers.minimizer import Minimizer
from fastmlp.reference.optimizers import OPTIMIZERS, slot_names

mpl.use("Agg")
import matplotlib.pyplot as plt

START, STEPS = np.array([-1.5, 1.8]), 60
SHOWN = {
    "SGD": (Update("sgd"), 0.002),
    "SGD, momentum 0.9": (Update("sgd", momentum=0.9), 0.0008),
    "RMSprop": (Update("rmsprop"), 0.05),
    "Adam": (Update("adam", beta_2=0.99), 0.25),
    "Nadam": (Update("nadam", beta_2=0.99), 0.2),
    "Adagrad": (Update("adagrad"), 0.5),
    "Lion": (Update("lion", beta_2=0.99), 0.05),
}


def valley(v: np.ndarray) -> tuple[float, np.ndarray]:
    x, y = v
    return (1 - x) ** 2 + 20 * (y - x * x) ** 2, np.array([-2 * (1 - x) - 80 * x * (y - x * x), 40 * (y - x * x)])


def path_of(rule: Update, rate: float) -> np.ndarray:
    w = START.copy()
    slots = {name: np.full(2, rule.initial_accumulator if name == "accumulator" else 0.0) for name in slot_names(rule)}
    path = [w]
    for t in range(1, STEPS + 1):
        w, slots = OPTIMIZERS[rule.kind](rule, rate, t, w, valley(w)[1], **slots)
        path.append(w)
    return np.array(path)


def path_of_lbfgs() -> np.ndarray:
    path = [START]
    minimizer = Minimizer(valley, 10, 0.5)
    found = (START, *valley(START))
    for _ in range(STEPS):
        stepped = minimizer.step(*found)
        if stepped is None:
            break
        found = stepped
        path.append(found[0])
    return np.array(path)


def main() -> None:
    x, y = np.meshgrid(np.linspace(-2, 2, 300), np.linspace(-0.7, 2.6, 300))
    paths = {name: path_of(*given) for name, given in SHOWN.items()} | {"L-BFGS": path_of_lbfgs()}
    figure, axes = plt.subplots(2, 4, figsize=(11, 5), sharex=True, sharey=True, layout="constrained")
    for axis, (name, path) in zip(axes.flat, paths.items(), strict=True):
        axis.contour(x, y, valley(np.array([x, y]))[0], levels=np.geomspace(0.1, 200, 12), colors="0.8", linewidths=0.7)
        axis.plot(*path.T, ".-", color="#1f5fbf", markersize=3, linewidth=0.8)
        axis.plot(1, 1, "*", color="#c02020", markersize=9)
        axis.set(title=f"{name}: {valley(path[-1])[0]:.2g} after {len(path) - 1}", xlim=(-2, 2), ylim=(-0.7, 2.6), xticks=[], yticks=[])
        axis.title.set_fontsize(9)
    file = Path(__file__).parent / "optimizers.png"
    figure.savefig(file, dpi=100)
    Image.open(file).convert("RGB").quantize(24).save(file, optimize=True)


if __name__ == "__main__":
    main()
