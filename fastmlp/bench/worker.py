"""The body of a process that measures one framework on one case: ``python -m fastmlp.bench.worker CASE FRAMEWORK``.

It runs one round for every line it reads and answers with a line: the seconds the round took, and the seconds of processor time. All
preparation waits for the first line, so that processes that start together do not disturb each other. It ends with its standard input.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable


def main() -> None:
    """Serves rounds until the standard input ends."""
    case_name, framework = sys.argv[1:]
    answers, sys.stdout = sys.stdout, sys.stderr  # what a framework prints must not pass for an answer
    run = None
    for _ in sys.stdin:
        run = run or _round(case_name, framework)
        start, busy_start = time.perf_counter(), time.process_time()
        run()
        seconds, busy = time.perf_counter() - start, time.process_time() - busy_start
        print(json.dumps([seconds, busy]), file=answers, flush=True)


def _round(case_name: str, framework: str) -> Callable[[], object]:
    """Prepares; returns what a round runs."""
    import fastmlp.bench.peers as peers
    from fastmlp.bench.cases import CASES, TrainingCase

    case = CASES[case_name]
    if isinstance(case, TrainingCase):
        return peers.trainer(framework, case)
    predict, calls = peers.predictor(framework, case), case.repeats

    def run() -> None:
        for _ in range(calls):
            predict()

    return run


if __name__ == "__main__":
    main()
