"""The data sets of Keras, and get_file: small files of the same form, served on the loopback interface."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import pickle
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from fastmlp.datasets import boston_housing, california_housing, fashion_mnist, imdb, reuters
from fastmlp.datasets._files import RemoteFile
from fastmlp.errors import DownloadError
from fastmlp.utils import get_file, normalize


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    """Nothing on this machine is found."""
    monkeypatch.delenv("FASTMLP_DATA", raising=False)
    monkeypatch.setenv("FASTMLP_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def npz(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def lists(*texts):
    array = np.empty(len(texts), object)
    array[:] = texts
    return array


def offer(server, monkeypatch, module, attribute, content):
    """Serve ``content`` as the file that a module downloads."""
    file = getattr(module, attribute)
    small = RemoteFile(file.dataset, file.name, hashlib.sha256(content).hexdigest(), (server.url,))
    monkeypatch.setattr(module, attribute, small)
    server.files[file.name] = content


TABLE = npz(x=np.arange(40.0).reshape(10, 4), y=np.arange(10.0))
REVIEWS = {
    "x_train": lists([1, 2, 3], [4, 5], [6, 7, 8, 9], [1]),
    "y_train": np.array([0, 1, 0, 1]),
    "x_test": lists([2, 2, 2], [9, 1]),
    "y_test": np.array([1, 0]),
}


@pytest.mark.parametrize(("module", "first"), [(boston_housing, ()), (california_housing, ("large",))])
def test_tables_come_in_the_order_of_keras_and_are_downloaded_once(file_server, monkeypatch, cache, module, first):
    offer(file_server, monkeypatch, module, "_FILE", TABLE)
    (x_train, y_train), (x_test, y_test) = module.load_data(*first)
    # from Keras: np.random.RandomState(113).shuffle(np.arange(10)), and the first 80 %
    order = np.arange(10)
    np.random.RandomState(113).shuffle(order)
    assert y_train.tolist() == order[:8].tolist()
    assert y_test.tolist() == order[8:].tolist()
    assert np.array_equal(x_train, np.arange(40.0).reshape(10, 4)[order[:8]])
    assert x_test.shape == (2, 4)
    module.load_data()
    assert len(file_server.requests) == 1
    assert (cache / module._FILE.dataset / module._FILE.name).read_bytes() == TABLE


def test_the_split_and_the_version_can_be_chosen(file_server, monkeypatch):
    offer(file_server, monkeypatch, california_housing, "_FILE", npz(x=np.zeros((900, 8)), y=np.arange(900)))
    (x_train, y_train), (x_test, _) = california_housing.load_data(version="small", test_split=0.5)
    assert (len(x_train), len(x_test)) == (300, 300)
    assert y_train.max() < 600
    with pytest.raises(ValueError, match="version must be 'small' or 'large', got 'tiny'"):
        california_housing.load_data(version="tiny")
    with pytest.raises(ValueError, match="test_split must be a number ≥ 0 and < 1, got 1"):
        california_housing.load_data(test_split=1.0)


def test_a_table_of_ones_own_can_be_named(tmp_path):
    (tmp_path / "own.npz").write_bytes(TABLE)
    (x_train, _), _ = boston_housing.load_data(tmp_path / "own.npz", test_split=0)
    assert x_train.shape == (10, 4)
    with pytest.raises(FileNotFoundError, match=r"there is no file .*gone\.npz; omit path to use the data set"):
        boston_housing.load_data(tmp_path / "gone.npz")


def test_files_in_the_data_folder_are_used_and_others_of_that_name_passed_over(file_server, monkeypatch, tmp_path):
    offer(file_server, monkeypatch, boston_housing, "_FILE", TABLE)
    monkeypatch.setenv("FASTMLP_DATA", str(tmp_path / "data"))
    (tmp_path / "data" / "boston_housing").mkdir(parents=True)
    (tmp_path / "data" / "boston_housing" / "boston_housing.npz").write_bytes(b"something else")
    (tmp_path / "data" / "boston_housing.npz").write_bytes(TABLE)
    boston_housing.load_data()
    assert file_server.requests == []


def test_without_the_file_the_message_says_where_to_put_it(file_server, monkeypatch, cache):
    offer(file_server, monkeypatch, imdb, "_FILE", npz(**REVIEWS))
    file_server.files.clear()
    with pytest.raises(DownloadError, match=r"imdb\.npz is not on this machine and could not be downloaded .*404") as error:
        imdb.load_data()
    assert str(cache / "imdb") in str(error.value)
    assert "FASTMLP_DATA" in str(error.value)


def test_content_with_another_hash_is_refused(file_server, monkeypatch, cache):
    offer(file_server, monkeypatch, reuters, "_FILE", TABLE)
    file_server.files["reuters.npz"] = TABLE[:-1] + b"x"
    with pytest.raises(DownloadError, match="is not the file expected here: its sha256 is"):
        reuters.load_data()
    assert not list((cache / "reuters").iterdir())


# What Keras 3.15 gives for REVIEWS, in the order of its shuffle; see keras.datasets.imdb.
KERAS = {
    "as it is": ({}, [[1, 4], [1, 9, 10, 11, 2], [1, 4, 5, 6], [1, 7, 8]], [1, 0, 0, 1], [[1, 2, 4], [1, 5, 5, 5]]),
    "few words": ({"num_words": 8}, [[1, 4], [1, 2, 2, 2, 2], [1, 4, 5, 6], [1, 7, 2]], [1, 0, 0, 1], [[1, 2, 4], [1, 5, 5, 5]]),
    "rare words left out": ({"num_words": 8, "oov_char": None}, [[1, 4], [1], [1, 4, 5, 6], [1, 7]], [1, 0, 0, 1], [[1, 4], [1, 5, 5, 5]]),
    "frequent words": ({"skip_top": 6}, [[2, 2], [2, 9, 10, 11, 2], [2, 2, 2, 6], [2, 7, 8]], [1, 0, 0, 1], [[2, 2, 2], [2, 2, 2, 2]]),
    "plain": (
        {"start_char": None, "index_from": 0, "oov_char": None, "num_words": 100},
        [[1], [6, 7, 8, 9], [1, 2, 3], [4, 5]],
        [1, 0, 0, 1],
        [[9, 1], [2, 2, 2]],
    ),
    "short": ({"maxlen": 4}, [[1, 4], [1, 7, 8]], [1, 1], [[1, 2, 4]]),
}


@pytest.mark.parametrize("name", KERAS)
def test_reviews_have_the_numbers_and_the_order_of_keras(file_server, monkeypatch, name):
    options, x_expected, y_expected, test_expected = KERAS[name]
    offer(file_server, monkeypatch, imdb, "_FILE", npz(**REVIEWS))
    (x_train, y_train), (x_test, _) = imdb.load_data(**options)
    assert x_train.dtype == object
    assert (x_train.tolist(), y_train.tolist(), x_test.tolist()) == (x_expected, y_expected, test_expected)


def test_news_are_split_after_the_shuffle(file_server, monkeypatch):
    texts, labels = lists(*([i, i] for i in range(1, 11))), np.arange(10)
    offer(file_server, monkeypatch, reuters, "_FILE", npz(x=texts, y=labels))
    (x_train, y_train), (x_test, y_test) = reuters.load_data(num_words=1000)
    order = np.arange(10)
    np.random.RandomState(113).shuffle(order)
    assert [*y_train, *y_test] == order.tolist()
    assert len(y_test) == 2
    assert x_train.shape == (8,)  # lists, although all are of one length
    assert x_train[0] == [1, order[0] + 4, order[0] + 4]
    assert x_test[0][1] == order[8] + 4
    with pytest.raises(ValueError, match="no text is shorter than maxlen=2"):
        reuters.load_data(maxlen=2)


@pytest.mark.parametrize("module", [imdb, reuters])
def test_words_have_numbers(file_server, monkeypatch, module):
    offer(file_server, monkeypatch, module, "_WORDS", json.dumps({"the": 1, "café": 2}).encode())
    assert module.get_word_index() == {"the": 1, "café": 2}


def test_topics_have_names():
    assert len(reuters.get_label_names()) == 46
    assert reuters.get_label_names()[3] == "earn"


def test_the_older_name_of_num_words_is_answered():
    with pytest.raises(ValueError, match="it is called num_words"):
        imdb.load_data(nb_words=100)


class Evil:
    def __reduce__(self):
        return Path.write_text, (Path("/tmp/fastmlp-was-here"), "x")


def test_a_file_that_would_run_code_is_refused(tmp_path):
    array = np.empty(1, object)
    array[0] = Evil()
    np.savez(tmp_path / "evil.npz", x=array, y=np.zeros(1))
    with pytest.raises(ValueError, match=r"contains a reference to .*, which no data set needs"):
        reuters.load_data(tmp_path / "evil.npz")
    assert not Path("/tmp/fastmlp-was-here").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"not a zip", "is not an .npz file, or is damaged"), (npz(x=np.zeros(2)), r"lacks y\.npy"), (TABLE[:-40], "is damaged")],
)
def test_damaged_files_are_named(tmp_path, content, message):
    (tmp_path / "bad.npz").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        boston_housing.load_data(tmp_path / "bad.npz")


def test_files_written_by_older_numpy_are_read(tmp_path):
    """NumPy before version 2 named its modules otherwise."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, array in {"x": lists([1, 2], [3]), "y": np.array([0, 1])}.items():
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, array)
            data = buffer.getvalue()
            if name == "x":  # protocol 3 names modules in plain text
                header = data[: data.index(b"\n") + 1]
                data = header + pickle.dumps(array, protocol=3).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
            archive.writestr(f"{name}.npy", data)
    (tmp_path / "old.npz").write_bytes(stream.getvalue())
    (x, y), _ = reuters.load_data(tmp_path / "old.npz", test_split=0, num_words=100)
    assert sorted(x.tolist()) == [[1, 4, 5], [1, 6]]
    assert sorted(y.tolist()) == [0, 1]


def test_clothes_have_the_shapes_of_digits(file_server, monkeypatch):
    rng = np.random.default_rng(0)
    digests = {}
    for name in fashion_mnist._DIGESTS:
        array = rng.integers(0, 256, (3, 28, 28) if "images" in name else 3, np.uint8)
        header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
        file_server.files[name] = gzip.compress(header + array.tobytes())
        digests[name] = hashlib.md5(file_server.files[name]).hexdigest()
    monkeypatch.setattr(fashion_mnist, "_DIGESTS", digests)
    monkeypatch.setattr(fashion_mnist, "_MIRRORS", (file_server.url,))
    (x_train, y_train), (x_test, y_test) = fashion_mnist.load_data()
    assert (x_train.shape, y_train.shape, x_test.shape, y_test.shape) == ((3, 28, 28), (3,), (3, 28, 28), (3,))


# get_file


def test_a_file_is_downloaded_once(file_server, cache):
    file_server.files["table.csv?raw=1"] = b"a,b\n1,2\n"
    for _ in range(2):
        path = get_file(origin=file_server.url + "table.csv?raw=1")
        assert path == str(cache / "datasets" / "table.csv")
    assert len(file_server.requests) == 1


def test_a_file_is_kept_where_and_under_which_name_one_says(file_server, tmp_path):
    file_server.files["data"] = b"1,2\n"
    path = get_file("mine.csv", file_server.url + "data", cache_dir=tmp_path / "own", cache_subdir="tables")
    assert path == str(tmp_path / "own" / "tables" / "mine.csv")
    assert Path(path).read_bytes() == b"1,2\n"
    file_server.files["data"] = b"3,4\n"
    again = {"cache_dir": tmp_path / "own", "cache_subdir": "tables"}
    assert Path(get_file("mine.csv", file_server.url + "data", **again)).read_bytes() == b"1,2\n"
    assert Path(get_file("mine.csv", file_server.url + "data", force_download=True, **again)).read_bytes() == b"3,4\n"


@pytest.mark.parametrize("algorithm", ["md5", "sha256"])
def test_a_hash_is_checked_in_the_cache_and_after_the_download(file_server, algorithm):
    file_server.files["x.bin"] = b"content"
    digest = hashlib.new(algorithm, b"content").hexdigest()
    path = Path(get_file(origin=file_server.url + "x.bin", file_hash=digest))
    path.write_bytes(b"damaged")
    assert Path(get_file(origin=file_server.url + "x.bin", file_hash=digest)).read_bytes() == b"content"
    file_server.files["x.bin"] = b"exchanged"
    with pytest.raises(DownloadError, match=f"is not the file expected here: its {algorithm} is"):
        get_file(origin=file_server.url + "x.bin", file_hash=digest, force_download=True)
    assert not path.exists()


def archives():
    def add(tar, name, content):
        info = tarfile.TarInfo(name)
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))

    for mode in ("w", "w:gz"):
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode=mode) as tar:
            add(tar, "photos/a.txt", b"a")
        yield stream.getvalue()
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as zipped:
        zipped.writestr("photos/a.txt", b"a")
    yield stream.getvalue()


@pytest.mark.parametrize("content", list(archives()), ids=["tar", "tar.gz", "zip"])
def test_archives_are_unpacked(file_server, cache, content):
    file_server.files["photos.tgz"] = content
    origin = file_server.url + "photos.tgz"
    folder = get_file(origin=origin, extract=True)
    assert folder == str(cache / "datasets" / "photos.tgz")
    assert (Path(folder) / "photos" / "a.txt").read_bytes() == b"a"
    assert get_file("mine.tgz", origin, extract=True) == str(cache / "datasets" / "mine_extracted")
    assert get_file("mine", origin, extract=True) == str(cache / "datasets" / "mine")


def test_an_archive_that_reaches_out_of_its_folder_is_refused(file_server, cache):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("../../outside"), io.BytesIO())
    file_server.files["evil.tar"] = stream.getvalue()
    with pytest.raises(tarfile.OutsideDestinationError):
        get_file(origin=file_server.url + "evil.tar", extract=True)
    assert sorted(path.name for path in cache.rglob("*")) == ["datasets", "evil.tar_archive"]


def test_what_is_no_archive_is_not_unpacked(file_server):
    file_server.files["a.csv"] = b"1,2"
    with pytest.raises(ValueError, match="is not an archive of the format tar or zip; omit extract"):
        get_file(origin=file_server.url + "a.csv", extract=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "origin is missing"),
        ({"origin": "http://127.0.0.1:9/"}, "ends without a file name; pass a file name as fname"),
        ({"origin": "http://127.0.0.1:9/a", "fname": "b/a"}, r"fname='b/a' is a path; pass a file name.* as cache_dir or cache_subdir"),
        ({"origin": "http://127.0.0.1:9/a", "fname": ".."}, "is a path"),
    ],
)
def test_what_get_file_needs_is_said(arguments, message):
    with pytest.raises(ValueError, match=message):
        get_file(**arguments)


# normalize


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("order", [1, 2, np.inf])
def test_normalized_arrays_have_norm_1_along_the_axis(axis, order):
    x = np.random.default_rng(0).standard_normal((4, 4)).astype(np.float32)
    normalized = normalize(x, axis, order)
    assert normalized.dtype == np.float32
    assert np.allclose(np.linalg.norm(normalized, order, axis), 1, atol=1e-6)


def test_rows_of_zeros_stay_zero():
    assert normalize(np.zeros((2, 3))).tolist() == [[0, 0, 0], [0, 0, 0]]


def test_only_numbers_are_normalized():
    with pytest.raises(TypeError, match="normalize needs numbers"):
        normalize(["a"])
    with pytest.raises(ValueError, match="at least one axis"):
        normalize(3.0)
