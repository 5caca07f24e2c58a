"""Fixtures that test files share."""

from __future__ import annotations

import signal
import threading

import pytest
from file_server import Server

from fastmlp import _core, utils
from fastmlp._engine import backends

LEFT_OUT = "not kernels and not slow and not exhaustive"
"""What ``pytest`` alone does not run, so that it ends within a minute and a half on two cores."""

SLOW = {
    "test_api_properties.py",
    "test_array_layouts.py",
    "test_backup.py",
    "test_benchmark_scripts.py",
    "test_benchmarks.py",
    "test_c_api.py",
    "test_cli_bench.py",
    "test_cli_sweep.py",
    "test_columns.py",
    "test_docstrings.py",
    "test_engine_graphs.py",
    "test_engine_memory.py",
    "test_engine_sparse.py",
    "test_engines_agree.py",
    "test_examples.py",
    "test_forking.py",
    "test_images.py",
    "test_keras_files_graphs.py",
    "test_keras_files_hostile.py",
    "test_liveplot.py",
    "test_processes.py",
    "test_readme.py",
    "test_reference_gradients.py",
    "test_sweep_file.py",
    "test_turns.py",
}
"""Files of many tests, or of tests of whole programs."""


def pytest_addoption(parser):
    parser.addoption("--every", type=int, default=1, metavar="N", help="run every Nth of the tests that are chosen")


def pytest_configure(config):
    """``pytest`` alone leaves out what takes long; naming a file, a test (-k) or a marker (-m) runs what is named."""
    config.brief = config.args_source is pytest.Config.ArgsSource.TESTPATHS and not (config.option.markexpr or config.option.keyword)
    if config.brief:
        config.option.markexpr = LEFT_OUT


def pytest_report_header(config):
    if config.brief:
        return "left out: single kernels (-m kernels), long tests (-m slow), all float32 (-m exhaustive)"
    return None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    for item in items:
        if item.path.parent.name == "kernels":
            item.add_marker("kernels")
        elif item.path.name in SLOW:
            item.add_marker("slow")
    every = config.getoption("every")
    config.hook.pytest_deselected(items=[item for number, item in enumerate(items) if number % every])
    items[:] = items[::every]


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
def threads():
    """Sets the number of threads; puts it back afterwards."""
    before = _core.get_threads()
    yield _core.set_threads
    _core.set_threads(before)


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


@pytest.fixture
def saved_by_keras(golden, tmp_path):
    """The path of a file that Keras saved, of those in the test file's ``golden``."""

    def write(name):
        path = tmp_path / f"keras_{name}"
        path.write_bytes(golden[f"files/{name}"].tobytes())
        return path

    return write
