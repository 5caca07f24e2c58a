"""Fixtures that test files share."""

from __future__ import annotations

import signal
import threading

import pytest
from file_server import Server

from fastmlp import utils
from fastmlp._engine import backends


@pytest.fixture(scope="session", autouse=True)
def interruptible():
    """Ctrl-C works in the tests and in what they start, even where the shell switched it off, as it does for a job in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(params=backends.NAMES)
def engine(request, monkeypatch):
    """The name of an engine, which is also the default one during the test."""
    monkeypatch.setattr(backends, "DEFAULT", request.param)
    return request.param


@pytest.fixture
def seeded():
    """Everything random starts from one seed."""
    utils.set_random_seed(7)


@pytest.fixture
def file_server(monkeypatch):
    """An HTTP server on the loopback interface; its ``files`` are what it has."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    running = Server()
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield running
    running.shutdown()
    running.server_close()
    thread.join()
