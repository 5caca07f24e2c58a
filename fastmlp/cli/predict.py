"""``fastmlp predict``: predictions of a saved model for the samples of a file, or for images of digits."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from fastmlp._base.configs import StoredConfig
    from fastmlp._models.model import Model
    from fastmlp.cli.arguments import Commands

_IMAGES = {".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff"}
_TEXT = {".csv", ".tsv", ".txt"}
_IMAGE_SIDE, _IMAGE_PIXELS = 28, 28 * 28
_TABLE_ROWS, _TABLE_COLUMNS = 20, 10

_EPILOG = """\
examples:
  fastmlp predict spiral.safetensors points.csv          two numbers a line, with or without a header
  fastmlp predict digits.safetensors four.png mine.jpg   images of digits
  fastmlp predict digits.safetensors images.npy --json   a NumPy array of samples or of 28 x 28 images
  zcat points.csv.gz | fastmlp predict spiral.safetensors - --out predictions.csv

Text may be separated by commas, semicolons, tabs or blank space, and quoted. Its first line is a header if it has the names of the
model's features, which are then found by name, or no numbers; --header and --no-header decide otherwise.
An image of a digit may have any size and colours, dark on light or light on dark. Models saved by `fastmlp train` scale their input
themselves: pass pixels from 0 to 255.
"""


def add_parser(commands: Commands) -> None:
    """Add ``predict`` to the command's parser."""
    parser = commands.add_parser(
        "predict",
        help="predict with a saved model",
        description="Print the class and the probabilities that a model predicts for each sample of a file, or for each image.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("model", metavar="MODEL", help="a file saved by fastmlp (.safetensors)")
    parser.add_argument("data", metavar="DATA", nargs="+", help=".npy, .csv, .csv.gz, - for the standard input, or images of digits")
    first = parser.add_mutually_exclusive_group()
    first.add_argument("--header", dest="header", action="store_true", default=None, help="the first line of a text has names, no numbers")
    first.add_argument("--no-header", dest="header", action="store_false", help="the first line of a text has numbers, no names")
    parser.add_argument("--out", metavar="FILE", help="write the predictions to FILE: JSON if its name ends in .json, else CSV")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON")
    form.add_argument("--csv", action="store_true", help="print CSV")
    parser.set_defaults(run=_run)


@dataclass(frozen=True, slots=True)
class _Predictions:
    """The predictions: a name for each sample, and a column for each output."""

    rows: list[str]
    columns: list[str]
    values: NDArray[np.float32]
    classifies: bool

    def classes(self) -> list[str]:
        """The predicted class of each sample; empty for a model that is not a classifier."""
        return [self.columns[k] for k in self.values.argmax(axis=1)] if self.classifies else []


def _run(options: argparse.Namespace) -> int:
    import numpy as np

    from fastmlp._base.files import replacing
    from fastmlp.errors import UnsupportedError
    from fastmlp.saving import describe, load_model

    provenance = describe(options.model)["provenance"]
    model = load_model(options.model, compile=False)
    if len(model.graph.inputs) > 1 or len(model.graph.outputs) > 1:
        raise UnsupportedError(f"{options.model} has several inputs or outputs; use it from Python: fastmlp.load_model(...).predict(x)")
    if provenance.get("preparation") not in (None, {"flatten": False, "divide_by": 1.0}):
        raise ValueError(f"{options.model} was written by an older fastmlp, whose models did not scale their input; train it again")
    divided = False
    names: list[str] = []
    parts: list[NDArray[Any]] = []
    for name in options.data:
        rows = _rows(name, model, options.header)
        if _is_image(name) and not _scales(model):
            rows, divided = rows / np.float32(255), True
        parts.append(rows)
        short = Path(name).name
        single = _is_image(name) or (len(rows) == 1 and len(options.data) > 1)
        names += [short] if single else [f"{short}:{i}" if len(options.data) > 1 else str(i) for i in range(len(rows))]
    if divided:
        print("fastmlp: the model does not begin with a layer that scales its input; dividing pixels by 255", file=sys.stderr)
    predictions = _predict(model, np.concatenate(parts), names, provenance)
    as_json = options.json or (options.out is not None and not options.csv and Path(options.out).suffix.lower() == ".json")
    if options.out is not None:
        with replacing(Path(options.out)) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            (_print_json if as_json else _print_csv)(predictions, file)
    elif as_json:
        _print_json(predictions, sys.stdout)
    elif options.csv:
        _print_csv(predictions, sys.stdout)
    else:
        _print_table(predictions)
    return 0


def _scales(model: Model) -> bool:
    """Whether the model begins with a layer that scales its input."""
    from fastmlp.layers import Flatten, InputLayer, Normalization, Rescaling

    first = next((layer for layer in model.layers if not isinstance(layer, (InputLayer, Flatten))), None)
    return isinstance(first, (Normalization, Rescaling))


def _is_image(name: str) -> bool:
    return Path(name).suffix.lower() in _IMAGES


# Reading


def _rows(name: str, model: Model, header: bool | None) -> NDArray[np.float32]:
    """The samples of one file in the shape the model takes."""
    import numpy as np

    from fastmlp.cli.tables.text import STDIN, read_bytes

    path = Path(name)
    if name != STDIN and not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    shape = model.input_shape[1:]
    if _is_image(path.name):
        if shape not in {(_IMAGE_PIXELS,), (_IMAGE_SIDE, _IMAGE_SIDE)}:
            raise ValueError(f"{path} is an image, but the model takes samples of shape {shape}, not 28 x 28 pixels")
        from fastmlp._data.images import load_digit

        values: NDArray[Any] = load_digit(path)[None]
    elif path.suffix.lower() == ".npy":
        values = _read_npy(path)
    elif name == STDIN or Path(name.lower().removesuffix(".gz")).suffix in _TEXT:
        values = _read_text(name, read_bytes(name), model, header)
    else:
        raise ValueError(f"{path}: expected the name of a .npy, .csv or .csv.gz file, or of an image ({', '.join(sorted(_IMAGES))})")
    return _fitted(path, values, shape).astype(np.float32).reshape(-1, *_sizes(shape))


def _fitted(path: Path, values: NDArray[Any], shape: tuple[int | None, ...]) -> NDArray[Any]:
    """The values with a batch axis; a ValueError if the shape of a sample is not the model's."""
    sizes = _sizes(shape)
    accepted = {sizes, (math.prod(sizes),)} | ({(_IMAGE_SIDE, _IMAGE_SIDE)} if sizes == (_IMAGE_PIXELS,) else set())
    if values.shape in accepted:
        values = values[None]
    elif sizes == (1,) and values.ndim == 1:
        values = values[:, None]
    if values.ndim < 2 or values.shape[1:] not in accepted:
        found = f"{values.shape[1]} columns" if values.ndim == 2 else f"the shape {values.shape}"
        wanted = f"{sizes[0]}" if len(sizes) == 1 else f"samples of shape {sizes}"
        raise ValueError(f"{path} has {found}, but the model takes {wanted}")
    return values


def _sizes(shape: tuple[int | None, ...]) -> tuple[int, ...]:
    return tuple(size for size in shape if size is not None)


def _read_npy(path: Path) -> NDArray[Any]:
    import numpy as np

    try:
        # Memory-mapped, so that a header with a larger size than the file allocates nothing.
        values: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(f"{path} is not an array of numbers that NumPy can read: {error}") from None
    if values.dtype.kind not in "fiub":
        raise ValueError(f"{path} holds {values.dtype}, not numbers")
    return values


def _read_text(name: str, content: bytes, model: Model, header: bool | None) -> NDArray[np.float64]:
    """The samples of a text, with the columns in the order of the model's features."""
    from fastmlp.cli.tables.matrix import read_table
    from fastmlp.cli.tables.text import STDIN

    width = math.prod(_sizes(model.input_shape[1:]))
    features = model.feature_names
    table = read_table("standard input" if name == STDIN else name, content, width, features, header)
    if table.doubt:
        print(f"fastmlp: {table.doubt}", file=sys.stderr)
    if not features or table.names is None or table.names == features:
        return table.values
    missing = [feature for feature in features if feature not in table.names]
    if missing:
        raise ValueError(
            f"{name} has the columns {', '.join(table.names)}, but the model was trained on {', '.join(features)}: "
            f"{', '.join(missing)} is missing; rename the columns, or remove the header to have them taken in their order"
        )
    spare = [column for column in table.names if column not in features]
    if spare:
        print(f"fastmlp: {name}: the model does not use {', '.join(spare)}", file=sys.stderr)
    return table.values[:, [table.names.index(feature) for feature in features]]


# Predicting


def _predict(model: Model, x: NDArray[np.float32], rows: Sequence[str], provenance: StoredConfig) -> _Predictions:
    import numpy as np

    values = model.predict(x, verbose=0)
    assert model.plan is not None
    closing = model.plan.nodes[-1].activation
    binary = closing == "sigmoid" and values.shape[1] == 1
    if binary:
        values = np.concatenate([1 - values, values], axis=1)
    names = provenance.get("classes")
    if not isinstance(names, list) or len(names) != values.shape[1]:
        names = list(range(values.shape[1]))
    return _Predictions(list(rows), [str(name) for name in names], values, classifies=closing == "softmax" or binary)


def _print_json(predictions: _Predictions, file: TextIO) -> None:
    records: list[dict[str, Any]] = [{"row": row} for row in predictions.rows]
    for record, name in zip(records, predictions.classes(), strict=False):
        record["class"] = name
    for record, values in zip(records, predictions.values.tolist(), strict=True):
        record |= {"probabilities": dict(zip(predictions.columns, values, strict=True))} if predictions.classifies else {"outputs": values}
    print(json.dumps(records, indent=1), file=file)


def _print_csv(predictions: _Predictions, file: TextIO) -> None:
    import csv

    writer = csv.writer(file, lineterminator="\n")
    kind = "p" if predictions.classifies else "output"
    writer.writerow(["row", *(["class"] if predictions.classifies else []), *(f"{kind}_{name}" for name in predictions.columns)])
    classes = predictions.classes()
    for i, row in enumerate(predictions.rows):
        writer.writerow([row, *classes[i : i + 1], *(f"{value:.6g}" for value in predictions.values[i].tolist())])


def _print_table(predictions: _Predictions) -> None:
    from rich.table import Table
    from rich.text import Text

    import fastmlp.cli.output as output

    table = Table()
    table.add_column("row", overflow="fold")
    if predictions.classifies:
        table.add_column("class", style="bold green")
    shown = predictions.columns[:_TABLE_COLUMNS]
    for name in shown:
        table.add_column(Text(f"p({name})" if predictions.classifies else f"output {name}"), justify="right")
    classes = predictions.classes()
    for i, row in enumerate(predictions.rows[:_TABLE_ROWS]):
        best = int(predictions.values[i].argmax()) if predictions.classifies else -1
        cells = [
            Text(f"{value:.4f}", style="bold" if k == best else "") for k, value in enumerate(predictions.values[i, : len(shown)].tolist())
        ]
        table.add_row(Text(row), *(Text(name) for name in classes[i : i + 1]), *cells)
    console = output.console()
    console.print(table)
    hidden = []
    if len(predictions.rows) > _TABLE_ROWS:
        hidden.append(output.plural(len(predictions.rows) - _TABLE_ROWS, "more row"))
    if len(predictions.columns) > _TABLE_COLUMNS:
        hidden.append(output.plural(len(predictions.columns) - _TABLE_COLUMNS, "more column"))
    if hidden:
        console.print(f"and {' and '.join(hidden)}: --csv or --json print all")
