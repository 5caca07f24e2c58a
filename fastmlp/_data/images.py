"""Turns a picture of a digit, drawn or photographed by anybody, into the form of MNIST's images.

MNIST's digits are light strokes on black, scaled to fit a box of 20 × 20 pixels with their aspect kept, and placed in 28 × 28 pixels with
their centre of mass at the centre (LeCun et al., 1998). A network trained on them knows nothing else, so a drawing goes through the same
steps, after its background is found and removed. Needs Pillow: ``pip install "fastmlp[plot]"``.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastmlp._base import checks

if TYPE_CHECKING:
    from types import ModuleType

    from PIL.Image import Image

__all__ = ["load_digit", "prepare_digit"]

_FIELD, _BOX = 28, 20
_WORKING_SIZE = 400
"""Longer side, in pixels, at which the digit is looked for."""
_FIT_SAMPLES = 48
"""Pixels along the shorter side that the background is fitted to; it is smooth, so more would not change it."""
_MIN_CONTRAST = 24.0
"""Of 255: a picture whose parts differ by less shows nothing."""
_MIN_SIZE, _MIN_PIXELS = 0.03, 4
"""A mark is no digit if it is smaller than this share of the picture's longer side, or than so many pixels."""
_GRAINS = 40
"""So many marks, none of which is large, are noise."""
_GAP = 0.1
"""Two digits stand apart by more than this share of their height; strokes of one digit that do not touch, by less."""
NOTHING = "nothing drawn: the picture is all one colour, or nearly"
_THIN, _WANTED, _FAT = 1.6, 2.4, 3.9
"""Widths of a stroke in pixels of the result: MNIST's 5th percentile, median and 95th. Hairlines would fade when scaled down, and
a broad brush fills the loops, so both are brought into this range."""


def load_digit(path: str | PathLike[str]) -> NDArray[np.uint8]:
    """Reads an image file and prepares the digit in it as MNIST was.

    Args:
        path: An image in any format Pillow reads (PNG, JPEG, GIF, BMP, WebP, …), of any size and colours, with one digit: light on dark or
            dark on light.

    Returns:
        uint8 ``(28, 28)``: 0 is background, 255 is stroke. Divide by 255 and flatten as you did with the training data.

    Raises:
        ValueError: The file is not an image, is damaged or absurdly large, or shows nothing. The message names the file.

    Example:
        >>> from fastmlp._data.images import load_digit
        >>> digit = load_digit("four.png")  # doctest: +SKIP
        >>> probabilities = model.predict(digit.reshape(1, 784) / 255)  # doctest: +SKIP
    """
    pillow = _pillow()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pillow.DecompressionBombWarning)
            with pillow.open(path) as image:
                image.load()
                return prepare_digit(image)
    except pillow.UnidentifiedImageError:
        raise ValueError(f"{fspath(path)} is not an image that Pillow can read") from None
    except (pillow.DecompressionBombWarning, pillow.DecompressionBombError):
        raise ValueError(f"{fspath(path)} has more than {pillow.MAX_IMAGE_PIXELS} pixels; scale it down first") from None
    except (SyntaxError, EOFError) as error:  # what Pillow's decoders raise on damaged files, beside OSError and ValueError
        raise ValueError(f"{fspath(path)} is a damaged image: {error}") from None
    except ValueError as error:
        raise ValueError(f"{fspath(path)}: {error}") from None


def prepare_digit(image: Image | ArrayLike) -> NDArray[np.uint8]:
    """Prepares a digit that is already in memory.

    Args:
        image: A Pillow image, or an array: grey ``(height, width)`` or colour ``(height, width, 3 or 4)``, uint8, or floats from 0 to 1.

    Returns:
        uint8 ``(28, 28)``: 0 is background, 255 is stroke.

    Raises:
        ValueError: The picture shows nothing, or the array is not one.

    Warns:
        UserWarning: There seem to be two digits.

    Example:
        >>> import numpy as np
        >>> from fastmlp._data.images import prepare_digit
        >>> drawing = np.full((300, 200), 255, np.uint8)
        >>> drawing[50:250, 90:110] = 0  # a one, black on white
        >>> digit = prepare_digit(drawing)
        >>> digit.shape, int(digit.max()), int(digit[:, :8].max())
        ((28, 28), 255, 0)
    """
    ink = _without_specks(_ink(_colours(image)))
    marks = _marks(ink)
    _check_drawn(marks, ink.shape)
    if _are_several(marks):
        checks.warn("there seem to be several digits in one picture, but the network looks for one; cut them apart")
    scale = _BOX / max(_bounds(ink)[2:])
    width = _stroke_width(ink) * scale
    if width < _THIN:
        ink = _thickened(ink, round((_WANTED - width) / scale / 2))
    elif width > _FAT:
        ink = _thinned(ink, round((width - _FAT) / scale / 2))
    top, left, height, width = _bounds(ink)
    return _centred(_resized(ink[top : top + height, left : left + width]))


def _pillow() -> ModuleType:
    try:
        import PIL.Image
    except ImportError:
        raise ImportError('reading images needs Pillow: pip install "fastmlp[plot]"') from None
    return PIL.Image


def _colours(image: Image | ArrayLike) -> NDArray[np.float32]:
    """The picture as ``(height, width, 3)`` from 0 to 255, turned upright, without transparency, at most ``_WORKING_SIZE`` on a side."""
    pillow = _pillow()
    from PIL import ImageOps

    upright = ImageOps.exif_transpose(image) if isinstance(image, pillow.Image) else _from_array(np.asarray(image))
    if upright.mode.startswith("I;16"):
        upright = pillow.fromarray((np.asarray(upright) >> 8).astype(np.uint8))
    elif upright.mode in {"I", "F"}:
        values = np.asarray(upright, np.float64)
        low, high = values.min(), values.max()
        upright = pillow.fromarray(np.uint8(np.round((values - low) * (255 / max(high - low, 1e-9)))))
    rgba = upright.convert("RGBA")
    if max(rgba.size) > _WORKING_SIZE:
        rgba.thumbnail((_WORKING_SIZE, _WORKING_SIZE), pillow.Resampling.BOX)
    pixels = np.asarray(rgba, np.float32)
    colours, alpha = pixels[..., :3], pixels[..., 3:] / 255
    if alpha.min() == 1:
        return colours
    if alpha.max() == 0:
        raise ValueError("the picture is transparent everywhere")
    if alpha.mean() > 0.5:  # a page with transparent corners: continue the page
        behind = np.median(colours[alpha[..., 0] > 0.5], axis=0)
    else:  # strokes on nothing: put what contrasts behind them
        behind = np.where((colours * alpha).sum() / (3 * alpha.sum()) < 128, np.float32(255), np.float32(0))
    return np.asarray(colours * alpha + behind * (1 - alpha), np.float32)


def _from_array(array: NDArray[Any]) -> Image:
    channels = array.shape[2] if array.ndim == 3 else 1
    if array.ndim not in (2, 3) or channels not in (1, 3, 4) or array.size == 0:
        raise ValueError(f"an image is an array (height, width) or (height, width, 3 or 4), got the shape {array.shape}")
    if np.issubdtype(array.dtype, np.floating):
        if not (array.min() >= 0 and array.max() <= 1):
            raise ValueError(f"an image of floats runs from 0 to 1, got {array.min()} to {array.max()}")
        array = np.round(array * 255).astype(np.uint8)
    elif array.dtype != np.uint8:
        raise ValueError(f"an image is uint8, or floats from 0 to 1, got {array.dtype}")
    image: Image = _pillow().fromarray(np.ascontiguousarray(array[..., 0] if array.ndim == 3 and channels == 1 else array))
    return image


def _ink(colours: NDArray[np.float32]) -> NDArray[np.float32]:
    """How much each pixel differs from the background, from 0 to 1.

    The background is what the border shows. Light that falls unevenly on a photographed page is followed by fitting a quadratic surface to
    the pixels taken for background, in turn with deciding which ones those are.
    """
    height, width, _ = colours.shape
    border = np.concatenate([colours[0], colours[-1], colours[:, 0], colours[:, -1]])
    difference = _distance(colours, np.median(border, axis=0))
    v, u = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    surface = np.stack([np.ones_like(u), u, v, u * u, u * v, v * v], axis=2)
    step = max(1, min(height, width) // _FIT_SAMPLES)
    sample = slice(None, None, step), slice(None, None, step)
    for _ in range(3):
        background = difference[sample] <= _threshold(difference)
        if not background.any():
            raise ValueError(NOTHING)
        coefficients = np.linalg.lstsq(surface[sample][background], colours[sample][background], rcond=None)[0]
        difference = _distance(colours, surface @ coefficients)
    threshold = _threshold(difference)
    stroke = difference[difference > threshold]
    if stroke.size == 0 or np.median(stroke) < _MIN_CONTRAST:
        raise ValueError(NOTHING)
    floor = 3 * float(np.median(difference[difference <= threshold]))
    full = float(np.percentile(stroke, 75))
    return np.asarray(np.clip((difference - floor) / max(full - floor, 1.0), 0, 1), np.float32)


@dataclass(frozen=True, slots=True)
class _Mark:
    """Pixels of ink that hang together."""

    pixels: int
    top: int
    left: int
    height: int
    width: int


def _marks(ink: NDArray[np.float32]) -> list[_Mark]:
    """The marks of a drawing, the largest first; each pixel hangs together with its eight neighbours."""
    mask = ink > 0.5
    rows, columns = np.nonzero(mask)
    left = set(zip(rows.tolist(), columns.tolist(), strict=True))
    marks = []
    while left:
        waiting = [left.pop()]
        found = list(waiting)
        while waiting:
            row, column = waiting.pop()
            for place in [(row + v, column + u) for v in (-1, 0, 1) for u in (-1, 0, 1)]:
                if place in left:
                    left.remove(place)
                    waiting.append(place)
                    found.append(place)
        places = np.array(found)
        top, side = places.min(axis=0)
        height, width = places.max(axis=0) - (top, side) + 1
        marks.append(_Mark(len(found), int(top), int(side), int(height), int(width)))
    return sorted(marks, key=lambda mark: -mark.pixels)


def _check_drawn(marks: list[_Mark], shape: tuple[int, ...]) -> None:
    """An error if the marks are dust, or the grain of a blank picture."""
    total = sum(mark.pixels for mark in marks)
    largest = max((max(mark.height, mark.width) for mark in marks), default=0)
    if largest < max(_MIN_SIZE * max(shape), _MIN_PIXELS) or (len(marks) > _GRAINS and marks[0].pixels < total / 4):
        raise ValueError(NOTHING)


def _are_several(marks: list[_Mark]) -> bool:
    """Whether two marks of a digit's size stand apart, side by side or one above the other."""
    tallest = max(mark.height for mark in marks)
    large = [mark for mark in marks if mark.height > tallest / 2 and mark.pixels > marks[0].pixels / 5]
    gap = _GAP * tallest
    return any(b.left - (a.left + a.width) > gap or b.top - (a.top + a.height) > gap for a in large for b in large if a is not b)


def _distance(colours: NDArray[np.floating], others: NDArray[np.floating]) -> NDArray[np.floating]:
    """How far colours are apart: the largest of their differences in red, green and blue."""
    red, green, blue = np.moveaxis(np.abs(colours - others), 2, 0)
    return np.maximum(np.maximum(red, green), blue)


def _threshold(values: NDArray[np.floating]) -> float:
    """The cut that separates the values best into two groups (Otsu, "A threshold selection method from gray-level histograms", 1979)."""
    counts, edges = np.histogram(values, bins=256)
    centres = (edges[1:] + edges[:-1]) / 2
    below = np.cumsum(counts)[:-1]
    above = values.size - below
    total = np.cumsum(counts * centres)
    mean_below = total[:-1] / np.maximum(below, 1)
    mean_above = (total[-1] - total[:-1]) / np.maximum(above, 1)
    return float(edges[1 + np.argmax(below * above * (mean_below - mean_above) ** 2)])


def _eroded(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The pixels whose four neighbours are set too."""
    padded = np.pad(mask, 1)
    return mask & padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]


def _stroke_width(ink: NDArray[np.float32]) -> float:
    """Mean width of the strokes in pixels: their area over half their outline."""
    mask = ink > 0.5
    outline = mask & ~_eroded(mask)
    return float(2 * mask.sum() / max(outline.sum(), 1))


def _without_specks(ink: NDArray[np.float32]) -> NDArray[np.float32]:
    """Clears dust: marks thinner than the strokes by far, away from them."""
    mask = ink > 0.5
    reach = int(_stroke_width(ink) // 4)
    if reach == 0:
        return ink
    core = mask
    for _ in range(reach):
        core = _eroded(core)
    kept = ~core
    for _ in range(3 * reach + 2):
        kept = _eroded(kept)
    return np.where(kept, np.float32(0), ink)


def _bounds(ink: NDArray[np.float32]) -> tuple[int, int, int, int]:
    """Top, left, height and width of the part that is not empty."""
    rows, columns = np.flatnonzero((ink > 0.2).any(axis=1)), np.flatnonzero((ink > 0.2).any(axis=0))
    return int(rows[0]), int(columns[0]), int(rows[-1] - rows[0] + 1), int(columns[-1] - columns[0] + 1)


def _thickened(ink: NDArray[np.float32], by: int) -> NDArray[np.float32]:
    """Strokes wider by ``by`` pixels on each side, with round ends: each pixel becomes the largest of a disc around it."""
    result = np.pad(ink, by)
    height, width = result.shape
    source = np.pad(result, by)
    for dy in range(-by, by + 1):
        for dx in range(-by, by + 1):
            if dx * dx + dy * dy <= by * by + by:
                np.maximum(result, source[by + dy : by + dy + height, by + dx : by + dx + width], out=result)
    return result


def _thinned(ink: NDArray[np.float32], by: int) -> NDArray[np.float32]:
    """Strokes narrower by ``by`` pixels on each side."""
    background = _thickened(1 - np.pad(ink, by), by)[by:-by, by:-by] if by else 1 - ink
    return 1 - background


def _resized(ink: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scaled to fit the box, the aspect kept, the darkest stroke at 1."""
    pillow = _pillow()
    height, width = ink.shape
    scale = _BOX / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = np.asarray(pillow.fromarray(ink).resize(size, pillow.Resampling.BOX if scale < 1 else pillow.Resampling.BILINEAR))
    return np.asarray(small / small.max(), np.float32)


def _centred(small: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Placed in the field with the centre of mass at its centre, as far as the edges allow."""
    field = np.zeros((_FIELD, _FIELD), np.uint8)
    starts = []
    for axis in (0, 1):
        mass = small.sum(axis=1 - axis)
        centre = float(mass @ np.arange(len(mass)) / mass.sum())
        starts.append(min(max(round(_FIELD / 2 - centre), 0), _FIELD - len(mass)))
    top, left = starts
    field[top : top + small.shape[0], left : left + small.shape[1]] = np.round(small * 255)
    return field
