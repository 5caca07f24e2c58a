"""Models that begin with lookups, bins and hashes, for tests and for ``make_lookup_golden.py``."""

from __future__ import annotations

import numpy as np

LENGTH, ROWS, BATCH, STEPS, OUTPUTS = 4, 48, 16, 9, 3
TOKENS = [12, 36, 1138, 42, -7, 99, 100000]
EDGES = [-1.0, 0.25, 0.25, 3.5]
OF_ONE = ("integers_of_one", "hashes_of_one")
"""Programs that read one column."""
MEASURED = ("bins", "bins_learned", "bins_one_hot", "bins_multi_hot", "bins_count", "bins_of_bins", "rescaled_bins")


def numbers() -> np.ndarray:
    random = np.random.RandomState(4)
    known = random.choice(TOKENS, (ROWS, LENGTH))
    return np.where(random.uniform(size=known.shape) < 0.3, random.randint(-500, 9000, known.shape), known)


def measurements() -> np.ndarray:
    return np.random.RandomState(5).normal(0.5, 3.0, (ROWS, LENGTH)).astype(np.float32)


def inputs(name: str) -> np.ndarray:
    return measurements() if name in MEASURED else numbers()[:, :1] if name in OF_ONE else numbers()


def _adapted(layer, data):
    layer.adapt(data)
    return layer


def _tokens(api, **options):
    return api.layers.IntegerLookup(vocabulary=TOKENS, **options)


def _embedded(api, count):
    return [api.layers.Embedding(count, 5), api.layers.Flatten()]


STACKS = {
    "bins": lambda api: [api.layers.Discretization(EDGES), *_embedded(api, 5)],
    "bins_learned": lambda api: [_adapted(api.layers.Discretization(num_bins=6, epsilon=0.05), measurements()), *_embedded(api, 6)],
    "bins_one_hot": lambda api: [api.layers.Discretization(EDGES, output_mode="one_hot"), api.layers.Flatten()],
    "bins_multi_hot": lambda api: [api.layers.Discretization(EDGES, output_mode="multi_hot")],
    "bins_count": lambda api: [api.layers.Discretization(EDGES, output_mode="count")],
    "rescaled_bins": lambda api: [api.layers.Rescaling(0.5), api.layers.Discretization(EDGES), api.layers.CategoryEncoding(5)],
    "bins_of_bins": lambda api: [api.layers.Discretization(EDGES), api.layers.Hashing(3), *_embedded(api, 3)],
    "integers": lambda api: [_tokens(api), *_embedded(api, 8)],
    "integers_masked": lambda api: [_tokens(api, mask_token=3, num_oov_indices=3), *_embedded(api, 11)],
    "integers_farmhash": lambda api: [_tokens(api, num_oov_indices=5, oov_method="farmhash"), *_embedded(api, 12)],
    "integers_salted": lambda api: [_tokens(api, num_oov_indices=5, oov_method="farmhash", salt=[3, -8]), *_embedded(api, 12)],
    "integers_learned": lambda api: [_adapted(api.layers.IntegerLookup(max_tokens=9), numbers()), *_embedded(api, 9)],
    "integers_one_hot": lambda api: [_tokens(api, output_mode="one_hot", mask_token=3), api.layers.Flatten()],
    "integers_multi_hot": lambda api: [_tokens(api, output_mode="multi_hot", num_oov_indices=2)],
    "integers_count": lambda api: [_tokens(api, output_mode="count", max_tokens=11, pad_to_max_tokens=True)],
    "integers_tf_idf": lambda api: [_tokens(api, output_mode="tf_idf", idf_weights=[0.25, 0.75, 0.6, 0.4, 1.5, 0.1, 0.9])],
    "integers_back": lambda api: [_tokens(api), _tokens(api, invert=True, oov_token=-3), api.layers.Rescaling(1e-5)],
    "integers_of_one": lambda api: [_tokens(api, output_mode="one_hot")],
    "hashes": lambda api: [api.layers.Hashing(7), *_embedded(api, 7)],
    "hashes_masked": lambda api: [api.layers.Hashing(9, mask_value=12), *_embedded(api, 9)],
    "hashes_salted": lambda api: [api.layers.Hashing(7, salt=[12345678901234567, 7]), *_embedded(api, 7)],
    "hashes_of_one": lambda api: [api.layers.Hashing(7, output_mode="one_hot")],
    "hashes_multi_hot": lambda api: [api.layers.Hashing(7, output_mode="multi_hot")],
    "hashes_count": lambda api: [api.layers.Hashing(7, salt=1, output_mode="count")],
}


def make(api, name: str, **compile_options):
    """The model, with weights of its own and compiled."""
    head = api.layers.Input(shape=inputs(name).shape[1:], dtype="float32" if name in MEASURED else "int64")
    model = api.Sequential([head, *STACKS[name](api), api.layers.Dense(OUTPUTS)], name=name)
    random = np.random.RandomState(6)
    model.set_weights([random.normal(0, 0.5, np.shape(weight)).astype(np.float32) for weight in model.get_weights()])
    model.compile(optimizer=api.optimizers.SGD(0.05, momentum=0.9), loss="mse", **compile_options)
    return model


def targets() -> np.ndarray:
    return np.random.RandomState(7).normal(size=(ROWS, OUTPUTS)).astype(np.float32)


def trained(model, name: str) -> dict[str, np.ndarray]:
    """Predictions before training, the losses of some steps, predictions and weights after these."""
    x, y = inputs(name), targets()
    found = {"before": np.array(model.predict(x, verbose=0))}
    losses = []
    for step in range(STEPS):
        rows = np.arange(step * BATCH, (step + 1) * BATCH) % ROWS
        losses.append(float(model.train_on_batch(x[rows], y[rows])))
    found["losses"] = np.array(losses)
    found["after"] = np.array(model.predict(x, verbose=0))
    found["evaluated"] = np.array(model.evaluate(x, y, verbose=0))
    found["weights"] = np.concatenate([np.ravel(weight) for weight in model.get_weights()])
    return found


def graph(api, **compile_options):
    """Two inputs: a table that hashes and tokens share, and bins beside measurements."""
    ids, sizes = api.layers.Input((LENGTH,), dtype="int64", name="ids"), api.layers.Input((LENGTH,), name="sizes")
    tokens = api.layers.Embedding(16, 3)
    joined = api.layers.Concatenate()([api.layers.Hashing(16)(ids), _tokens(api)(ids)])
    bins = api.layers.Discretization(EDGES, output_mode="count")(sizes)
    merged = api.layers.Concatenate()([api.layers.Flatten()(tokens(joined)), bins, sizes])
    model = api.Model([ids, sizes], api.layers.Dense(OUTPUTS)(merged), name="graph")
    random = np.random.RandomState(6)
    model.set_weights([random.normal(0, 0.5, np.shape(weight)).astype(np.float32) for weight in model.get_weights()])
    model.compile(optimizer=api.optimizers.SGD(0.02), loss="mse", **compile_options)
    return model


def fitted(model) -> dict[str, np.ndarray]:
    """What a fit of the graph gives."""
    x, y = [numbers(), measurements()], targets()
    losses = model.fit(x, y, batch_size=BATCH, epochs=3, shuffle=False, verbose=0).history["loss"]
    return {"losses": np.array(losses), "after": np.array(model.predict(x, verbose=0))}


FILES = ("integers_learned", "integers_multi_hot", "bins_learned", "hashes_masked", "bins_count", "graph")
"""Models that Keras saved: some with a vocabulary that is a file of its own."""


def made(api, name: str, **compile_options):
    return graph(api, **compile_options) if name == "graph" else make(api, name, **compile_options)
