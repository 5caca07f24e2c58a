"""What the tests of all commands use."""

from __future__ import annotations

import pytest

from fastmlp.cli import main


@pytest.fixture
def run(capsys):
    """Runs the command in this process; gives exit code, standard output and standard error."""

    def call(*arguments):
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as stop:
            code = stop.code
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call
