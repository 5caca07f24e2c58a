"""Saving and loading: the same numbers afterwards, files that are whole or absent, and nothing bad from files of any kind."""

from __future__ import annotations

import doctest
import hashlib
import itertools
import json
import os
import pickle
import re
import stat
import subprocess
import sys
import threading
import time
import tracemalloc

import forged_files
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

import fastmlp
from fastmlp import layers, saving, utils
from fastmlp.errors import ModelFileError
from fastmlp.optimizers import (
    SGD,
    Adadelta,
    Adafactor,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    Ftrl,
    Lamb,
    Lion,
    Muon,
    Nadam,
    RMSprop,
    ScheduleFreeAdamW,
)

OPTIMIZERS = {
    "sgd": lambda: SGD(0.05),
    "momentum": lambda: SGD(0.02, momentum=0.9),
    "nesterov": lambda: SGD(0.02, momentum=0.9, nesterov=True),
    "rmsprop": lambda: RMSprop(0.002),
    "rmsprop_momentum": lambda: RMSprop(0.001, momentum=0.5),
    "adam": lambda: Adam(0.003),
    "centered": lambda: RMSprop(0.001, momentum=0.5, centered=True, epsilon=1e-3),
    "amsgrad": lambda: Adam(0.003, amsgrad=True, clipnorm=0.1),
    "adamw": lambda: AdamW(0.003, weight_decay=0.1),
    "adagrad": lambda: Adagrad(0.01, gradient_accumulation_steps=4),
    "adadelta": lambda: Adadelta(1.0, global_clipnorm=0.1),
    "adamax": lambda: Adamax(0.003, clipvalue=0.01),
    "nadam": lambda: Nadam(0.003, weight_decay=0.1),
    "lion": lambda: Lion(0.001),
    "ftrl": lambda: Ftrl(0.05),
    "adafactor": lambda: Adafactor(0.05),
    "muon": lambda: Muon(0.02, gradient_accumulation_steps=2),
    "lamb": lambda: Lamb(0.02),
    "schedule_free": lambda: ScheduleFreeAdamW(0.01, warmup_steps=5),
}


def make(optimizer="adam", dropout=0.0, widths=(3, 5, 2), seed=5):
    utils.set_random_seed(seed)
    model = fastmlp.Sequential([layers.Input((widths[0],))])
    for units in widths[1:-1]:
        model.add(layers.Dense(units, activation="tanh"))
        if dropout:
            model.add(layers.Dropout(dropout))
    model.add(layers.Dense(widths[-1], activation="softmax"))
    if optimizer is not None:
        model.compile(OPTIMIZERS[optimizer](), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    return rng.standard_normal((90, 3)).astype(np.float32), rng.integers(0, 2, 90)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


def same_weights(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a.get_weights(), b.get_weights(), strict=True))


# Whole round trips


@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_stopped_saved_and_resumed_run_is_the_uninterrupted_one_bit_for_bit(engine, optimizer, dropout, data, path):
    straight, stopped = make(optimizer, dropout), make(optimizer, dropout)
    straight.fit(*data, epochs=6, batch_size=16, verbose=0)
    stopped.fit(*data, epochs=2, batch_size=16, verbose=0)
    stopped.save(path)
    resumed = fastmlp.load_model(path)
    resumed.fit(*data, epochs=3, batch_size=16, verbose=0)
    resumed.save(path)
    resumed = fastmlp.load_model(path)
    resumed.fit(*data, epochs=1, batch_size=16, verbose=0)
    assert same_weights(resumed, straight)
    assert resumed.training_state() == straight.training_state()
    assert resumed.evaluate(*data, verbose=0) == straight.evaluate(*data, verbose=0)


def test_another_process_evaluates_to_the_last_digit(data, path):
    model = make()
    model.fit(*data, epochs=2, verbose=0)
    model.save(path)
    np.savez(path.with_suffix(".npz"), x=data[0], y=data[1])
    program = (
        "import sys, numpy as np, fastmlp; data = np.load(sys.argv[2]); "
        "print([value.hex() for value in fastmlp.load_model(sys.argv[1]).evaluate(data['x'], data['y'], verbose=0)])"
    )
    done = subprocess.run([sys.executable, "-c", program, path, path.with_suffix(".npz")], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str([value.hex() for value in model.evaluate(*data, verbose=0)])


def test_a_changed_learning_rate_is_kept(data, path):
    model = make()
    model.fit(*data, epochs=1, verbose=0)
    model.optimizer.learning_rate = 0.0123
    model.save(path)
    assert fastmlp.load_model(path).optimizer.learning_rate == model.optimizer.learning_rate


def test_every_layer_loss_and_metric_comes_back_as_it_was(path):
    model = fastmlp.Sequential(name="everything")
    model.add(layers.Input((4, 2), name="rows"))
    model.add(layers.Flatten())
    model.add(layers.Dense(6, use_bias=False, kernel_initializer="he_normal", name="first"))
    for layer in (layers.LeakyReLU(0.07), layers.Dropout(0.25), layers.Dense(5, "leaky_relu"), layers.ReLU(), layers.Dense(3)):
        model.add(layer)
    model.add(layers.Softmax())
    model.compile(SGD(0.1, momentum=0.5), "categorical_crossentropy", metrics=["accuracy", "mse"], weighted_metrics=["mae"])
    model.save(path)
    loaded = fastmlp.load_model(str(path))
    assert loaded.get_config() == model.get_config()
    assert loaded.get_compile_config() == model.get_compile_config()
    assert loaded.name == "everything"
    assert same_weights(loaded, model)


def test_a_model_that_was_never_compiled_can_predict_after_loading(data, path):
    model = make(optimizer=None)
    model.save(path)
    loaded = fastmlp.load_model(path)
    assert not loaded.compiled
    assert np.array_equal(loaded.predict(data[0], verbose=0), model.predict(data[0], verbose=0))


def test_loading_without_compile_leaves_the_model_uncompiled(data, path):
    model = make()
    model.fit(*data, epochs=1, verbose=0)
    model.save(path)
    loaded = fastmlp.load_model(path, compile=False)
    assert not loaded.compiled
    assert same_weights(loaded, model)
    loaded.compile("sgd", "sparse_categorical_crossentropy")
    loaded.fit(*data, epochs=1, verbose=0)


def test_without_the_optimizer_the_file_is_smaller_and_training_starts_anew(data, path):
    model = make()
    model.fit(*data, epochs=1, verbose=0)
    saving.save_model(model, path)
    full = path.stat().st_size
    saving.save_model(model, path, include_optimizer=False)
    assert path.stat().st_size < full
    assert not any(name.startswith("optimizer/") for name in load_file(path))
    loaded = fastmlp.load_model(path)
    assert same_weights(loaded, model)
    assert loaded.training_state() == {**model.training_state(), "iterations": 0}


def test_recompiling_after_training_saves_the_new_optimizer_only(data, path):
    model = make("adam")
    model.fit(*data, epochs=1, verbose=0)
    model.compile("sgd", "crossentropy")
    model.save(path)
    assert fastmlp.load_model(path).training_state()["iterations"] == 0
    assert saving.describe(path)["slots"] == []


def test_weights_that_training_made_infinite_come_back_with_a_warning(data, path):
    model = make()
    kernel = model.get_weights()[0]
    kernel[0, 0] = np.inf
    model.network.set_parameter(0, kernel)
    model.save(path)
    with pytest.warns(UserWarning, match=r"dense\w*/kernel held NaN or Inf when it was saved"):
        loaded = fastmlp.load_model(path)
    assert same_weights(loaded, model)


def test_a_callback_may_save_the_model_that_is_being_trained(data, path):
    class SaveEachEpoch(fastmlp.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.save(path.with_stem(f"epoch{epoch}"))

    model = make("momentum", dropout=0.2)
    model.fit(*data, epochs=3, verbose=0, callbacks=[SaveEachEpoch()])
    resumed = fastmlp.load_model(path.with_stem("epoch0"))
    resumed.fit(*data, epochs=2, verbose=0)
    assert same_weights(resumed, model)


def test_saving_while_another_thread_trains_is_refused(data, path):
    model = make()
    entered, leave = threading.Event(), threading.Event()

    class Hold(fastmlp.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            entered.set()
            leave.wait(10)

    thread = threading.Thread(target=model.fit, args=data, kwargs={"verbose": 0, "callbacks": [Hold()]})
    thread.start()
    entered.wait(10)
    try:
        with pytest.raises(RuntimeError, match="save was called while another thread trains the same model"):
            model.save(path)
        assert not path.exists()
    finally:
        leave.set()
        thread.join()


# The file


def test_the_file_is_standard_safetensors_with_the_documented_names_and_document(data, path):
    model = make()
    model.fit(*data, epochs=2, batch_size=30, verbose=0)
    saving.save_model(model, path, provenance={"data": "noise", "n": [1, 2]})
    names = [parameter.name for parameter in model.plan.parameters]
    tensors = load_file(path)
    assert set(tensors) == {*names, *(f"optimizer/{slot}/{name}" for slot in ("momentum", "velocity") for name in names)}
    assert np.array_equal(tensors[names[0]], model.get_weights()[0])
    document = saving.describe(path)
    assert document["format"] == "fastmlp"
    assert document["version"] == 1
    assert document["fastmlp_version"] == fastmlp.__version__
    assert document["training"] == {"iterations": 6, "epochs": 2, "seed": model.seed}
    assert document["provenance"] == {"data": "noise", "n": [1, 2]}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", document["created"])


def test_describe_reads_the_beginning_of_the_file_only(path):
    make().save(path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert saving.describe(path)["kind"] == "sequential"
    with pytest.raises(ModelFileError, match="the tensors do not have the checksum"):
        fastmlp.load_model(path)


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("model", ValueError, r"models are saved as \.safetensors files: use '.*model\.safetensors' instead"),
        ("model.pkl", ValueError, r"use '.*model\.pkl\.safetensors' instead"),
        ("model.weights.h5", ValueError, r"'.*model\.weights\.h5' is a name for weights only: use save_weights and load_weights"),
        ("missing/model.safetensors", FileNotFoundError, r"the folder .*missing does not exist; make it first"),
        ("folder.safetensors", IsADirectoryError, "it is a folder"),
    ],
)
def test_names_a_model_cannot_have_are_explained(tmp_path, name, error, message):
    (tmp_path / "folder.safetensors").mkdir()
    with pytest.raises(error, match=message):
        make().save(tmp_path / name)
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder.safetensors"]


@pytest.mark.parametrize("name", [b"model.safetensors", 3, None])
def test_a_name_that_is_no_name_is_a_type_error(name):
    with pytest.raises(TypeError):
        make().save(name)


def test_things_that_are_not_built_models_are_refused(path):
    with pytest.raises(ValueError, match="the model is not built, so it has no weights to save"):
        fastmlp.Sequential([layers.Dense(2)]).save(path)
    with pytest.raises(TypeError, match="model must be a fastmlp model, got 'model'"):
        saving.save_model("model", path)
    assert not path.exists()


def test_an_existing_file_is_kept_when_told_so(path):
    make().save(path)
    before = path.read_bytes()
    with pytest.raises(FileExistsError, match="exists already; choose another name, or save with overwrite=True"):
        make(seed=6).save(path, overwrite=False)
    assert path.read_bytes() == before
    make(seed=6).save(path)
    assert path.read_bytes() != before


def test_a_new_file_gets_ordinary_permissions_and_an_old_one_keeps_its_own(path):
    old = os.umask(0o027)
    try:
        make().save(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        path.chmod(0o604)
        make().save(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o604
    finally:
        os.umask(old)


def test_a_link_is_followed_not_replaced(tmp_path, path):
    link = tmp_path / "latest.safetensors"
    link.symlink_to(path)
    make().save(link)
    assert link.is_symlink()
    assert fastmlp.load_model(path).built


@pytest.mark.parametrize("step", ["fchmod", "fsync", "replace"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()], ids=["disk full", "Ctrl-C"])
def test_a_save_that_fails_leaves_the_old_file_and_nothing_else(path, monkeypatch, step, error):
    make().save(path)
    before = path.read_bytes()

    def fail(*_):
        raise error

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(type(error)):
        make(seed=6).save(path)
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_write_permission_is_an_oserror(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError):
        make().save(tmp_path / "model.safetensors")
    tmp_path.chmod(0o700)


def test_provenance_must_be_json(path):
    with pytest.raises(ValueError, match="Out of range float"):
        saving.save_model(make(), path, provenance={"accuracy": float("nan")})
    with pytest.raises(TypeError, match="not JSON serializable"):
        saving.save_model(make(), path, provenance={"model": object()})
    with pytest.raises(ValueError, match=r"the description of the model takes .* bytes, more than"):
        saving.save_model(make(), path, provenance={"log": "x" * (5 << 20)})
    assert not list(path.parent.iterdir())


def test_provenance_that_looks_like_a_checksum_does_no_harm(path):
    saving.save_model(make(), path, provenance={"a": "0" * 64, "b": "." * 64, "0" * 64: '"' + "0" * 64 + '"'})
    assert fastmlp.load_model(path).built
    assert saving.describe(path)["provenance"]["a"] == "0" * 64


# Damage


@pytest.fixture(scope="module")
def small(tmp_path_factory, data):
    """A trained model, its file and the bytes of it."""
    path = tmp_path_factory.mktemp("small") / "model.safetensors"
    model = make("momentum", widths=(3, 1, 2))
    model.fit(*data, epochs=1, verbose=0)
    model.save(path)
    return model, path, path.read_bytes()


def test_no_flipped_bit_goes_unnoticed(small, tmp_path):
    _, _, content = small
    path = tmp_path / "flipped.safetensors"
    path.write_bytes(content)
    with path.open("r+b", buffering=0) as file:
        for position, bit in itertools.product(range(len(content)), range(8)):
            os.pwrite(file.fileno(), bytes([content[position] ^ 1 << bit]), position)
            with pytest.raises(ModelFileError, match=r"flipped\.safetensors"):
                fastmlp.load_model(path)
            os.pwrite(file.fileno(), content[position : position + 1], position)
    fastmlp.load_model(path)


def test_no_truncation_goes_unnoticed(small, tmp_path):
    _, _, content = small
    path = tmp_path / "short.safetensors"
    path.write_bytes(content)
    for size in reversed(range(len(content))):
        os.truncate(path, size)
        with pytest.raises(ModelFileError, match=r"cannot load .*short\.safetensors: it is"):
            fastmlp.load_model(path)


@settings(max_examples=200, deadline=None)
@given(edits=st.lists(st.tuples(st.integers(0, 1 << 20), st.binary(max_size=12), st.integers(0, 12)), min_size=1, max_size=4))
def test_random_edits_give_a_clear_error_or_the_same_model(small, edits):
    model, original, content = small
    path = original.with_stem("edited")
    edited = bytearray(content)
    for position, replacement, removed in edits:
        start = position % (len(edited) + 1)
        edited[start : start + removed] = replacement
    path.write_bytes(edited)
    if edited == content:
        assert same_weights(fastmlp.load_model(path), model)
    else:
        with pytest.raises(ModelFileError):
            fastmlp.load_model(path)


# Foreign files


def png():
    return b"\x89PNG\r\n\x1a\n" + bytes(60)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b"\0", "it is not a safetensors file"),
        (png(), "it is a PNG image"),
        (pickle.dumps({"weights": [1, 2, 3]}), "it is a pickle, which fastmlp does not read, because it could run code"),
        (b"\x1f\x8b" + bytes(40), "it is a gzip file"),
        (b"\x93NUMPY\x01\0" + bytes(100), "it is a NumPy array"),
        (b"import os\nos.system('true')\n" * 5, "it is not a safetensors file"),
        (bytes(1000), r"it is damaged or foreign: its header is not valid JSON"),
        ((1 << 60).to_bytes(8, "little") + b"{}" * 50, "it is not a safetensors file, or its beginning is damaged"),
        ((1 << 20).to_bytes(8, "little") + b"{}" * 50, "it is truncated: it declares a header of 1048576 bytes, and 100 are left"),
    ],
    ids=["empty", "byte", "png", "pickle", "gzip", "npy", "python", "zeros", "2^60", "truncated"],
)
def test_foreign_files_are_named_for_what_they_are(path, content, reason):
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=f"cannot load {re.escape(str(path))}: {reason}"):
        fastmlp.load_model(path)


@pytest.mark.parametrize("length", [0x280, 0x380, 0x480, 0x580])
def test_a_header_as_long_as_the_first_bytes_of_a_pickle_say_is_no_pickle(path, length):
    forged_files.write(path, {"format": "fastmlp", "padding": ""})
    begin = int.from_bytes(path.read_bytes()[:2], "little")
    document = {"format": "fastmlp", "padding": "." * (length - begin)}
    forged_files.write(path, document)
    assert path.read_bytes()[:2] == length.to_bytes(2, "little")
    with pytest.raises(ModelFileError) as refused:
        fastmlp.load_model(path)
    assert "pickle" not in str(refused.value)


def test_safetensors_of_another_project_are_recognised(path):
    save_file({"layer.weight": np.zeros((2, 2), np.float32)}, path, metadata={"format": "pt"})
    with pytest.raises(ModelFileError, match="it is a safetensors file, but not of a model saved by fastmlp"):
        fastmlp.load_model(path)
    save_file({"layer.weight": np.zeros((2, 2), np.float32)}, path)
    with pytest.raises(ModelFileError, match="not of a model saved by fastmlp"):
        fastmlp.load_model(path)


def test_folders_pipes_and_missing_files_are_told_apart(tmp_path):
    with pytest.raises(ModelFileError, match="it is a folder, not a file"):
        fastmlp.load_model(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ModelFileError, match="it is not a regular file"):
        fastmlp.load_model(tmp_path / "pipe")
    with pytest.raises(FileNotFoundError, match=r"there is no file .*nothing"):
        fastmlp.load_model(tmp_path / "nothing")


# Hostile files: right checksums, wrong intentions


def forge(path, change=lambda header, document: None, data=None, *, text=None):
    """Rewrites a file with a changed header and document, and checksums that fit."""
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header, data = json.loads(content[8 : 8 + length]), content[8 + length :] if data is None else data
    document = json.loads(header["__metadata__"]["fastmlp"])
    change(header, document)
    if "__metadata__" in header:
        header["__metadata__"]["fastmlp"] = json.dumps(document)
        header["__metadata__"]["data_sha256"] = hashlib.sha256(data).hexdigest()
        header["__metadata__"]["header_sha256"] = "0" * 64
    raw = (json.dumps(header) if text is None else text(json.dumps(header))).encode()
    raw = raw.replace(b"0" * 64, hashlib.sha256(len(raw).to_bytes(8, "little") + raw).hexdigest().encode())
    path.write_bytes(len(raw).to_bytes(8, "little") + raw + data)


def layer(document, index):
    return document["model"]["layers"][index]["config"]


HOSTILE = {
    "newer": (lambda h, d: d.update(version=3, fastmlp_version="9.9"), r"it was written by a newer fastmlp \('9\.9', file version 3"),
    "version 0": (lambda h, d: d.update(version=0), "version 0"),
    "version text": (lambda h, d: d.update(version="1"), "not of a model saved by fastmlp"),
    "kind": (lambda h, d: d.update(kind="os.system"), "a model of the unknown kind 'os.system'"),
    "no model": (lambda h, d: d.pop("model"), "its document has no valid 'model'"),
    "slots": (lambda h, d: d.update(slots=[["momentum"]]), "its document has no valid 'slots'"),
    "class": (
        lambda h, d: d["model"]["layers"][1].update({"class": "subprocess.Popen"}),
        "its model configuration is not valid: unknown layer class 'subprocess.Popen'",
    ),
    "huge units": (lambda h, d: layer(d, 1).update(units=10**9), r"its model needs the tensor '\w+/kernel' with shape \(3, 1000000000\)"),
    "absurd units": (lambda h, d: layer(d, 1).update(units=7**900), "its model needs the tensor"),
    "negative units": (lambda h, d: layer(d, 1).update(units=-1), "its model configuration is not valid: .*units"),
    "text units": (lambda h, d: layer(d, 1).update(units="many"), "its model configuration is not valid: .*units"),
    "huge input": (lambda h, d: layer(d, 0).update(batch_shape=[None, 10**9]), r"with shape \(1000000000, 1\)"),
    "no input": (lambda h, d: d["model"]["layers"].pop(0), "its model configuration has no input shape"),
    "layers": (lambda h, d: d["model"].update(layers=d["model"]["layers"] * 3000), "its model has 9000 layers; the limit is 4096"),
    "no layers": (lambda h, d: d["model"].update(layers={}), "its model configuration is not valid"),
    "optimizer": (lambda h, d: d["compile"]["optimizer"].update({"class": "eval"}), "its compile configuration .* unknown optimizer class"),
    "learning rate": (lambda h, d: d["compile"]["optimizer"]["config"].update(learning_rate=-1), "its compile configuration"),
    "engine": (lambda h, d: d["compile"].update(engine="/bin/sh"), "its compile configuration .* engine must be"),
    "slot names": (
        lambda h, d: d["compile"]["optimizer"]["config"].update(momentum=0.0),
        "state should be empty, got momentum",
    ),
    "iterations": (lambda h, d: d["training"].update(iterations=-5), "its compile configuration or training state is not valid"),
    "seed": (lambda h, d: d["training"].update(seed=2**64), "must be integers < 2"),
    "no seed": (lambda h, d: d["training"].pop("seed"), "the training state lacks seed"),
    "missing tensor": (
        lambda h, d: d.update(slots=["momentum", "velocity"]),
        "the tensor 'optimizer/velocity/.*', which is not there",
    ),
    "spare tensor": (lambda h, d: d.update(slots=[]), "it has a tensor 'optimizer/momentum/.*' that its model does not use"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_documents_that_lie_are_refused(small, path, name):
    change, reason = HOSTILE[name]
    path.write_bytes(small[2])
    forge(path, change)
    with pytest.raises(ModelFileError, match=reason):
        fastmlp.load_model(path)


def entry(header, end):
    return next(value for name, value in header.items() if name.endswith(end) and not name.startswith("__"))


HEADERS = {
    "huge shape": (lambda h, d: entry(h, "kernel").update(shape=[2**62, 2**62]), "takes .* bytes, but has"),
    "absurd shape": (lambda h, d: entry(h, "kernel").update(shape=[7**900, 1]), "which are not valid"),
    "negative shape": (lambda h, d: entry(h, "kernel").update(shape=[-3, -1]), "which are not valid"),
    "float shape": (lambda h, d: entry(h, "kernel").update(shape=[3.0, 1.0]), "which are not valid"),
    "bool shape": (lambda h, d: entry(h, "bias").update(shape=[True]), "which are not valid"),
    "many axes": (lambda h, d: entry(h, "bias").update(shape=[1] * 1000), "which are not valid"),
    "huge offsets": (lambda h, d: entry(h, "kernel").update(data_offsets=[0, 2**60]), "takes .* bytes, but has"),
    "backwards": (lambda h, d: entry(h, "kernel").update(data_offsets=[12, 0]), "takes .* bytes, but has"),
    "overlap": (lambda h, d: entry(h, "kernel").update(data_offsets=[0, 12]), "overlaps another one, or there is a gap"),
    "dtype": (lambda h, d: entry(h, "kernel").update(dtype="F64"), "is of type 'F64'; fastmlp's are F32"),
    "no dtype": (lambda h, d: entry(h, "kernel").pop("dtype"), "the entry of tensor .* is not valid"),
    "not an entry": (lambda h, d: h.update(extra=7), "the entry of tensor 'extra' in its header is not valid"),
    "metadata": (lambda h, d: h.pop("__metadata__"), "not of a model saved by fastmlp"),
}


@pytest.mark.parametrize("name", HEADERS)
def test_headers_that_lie_are_refused(small, path, name):
    change, reason = HEADERS[name]
    path.write_bytes(small[2])
    forge(path, change)
    with pytest.raises(ModelFileError, match=reason):
        fastmlp.load_model(path)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (lambda raw: raw[:-1] + ',"__metadata__":{}}', "the key '__metadata__' occurs twice"),
        (lambda raw: raw[:-1] + ',"deep":' + "[" * 100_000 + "]" * 100_000 + "}", "nested too deeply"),
        (lambda raw: raw[:-1] + ',"number":NaN}', "NaN is not a number of JSON"),
        (lambda raw: raw[:-1] + ',"number":1e999}', "the number 1e999 is too large"),
        (lambda raw: raw[:-1] + ',"number":' + "9" * 5000 + "}", "is not valid JSON"),
        (lambda raw: "[" + raw + "]", "its header is not a JSON object"),
        (lambda raw: raw[:-1] + ',"\\ud800":1}', "the entry of tensor"),
    ],
    ids=["duplicate", "deep", "nan", "infinite", "long number", "list", "surrogate"],
)
def test_headers_that_are_not_sane_json_are_refused(small, path, text, reason):
    path.write_bytes(small[2])
    forge(path, text=text)
    with pytest.raises(ModelFileError, match=reason):
        fastmlp.load_model(path)


def test_not_a_number_that_training_did_not_make_is_refused(small, path):
    path.write_bytes(small[2])
    content = small[2]
    values = np.frombuffer(content[8 + int.from_bytes(content[:8], "little") :], np.float32).copy()
    values[0] = np.nan
    forge(path, data=values.tobytes())
    with pytest.raises(ModelFileError, match="holds NaN or Inf, but had none when it was saved"):
        fastmlp.load_model(path)


def test_layers_without_weights_cannot_ask_for_the_moon(path):
    fastmlp.Sequential([layers.Input((4,)), layers.Softmax()]).save(path)
    assert fastmlp.load_model(path).predict(np.zeros((1, 4)), verbose=0).tolist() == [[0.25] * 4]
    forge(path, lambda h, d: layer(d, 0).update(batch_shape=[None, 10**12]))
    with pytest.raises(ModelFileError, match="out of proportion to the weights in the file"):
        fastmlp.load_model(path)


def test_numbers_for_all_columns_of_rows_without_end_are_not_spread_over_them(path):
    fastmlp.Sequential([layers.Input((4,)), layers.Rescaling(0.5), layers.Normalization(mean=1.0, variance=4.0)]).save(path)
    assert fastmlp.load_model(path).predict(np.ones((1, 4)), verbose=0).tolist() == [[-0.25] * 4]
    forge(path, lambda h, d: layer(d, 0).update(batch_shape=[None, 1 << 30]))
    tracemalloc.start()
    with pytest.raises(ModelFileError, match="out of proportion to the weights in the file"):
        fastmlp.load_model(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 << 20


def hostile_files(small, path):
    """Files that would take much memory or time from a careless reader."""
    lies = ("huge units", "absurd units", "huge input", "layers", "huge shape", "huge offsets")
    for name in lies:
        path.write_bytes(small[2])
        forge(path, {**HOSTILE, **HEADERS}[name][0])
        yield
    for content in ((1 << 60).to_bytes(8, "little") + b"{}", (4 << 20).to_bytes(8, "little") + b"[" * (4 << 20)):
        path.write_bytes(content)
        yield
    with path.open("wb") as file:  # a sparse file of a terabyte, with a header of zeros as large as it may say
        file.write((90 << 20).to_bytes(8, "little"))
        file.truncate(1 << 40)
    yield


def test_hostile_files_cost_little_memory_and_time(small, path):
    for _ in hostile_files(small, path):
        tracemalloc.start()
        start = time.perf_counter()
        with pytest.raises(ModelFileError):
            fastmlp.load_model(path)
        elapsed, (_, peak) = time.perf_counter() - start, tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 64 << 20
        assert elapsed < 30


def test_an_error_about_a_file_survives_pickling():
    error = pickle.loads(pickle.dumps(ModelFileError("model.safetensors", "it is empty")))
    assert str(error) == "cannot load model.safetensors: it is empty"
    assert error.reason == "it is empty"


def test_the_examples_in_the_documentation_are_right(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = doctest.testmod(saving.native)
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize(("slot", "shape"), [("row", (0,)), ("velocity", (5,)), ("column", (5, 3))])
def test_slots_of_another_shape_than_the_optimizer_s_are_refused(tmp_path, slot, shape):
    model = fastmlp.Sequential([layers.Dense(3, input_shape=(5,), name="d")])
    model.compile(Adafactor(), "mse")
    model.fit(np.ones((4, 5)), np.ones((4, 3)), verbose=0)
    model.save(tmp_path / "model.safetensors")
    forged_files.change(
        tmp_path / "model.safetensors",
        lambda document, tensors: tensors.update({f"optimizer/{slot}/d/kernel": np.zeros(shape, np.float32)}),
    )
    with pytest.raises(ModelFileError, match=f"the optimizer's {slot} of d/kernel should have the shape"):
        fastmlp.load_model(tmp_path / "model.safetensors")
    fastmlp.load_model(tmp_path / "model.safetensors", compile=False)
