"""Small networks around each layer whose numbers were taken from Keras once, written so that they run on Keras and on fastmlp alike.

See programs.py: ``api`` is ``keras`` or ``fastmlp``, and nothing draws a random number at run time.
"""

from __future__ import annotations

import numpy as np

INPUTS, HIDDEN, OUTPUTS, ROWS, BATCH, STEPS = 5, 7, 3, 36, 12, 12
NUMBERS = 9


def _around(make, **dense):
    """The layer between two dense ones."""

    def layers(api):
        return [api.layers.Dense(HIDDEN, **dense), make(api), api.layers.Dense(OUTPUTS)]

    return layers


def _first(make, *others):
    """The layer, what has to follow it, and a dense one."""

    def layers(api):
        return [make(api), *(other(api) for other in others), api.layers.Dense(OUTPUTS)]

    return layers


def _frozen(index, layers):
    def make(api):
        made = layers(api)
        made[index].trainable = False
        return made

    return make


def _flatten(api):
    return api.layers.Flatten()


def _batch(**options):
    return lambda api: api.layers.BatchNormalization(**options)


def _layer(**options):
    return lambda api: api.layers.LayerNormalization(**options)


def _pooled(layer):
    def layers(api):
        made = getattr(api.layers, layer)(keepdims=True)
        return [api.layers.Dense(12), api.layers.Reshape((4, 3)), made, api.layers.Flatten(), api.layers.Dense(OUTPUTS)]

    return layers


def _slopes(row, shared_axes, **options):
    """A PReLU for rows of more axes, whose alpha has a slope of its own for each element that is not shared."""

    def layers(api):
        prelu = api.layers.PReLU(shared_axes=shared_axes, **options)
        return [api.layers.Dense(12), api.layers.Reshape(row), prelu, api.layers.Flatten(), api.layers.Dense(OUTPUTS)]

    return layers


MEAN, VARIANCE = [0.5, -1.0, 2.0, 0.0, 1.0], [1.0, 4.0, 0.25, 9.0, 0.5]

NETWORKS = {
    "batch_normalization": _around(_batch(), use_bias=False),
    "batch_normalization_other": _around(_batch(momentum=0.6, epsilon=0.01, center=False), use_bias=False),
    "batch_normalization_plain": _around(_batch(center=False, scale=False), use_bias=False),
    "batch_normalization_first": _first(_batch(momentum=0.9)),
    "batch_normalization_first_plain": _first(_batch(momentum=0.9, center=False, scale=False)),
    "batch_normalization_activated": lambda api: [
        api.layers.Dense(HIDDEN, use_bias=False),
        api.layers.BatchNormalization(),
        api.layers.Activation("relu"),
        api.layers.Dense(6, activation="tanh"),
        api.layers.BatchNormalization(scale=False),
        api.layers.Dense(OUTPUTS),
    ],
    "layer_normalization": _around(_layer(), activation="tanh"),
    "layer_normalization_other": _around(_layer(epsilon=0.1, scale=False)),
    "layer_normalization_plain": _around(_layer(center=False, scale=False)),
    "layer_normalization_first": _first(_layer(center=False)),
    "rms_normalization": _around(lambda api: api.layers.RMSNormalization()),
    "rms_normalization_first": _first(lambda api: api.layers.RMSNormalization(epsilon=0.01)),
    "prelu": _around(lambda api: api.layers.PReLU()),
    "prelu_first": _first(lambda api: api.layers.PReLU()),
    "prelu_rows": _slopes((4, 3), None),
    "prelu_features": _slopes((4, 3), [1], alpha_regularizer="l2"),
    "prelu_steps": _slopes((4, 3), [2], alpha_constraint="non_neg"),
    "prelu_alone": _slopes((4, 3), [1, 2]),
    "prelu_images": _slopes((2, 3, 2), [1, 3]),
    "activity_regularization": _around(lambda api: api.layers.ActivityRegularization(l1=0.02, l2=0.1), activation="tanh"),
    "rescaling": _first(lambda api: api.layers.Rescaling(0.3, offset=-1.5)),
    "rescaling_between": _around(lambda api: api.layers.Rescaling(0.3, offset=-1.5)),
    "normalization": _first(lambda api: api.layers.Normalization(mean=MEAN, variance=VARIANCE)),
    "normalization_between": lambda api: [
        api.layers.Dense(INPUTS),
        api.layers.Normalization(mean=MEAN, variance=VARIANCE),
        api.layers.Dense(OUTPUTS),
    ],
    "normalization_one_for_all": _first(lambda api: api.layers.Normalization(axis=None, mean=0.5, variance=4.0)),
    "normalization_inverted": _first(lambda api: api.layers.Normalization(mean=MEAN, variance=VARIANCE, invert=True)),
    "reshape": _first(lambda api: api.layers.Reshape((5, -1)), _flatten),
    "embedding": _first(lambda api: api.layers.Embedding(NUMBERS, 4), _flatten),
    "one_hot": _first(lambda api: api.layers.CategoryEncoding(NUMBERS, output_mode="one_hot"), _flatten),
    "multi_hot": _first(lambda api: api.layers.CategoryEncoding(NUMBERS)),
    "count": _first(lambda api: api.layers.CategoryEncoding(NUMBERS, output_mode="count")),
    "frozen_dense": _frozen(0, _around(_batch(), activation="tanh")),
    "frozen_middle": _frozen(1, lambda api: [api.layers.Dense(n, activation="tanh") for n in (6, 8, OUTPUTS)]),
    "frozen_last": _frozen(2, _around(_batch(), use_bias=False)),
    "last_axis": lambda api: [
        *(api.layers.Dense(24), api.layers.Reshape((4, 6)), api.layers.Dense(5, use_bias=False), api.layers.BatchNormalization()),
        *(api.layers.Dense(6, activation="relu"), api.layers.Dense(4), api.layers.Softmax(), api.layers.Permute(dims=(2, 1))),
        *(api.layers.Dense(3, activation="tanh"), api.layers.Flatten(), api.layers.Dense(OUTPUTS)),
    ],
    "normalized_last_axis": lambda api: [
        *(api.layers.Dense(12), api.layers.Reshape((3, 4)), api.layers.LayerNormalization(), api.layers.RMSNormalization()),
        *(api.layers.Flatten(), api.layers.Dense(OUTPUTS)),
    ],
    "average_pooling": _pooled("GlobalAveragePooling1D"),
    "max_pooling": _pooled("GlobalMaxPooling1D"),
    "embedding_pooling": _first(lambda api: api.layers.Embedding(NUMBERS, 4), lambda api: api.layers.GlobalAveragePooling1D()),
    "repeat_vector": lambda api: [
        *(api.layers.Dense(4), api.layers.RepeatVector(n=3), api.layers.Identity(), api.layers.Permute((2, 1))),
        *(api.layers.Dense(2, activation="tanh"), api.layers.Flatten(), api.layers.Dense(OUTPUTS)),
    ],
    "frozen_batch_normalization": _frozen(1, _around(_batch(), use_bias=False)),
    "frozen_layer_normalization": _frozen(1, _around(_layer())),
    "frozen_prelu": _frozen(1, _around(lambda api: api.layers.PReLU())),
    "frozen_embedding": _frozen(0, _first(lambda api: api.layers.Embedding(NUMBERS, 4), _flatten)),
}
# No bias stands right before a batch normalization: its gradient is 0 but for rounding, of which Adam makes whole steps.
OPTIMIZERS = {"gradient": ("SGD", {"learning_rate": 1.0}), "momentum": ("SGD", {"learning_rate": 0.02, "momentum": 0.9})}
OPTIMIZERS["adam"] = ("Adam", {"learning_rate": 0.01})

READS_NUMBERS = ("embedding", "one_hot", "multi_hot", "count", "frozen_embedding", "embedding_pooling")


def inputs(name: str) -> np.ndarray:
    random = np.random.RandomState(11)
    if name in READS_NUMBERS:
        return random.randint(0, NUMBERS, size=(ROWS, INPUTS)).astype(np.float32)
    return random.normal(0.5, 1.5, size=(ROWS, INPUTS)).astype(np.float32)


def targets() -> np.ndarray:
    return np.random.RandomState(12).normal(size=(ROWS, OUTPUTS)).astype(np.float32)


def weights_like(weights) -> list[np.ndarray]:
    """Initial values: normal matrices, positive vectors (among them variances)."""
    random = np.random.RandomState(13)
    shapes = [np.shape(weight) for weight in weights]
    draw = {1: lambda shape: random.uniform(0.2, 1.2, shape)}
    return [draw.get(len(shape), lambda shape: random.normal(0, 0.5, shape))(shape).astype(np.float32) for shape in shapes]


def run(api, name: str, **compile_options) -> dict[str, np.ndarray]:
    """Predictions before training, and for each optimizer losses, predictions and weights after some steps; after one of ``gradient``."""
    x, y = inputs(name), targets()
    found: dict[str, np.ndarray] = {}
    for optimizer, (kind, options) in OPTIMIZERS.items():
        model = api.Sequential([api.layers.Input(shape=(INPUTS,)), *NETWORKS[name](api)])
        model.set_weights(weights_like(model.get_weights()))
        model.compile(optimizer=getattr(api.optimizers, kind)(**options), loss="mse", **compile_options)
        found["before"] = np.array(model.predict(x, verbose=0))
        losses = []
        for step in range(1 if optimizer == "gradient" else STEPS):
            rows = np.arange(step * BATCH, (step + 1) * BATCH) % ROWS
            losses.append(float(model.train_on_batch(x[rows], y[rows])))
        found[f"{optimizer} losses"] = np.array(losses)
        found[f"{optimizer} after"] = np.array(model.predict(x, verbose=0))
        found[f"{optimizer} weights"] = np.concatenate([np.ravel(weight) for weight in model.get_weights()])
    return found


def adapted(api):
    """What Normalization learns, and gives for other data."""
    layer = api.layers.Normalization()
    x = inputs("normalization") * 3 + 50
    layer.adapt(x)
    model = api.Sequential([api.layers.Input(shape=(INPUTS,)), layer])
    return {"mean": np.ravel(layer.mean), "variance": np.ravel(layer.variance), "output": np.array(model.predict(x + 1, verbose=0))}
