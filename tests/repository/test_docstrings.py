"""Every example in a docstring runs and gives what it shows."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import fastmlp

MODULES = sorted(name for _, name, _ in pkgutil.walk_packages(fastmlp.__path__, "fastmlp.") if not name.endswith("__main__"))


@pytest.mark.parametrize("name", ["fastmlp", *MODULES])
def test_examples_run(name, request, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # some examples write a file
    known = {"getfixture": request.getfixturevalue}  # as in pytest's own doctests
    result = doctest.testmod(importlib.import_module(name), extraglobs=known, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.failed == 0


def test_the_public_modules_have_examples():
    finder = doctest.DocTestFinder()
    for name in (
        "fastmlp",
        "fastmlp.models",
        "fastmlp.layers",
        "fastmlp.callbacks",
        "fastmlp.optimizers",
        "fastmlp.losses",
        "fastmlp.sklearn",
        "fastmlp.utils",
    ):
        assert any(test.examples for test in finder.find(importlib.import_module(name))), name
