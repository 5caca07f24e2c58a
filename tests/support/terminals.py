"""Programs that believe to write to a terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys


def shown_on_a_terminal(*arguments, timeout=60):
    """What ``fastmlp`` with these arguments draws on a terminal; its other output is thrown away."""
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "fastmlp", *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=follower) as process:
        os.close(follower)
        shown = b""
        try:
            while block := os.read(leader, 65536):
                shown += block
        except OSError:  # what Linux gives when the other end is closed
            pass
        assert process.wait(timeout) == 0
    os.close(leader)
    return shown.decode()
