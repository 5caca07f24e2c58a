"""Takes the values of value_programs.py from Keras, and of losses it has not from PyTorch: run once, by hand, where both are installed.

    python tests/golden/make_value_golden.py

writes ``values.json`` beside this file.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_PLATFORMS"] = "cpu"

import jax
import keras
import torch
import value_programs


def rounded(value):
    """``value`` with the digits of a float32."""
    if isinstance(value, dict):
        return {key: rounded(one) for key, one in value.items()}
    if isinstance(value, list):
        return [rounded(one) for one in value]
    return float(f"{value:.9g}")


def of_pytorch(name: str) -> dict[str, list]:
    """The loss of each row, and its gradient."""
    kind, arguments = value_programs.LOSSES[name]
    y, p = (torch.tensor(array) for array in value_programs.targets(name))
    p.requires_grad_()
    if kind == "GaussianNLL":
        loss = torch.nn.functional.gaussian_nll_loss(p[:, :2], y, p[:, 2:], reduction="none", **arguments).mean(1)
    elif kind == "Quantile":
        error = y - p
        loss = torch.maximum(arguments["q"] * error, (arguments["q"] - 1) * error).mean(1)
    else:
        loss = torch.nn.functional.cross_entropy(p, y.long(), label_smoothing=arguments["label_smoothing"], reduction="none")
    loss.sum().backward()
    return {"value": loss.tolist(), "gradient": p.grad.flatten().tolist()}


def main() -> None:
    jax.config.update("jax_default_matmul_precision", "highest")
    keras.utils.set_random_seed(0)
    values = value_programs.all_values(keras, keras.ops.convert_to_tensor)
    golden = {"made with": {"keras": keras.__version__, "jax": jax.__version__}} | rounded(values)
    golden["made with"]["torch"] = torch.__version__
    golden["pytorch"] = rounded({name: of_pytorch(name) for name in value_programs.LOSSES})
    (Path(__file__).parent / "values.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
