"""The guards that the kernel tests rely on do catch what they should."""

import ctypes
import signal
import subprocess
import sys

import numpy as np
import pytest
from kernel_harness import Guarded

TOUCH = """
import ctypes, faulthandler, sys
import numpy as np
from kernel_harness import Guarded
side, offset = sys.argv[1], int(sys.argv[2])
faulthandler.disable()
memory = Guarded(np.zeros(5, np.float32), side)
ctypes.c_char.from_address(memory.array.ctypes.data + offset).value
"""


def touch(side, offset):
    """Reads one byte, by its distance from a guarded array of 20 bytes, in a process of its own; returns how that ended."""
    run = [sys.executable, "-c", TOUCH, side, str(offset)]
    return subprocess.run(run, env={"PYTHONPATH": ":".join(sys.path)}, check=False).returncode


@pytest.mark.parametrize(("side", "inside", "outside"), [("end", 19, 20), ("start", 0, -1)])
def test_touching_the_guarded_edge_ends_the_process(side, inside, outside):
    assert touch(side, inside) == 0
    assert touch(side, outside) in (-signal.SIGSEGV, -signal.SIGBUS)


@pytest.mark.parametrize(("side", "outside"), [("end", -1), ("start", 20)])
def test_a_write_beyond_the_other_edge_is_noticed(side, outside):
    memory = Guarded(np.zeros(5, np.float32), side)
    memory.check()
    ctypes.c_char.from_address(memory.array.ctypes.data + outside).value = b"x"
    with pytest.raises(AssertionError, match="outside"):
        memory.check()
