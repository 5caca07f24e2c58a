"""Fixtures that test files share."""

from __future__ import annotations

import signal

import pytest

from fastmlp import engines, utils


@pytest.fixture(scope="session", autouse=True)
def interruptible():
    """Ctrl-C works in the tests and in what they start, even where the shell switched it off, as it does for a job in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(params=engines.NAMES)
def engine(request, monkeypatch):
    """The name of an engine, which is also the default one during the test."""
    monkeypatch.setattr(engines, "DEFAULT", request.param)
    return request.param


@pytest.fixture
def seeded():
    """Everything random starts from one seed."""
    utils.set_random_seed(7)
