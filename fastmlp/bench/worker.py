"""A process that measures one framework on one case: ``python -m fastmlp.bench.worker CASE FRAMEWORK``.

For every line on standard input it runs one round and prints its wall-clock and processor time in seconds. Preparation is deferred to the
first line, so that processes that start together do not disturb each other. It ends when standard input ends.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable


def main() -> None:
    """Runs rounds until standard input ends."""
    case_name, framework = sys.argv[1:]
    answers, sys.stdout = sys.stdout, sys.stderr  # output of the framework must not be mistaken for an answer
    run = None
    for _ in sys.stdin:
        run = run or _round(case_name, framework)
        start, busy_start = time.perf_counter(), time.process_time()
        run()
        seconds, busy = time.perf_counter() - start, time.process_time() - busy_start
        print(json.dumps([seconds, busy]), file=answers, flush=True)


def _round(case_name: str, framework: str) -> Callable[[], object]:
    """Prepares the case; returns the function that runs a round."""
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
