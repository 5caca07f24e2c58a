"""A user's own drawing becomes what MNIST's digits are, whatever its size, colours and light."""

from __future__ import annotations

import builtins
import doctest
import os
import warnings

import numpy as np
import pytest

import fastmlp
from fastmlp import layers, utils
from fastmlp._data import images
from fastmlp._data.images import load_digit, prepare_digit

PIL = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
ImageDraw = pytest.importorskip("PIL.ImageDraw")

real_mnist = pytest.mark.skipif("FASTMLP_DATA" not in os.environ, reason="FASTMLP_DATA does not name a folder with the real MNIST files")


def arc(x, y, rx, ry, start, stop, points=40):
    t = np.radians(np.linspace(start, stop, points))
    return list(zip(x + rx * np.cos(t), y + ry * np.sin(t), strict=True))


DIGITS = {
    0: [arc(0.5, 0.5, 0.3, 0.42, -90, 270)],
    1: [[(0.38, 0.25), (0.52, 0.08), (0.5, 0.92)]],
    2: [[*arc(0.5, 0.3, 0.26, 0.22, -170, 40), (0.25, 0.9), (0.8, 0.88)]],
    3: [arc(0.47, 0.28, 0.24, 0.2, -150, 90) + arc(0.47, 0.69, 0.28, 0.22, -90, 150)],
    4: [[(0.42, 0.08), (0.2, 0.55), (0.8, 0.52)], [(0.65, 0.3), (0.62, 0.95)]],
    5: [[(0.75, 0.1), (0.35, 0.1), (0.32, 0.45), *arc(0.47, 0.66, 0.28, 0.24, -120, 140)]],
    6: [[(0.65, 0.06), *arc(0.5, 0.6, 0.26, 0.5, -110, -200, 20), *arc(0.5, 0.68, 0.25, 0.24, -180, 170)]],
    7: [[(0.2, 0.12), (0.78, 0.1), (0.42, 0.93)]],
    8: [arc(0.5, 0.28, 0.2, 0.2, 90, -270) + arc(0.5, 0.7, 0.26, 0.22, -90, 270)],
    9: [[*arc(0.48, 0.3, 0.24, 0.22, 0, -350), (0.72, 0.3), (0.66, 0.6), (0.55, 0.95)]],
}


def draw(digit, size=(300, 300), pen=22, ink="black", paper="white", corner=(30, 30), side=240, mode="RGB"):
    """A digit in strokes of a round pen."""
    image = PIL.new(mode, size, paper)
    pencil = ImageDraw.Draw(image)
    for stroke in DIGITS[digit]:
        points = [(corner[0] + x * side, corner[1] + y * side) for x, y in stroke]
        pencil.line(points, fill=ink, width=pen, joint="curve")
        for x, y in points:
            pencil.ellipse([x - pen / 2, y - pen / 2, x + pen / 2, y + pen / 2], fill=ink)
    return image


def photograph(digit):
    """Dark strokes on a page in uneven warm light, with noise and a speck of dust."""
    page = np.asarray(draw(digit, (800, 600), 12, corner=(260, 120), side=340).convert("L"), float)[..., None] / 255
    y, x = np.mgrid[0:600, 0:800][..., None] / 600
    picture = (200 - 60 * x - 60 * y * y) * [1, 0.95, 0.85] * (1 - 0.75 * (1 - page))
    picture += np.random.default_rng(digit).normal(0, 5, (600, 800, 1))
    picture[200:203, 60:63] = 20
    return PIL.fromarray(np.clip(picture, 0, 255).astype(np.uint8))


DRAWINGS = {
    "marker on a board": lambda k: draw(k, ink="white", paper="black"),
    "pen on a large page": lambda k: draw(k, (1500, 1000), 10, "navy", "white", (1100, 60), 300),
    "hairline": lambda k: draw(k, (800, 800), 2, corner=(80, 80), side=640),
    "few pixels": lambda k: draw(k, (26, 32), 2, "black", "#dddddd", (3, 5), 20),
    "colours of equal brightness": lambda k: draw(k, ink=(230, 60, 60), paper=(60, 140, 60)),
    "dark on transparent": lambda k: draw(k, ink=(20, 20, 20, 255), paper=(0, 0, 0, 0), mode="RGBA"),
    "light on transparent": lambda k: draw(k, ink=(250, 250, 200, 255), paper=(0, 0, 0, 0), mode="RGBA"),
    "broad brush": lambda k: draw(k, pen=56, corner=(60, 60), side=180),
    "photograph": photograph,
}


def ink_box(digit):
    rows, columns = np.flatnonzero(digit.any(axis=1)), np.flatnonzero(digit.any(axis=0))
    return rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1


@pytest.mark.parametrize("kind", DRAWINGS)
def test_every_drawing_fills_the_box_and_has_its_mass_in_the_middle(kind):
    for k in range(10):
        digit = prepare_digit(DRAWINGS[kind](k))
        assert digit.shape == (28, 28)
        assert digit.dtype == np.uint8
        assert digit.max() == 255
        assert max(ink_box(digit)) in (19, 20)
        y, x = (np.arange(28) @ digit.sum(axis=axis) / digit.sum() for axis in (1, 0))
        assert abs(y - 14) < 1.1
        assert abs(x - 14) < 0.6
        assert 0.05 < (digit > 127).mean() < 0.35


@pytest.mark.parametrize("k", range(10))
def test_dark_on_light_and_light_on_dark_give_the_same(k):
    dark = draw(k).convert("L")
    light = PIL.eval(dark, lambda value: 255 - value)
    assert np.array_equal(prepare_digit(dark), prepare_digit(light))


def test_the_place_on_the_page_does_not_matter():
    first = prepare_digit(draw(3, (600, 600), corner=(20, 20)))
    second = prepare_digit(draw(3, (600, 600), corner=(320, 300)))
    assert np.abs(first.astype(int) - second).mean() < 6


def test_the_aspect_is_kept():
    assert ink_box(prepare_digit(draw(0)))[0] == 20
    page = np.full((200, 200), 255, np.uint8)
    page[90:110, 20:180] = 0
    height, width = ink_box(prepare_digit(page))
    assert width == 20
    assert height in (2, 3)


def test_rotation_stored_in_the_file_is_undone(tmp_path):
    upright = draw(7)
    turned = upright.transpose(PIL.Transpose.ROTATE_90)
    exif = turned.getexif()
    exif[0x0112] = 6  # "turn by 90 degrees clockwise to view"
    turned.save(tmp_path / "turned.png", exif=exif)
    assert np.array_equal(load_digit(tmp_path / "turned.png"), prepare_digit(upright))


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGB", "RGBA", "CMYK", "I", "F", "I;16"])
def test_every_way_to_store_pixels_is_read(mode):
    grey = draw(5).convert("L")
    image = PIL.fromarray(np.asarray(grey, np.uint16) * 257) if mode == "I;16" else grey.convert(mode)
    assert image.mode == mode
    assert np.abs(prepare_digit(image).astype(int) - prepare_digit(grey)).mean() < 3


def test_arrays_of_bytes_and_of_fractions_give_the_same():
    grey = np.asarray(draw(2).convert("L"))
    expected = prepare_digit(grey)
    assert np.array_equal(prepare_digit(grey / 255), expected)
    assert np.array_equal(prepare_digit(grey[..., None]), expected)
    assert np.array_equal(prepare_digit(np.repeat(grey[..., None], 3, axis=2)), expected)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros(5, np.uint8), r"an image must have shape \(height, width\).*got \(5,\)"),
        (np.zeros((4, 4, 2), np.uint8), r"got \(4, 4, 2\)"),
        (np.zeros((0, 4), np.uint8), r"got \(0, 4\)"),
        (np.full((4, 4), 1.5), r"an image of floats must be in the range 0 to 1, got 1\.5 to 1\.5"),
        (np.full((4, 4), np.nan), "an image of floats must be in the range 0 to 1, got nan"),
        (np.zeros((4, 4), np.int32), "an image must be uint8, or floats from 0 to 1, got int32"),
        (np.zeros((50, 50), np.uint8), "the image shows no digit: it is blank"),
        (np.random.default_rng(0).integers(100, 110, (50, 50), np.uint8), "the image shows no digit"),
        (np.zeros((50, 50, 4), np.uint8), "the image is completely transparent"),
    ],
)
def test_what_shows_no_digit_is_explained(array, message):
    with pytest.raises(ValueError, match=message):
        prepare_digit(array)


def test_files_that_are_no_pictures_are_named(tmp_path):
    file = tmp_path / "four.png"
    file.write_text("not a picture")
    with pytest.raises(ValueError, match=r"four\.png is not an image that Pillow can read"):
        load_digit(file)
    PIL.new("L", (10, 10)).save(file)
    with pytest.raises(ValueError, match=r"four\.png: the image shows no digit"):
        load_digit(file)
    draw(4).save(file)
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    with pytest.raises((ValueError, OSError), match=r"truncated|damaged"):
        load_digit(file)
    with pytest.raises(FileNotFoundError):
        load_digit(tmp_path / "nothing.png")


def test_a_picture_of_absurd_size_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    draw(4).save(tmp_path / "large.png")
    monkeypatch.setattr(PIL, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(ValueError, match=r"large\.png has more than 1000 pixels; scale it down first"):
        load_digit(tmp_path / "large.png")


def test_without_pillow_the_message_says_what_to_install(monkeypatch):
    original = builtins.__import__

    def without(name, *arguments):
        if name.startswith("PIL"):
            raise ImportError(name)
        return original(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r'reading images needs Pillow: pip install "fastmlp\[plot\]"'):
        prepare_digit(np.zeros((4, 4), np.uint8))


def test_the_examples_in_the_documentation_are_right():
    result = doctest.testmod(images)
    assert result.attempted > 0
    assert result.failed == 0


# With a network that has seen the real digits


@pytest.fixture(scope="module")
def reader():
    """A classifier after two passes over MNIST, and the test digits."""
    from fastmlp.datasets import mnist

    utils.set_random_seed(0)
    (x_train, y_train), test = mnist.load_data()
    model = fastmlp.Sequential([layers.Dense(128, "relu", input_shape=(784,)), layers.Dense(10, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(x_train.reshape(-1, 784) / np.float32(255), y_train, epochs=2, batch_size=64, verbose=0)
    return lambda digits: model.predict(np.stack(digits).reshape(-1, 784) / np.float32(255), verbose=0).argmax(axis=1), test


@real_mnist
@pytest.mark.parametrize("kind", DRAWINGS)
def test_drawn_digits_are_recognised(reader, kind):
    answers = reader[0]([prepare_digit(DRAWINGS[kind](k)) for k in range(10)])
    assert (answers == np.arange(10)).sum() >= 9


@real_mnist
def test_a_digit_of_mnist_comes_back_almost_as_it_was():
    from fastmlp.datasets import mnist

    _, (x_test, _) = mnist.load_data()
    differences = [np.abs(prepare_digit(digit).astype(int) - digit).mean() for digit in x_test[:100]]
    assert np.mean(differences) < 4


@real_mnist
@pytest.mark.parametrize("dark", [False, True], ids=["light on dark", "dark on light"])
def test_mnist_digits_enlarged_and_moved_are_recognised_as_well_as_the_originals(reader, dark):
    read, (x_test, y_test) = reader
    digits = []
    for digit in x_test[:60]:
        page = PIL.new("L", (700, 500), 0)
        page.paste(PIL.fromarray(digit).resize((260, 260), PIL.Resampling.BICUBIC), (400, 50))
        digits.append(prepare_digit(PIL.eval(page, lambda value: 255 - value) if dark else page))
    assert (read(digits) == y_test[:60]).mean() >= (read(x_test[:60]) == y_test[:60]).mean() - 0.02


@pytest.mark.parametrize("place", [(300, 0), (0, 300)], ids=["side by side", "one above the other"])
def test_two_digits_in_one_picture_warn(place):
    both = PIL.new("L", (700, 700), 255)
    both.paste(draw(4).convert("L"), (0, 0))
    both.paste(draw(4).convert("L"), place)
    with pytest.warns(UserWarning, match="the image seems to contain several digits"):
        prepare_digit(both)


@pytest.mark.parametrize(
    "array",
    [
        np.full((200, 300), 255, np.uint8),
        np.where(((np.indices((300, 300)) - 150) ** 2).sum(axis=0) < 9, 0, 255).astype(np.uint8),
        np.clip(np.random.default_rng(0).normal(128, 40, (300, 300)), 0, 255).astype(np.uint8),
        np.tile(np.linspace(100, 250, 200).astype(np.uint8), (200, 1)),
    ],
    ids=["white", "a dot", "noise", "a gradient"],
)
def test_pictures_that_are_blank_or_nearly_so_show_nothing(array):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match="the image shows no digit"):
            prepare_digit(array)


@pytest.mark.skipif("FASTMLP_DATA" not in os.environ, reason="FASTMLP_DATA does not name a folder with the real MNIST files")
def test_single_digits_do_not_warn():
    from fastmlp.datasets import mnist

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for digit in mnist.load_data()[1][0][:100]:
            prepare_digit(digit)
