"""Damaged and hostile files in Keras' formats: each is refused with the reason, and nothing else happens."""

from __future__ import annotations

import io
import json
import random
import re
import subprocess
import sys
import textwrap
import tracemalloc
import zipfile

import h5py
import numpy as np
import pytest
from folders import GOLDEN

import fastmlp
from fastmlp import layers, utils
from fastmlp.errors import ModelFileError


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN / "keras_files.npz") as arrays:
        return {key.removeprefix("files/"): arrays[key].tobytes() for key in arrays if key.startswith("files/")}


def small(name="net"):
    utils.set_random_seed(1)
    model = fastmlp.Sequential(
        [layers.Dense(3, activation="relu", input_shape=(4,), name="first"), layers.Dense(2, name="last")], name=name
    )
    model.compile("adam", "mse")
    return model


@pytest.fixture
def keras_file(tmp_path):
    """A path, and a function that saves a model there and changes its members."""

    def change(config=None, weights=None, metadata=None, compression=zipfile.ZIP_STORED, extra=()):
        path = tmp_path / "model.keras"
        small().save(path)
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        if config is not None:
            data = json.loads(members["config.json"])
            changed = config(data)
            members["config.json"] = (
                changed if isinstance(changed, bytes) else json.dumps(changed if changed is not None else data).encode()
            )
        if metadata is not None:
            members["metadata.json"] = metadata
        if weights is not None:
            memory = io.BytesIO(members["model.weights.h5"])
            with h5py.File(memory, "r+") as file:
                weights(file)
            members["model.weights.h5"] = memory.getvalue()
        with zipfile.ZipFile(path, "w", compression) as archive:
            for name, content in [*members.items(), *extra]:
                if content is not None:
                    archive.writestr(name, content)
        return path

    return change


def refused(path, reason):
    with pytest.raises(ModelFileError, match=f"cannot load {re.escape(str(path))}: .*{reason}"):
        fastmlp.load_model(path)


# Code and classes


def layer(data, index=1):
    return data["config"]["layers"][index]


def replace_layer(**values):
    def change(data):
        layer(data).update(values)

    return change


def set_argument(name, value, index=1):
    def change(data):
        layer(data, index)["config"][name] = value

    return change


LAMBDA = {"class_name": "__lambda__", "config": {"code": "4wEAAAAA", "defaults": None, "closure": None}}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            replace_layer(class_name="Lambda", config={"name": "trick", "function": LAMBDA}),
            "its layer 'trick' is a lambda; .*never runs code",
        ),
        (set_argument("activation", LAMBDA), "is a lambda; fastmlp loads Keras' own classes only and never runs code from a file"),
        (set_argument("activation", {"value": ["4wEAAAAA", None, None]}), "an activation is a lambda"),
        (set_argument("kernel_initializer", LAMBDA), "its initializer '__lambda__' is a lambda"),
        (replace_layer(registered_name="mine>Dense"), r"its layer of class 'Dense' is a custom object \('?mine>Dense"),
        (replace_layer(module="os", class_name="system", config={"name": "x"}), "its layer of class 'system' is a custom object"),
        (replace_layer(module="keras_evil.layers"), "its layer of class 'Dense' is a custom object"),
        (
            replace_layer(class_name="Conv2D"),
            "its layer 'first' is of class 'Conv2D', which is not in fastmlp; there are .*InputLayer",
        ),
        (replace_layer(class_name="Sequential"), "its model is of class 'Sequential', which is not in fastmlp"),
        (set_argument("activation", "gelu_of_mine"), "unknown activation 'gelu_of_mine'"),
        (set_argument("dtype", {"class_name": "DTypePolicy", "config": {"name": "mixed_float16"}}), "it computes in 'mixed_float16'"),
        (
            set_argument("kernel_constraint", {"class_name": "MyNorm", "config": {}}),
            "unknown constraint class 'MyNorm'; if it is a custom object",
        ),
        (set_argument("units", "many"), "its model configuration is not valid: .*units must be an integer"),
        (set_argument("batch_shape", [None, None], 0), "its model configuration is not valid: .*has an unknown size"),
        (lambda data: data.update(class_name="Trick"), "its model is of class 'Trick', which is not in fastmlp"),
        (lambda data: data.update(registered_name="mine>Sequential"), "its model of class 'Sequential' is a custom object"),
        (lambda data: data["config"].update(layers=7), "its model is of class 'Sequential'"),
        (lambda data: data["config"].update(name=None), "the name of the model must be a string"),
        (lambda data: data["config"].update(layers=[layer(data)] * 5000), "its model has 5001 layers; the limit is 4096"),
        (lambda data: data["config"]["layers"].append(3), "the configuration of a layer must have class_name and config, got 3"),
        (lambda data: b"[" * 100_000, "its config.json is nested too deeply"),
        (lambda data: b"\xff\xfe\x00", "its config.json is not valid JSON"),
        (lambda data: b"[1]", "its config.json is not a JSON object"),
        (lambda data: b'{"a": 1, "a": 2}', "the key 'a' occurs twice"),
        (lambda data: b" " * (5 << 20), "its config.json takes 5242880 bytes; the model has use for at most 4194304"),
    ],
)
def test_a_configuration_that_is_not_keras_own_is_refused(keras_file, change, reason):
    refused(keras_file(config=change), reason)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda c: c["optimizer"].update(class_name="Shampoo"), "its optimizer is 'Shampoo', which is not in fastmlp; .*compile=False"),
        (lambda c: c["optimizer"]["config"].update(loss_scale_factor=2.0), r"Adam\(loss_scale_factor=\.\.\.\) is not in fastmlp"),
        (
            lambda c: c["optimizer"]["config"].update(learning_rate={"class_name": "MyDecay", "config": {}}),
            "its learning rate follows the schedule 'MyDecay'",
        ),
        (lambda c: c.update(loss={"class_name": "function", "config": "my_loss", "module": "builtins"}), "unknown loss 'my_loss'"),
        (lambda c: c.update(loss={"class_name": "CTC", "config": {}, "module": "keras.losses"}), "its loss is 'CTC', which is not in"),
        (lambda c: c.update(metrics=[LAMBDA]), "its metric '__lambda__' is a lambda"),
        (lambda c: c.update(loss_weights=[1.0, 2.0]), "its loss has several weights, which are for models with several outputs"),
    ],
)
def test_a_compile_configuration_that_is_not_ours_is_refused_unless_it_is_not_wanted(keras_file, change, reason):
    path = keras_file(config=lambda data: change(data["compile_config"]))
    refused(path, reason)
    assert not fastmlp.load_model(path, compile=False).compiled


# The zip file


def test_members_are_checked_before_they_are_unpacked(keras_file):
    def zeros(data):
        data["padding"] = "0" * (3 << 20)

    refused(keras_file(config=zeros, compression=zipfile.ZIP_DEFLATED), "its config.json would grow from .* when unpacked")


def test_members_that_cannot_be_unpacked_are_named(keras_file):
    refused(keras_file(compression=zipfile.ZIP_BZIP2), "its config.json is compressed in a way that Keras does not use")
    path = keras_file()
    content = path.read_bytes()
    entry = content.index(b"PK\x01\x02")  # of metadata.json in the directory; config.json comes next
    entry = content.index(b"PK\x01\x02", entry + 1)
    start = content.index(b"PK\x03\x04", 1)
    changed = bytearray(content)
    changed[entry + 10] = changed[start + 8] = zipfile.ZIP_DEFLATED  # what is stored is not a deflated stream
    path.write_bytes(changed)
    refused(path, "it is damaged: its config.json can't be read")


def test_weights_larger_than_the_model_are_not_read(keras_file):
    tracemalloc.start()
    path = keras_file(extra=())
    with zipfile.ZipFile(path) as archive:
        config, metadata = archive.read("config.json"), archive.read("metadata.json")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", config)
        archive.writestr("metadata.json", metadata)
        archive.writestr("model.weights.h5", bytes(8 << 20))
    tracemalloc.reset_peak()
    refused(path, "its model.weights.h5 takes 8388608 bytes; the model has use for at most")
    assert tracemalloc.get_traced_memory()[1] < 4 << 20
    tracemalloc.stop()


def test_other_members_are_neither_read_nor_written_anywhere(keras_file, tmp_path):
    path = keras_file(extra=[("../escape.txt", b"x"), ("/tmp/escape.txt", b"x"), ("assets/code.py", b"raise SystemExit")])
    fastmlp.load_model(path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.keras"]


def test_missing_members_and_other_archives_are_named(keras_file, tmp_path):
    path = tmp_path / "other.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    refused(path, "it has no config.json, so it is not a model saved by Keras 3")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model.weights.npz", "")
    refused(path, r"its weights are an \.npz file, which is not in fastmlp")
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = keras_file(extra=[("config.json", b"{}")])
    refused(path, "two of its members have the same name")
    path.write_bytes(b"not a zip file")
    refused(path, "it is neither a zip file, as .keras files are, nor an HDF5 file")


def test_what_fastmlp_adds_is_checked_too(keras_file):
    for stored in ('{"fastmlp": 3}', '{"fastmlp": {"version": "1", "training": {"seed": -1}, "provenance": {}}}'):
        refused(keras_file(metadata=stored.encode()), "(what fastmlp wrote beside|its training state is not valid)")


# The HDF5 file


def put(place, **options):
    def change(file):
        del file[place]
        file.create_dataset(place, **options)

    return change


def link(place, target):
    def change(file):
        del file[place]
        file[place] = target

    return change


def virtual(file):
    layout = h5py.VirtualLayout((4, 3), "f4")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", (4, 3))
    del file["layers/dense/vars/0"]
    file.create_virtual_dataset("layers/dense/vars/0", layout)


def remove(place):
    return lambda file: file.__delitem__(place)


KERNEL = "layers/dense/vars/0"
SHAPE = (4, 3)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (link(KERNEL, h5py.ExternalLink("/etc/passwd", "/x")), "is a link to another place"),
        (link(KERNEL, h5py.SoftLink("/layers/dense_1/vars/0")), "is a link to another place"),
        (link("layers", h5py.ExternalLink("other.h5", "/layers")), "is a link to another place"),
        (virtual, "is compressed, chunked, virtual or external"),
        (put(KERNEL, shape=SHAPE, dtype="f4", external=[("/etc/hostname", 0, 48)]), "virtual or external"),
        (put(KERNEL, data=np.zeros(SHAPE, "f4"), compression="gzip"), "is compressed, chunked"),
        (put(KERNEL, data=np.zeros(SHAPE, "f4"), chunks=(2, 3)), "is compressed, chunked"),
        (put(KERNEL, shape=SHAPE, dtype="f4"), "has 48 bytes, not all of which are in the file"),
        (put(KERNEL, data=np.zeros(SHAPE, "f8")), "is of type float64; it should be float32"),
        (put(KERNEL, data=np.zeros(SHAPE, "i4")), "is of type int32; it should be float32"),
        (put(KERNEL, data=np.full(SHAPE, "x", dtype=object), dtype=h5py.string_dtype()), "does not contain numbers"),
        (put(KERNEL, shape=SHAPE, dtype=h5py.ref_dtype), "does not contain numbers"),
        (put(KERNEL, data=np.zeros((3, 4), "f4")), r"the kernel of layer 'first' has the shape \(4, 3\), but there it has \(3, 4\)"),
        (put(KERNEL, data=np.zeros((4, 3, 1), "f4")), r"but there it has \(4, 3, 1\)"),
        (lambda f: f.create_dataset("layers/dense/vars/2", data=1), "layer 'first' has 2 arrays of weights, but there are 3"),
        (remove(KERNEL), "layer 'first' has 2 arrays of weights, but there are 1"),
        (remove("layers/dense_1"), "layer 'last' has 2 arrays of weights, but there are 0"),
        (remove("layers"), "layer 'first' has 2 arrays of weights, but there are 0"),
        (
            lambda f: f.create_dataset("layers/dense_2/vars/0", data=np.zeros(2, "f4")),
            "it has weights in layers/dense_2 that the model has no",
        ),
        (link("layers/dense", np.zeros(3, "f4")), "should be a group, but is an array"),
        (remove("optimizer/vars/9"), "the optimizer's state has 9 arrays, but Adam with these weights has 10; load .* compile=False"),
        (put("optimizer/vars/2", data=np.zeros(3, "f4")), r"the optimizer's state 2 has the shape \(3,\), not \(4, 3\)"),
        (put("optimizer/vars/0", data=np.int32(-1)), "'/optimizer/vars/0' is -1; it should be an integer ≥ 0"),
        (put("optimizer/vars/0", data=np.float32(1)), "it should be an integer"),
        (put("optimizer/vars/1", data=np.float32(-1)), "the learning rate of its optimizer is not valid: .*≥ 0"),
    ],
)
def test_arrays_that_are_not_what_keras_writes_are_refused(keras_file, change, reason):
    refused(keras_file(weights=change), reason)


def test_layers_that_no_weight_vouches_for_cannot_be_huge(keras_file):
    def widen(data):
        layer(data, 0)["config"]["batch_shape"] = [None, 1 << 40]
        del data["config"]["layers"][1:]
        flat = {"name": "flat", "activation": "relu"}
        data["config"]["layers"].append({"module": "keras.layers", "class_name": "Activation", "config": flat, "registered_name": None})

    def nothing(file):
        for place in ("layers/dense", "layers/dense_1", "optimizer"):
            del file[place]

    refused(keras_file(config=widen, weights=nothing), "out of proportion to the weights in the file")


def h5_file(path, change):
    small().save(path)
    with h5py.File(path, "r+") as file:
        change(file)
    return path


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda f: f.attrs.__delitem__("model_config"), "the configuration of a model must have class_name and config"),
        (lambda f: f.attrs.__setitem__("model_config", 3), "the attribute 'model_config' of / should be a string"),
        (lambda f: f.attrs.__setitem__("model_config", ["a", "b"]), "the attribute 'model_config' of / should be a string"),
        (lambda f: f.attrs.__setitem__("model_config", "{"), "its model_config is not valid JSON"),
        (lambda f: f.attrs.__setitem__("model_config", " " * (5 << 20)), "its model_config of 5242880 characters is larger"),
        (lambda f: f["model_weights"].attrs.__setitem__("layer_names", ["../x", "last"]), "it has no group '/model_weights/../x'"),
        (lambda f: f["model_weights"].attrs.__setitem__("layer_names", 3), "the attribute 'layer_names' of /model_weights should list"),
        (lambda f: f["model_weights"].attrs.__setitem__("layer_names", [3, 4]), "should list names"),
        (lambda f: f["model_weights/first"].attrs.__setitem__("weight_names", ["a"] * 99), "should list at most 64 names"),
        (lambda f: f["model_weights/first"].attrs.__setitem__("weight_names", ["a", "b"]), "it has no array '/model_weights/first/a'"),
        (lambda f: f["model_weights/first"].attrs.__setitem__("weight_names", ["net"] * 2), "should be an array, but is not"),
        (remove("model_weights"), "it has no group '/model_weights'"),
        (remove("model_weights/last"), "it has no group '/model_weights/last'"),
        (link("model_weights/first/net", h5py.ExternalLink("/etc/passwd", "/x")), "is a link to another place"),
        (
            lambda f: f["model_weights"].attrs.__setitem__("layer_names", ["last"]),
            "2 layers of the model have weights, but 1 layers of the",
        ),
    ],
)
def test_an_h5_file_that_is_not_what_keras_writes_is_refused(tmp_path, change, reason):
    refused(h5_file(tmp_path / "model.h5", change), reason)


# Damage


@pytest.mark.parametrize("name", ["plain.keras", "plain.h5"])
def test_every_truncation_is_noticed(golden, tmp_path, name):
    content = golden[name]
    path = tmp_path / name
    for length in (*range(0, len(content), 997), len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(ModelFileError):
            fastmlp.load_model(path)


def test_a_changed_bit_of_a_keras_file_is_noticed_or_changes_nothing_that_is_read(golden, tmp_path):
    path = tmp_path / "model.keras"
    content = golden["plain.keras"]
    path.write_bytes(content)
    right = fastmlp.load_model(path).get_weights()
    generator = random.Random(1)
    noticed = 0
    for _ in range(150):
        changed = bytearray(content)
        changed[generator.randrange(len(changed))] ^= 1 << generator.randrange(8)
        path.write_bytes(changed)
        try:
            found = fastmlp.load_model(path).get_weights()
        except ModelFileError:
            noticed += 1
        else:
            assert all(np.array_equal(a, b) for a, b in zip(found, right, strict=True))
    assert noticed > 140


DAMAGE = """
    import random, sys, warnings
    import fastmlp
    from fastmlp.errors import ModelFileError
    warnings.simplefilter("ignore")
    content, generator, refused = open(sys.argv[1], "rb").read(), random.Random(2), 0
    used = [place for place, byte in enumerate(content) if byte]
    for _ in range(250):
        changed = bytearray(content)
        for _ in range(generator.choice([1, 3])):
            changed[generator.choice(used)] = generator.choice([0, 255, generator.randrange(256)])
        with open(sys.argv[2], "wb") as file:
            file.write(changed)
        try:
            fastmlp.load_model(sys.argv[2])
        except ModelFileError:
            refused += 1
    print(refused)
"""


@pytest.mark.parametrize("name", ["plain.h5", "binary.h5"])
def test_a_damaged_h5_file_is_an_error_and_never_a_crash_or_a_hang(golden, tmp_path, name):
    (tmp_path / "whole.h5").write_bytes(golden[name])
    program = [sys.executable, "-c", textwrap.dedent(DAMAGE), tmp_path / "whole.h5", tmp_path / "damaged.h5"]
    done = subprocess.run(program, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 50


def test_a_heap_the_library_would_never_leave_is_refused(golden, tmp_path):
    content = bytearray(golden["plain.h5"])
    start = content.index(b"GCOL")
    content[start + 16 : start + 32] = bytes(16)
    (tmp_path / "model.h5").write_bytes(content)
    refused(tmp_path / "model.h5", "the heaps of its strings overlap, or have free space of size 0")
