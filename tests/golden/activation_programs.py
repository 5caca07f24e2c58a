"""Every activation and activation layer, with the arguments whose values and slopes were taken from Keras once."""

from __future__ import annotations

import numpy as np

FUNCTIONS = {
    **{
        name: (name, {})
        for name in (
            *("linear", "relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "swish", "mish", "softplus", "softsign"),
            *("sigmoid", "log_sigmoid", "hard_sigmoid", "hard_silu", "hard_swish", "tanh", "hard_tanh", "exponential"),
            *("hard_shrink", "soft_shrink", "tanh_shrink", "squareplus", "sparse_plus", "sparse_sigmoid"),
            *("softmax", "log_softmax", "sparsemax", "glu"),
        )
    },
    "relu of everything": ("relu", {"negative_slope": 0.25, "max_value": 3.0, "threshold": 1.5}),
    "relu with a limit": ("relu", {"max_value": 2.0}),
    "relu with limit 6": ("relu", {"max_value": 6.0}),
    "relu with a threshold": ("relu", {"threshold": 2.0}),
    "relu with a slope": ("relu", {"negative_slope": 0.1}),
    "leaky_relu of 0.05": ("leaky_relu", {"negative_slope": 0.05}),
    "elu of 0.5": ("elu", {"alpha": 0.5}),
    "celu of 2": ("celu", {"alpha": 2.0}),
    "gelu by tanh": ("gelu", {"approximate": True}),
    "hard_shrink of 2": ("hard_shrink", {"threshold": 2.0}),
    "soft_shrink of 2": ("soft_shrink", {"threshold": 2.0}),
    "threshold": ("threshold", {"threshold": -1.5, "default_value": 0.75}),
    "squareplus of 1": ("squareplus", {"b": 1}),
}

LAYERS = {
    "ReLU": ("ReLU", {}),
    "ReLU of everything": ("ReLU", {"max_value": 3.0, "negative_slope": 0.25, "threshold": 1.5}),
    "LeakyReLU": ("LeakyReLU", {}),
    "LeakyReLU of 0.1": ("LeakyReLU", {"negative_slope": 0.1}),
    "ELU": ("ELU", {}),
    "ELU of 0.5": ("ELU", {"alpha": 0.5}),
    "Softmax": ("Softmax", {}),
}


def inputs() -> np.ndarray:
    """One row (1, 48), none of it on a kink."""
    return np.random.RandomState(6).uniform(-7, 7, size=(1, 48)).astype(np.float32)


def weights() -> np.ndarray:
    """The gradient (1, 48) that comes from above."""
    return np.random.RandomState(7).uniform(0.5, 2, size=(1, 48)).astype(np.float32)
