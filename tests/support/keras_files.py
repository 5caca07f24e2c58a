"""What tests of Keras' files share: how to train, what to compare, and a program for Keras itself."""

import os
import subprocess
import sys
import zipfile

import h5py
import numpy as np

MODEL_ENDINGS = ("keras", "h5")
HOW = {"batch_size": 8, "shuffle": False, "verbose": 0}


def close(found, wanted, tolerance=1e-5):
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance)


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a.get_weights(), b.get_weights(), strict=True))


def tree(file):
    """Every group, array and attribute, without the values."""
    found = {}

    def visit(name, item):
        kind = (item.shape, str(item.dtype)) if isinstance(item, h5py.Dataset) else "group"
        found[name] = (kind, sorted(item.attrs))

    file.visititems(visit)
    return found


def strip(value):
    """A configuration of Keras without what it adds for its own sake."""
    own = (
        "batch_shape",
        "build_input_shape",
        "shared_object_id",
        "input_axes",
        "output_axes",
        "quantization_config",
        "build_config",
        "jit_compile",
    )
    if isinstance(value, dict) and value.get("class_name") == "__numpy__":
        return value["config"]["value"]
    if isinstance(value, dict):
        return {key: strip(item) for key, item in value.items() if key not in own}
    return [strip(item) for item in value] if isinstance(value, list) else value


def members(path):
    with zipfile.ZipFile(path) as archive:
        assert all(info.compress_type == zipfile.ZIP_STORED for info in archive.infolist())
        return {name: archive.read(name) for name in archive.namelist()}


KERAS_PROGRAM = """
    import sys, keras, numpy as np
    folder = sys.argv[1]
    numbers = np.load(folder + "/numbers.npz")
    for name in ("model.keras", "model.h5"):
        model = keras.saving.load_model(folder + "/" + name)
        np.testing.assert_allclose(model.predict(numbers["x"], verbose=0), numbers["predictions"], rtol=0, atol=5e-6)
    model = keras.saving.load_model(folder + "/model.keras")
    assert int(model.optimizer.iterations) == 6
    if keras.backend.backend() != "numpy":
        model.fit(numbers["x"], numbers["y"], epochs=2, batch_size=8, shuffle=False, verbose=0)
        for index, weight in enumerate(weight for weight in model.get_weights() if weight.ndim):
            np.testing.assert_allclose(weight, numbers[str(index)], rtol=0, atol=1e-5)
    model.load_weights(folder + "/w.weights.h5")
    np.testing.assert_allclose(model.predict(numbers["x"], verbose=0), numbers["predictions"], rtol=0, atol=5e-6)
    print("the same")
"""


def python_with_keras():
    """The interpreter that FASTMLP_KERAS_PYTHON names, or this one, if it has Keras."""
    python = os.environ.get("FASTMLP_KERAS_PYTHON", sys.executable)
    check = "import importlib.util as u; print(next((b for b in ('jax', 'torch', 'numpy') if u.find_spec('keras') and u.find_spec(b)), ''))"
    backend = subprocess.run([python, "-c", check], capture_output=True, text=True).stdout.strip()
    return python, backend
