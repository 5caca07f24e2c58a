"""What the tests of sweeps share."""

from __future__ import annotations

import pytest
from sweep_cases import numbers, run


@pytest.fixture(scope="package")
def expected():
    return numbers(run())


@pytest.fixture
def file(tmp_path):
    return tmp_path / "sweep.csv"
