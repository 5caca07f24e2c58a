"""Plans around each kind of node that layers other than Dense, activations and Dropout make, for tests that speak to the engines."""

import numpy as np
from networks import UPDATES

from fastmlp import layers, models
from fastmlp._engine.spec import Batches, Objective

INPUTS, NUMBERS = 19, 30

MIDDLE = {
    "batch_normalization": lambda: layers.BatchNormalization(momentum=0.8),
    "batch_normalization_center": lambda: layers.BatchNormalization(scale=False),
    "batch_normalization_scale": lambda: layers.BatchNormalization(center=False),
    "batch_normalization_plain": lambda: layers.BatchNormalization(center=False, scale=False),
    "batch_normalization_frozen": lambda: layers.BatchNormalization(trainable=False),
    "layer_normalization": lambda: layers.LayerNormalization(),
    "layer_normalization_plain": lambda: layers.LayerNormalization(center=False, scale=False),
    "rms_normalization": lambda: layers.RMSNormalization(),
    "normalization": lambda: layers.Normalization(mean=0.3, variance=2.0),
    "normalization_learned": lambda: layers.Normalization(),
    "normalization_inverted": lambda: layers.Normalization(mean=0.3, variance=2.0, invert=True),
    "rescaling": lambda: layers.Rescaling(0.7, -0.2),
    "prelu": lambda: layers.PReLU(),
    "alpha_dropout": lambda: layers.AlphaDropout(0.2),
    "gaussian_dropout": lambda: layers.GaussianDropout(0.2),
    "gaussian_noise": lambda: layers.GaussianNoise(0.3),
}
FIRST = {
    "embedding": lambda: [layers.Embedding(NUMBERS, 21), layers.Flatten()],
    "one_hot": lambda: [layers.CategoryEncoding(NUMBERS, "one_hot"), layers.Flatten()],
    "multi_hot": lambda: [layers.CategoryEncoding(NUMBERS, "multi_hot")],
    "count": lambda: [layers.CategoryEncoding(NUMBERS, "count")],
    "lookup": lambda: [layers.IntegerLookup(vocabulary=[3, 29, 7, 11], num_oov_indices=3), layers.Embedding(7, 5), layers.Flatten()],
    "lookup_masked": lambda: [layers.IntegerLookup(vocabulary=range(0, 30, 2), mask_token=1, output_mode="count")],
    "hashing": lambda: [layers.Hashing(9, mask_value=2), layers.Embedding(9, 3), layers.Flatten()],
    "hashing_salted": lambda: [layers.Hashing(9, salt=(1, -2), output_mode="multi_hot")],
    "discretization": lambda: [layers.Discretization([-0.5, 0.1, 0.1, 1.2]), layers.Embedding(5, 3), layers.Flatten()],
    "discretization_scaled": lambda: [
        layers.Rescaling(2.0, -1.0),
        layers.Discretization([-0.5, 0.2], output_mode="one_hot"),
        layers.Flatten(),
    ],
}
EDGES = [np.linspace(-1, 2, count).tolist() if count else [] for count in range(INPUTS)]
EDGES[1] = [0.25, 0.5, 2.0]
FEW_EDGES = EDGES[:9] + [[]] * (INPUTS - 9)
FIRST["piecewise_linear"] = lambda: [layers.PiecewiseLinearEncoding(edges=EDGES)]
FIRST["piecewise_linear_embedding"] = lambda: [layers.PiecewiseLinearEmbedding(5, edges=EDGES, activation="tanh"), layers.Flatten()]
FIRST["piecewise_linear_embedding_wide"] = lambda: [
    layers.PiecewiseLinearEmbedding(21, edges=FEW_EDGES, activation=None),
    layers.Flatten(),
]
ALONG_THE_LAST_AXIS = {
    "folded": lambda: [
        *(layers.Dense(24), layers.Reshape((4, 6)), layers.Dense(5, "relu"), layers.LayerNormalization(), layers.BatchNormalization()),
        *(layers.Softmax(), layers.Permute((2, 1)), layers.Dense(18, "tanh"), layers.Flatten()),
    ],
    "average_pool": lambda: [layers.Dense(36), layers.Reshape((2, 18)), layers.Activation("silu"), layers.GlobalAveragePooling1D()],
    "maximum_pool": lambda: [layers.Dense(36), layers.Reshape((12, 3)), layers.RMSNormalization(), layers.GlobalMaxPooling1D()],
    "gather": lambda: [layers.Dense(7, "tanh"), layers.RepeatVector(3), layers.GetItem([[None, None, 2], [1, 6, None]]), layers.Flatten()],
}
ALONG_THE_LAST_AXIS["periodic"] = lambda: [layers.Dense(5, "tanh"), layers.PeriodicEmbedding(21), layers.Dense(4, "relu"), layers.Flatten()]
ALONG_THE_LAST_AXIS["periodic_first"] = lambda: [layers.PeriodicEmbedding(17), layers.Flatten()]
TABLES = ("lookup", "lookup_masked", "hashing", "hashing_salted")
WHOLE = ("embedding", "one_hot", "multi_hot", "count", *TABLES)
KINDS = (*ALONG_THE_LAST_AXIS, *MIDDLE, *(f"{name}_first" for name in MIDDLE), *FIRST)


def plan_of(stack):
    return models.Sequential([layers.Input((INPUTS,)), *stack]).plan


def stack_around(kind, units=37):
    if kind in ALONG_THE_LAST_AXIS:
        return [*ALONG_THE_LAST_AXIS[kind](), layers.Dense(units, "tanh"), layers.Dense(4)]
    if kind in FIRST:
        return [*FIRST[kind](), layers.Dense(units, "tanh"), layers.Dense(4)]
    if kind.endswith("_first"):
        return [MIDDLE[kind.removesuffix("_first")](), layers.Dense(units, "relu"), layers.Dense(4)]
    return [layers.Dense(units, "tanh"), MIDDLE[kind](), layers.Dense(18), MIDDLE[kind](), layers.Activation("tanh"), layers.Dense(4)]


def plan_around(kind, units=37):
    """The node between dense ones, twice; or first; widths that fill no panel."""
    return plan_of(stack_around(kind, units))


def mse(plan):
    return Objective("mean_squared_error", plan.output)


def fill(network, seed=0):
    """Small matrices, vectors above 0: there are variances among them."""
    rng = np.random.default_rng(seed)
    for index, parameter in enumerate(network.plan.parameters):
        matrix = len(parameter.shape) == 2
        value = rng.normal(0, 0.3, parameter.shape) if matrix else rng.uniform(0.3, 1.3, parameter.shape)
        network.set_parameter(index, value.astype(np.float32))
    return network


def configured(engine, plan, update="adam", **options):
    network = fill(engine.Network(plan, 7, **options))
    network.configure(mse(plan), UPDATES[update])
    network.learning_rate = 0.003
    return network


def data_for(kind, rows, batch_size, dtype=np.float32):
    rng = np.random.default_rng(3)
    x = rng.integers(0, NUMBERS, (rows, INPUTS)) if kind in WHOLE else rng.normal(0.5, 1, (rows, INPUTS))
    y = rng.normal(size=(rows, 4))
    return Batches(x.astype(dtype), y.astype(dtype), None, rng.permutation(rows).astype(np.uint32), batch_size)
