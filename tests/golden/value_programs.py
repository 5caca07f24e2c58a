"""What has values outside of a training: initializers, regularizers, constraints, layers that are random, layers as they are made.

Written so that it runs on Keras and on fastmlp alike: ``api`` is the module to run on.
"""

from __future__ import annotations

import numpy as np

# Initializers: name: (class, arguments)
INITIALIZERS = {
    "zeros": ("Zeros", {}),
    "ones": ("Ones", {}),
    "constant": ("Constant", {"value": 0.3}),
    "identity": ("Identity", {"gain": 2.0}),
    "orthogonal": ("Orthogonal", {"gain": 1.3}),
    "random_uniform": ("RandomUniform", {}),
    "random_uniform_between": ("RandomUniform", {"minval": -1.0, "maxval": 0.5}),
    "glorot_uniform": ("GlorotUniform", {}),
    "he_uniform": ("HeUniform", {}),
    "lecun_uniform": ("LecunUniform", {}),
    "random_normal": ("RandomNormal", {}),
    "random_normal_around": ("RandomNormal", {"mean": 0.4, "stddev": 0.2}),
    "truncated_normal": ("TruncatedNormal", {}),
    "truncated_normal_around": ("TruncatedNormal", {"mean": 0.1, "stddev": 0.2}),
    "glorot_normal": ("GlorotNormal", {}),
    "he_normal": ("HeNormal", {}),
    "lecun_normal": ("LecunNormal", {}),
    "variance_scaling": ("VarianceScaling", {}),
    "variance_scaling_out": ("VarianceScaling", {"scale": 2.0, "mode": "fan_out", "distribution": "uniform"}),
    "variance_scaling_average": ("VarianceScaling", {"scale": 0.5, "mode": "fan_avg", "distribution": "untruncated_normal"}),
}
EXACT = ("zeros", "ones", "constant", "identity")
UNBOUNDED = ("orthogonal", "random_normal", "random_normal_around", "variance_scaling_average")
SHAPES = {"kernel": (300, 200), "wide kernel": (64, 500), "bias": (4096,)}


def draws() -> list[tuple[str, str]]:
    """Every initializer with every shape that it is for."""
    return [(name, shape) for name in INITIALIZERS for shape in SHAPES if shape != "bias" or name not in ("identity", "orthogonal")]


def moments(api, name: str, shape: str) -> list[float]:
    """Mean, standard deviation, minimum and maximum; for a kernel also the mean square of rows or columns and the mean |product|."""
    kind, arguments = INITIALIZERS[name]
    values = np.asarray(getattr(api.initializers, kind)(**arguments)(SHAPES[shape]), np.float64)
    found = [values.mean(), values.std(), values.min(), values.max()]
    if values.ndim == 2:
        gram = values @ values.T if values.shape[0] < values.shape[1] else values.T @ values
        squares = np.diagonal(gram)
        found += [squares.mean(), np.abs(gram - np.diag(squares)).mean()]
    return found


# Regularizers and constraints: name: (class, arguments)
REGULARIZERS = {
    "l1": ("L1", {}),
    "l1 of 0.3": ("L1", {"l1": 0.3}),
    "l2": ("L2", {}),
    "l2 of 0.3": ("L2", {"l2": 0.3}),
    "l1_l2": ("L1L2", {"l1": 0.2, "l2": 0.7}),
    "orthogonal": ("OrthogonalRegularizer", {}),
    "orthogonal columns": ("OrthogonalRegularizer", {"factor": 0.4, "mode": "columns"}),
}
CONSTRAINTS = {
    "max_norm": ("MaxNorm", {}),
    "max_norm of 1": ("MaxNorm", {"max_value": 1.0}),
    "max_norm of inputs": ("MaxNorm", {"max_value": 1.0, "axis": 1}),
    "max_norm of all": ("MaxNorm", {"max_value": 3.0, "axis": [0, 1]}),
    "min_max_norm": ("MinMaxNorm", {}),
    "min_max_norm on the way": ("MinMaxNorm", {"min_value": 1.5, "max_value": 2.0, "rate": 0.4, "axis": 1}),
    "non_neg": ("NonNeg", {}),
    "unit_norm": ("UnitNorm", {}),
    "unit_norm of inputs": ("UnitNorm", {"axis": 1}),
}


def weights() -> dict[str, np.ndarray]:
    """Short and long columns, one of zeros."""
    random = np.random.RandomState(21)
    kernel = random.normal(size=(7, 5)) * [0.01, 0.3, 1.0, 3.0, 0.0]
    return {"kernel": kernel.astype(np.float32), "bias": random.normal(size=6).astype(np.float32)}


def fits(arguments: dict, kind: str, weight: str) -> bool:
    """Whether the rule is for weights of that shape."""
    return weight == "kernel" or (kind != "OrthogonalRegularizer" and arguments.get("axis", 0) == 0)


def penalties(api, name: str, array_of=np.asarray) -> list[float]:
    """``array_of`` makes the library's own kind of array, without which Keras' OrthogonalRegularizer fails for some shapes."""
    kind, arguments = REGULARIZERS[name]
    regularizer = getattr(api.regularizers, kind)(**arguments)
    return [float(regularizer(array_of(array))) for weight, array in weights().items() if fits(arguments, kind, weight)]


def constrained(api, name: str) -> list[float]:
    kind, arguments = CONSTRAINTS[name]
    constraint = getattr(api.constraints, kind)(**arguments)
    arrays = [np.ravel(constraint(array)) for weight, array in weights().items() if fits(arguments, kind, weight)]
    return np.concatenate(arrays).tolist()


# Layers that draw random numbers: name: (class, arguments)
NOISES = {
    "dropout": ("Dropout", {"rate": 0.3}),
    "much dropout": ("Dropout", {"rate": 0.9}),
    "alpha_dropout": ("AlphaDropout", {"rate": 0.2}),
    "gaussian_dropout": ("GaussianDropout", {"rate": 0.3}),
    "gaussian_noise": ("GaussianNoise", {"stddev": 0.7}),
}
NOISE_SHAPE = (500, 80)


def noise(api, name: str) -> list[float]:
    """Of what the layer makes in training: mean, standard deviation, slope over the input, share of the value that comes most often.

    The input takes three values, so that the dropped elements, of one value, are a fourth one.
    """
    kind, arguments = NOISES[name]
    x = np.random.RandomState(22).choice([-1.0, 0.5, 2.0], NOISE_SHAPE).astype(np.float32)
    model = api.Sequential([api.layers.Input(shape=NOISE_SHAPE[1:]), getattr(api.layers, kind)(**arguments)])
    y = np.asarray(model(x, training=True), np.float64)
    slope = ((x - x.mean()) * (y - y.mean())).mean() / x.var()
    return [y.mean(), y.std(), slope, np.unique(y, return_counts=True)[1].max() / y.size]


# Layers with the weights that their arguments give them
def _constant(api, value: float):
    return api.initializers.Constant(value)


MADE = {
    "dense": lambda api: [api.layers.Dense(3, kernel_initializer=_constant(api, 0.3), bias_initializer="ones")],
    "prelu": lambda api: [api.layers.PReLU(alpha_initializer=_constant(api, 0.2))],
    "batch_normalization": lambda api: [
        api.layers.BatchNormalization(
            beta_initializer=_constant(api, 0.1),
            gamma_initializer=_constant(api, 2.0),
            moving_mean_initializer=_constant(api, 0.5),
            moving_variance_initializer=_constant(api, 4.0),
        )
    ],
    "layer_normalization": lambda api: [
        api.layers.LayerNormalization(beta_initializer=_constant(api, 0.1), gamma_initializer=_constant(api, 2.0))
    ],
    "embedding": lambda api: [api.layers.Embedding(4, 2, embeddings_initializer="identity"), api.layers.Flatten()],
    "embedding of weights": lambda api: [
        api.layers.Embedding(4, 2, weights=[np.arange(8, dtype=np.float32).reshape(4, 2)]),
        api.layers.Flatten(),
    ],
}


def made(api, name: str, **compile_options) -> list[float]:
    """What a layer predicts before any training."""
    x = np.random.RandomState(23).normal(size=(3, 4)) if "embedding" not in name else np.arange(12).reshape(3, 4) % 4
    model = api.Sequential([api.layers.Input(shape=(4,)), *MADE[name](api)])
    model.compile(loss="mse", **compile_options)
    return np.ravel(model.predict(x.astype(np.float32), verbose=0)).tolist()


# Over another axis of an array than the last: (function, arguments)
AXES = (("softmax", {"axis": 0}), ("log_softmax", {"axis": 0}), ("glu", {"axis": 0}))


def along(api, number: int) -> list[float]:
    function, arguments = AXES[number]
    x = np.random.RandomState(24).normal(size=(4, 3)).astype(np.float32)
    return np.ravel(getattr(api.activations, function)(x, **arguments)).tolist()


# Losses that Keras has not, compared with PyTorch: name: (class, arguments)
LOSSES = {
    "gaussian_nll": ("GaussianNLL", {"eps": 0.05}),
    "gaussian_nll full": ("GaussianNLL", {"full": True}),
    "quantile": ("Quantile", {"q": 0.8}),
    "sparse_smoothed": ("SparseCategoricalCrossentropy", {"from_logits": True, "label_smoothing": 0.2}),
}


def targets(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Targets and predictions of eight rows, among them a variance below ``eps``."""
    random = np.random.RandomState(25)
    p, y = random.normal(size=(8, 4)), random.normal(size=(8, 2 if "gaussian" in name else 4))
    if "gaussian" in name:
        p[:, 2:] = np.square(p[:, 2:]) + 0.1
        p[3, 2] = 0.01 if "full" not in name else 0.2
    return (random.randint(0, 4, 8).astype(np.int32) if "sparse" in name else y.astype(np.float32)), p.astype(np.float32)


def all_values(api, array_of) -> dict:
    """Everything of this file, by kind and name."""
    return {
        "initializers": {f"{name}, {shape}": moments(api, name, shape) for name, shape in draws()},
        "regularizers": {name: penalties(api, name, array_of) for name in REGULARIZERS},
        "constraints": {name: constrained(api, name) for name in CONSTRAINTS},
        "noises": {name: noise(api, name) for name in NOISES},
        "layers": {name: made(api, name) for name in MADE},
        "axes": [along(api, number) for number in range(len(AXES))],
    }
