"""Takes the rates of Keras' schedules (in double precision) and of PyTorch's OneCycleLR, and the decisions of Keras' callbacks.

    python tests/golden/make_schedules_golden.py

writes ``schedules.json`` beside this file; run once, by hand, where keras, jax and torch are installed.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["JAX_ENABLE_X64"] = "1"

import keras
import numpy as np
import scripts
import torch

HERE = Path(__file__).parent


def rates(name: str) -> list[float]:
    kind, arguments = scripts.SCHEDULES[name]
    if "initial_learning_rate" in arguments:  # whose dtype is that of the computation
        arguments = {**arguments, "initial_learning_rate": np.float64(arguments["initial_learning_rate"])}
    schedule = getattr(keras.optimizers.schedules, kind)(**arguments)
    return [float(np.asarray(schedule(step))) for step in scripts.STEPS]


def one_cycle(name: str) -> list[float]:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.5, cycle_momentum=False, **scripts.ONE_CYCLES[name])
    values = []
    for _ in range(scripts.ONE_CYCLES[name]["total_steps"]):
        values.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if len(values) < scripts.ONE_CYCLES[name]["total_steps"]:
            schedule.step()
    return values


def plateau(arguments: dict, mode: str, values: list[float]) -> list[list[float]]:
    callback = keras.callbacks.ReduceLROnPlateau(monitor="number", mode=mode, **arguments)
    return scripts.rates_on_plateaus(callback, keras.optimizers.SGD(0.1), values)


def stopper(arguments: dict, mode: str, values: list[float]) -> list[int]:
    return scripts.epochs_run(keras.callbacks.EarlyStopping(monitor="number", mode=mode, **arguments), values)


def main() -> None:
    fits = {name: scripts.scheduled_fit(keras, name) for name in scripts.SCHEDULED_FITS}
    keras.config.set_floatx("float64")
    watched = scripts.watched()
    document = {
        "made with": {"keras": keras.__version__, "torch": torch.__version__, "numpy": np.__version__},
        "schedules": {name: rates(name) for name in scripts.SCHEDULES},
        "fits": fits,
        "one cycles": {name: one_cycle(name) for name in scripts.ONE_CYCLES},
        "plateaus": {
            f"{name} {mode} {script}": plateau(arguments, mode, values)
            for name, arguments in scripts.PLATEAUS.items()
            for mode in ("min", "max")
            for script, values in watched.items()
        },
        "stoppers": {
            f"{name} {mode} {script}": stopper(arguments, mode, values)
            for name, arguments in scripts.STOPPERS.items()
            for mode in ("min", "max")
            for script, values in watched.items()
        },
    }
    (HERE / "schedules.json").write_text(json.dumps(document, indent=None, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
