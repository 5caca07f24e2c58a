"""Generated data sets, the IDX reader, and MNIST: found, downloaded, checked."""

from __future__ import annotations

import doctest
import gzip
import hashlib
import importlib
import os
import struct
import threading
from pathlib import Path

import numpy as np
import pytest

from fastmlp.datasets import _download, circles, gaussians, mnist, moons, spiral, xor
from fastmlp.datasets._files import cache_folder
from fastmlp.datasets._idx import read_idx
from fastmlp.errors import DownloadError

GENERATED = (spiral, moons, circles, xor, gaussians)
WITH_CLASSES = (spiral, gaussians)


def by_name(module):
    return module.__name__.rpartition(".")[2]


# Generated data


@pytest.mark.parametrize("module", GENERATED, ids=by_name)
def test_points_are_float32_pairs_with_integer_labels_in_mixed_order(module):
    x, y = module.generate(points_per_class=50, seed=1)
    classes = 3 if module in WITH_CLASSES else 2
    assert x.shape == (50 * classes, 2)
    assert x.dtype == np.float32
    assert y.dtype == np.int64
    assert np.bincount(y).tolist() == [50] * classes
    assert len(set(y[:20].tolist())) > 1


@pytest.mark.parametrize("module", GENERATED, ids=by_name)
def test_a_seed_decides_the_points_and_no_seed_draws_new_ones(module):
    first, again, other = (module.load_data(seed=seed)[0][0] for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not np.array_equal(module.generate(seed=None)[0], module.generate(seed=None)[0])


@pytest.mark.parametrize("module", GENERATED, ids=by_name)
def test_the_test_set_is_a_fifth_of_each_class_and_shares_no_point_with_training(module):
    (x_train, y_train), (x_test, y_test) = module.load_data(points_per_class=100)
    assert set(np.bincount(y_train)) == {80}
    assert set(np.bincount(y_test)) == {20}
    assert not {tuple(row) for row in x_train.tolist()} & {tuple(row) for row in x_test.tolist()}


def test_spiral_points_follow_the_documented_formula():
    x, y = spiral.generate(points_per_class=40, classes=4, noise=0, seed=0)
    radius = np.hypot(*x.T)
    angle = 2 * np.pi * y / 4 + 4 * radius
    assert np.allclose(x, radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1), atol=1e-6)
    assert np.allclose(np.sort(radius[y == 2]), np.arange(1, 41) / 40, atol=1e-6)


def test_moons_lie_on_their_half_circles():
    x, y = moons.generate(points_per_class=40, noise=0, seed=0)
    assert np.allclose(np.hypot(*x[y == 0].T), 1, atol=1e-6)
    assert np.allclose(np.hypot(*(x[y == 1] - [1, 0.5]).T), 1, atol=1e-6)
    assert (x[y == 0][:, 1] > -1e-6).all()
    assert (x[y == 1][:, 1] < 0.5 + 1e-6).all()


def test_circles_have_the_radii_asked_for():
    x, y = circles.generate(points_per_class=40, noise=0, seed=0, factor=0.25)
    assert np.allclose(np.hypot(*x.T), np.where(y == 0, 1, 0.25), atol=1e-6)


def test_xor_is_class_1_where_the_signs_differ():
    x, y = xor.generate(points_per_class=40, noise=0.1, seed=0)
    assert np.array_equal(y, (x[:, 0] > 0) != (x[:, 1] > 0))
    assert len({tuple(row) for row in np.sign(x).tolist()}) == 4


def test_gaussians_have_their_centres_on_the_unit_circle_and_the_spread_asked_for():
    x, y = gaussians.generate(points_per_class=20000, classes=5, noise=0.2, seed=0)
    for k in range(5):
        angle = 2 * np.pi * k / 5
        assert np.allclose(x[y == k].mean(0), [np.cos(angle), np.sin(angle)], atol=0.01)
        assert np.allclose(x[y == k].std(0), 0.2, atol=0.01)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"points_per_class": 0}, ValueError, "points_per_class must be an integer ≥ 1, got 0"),
        ({"points_per_class": 2.5}, TypeError, "points_per_class must be an integer ≥ 1, got 2.5"),
        ({"classes": -1}, ValueError, "classes must be an integer ≥ 1, got -1"),
        ({"noise": -0.1}, ValueError, "noise, a standard deviation"),
        ({"noise": float("nan")}, ValueError, "must be finite"),
        ({"noise": "0.1"}, TypeError, "noise must be a number, got '0.1'"),
        ({"seed": -1}, ValueError, "seed must be an integer ≥ 0"),
        ({"seed": "zero"}, TypeError, "seed must be an integer"),
        ({"test_fraction": 0}, ValueError, "test_fraction must be > 0 and < 1"),
        ({"test_fraction": 1.0}, ValueError, "test_fraction must be > 0 and < 1"),
        ({"points_per_class": 2, "test_fraction": 0.1}, ValueError, "puts 0 into the test set and 2 into the training set"),
    ],
)
def test_arguments_that_make_no_sense_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        spiral.load_data(**arguments)


@pytest.mark.parametrize("name", ["spiral", "moons", "circles", "xor", "gaussians", "mnist", "__init__"])
def test_the_examples_in_the_documentation_are_right(name):
    module = importlib.import_module("fastmlp.datasets" + ("" if name == "__init__" else f".{name}"))
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0


# IDX files


def idx(array, code=8):
    return (
        bytes([0, 0, code, array.ndim])
        + struct.pack(f">{array.ndim}I", *array.shape)
        + array.astype(array.dtype.newbyteorder(">")).tobytes()
    )


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize(("code", "dtype"), [(0x08, "u1"), (0x09, "i1"), (0x0B, "i2"), (0x0C, "i4"), (0x0D, "f4"), (0x0E, "f8")])
def test_every_element_type_is_read_packed_or_not(tmp_path, pack, code, dtype):
    array = np.arange(24, dtype=dtype).reshape(2, 3, 4)
    file = tmp_path / "data-idx3"
    file.write_bytes(pack(idx(array, code)))
    result = read_idx(file)
    assert np.array_equal(result, array)
    assert result.dtype == np.dtype(dtype)
    assert result.flags.writeable


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"is not an IDX file: it begins with the bytes \(none\)"),
        (b"\x89PNG\r\n", "is not an IDX file: it begins with the bytes 89 50 4e 47"),
        (b"\0\0\x07\x01" + bytes(20), "is not an IDX file"),
        (b"\0\0\x08\x03\0\0", "declares 3 axes and ends before their lengths"),
        (idx(np.zeros((4, 4), np.uint8))[:-1], "declares the shape \\(4, 4\\), 16 bytes, but has only 15"),
        (idx(np.zeros((4, 4), np.uint8)) + b"x", "more than the 16 bytes that its shape"),
        (b"\0\0\x08\x03" + b"\xff" * 12, "more than the file can hold"),
        (gzip.compress(b"\0\0\x08\x03" + b"\xff" * 12, mtime=0), "more than the file can hold"),
        (gzip.compress(idx(np.arange(99, dtype=np.uint8)), mtime=0)[:-12], "is truncated: the compressed data ends too early"),
        (gzip.compress(idx(np.arange(99, dtype=np.uint8)), mtime=0)[:20] + bytes(60), "is damaged"),
    ],
    ids=["empty", "foreign", "type", "short header", "short", "long", "huge", "huge in gzip", "short gzip", "broken gzip"],
)
def test_damaged_files_are_named_and_take_no_memory(tmp_path, content, message):
    file = tmp_path / "broken-idx"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=message) as error:
        read_idx(file)
    assert str(file) in str(error.value)


def test_content_with_another_hash_is_refused(tmp_path):
    file = tmp_path / "labels"
    file.write_bytes(idx(np.arange(5, dtype=np.uint8)))
    right = hashlib.sha256(file.read_bytes()).hexdigest()
    assert read_idx(file, sha256=right).tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="is not the file expected here: its content has sha256"):
        read_idx(file, sha256="0" * 64)


# MNIST


@pytest.fixture
def small_mnist(monkeypatch, tmp_path):
    """Files of the right names with 12 tiny images in place of 70,000; nothing on this machine is found."""
    rng = np.random.default_rng(0)
    arrays = {
        "train-images-idx3-ubyte": rng.integers(0, 256, (8, 28, 28), np.uint8),
        "train-labels-idx1-ubyte": rng.integers(0, 10, 8, np.uint8),
        "t10k-images-idx3-ubyte": rng.integers(0, 256, (4, 28, 28), np.uint8),
        "t10k-labels-idx1-ubyte": rng.integers(0, 10, 4, np.uint8),
    }
    monkeypatch.setattr(mnist, "_FILES", {name: (a.shape, hashlib.sha256(idx(a)).hexdigest()) for name, a in arrays.items()})
    monkeypatch.delenv("FASTMLP_DATA", raising=False)
    monkeypatch.setenv("FASTMLP_CACHE", str(tmp_path / "cache"))
    return arrays


def put(folder, arrays, *, packed=True):
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        (folder / f"{name}.gz" if packed else folder / name).write_bytes(gzip.compress(idx(array)) if packed else idx(array))


@pytest.fixture
def server(file_server, monkeypatch):
    monkeypatch.setattr(mnist, "_MIRRORS", (file_server.url,))
    return file_server


def serve(server, arrays):
    server.files = {f"{name}.gz": gzip.compress(idx(array)) for name, array in arrays.items()}


def same(loaded, arrays):
    (x_train, y_train), (x_test, y_test) = loaded
    return all(np.array_equal(a, b) for a, b in zip((x_train, y_train, x_test, y_test), arrays.values(), strict=True))


@pytest.mark.parametrize("packed", [True, False], ids=["gz", "unpacked"])
@pytest.mark.parametrize("below", ["", "mnist"], ids=["directly", "in mnist/"])
def test_files_are_found_in_the_data_folder(small_mnist, monkeypatch, tmp_path, packed, below):
    put(tmp_path / "data" / below, small_mnist, packed=packed)
    monkeypatch.setenv("FASTMLP_DATA", str(tmp_path / "data"))
    assert same(mnist.load_data(), small_mnist)
    assert same(mnist.load_data("mnist.npz"), small_mnist)  # what Keras programs may say


def test_compressed_files_are_unpacked_once(small_mnist, monkeypatch, tmp_path):
    put(tmp_path, small_mnist)
    monkeypatch.setenv("FASTMLP_DATA", str(tmp_path))
    assert same(mnist.load_data(), small_mnist)
    copies = {path.name: path for path in (tmp_path / "cache" / "mnist-unpacked").iterdir()}
    assert {name: path.read_bytes() for name, path in copies.items()} == {name: idx(array) for name, array in small_mnist.items()}
    monkeypatch.setattr(gzip, "GzipFile", None)
    assert same(mnist.load_data(), small_mnist)


def test_a_damaged_copy_is_replaced(small_mnist, monkeypatch, tmp_path):
    put(tmp_path, small_mnist)
    monkeypatch.setenv("FASTMLP_DATA", str(tmp_path))
    mnist.load_data()
    copy = tmp_path / "cache" / "mnist-unpacked" / "train-images-idx3-ubyte"
    copy.write_bytes(copy.read_bytes()[:-1] + b"x")
    assert same(mnist.load_data(), small_mnist)
    assert copy.read_bytes() == idx(small_mnist[copy.name])


def test_files_are_read_if_there_is_no_place_for_copies(small_mnist, monkeypatch, tmp_path):
    put(tmp_path, small_mnist)
    (tmp_path / "file").touch()
    monkeypatch.setenv("FASTMLP_DATA", str(tmp_path))
    monkeypatch.setenv("FASTMLP_CACHE", str(tmp_path / "file"))
    assert same(mnist.load_data(), small_mnist)


def test_missing_files_are_downloaded_once_into_the_cache(small_mnist, server, tmp_path, capfd):
    serve(server, small_mnist)
    assert same(mnist.load_data(), small_mnist)
    assert sorted(path.name for path in (tmp_path / "cache" / "mnist").iterdir()) == sorted(server.files)
    assert len(server.requests) == 4
    assert same(mnist.load_data(), small_mnist)
    assert len(server.requests) == 4
    assert "train-images-idx3-ubyte.gz" in capfd.readouterr().err


def test_a_download_that_broke_off_is_continued_where_it_stopped(small_mnist, server, tmp_path):
    serve(server, small_mnist)
    server.cut = 1000
    with pytest.raises(DownloadError, match="the connection ended after 1000 of"):
        mnist.load_data()
    assert (tmp_path / "cache" / "mnist" / "train-images-idx3-ubyte.gz.part").stat().st_size == 1000
    server.cut = None
    assert same(mnist.load_data(), small_mnist)
    assert server.requests[1] == ("train-images-idx3-ubyte.gz", "bytes=1000-")
    assert not list((tmp_path / "cache" / "mnist").glob("*.part"))


def test_a_server_without_ranges_sends_everything_again(small_mnist, server, tmp_path):
    serve(server, small_mnist)
    server.cut = 1000
    with pytest.raises(DownloadError):
        mnist.load_data()
    server.cut, server.ranges = None, False
    assert same(mnist.load_data(), small_mnist)


@pytest.mark.parametrize("rest", [b"rubbish from another file", bytes(200_000)], ids=["short", "longer than the file"])
def test_a_beginning_that_does_not_fit_is_thrown_away(small_mnist, server, tmp_path, rest):
    serve(server, small_mnist)
    part = tmp_path / "cache" / "mnist" / "train-images-idx3-ubyte.gz.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(rest)
    assert same(mnist.load_data(), small_mnist)
    assert not part.exists()


def test_a_finished_download_that_was_not_renamed_is_used(small_mnist, server, tmp_path):
    serve(server, small_mnist)
    part = tmp_path / "cache" / "mnist" / "train-images-idx3-ubyte.gz.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(server.files["train-images-idx3-ubyte.gz"])
    assert same(mnist.load_data(), small_mnist)
    assert sum(name == "train-images-idx3-ubyte.gz" for name, _ in server.requests) == 1


def test_content_that_is_not_mnist_is_refused_and_leaves_nothing_behind(small_mnist, server, tmp_path):
    serve(server, small_mnist)
    server.files["train-images-idx3-ubyte.gz"] = gzip.compress(idx(np.zeros((8, 28, 28), np.uint8)))
    with pytest.raises(DownloadError, match="is not the file expected here"):
        mnist.load_data()
    assert not list((tmp_path / "cache" / "mnist").iterdir())


def test_a_second_mirror_helps_when_the_first_fails(small_mnist, server, monkeypatch):
    serve(server, small_mnist)
    monkeypatch.setattr(mnist, "_MIRRORS", (server.url + "gone/", server.url))
    assert same(mnist.load_data(), small_mnist)


def test_a_damaged_file_in_the_cache_is_fetched_again(small_mnist, server, tmp_path):
    serve(server, small_mnist)
    put(tmp_path / "cache" / "mnist", small_mnist)
    (tmp_path / "cache" / "mnist" / "t10k-labels-idx1-ubyte.gz").write_bytes(b"damaged")
    assert same(mnist.load_data(), small_mnist)
    assert [name for name, _ in server.requests] == ["t10k-labels-idx1-ubyte.gz"]


def test_a_server_that_sends_without_end_is_cut_off(small_mnist, server, monkeypatch):
    serve(server, small_mnist)
    monkeypatch.setattr(mnist, "_LIMIT", 1000)
    with pytest.raises(DownloadError, match="more than the 1000 bytes"):
        mnist.load_data()


@pytest.mark.parametrize(("mirror", "reason"), [("gone/", "the server answers 404"), (None, "no connection")])
def test_without_the_files_the_message_says_where_to_put_them(small_mnist, server, monkeypatch, tmp_path, mirror, reason):
    monkeypatch.setattr(mnist, "_MIRRORS", (server.url + mirror if mirror else "http://127.0.0.1:9/",))
    with pytest.raises(DownloadError, match="MNIST is not on this machine and could not be downloaded") as error:
        mnist.load_data()
    message = str(error.value)
    assert reason in message
    assert all(f"{name}.gz" in message for name in small_mnist)
    assert str(tmp_path / "cache" / "mnist") in message
    assert "FASTMLP_DATA" in message


def test_two_downloads_of_one_file_take_turns(small_mnist, server, tmp_path):
    serve(server, small_mnist)
    name = "train-images-idx3-ubyte"
    target = tmp_path / f"{name}.gz"
    errors = []

    def fetch():
        try:
            _download.download([server.url + target.name], target, lambda part: mnist._read(part, name), 1 << 20)
        except OSError as error:
            errors.append(error)

    threads = [threading.Thread(target=fetch) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert [path.name for path in tmp_path.glob(f"{name}*")] == [target.name]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"FASTMLP_CACHE": "/somewhere", "XDG_CACHE_HOME": "/xdg"}, "/somewhere/mnist"),
        ({"XDG_CACHE_HOME": "/xdg"}, "/xdg/fastmlp/mnist"),
        ({"XDG_CACHE_HOME": "relative"}, "/home/me/.cache/fastmlp/mnist"),
        ({}, "/home/me/.cache/fastmlp/mnist"),
    ],
)
def test_the_cache_lies_where_the_environment_says(monkeypatch, variables, expected):
    for name in ("FASTMLP_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home/me")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert cache_folder("mnist") == Path(expected)


def test_a_folder_of_other_data_in_the_same_format_can_be_named(small_mnist, tmp_path):
    put(tmp_path / "fashion", {name: array[:3] for name, array in small_mnist.items()})
    (x_train, y_train), _ = mnist.load_data(tmp_path / "fashion")
    assert x_train.shape == (3, 28, 28)
    assert y_train.tolist() == small_mnist["train-labels-idx1-ubyte"][:3].tolist()


def test_a_named_folder_must_have_all_files_and_they_must_fit(small_mnist, tmp_path):
    folder = tmp_path / "fashion"
    put(folder, small_mnist)
    (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(np.zeros(3, np.uint8))))
    with pytest.raises(ValueError, match="has 4 test images and 3 test labels; the files do not belong together"):
        mnist.load_data(folder)
    (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(np.zeros((4, 1), np.uint8))))
    with pytest.raises(ValueError, match="has 2 axes of uint8; expected 1 of uint8"):
        mnist.load_data(folder)
    (folder / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(FileNotFoundError, match=r"it lacks t10k-labels-idx1-ubyte$"):
        mnist.load_data(folder)


@pytest.mark.skipif("FASTMLP_DATA" not in os.environ, reason="FASTMLP_DATA does not name a folder with the real MNIST files")
def test_the_real_digits_have_keras_shapes_and_types():
    (x_train, y_train), (x_test, y_test) = mnist.load_data()
    shapes = [(array.shape, array.dtype.name) for array in (x_train, y_train, x_test, y_test)]
    assert shapes == [((60000, 28, 28), "uint8"), ((60000,), "uint8"), ((10000, 28, 28), "uint8"), ((10000,), "uint8")]
    assert y_train[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert round(float(x_train.mean()), 3) == 33.318
