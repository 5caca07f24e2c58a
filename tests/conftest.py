"""Fixtures that test files share."""

from __future__ import annotations

import pytest

from fastmlp import engines, utils


@pytest.fixture(params=engines.NAMES)
def engine(request, monkeypatch):
    """The name of an engine, which is also the default one during the test."""
    monkeypatch.setattr(engines, "DEFAULT", request.param)
    return request.param


@pytest.fixture
def seeded():
    """Everything random starts from one seed."""
    utils.set_random_seed(7)
