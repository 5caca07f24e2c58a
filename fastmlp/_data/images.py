"""Converts an image of a digit, drawn or photographed, to the format of MNIST.

MNIST's digits are light strokes on black, scaled to a box of 20 × 20 pixels with their aspect ratio preserved, and placed in 28 × 28 pixels
with the centre of mass in the middle (LeCun et al., 1998). A network that is trained on them only recognizes such images, so other images
need the same steps, after their background is removed. Needs Pillow: ``pip install "fastmlp[plot]"``.
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

_SIDE, _BOX = 28, 20
_WORKING_SIZE = 400
"""Maximum side in pixels: larger images are scaled down first."""
_FIT_SAMPLES = 48
"""Pixels along the shorter side for fitting the background, which is smooth, so that more would not improve the fit."""
_MIN_CONTRAST = 24.0
"""Minimum contrast, of 255; images with less are treated as blank."""
_MIN_SIZE, _MIN_PIXELS = 0.03, 4
"""Minimum size of a digit, as a fraction of the longer side and in pixels."""
_MAX_COMPONENTS = 40
"""More components than this, none of them large, are noise."""
_GAP = 0.1
"""Components further apart than this fraction of their height are separate digits; disconnected strokes of one digit are closer."""
BLANK = "the image shows no digit: it is blank, or nearly so"
_MIN_STROKE, _STROKE, _MAX_STROKE = 1.6, 2.4, 3.9
"""Stroke widths in pixels of the result: MNIST's 5th percentile, median and 95th percentile. Thin strokes would fade when scaled down, and
thick strokes would fill loops, so both are adjusted to this range."""


def load_digit(path: str | PathLike[str]) -> NDArray[np.uint8]:
    """Read an image file and convert the digit in it to the format of MNIST.

    Args:
        path: An image with one digit, light on dark or dark on light, of any size and colours, in any format that Pillow reads (PNG, JPEG,
            GIF, BMP, WebP, …).

    Returns:
        uint8 ``(28, 28)``: 0 is background, 255 is stroke. Scale and flatten it like the training data.

    Raises:
        ValueError: If the file is not an image, is damaged, has too many pixels, or is blank. The message names the file.

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
    except (SyntaxError, EOFError) as error:  # raised by Pillow's decoders for damaged files, like OSError and ValueError
        raise ValueError(f"{fspath(path)} is a damaged image: {error}") from None
    except ValueError as error:
        raise ValueError(f"{fspath(path)}: {error}") from None


def prepare_digit(image: Image | ArrayLike) -> NDArray[np.uint8]:
    """Convert an image of a digit in memory to the format of MNIST.

    Args:
        image: A Pillow image, or an array: grey ``(height, width)`` or colour ``(height, width, 3 or 4)``, uint8, or floats from 0 to 1.

    Returns:
        uint8 ``(28, 28)``: 0 is background, 255 is stroke.

    Raises:
        ValueError: If the image is blank, or the array is not an image.

    Warns:
        UserWarning: If the image seems to contain several digits.

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
    components = _components(ink)
    _check_not_blank(components, ink.shape)
    if _show_several_digits(components):
        checks.warn("the image seems to contain several digits, but the network classifies one; crop each digit to its own image")
    scale = _BOX / max(_bounds(ink)[2:])
    width = _stroke_width(ink) * scale
    if width < _MIN_STROKE:
        ink = _thickened(ink, round((_STROKE - width) / scale / 2))
    elif width > _MAX_STROKE:
        ink = _thinned(ink, round((width - _MAX_STROKE) / scale / 2))
    top, left, height, width = _bounds(ink)
    return _centred(_resized(ink[top : top + height, left : left + width]))


def _pillow() -> ModuleType:
    try:
        import PIL.Image
    except ImportError:
        raise ImportError('reading images needs Pillow: pip install "fastmlp[plot]"') from None
    return PIL.Image


def _colours(image: Image | ArrayLike) -> NDArray[np.float32]:
    """The image as ``(height, width, 3)`` from 0 to 255, upright, opaque, with sides of at most ``_WORKING_SIZE``."""
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
        raise ValueError("the image is completely transparent")
    if alpha.mean() > 0.5:  # a page with transparent corners: extend the page
        behind = np.median(colours[alpha[..., 0] > 0.5], axis=0)
    else:  # strokes on a transparent background: use a contrasting background
        behind = np.where((colours * alpha).sum() / (3 * alpha.sum()) < 128, np.float32(255), np.float32(0))
    return np.asarray(colours * alpha + behind * (1 - alpha), np.float32)


def _from_array(array: NDArray[Any]) -> Image:
    channels = array.shape[2] if array.ndim == 3 else 1
    if array.ndim not in (2, 3) or channels not in (1, 3, 4) or array.size == 0:
        raise ValueError(f"an image must have shape (height, width) or (height, width, 3 or 4), got {array.shape}")
    if np.issubdtype(array.dtype, np.floating):
        if not (array.min() >= 0 and array.max() <= 1):
            raise ValueError(f"an image of floats must be in the range 0 to 1, got {array.min()} to {array.max()}")
        array = np.round(array * 255).astype(np.uint8)
    elif array.dtype != np.uint8:
        raise ValueError(f"an image must be uint8, or floats from 0 to 1, got {array.dtype}")
    image: Image = _pillow().fromarray(np.ascontiguousarray(array[..., 0] if array.ndim == 3 and channels == 1 else array))
    return image


def _ink(colours: NDArray[np.float32]) -> NDArray[np.float32]:
    """The difference between each pixel and the background, from 0 to 1.

    The background colour is estimated from the border. Uneven lighting of a photographed page is modelled by a quadratic surface, which is
    fitted to the background pixels; fitting and selecting the background pixels alternate.
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
            raise ValueError(BLANK)
        coefficients = np.linalg.lstsq(surface[sample][background], colours[sample][background], rcond=None)[0]
        difference = _distance(colours, surface @ coefficients)
    threshold = _threshold(difference)
    stroke = difference[difference > threshold]
    if stroke.size == 0 or np.median(stroke) < _MIN_CONTRAST:
        raise ValueError(BLANK)
    floor = 3 * float(np.median(difference[difference <= threshold]))
    full = float(np.percentile(stroke, 75))
    return np.asarray(np.clip((difference - floor) / max(full - floor, 1.0), 0, 1), np.float32)


@dataclass(frozen=True, slots=True)
class _Component:
    """A connected component of ink."""

    pixels: int
    top: int
    left: int
    height: int
    width: int


def _components(ink: NDArray[np.float32]) -> list[_Component]:
    """The connected components of a drawing (8-connectivity), the largest first."""
    mask = ink > 0.5
    rows, columns = np.nonzero(mask)
    left = set(zip(rows.tolist(), columns.tolist(), strict=True))
    components = []
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
        components.append(_Component(len(found), int(top), int(side), int(height), int(width)))
    return sorted(components, key=lambda component: -component.pixels)


def _check_not_blank(components: list[_Component], shape: tuple[int, ...]) -> None:
    """Raises an error if the components are dust, or the noise of a blank image."""
    total = sum(component.pixels for component in components)
    largest = max((max(component.height, component.width) for component in components), default=0)
    if largest < max(_MIN_SIZE * max(shape), _MIN_PIXELS) or (len(components) > _MAX_COMPONENTS and components[0].pixels < total / 4):
        raise ValueError(BLANK)


def _show_several_digits(components: list[_Component]) -> bool:
    """Whether two components of a digit's size are separate, side by side or one above the other."""
    tallest = max(component.height for component in components)
    large = [component for component in components if component.height > tallest / 2 and component.pixels > components[0].pixels / 5]
    gap = _GAP * tallest
    return any(b.left - (a.left + a.width) > gap or b.top - (a.top + a.height) > gap for a in large for b in large if a is not b)


def _distance(colours: NDArray[np.floating], others: NDArray[np.floating]) -> NDArray[np.floating]:
    """The distance between colours: the maximum difference in red, green and blue."""
    red, green, blue = np.moveaxis(np.abs(colours - others), 2, 0)
    return np.maximum(np.maximum(red, green), blue)


def _threshold(values: NDArray[np.floating]) -> float:
    """The threshold between two groups of values (Otsu, "A threshold selection method from gray-level histograms", 1979)."""
    counts, edges = np.histogram(values, bins=256)
    centres = (edges[1:] + edges[:-1]) / 2
    below = np.cumsum(counts)[:-1]
    above = values.size - below
    total = np.cumsum(counts * centres)
    mean_below = total[:-1] / np.maximum(below, 1)
    mean_above = (total[-1] - total[:-1]) / np.maximum(above, 1)
    return float(edges[1 + np.argmax(below * above * (mean_below - mean_above) ** 2)])


def _eroded(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Morphological erosion: the pixels whose four neighbours are set too."""
    padded = np.pad(mask, 1)
    return mask & padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]


def _stroke_width(ink: NDArray[np.float32]) -> float:
    """The mean stroke width in pixels: area divided by half the length of the outline."""
    mask = ink > 0.5
    outline = mask & ~_eroded(mask)
    return float(2 * mask.sum() / max(outline.sum(), 1))


def _without_specks(ink: NDArray[np.float32]) -> NDArray[np.float32]:
    """Removes dust: components that are much thinner than the strokes and apart from them."""
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
    """The bounding box of the ink: top, left, height and width."""
    rows, columns = np.flatnonzero((ink > 0.2).any(axis=1)), np.flatnonzero((ink > 0.2).any(axis=0))
    return int(rows[0]), int(columns[0]), int(rows[-1] - rows[0] + 1), int(columns[-1] - columns[0] + 1)


def _thickened(ink: NDArray[np.float32], by: int) -> NDArray[np.float32]:
    """Dilates strokes by ``by`` pixels on each side: each pixel becomes the maximum over a disc around it."""
    result = np.pad(ink, by)
    height, width = result.shape
    source = np.pad(result, by)
    for dy in range(-by, by + 1):
        for dx in range(-by, by + 1):
            if dx * dx + dy * dy <= by * by + by:
                np.maximum(result, source[by + dy : by + dy + height, by + dx : by + dx + width], out=result)
    return result


def _thinned(ink: NDArray[np.float32], by: int) -> NDArray[np.float32]:
    """Erodes strokes by ``by`` pixels on each side."""
    background = _thickened(1 - np.pad(ink, by), by)[by:-by, by:-by] if by else 1 - ink
    return 1 - background


def _resized(ink: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scales the image to the box with its aspect ratio preserved, and the maximum to 1."""
    pillow = _pillow()
    height, width = ink.shape
    scale = _BOX / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = np.asarray(pillow.fromarray(ink).resize(size, pillow.Resampling.BOX if scale < 1 else pillow.Resampling.BILINEAR))
    return np.asarray(small / small.max(), np.float32)


def _centred(small: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Places the image with its centre of mass in the middle of the field, as far as the edges allow."""
    field = np.zeros((_SIDE, _SIDE), np.uint8)
    starts = []
    for axis in (0, 1):
        mass = small.sum(axis=1 - axis)
        centre = float(mass @ np.arange(len(mass)) / mass.sum())
        starts.append(min(max(round(_SIDE / 2 - centre), 0), _SIDE - len(mass)))
    top, left = starts
    field[top : top + small.shape[0], left : left + small.shape[1]] = np.round(small * 255)
    return field
