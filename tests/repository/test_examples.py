"""The examples run as a user runs them, learn what they should, and draw the pictures that their pages show."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import NamedTuple

import pytest
from folders import ROOT

FOLDER = ROOT / "examples"
PAGES = ROOT / "docs" / "examples"
DATA = os.environ.get("FASTMLP_DATA", "")


class Example(NamedTuple):
    """What the reduced run of a script must give."""

    prints: dict[str, tuple[float, float]]  # words of the output (a pattern), and the bounds of the number after them
    pictures: tuple[str, ...]
    data: str = ""  # the file under FASTMLP_DATA that it reads


# A new example is a script, a page of the same name, a line in docs/examples/README.md, and a row here.
EXAMPLES = {
    "batch_size": Example({"best validation accuracy": (0.97, 1), "  32           38": (1, 1e6)}, ("batch_size.png",)),
    "census": Example(
        {"test: accuracy": (0.855, 0.88), "log-loss": (0.27, 0.31), "the  50% it is most sure of: accuracy": (0.97, 1)},
        ("census-sure.png", "census.safetensors"),
        "tabular/adult-train.csv.gz",
    ),
    "combinations": Example(
        {"best validation accuracy": (0.97, 1), r" {10}\(\)": (0.4, 0.65), r" {4}\(32, 32\)": (0.97, 1)}, ("combinations.png",)
    ),
    "digits": Example({"test accuracy": (0.8, 1)}, ("digits-curves.png", "digits-wrong.png"), "mnist/train-images-idx3-ubyte.gz"),
    "housing": Example({"test MAE": (1.5, 2.6)}, ("housing-folds.png", "housing-test.png"), "tabular/housing.csv"),
    "movie_reviews": Example({"test accuracy": (0.64, 1)}, ("movie_reviews-curves.png", "movie_reviews-words.png"), "text/rt-polarity.pos"),
    "multi_class": Example(
        {"16 hidden units": (0.84, 0.9), "with class weights": (0.83, 0.9), "Bayes' rule": (0.87, 0.88)},
        ("multi_class-confusion.png", "multi_class-plane.png"),
    ),
    "overfitting": Example(
        {r"^large: 2-256-256-1 +0\.\d+": (0.45, 0.6), r"^L2 0.01 +0\.\d+": (0.3, 0.36), r"^large, 4,000 points +0\.\d+": (0.3, 0.36)},
        ("overfitting-curves.png",),
    ),
    "perceptron": Example(
        {
            "2 hidden units learn XOR from": (1, 5),
            "8 hidden units learn XOR from": (4, 5),
            "XOR         0.50   0.50   0.50   0.50": (0.69, 0.7),
            "AND         0.00   0.04   0.04   0.94": (0, 0.1),
        },
        ("perceptron-gates.png", "perceptron-hidden.png"),
    ),
    "spiral": Example(
        {", test accuracy": (0.9, 1), "90%                   30 / 270": (0.6, 0.9), "10%                  270 / 30": (0.92, 1)},
        ("spiral-live.png", "spiral-plane.png", "spiral-ratios.png"),
    ),
}


def run(name: str, *arguments: str | Path, data: str | None = DATA) -> subprocess.CompletedProcess[str]:
    """The script, started as from a shell."""
    for library in ("matplotlib", "scipy"):
        pytest.importorskip(library)
    environment = {**os.environ, "MPLBACKEND": "Agg", "PYTHONIOENCODING": "utf-8"}
    environment.pop("FASTMLP_DATA", None)
    if data:
        environment["FASTMLP_DATA"] = data
    command = [sys.executable, FOLDER / f"{name}.py", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=ROOT, env=environment)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_learns_and_draws_its_pictures(name, tmp_path):
    example = EXAMPLES[name]
    if example.data and not Path(DATA or "nowhere", example.data).is_file():
        pytest.skip(f"reads {example.data}: set FASTMLP_DATA to the folder that has it")
    done = run(name, "--quick", "--plots", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    for words, (low, high) in example.prints.items():
        numbers = re.findall(rf"{words}\D*?(\d+\.?\d*)", done.stdout, re.MULTILINE)
        assert numbers, f"{words!r} is not in {done.stdout}"
        assert low <= float(numbers[-1]) <= high, done.stdout
    assert {path.name for path in tmp_path.iterdir()} == set(example.pictures)


@pytest.mark.parametrize("name", [name for name, example in EXAMPLES.items() if example.data and "mnist" not in example.data])
def test_an_example_without_its_data_says_what_to_fetch(name, tmp_path):
    done = run(name, "--quick", "--plots", tmp_path, data=None)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert Path(EXAMPLES[name].data).name in done.stderr
    assert "https://" in done.stderr
    assert "FASTMLP_DATA" in done.stderr


def test_every_script_is_in_the_table():
    assert {path.stem for path in FOLDER.glob("*.py")} == set(EXAMPLES)


# The pages


def page(name: str) -> str:
    return (PAGES / f"{name}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_code_on_a_page_is_the_script_s_own(name):
    script = (FOLDER / f"{name}.py").read_text(encoding="utf-8")
    pieces = re.findall(rf"^```python\n# from examples/{name}\.py\n(.*?)^```$", page(name), re.MULTILINE | re.DOTALL)
    assert len(pieces) == page(name).count("```python") > 0  # each says that it is a part
    for piece in pieces:
        indented = [textwrap.indent(piece, " " * depth) for depth in (0, 4, 8, 12)]
        assert any(text in script for text in indented), f"not in examples/{name}.py:\n{piece}"


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_page_tells_how_to_run_its_script(name):
    assert f"\npython examples/{name}.py" in page(name)
    assert f"\npython examples/{name}.py" in (FOLDER / f"{name}.py").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_page_shows_pictures_that_its_script_draws(name):
    shown = re.findall(r"!\[[^\]]+\]\(\.\./images/([\w-]+\.png)\)", page(name))
    assert shown
    assert set(shown) <= set(EXAMPLES[name].pictures)


@pytest.mark.parametrize("name", EXAMPLES)
def test_links_of_a_page_lead_to_files_of_the_repository(name):
    for target in re.findall(r"\]\(([^)#]+)\)", page(name)):
        assert target.startswith("https://") or (PAGES / target).exists(), target


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_gallery_shows_an_example(name):
    gallery = (PAGES / "README.md").read_text(encoding="utf-8")
    assert f"]({name}.md)" in gallery
    pictures = re.findall(rf'<img src="../images/({name}[\w-]*\.png)"', gallery)
    assert pictures
    assert all((ROOT / "docs" / "images" / picture).exists() for picture in pictures)
