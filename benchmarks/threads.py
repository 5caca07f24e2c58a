"""The speed-up by multiple threads, and the throughput of more training processes than processors.

    python benchmarks/threads.py speedup
    python benchmarks/threads.py speedup mnist wide --rounds 9
    python benchmarks/threads.py crowd

speedup trains each case on one thread and on all threads in interleaved rounds, and compares the speed-up with that of independent
multiply-adds in the same rounds, which is less than two if two processors are hyperthreads of one core or busy. The engine may use fewer
threads than allowed.

crowd runs 1, 2, 4 and 8 training processes concurrently, each with the default number of threads. The fair share of a process is the best
total throughput, divided by the number of processes.
"""

from __future__ import annotations

import argparse
import dataclasses
import multiprocessing
import statistics
import time
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier

import common

import fastmlp
from fastmlp.bench import peers
from fastmlp.bench.cases import TRAINING
from fastmlp.bench.peak import Peak
from fastmlp.datasets import mnist

CROWDS = (1, 2, 4, 8)
CROWD_CASES = ("policy", "tabular")


def speedup(options: argparse.Namespace) -> None:
    threads = options.threads or fastmlp.get_num_threads()
    if threads == 1:
        raise SystemExit("there is one processor here; --threads 2 measures two threads on it all the same")
    peak, rows = Peak(), []
    for name in options.cases or available():
        case = TRAINING[name]
        # A network for each number of threads, because a network stores its choice.
        runs = {number: common.on_threads(number, peers.trainer("fastmlp", case)) for number in (1, threads)}
        seconds: dict[int, list[float]] = {number: [] for number in runs}
        hardware = []
        for turn in range(1 + options.rounds):
            for number, run in runs.items():
                elapsed = common.seconds_of(run)
                if turn:
                    seconds[number].append(elapsed)
            hardware.append(statistics.median(peak.tries(threads)) / statistics.median(peak.tries(1)))
        steps = [statistics.median(seconds[number]) / case.repeats * 1e6 for number in runs]
        gain = statistics.median(one / many for one, many in zip(seconds[1], seconds[threads], strict=True))
        rows.append([name, *map(common.number, steps), f"{gain:.2f}", f"{statistics.median(hardware):.2f}"])
    header = ["a training step", "µs, 1 thread", f"µs, {threads} threads", "speed-up", "of multiply-adds alone"]
    common.show(f"{threads} threads against one", header, rows)


def available() -> list[str]:
    return [name for name, case in TRAINING.items() if case.data != "mnist" or mnist.local_folder() is not None]


def train_in_a_crowd(name: str, seconds: float, ready: Barrier, results: Queue[float]) -> None:
    """Trains in a separate process and reports its steps per second."""
    case = dataclasses.replace(TRAINING[name], epochs=1)
    train = peers.trainer("fastmlp", case)
    train()
    ready.wait()
    start, rounds = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        train()
        rounds += 1
    results.put(rounds * case.repeats / (time.perf_counter() - start))


def rates_in_a_crowd(name: str, processes: int, seconds: float) -> list[float]:
    """The steps per second of each of several concurrent training processes."""
    context = multiprocessing.get_context("spawn")
    ready, results = context.Barrier(processes), context.Queue()
    crowd = [context.Process(target=train_in_a_crowd, args=(name, seconds, ready, results)) for _ in range(processes)]
    for process in crowd:
        process.start()
    rates = [results.get(timeout=60 + 10 * seconds) for _ in crowd]
    for process in crowd:
        process.join()
    return rates


def crowd(options: argparse.Namespace) -> None:
    rows = []
    for name in options.cases or CROWD_CASES:
        found: dict[int, list[list[float]]] = {processes: [] for processes in options.crowds}
        for _ in range(options.rounds):
            for processes, rates in found.items():
                rates.append(rates_in_a_crowd(name, processes, options.seconds))
        total = {processes: statistics.median(sum(rates) for rates in rounds) for processes, rounds in found.items()}
        for processes, rounds in found.items():
            slowest = statistics.median(min(rates) for rates in rounds)
            share = f"{slowest * processes / max(total.values()):.2f}" if processes >= fastmlp.get_num_threads() else ""
            of_one, of_best = total[processes] / total[1], total[processes] / max(total.values())
            rows.append([f"{name}, {processes}", f"{total[processes]:,.0f}", f"{of_one:.2f}", f"{of_best:.2f}", share])
    header = ["case, processes", "steps a second, all", "of one alone", "of the best", "slowest, of its fair share"]
    common.show(f"Processes that train at once, {fastmlp.get_num_threads()} processors", header, rows)


def main() -> None:
    parser = common.parser_of(__file__, __doc__)
    parser.add_argument("what", choices=["speedup", "crowd"])
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(TRAINING)}")
    parser.add_argument("--rounds", type=common.count, help="interleaved rounds (default: speedup 7, crowd 2)")
    parser.add_argument("--threads", type=common.count, help="threads to compare with one (default: the number that fastmlp uses)")
    parser.add_argument("--seconds", type=float, default=1.5, help="seconds of training per crowd (default: 1.5)")
    parser.add_argument("--quick", action="store_true", help="a quick check with one round, one case and a small crowd")
    options = parser.parse_args()
    for name in options.cases:
        if name not in TRAINING:
            parser.error(f"unknown case {name!r}; the cases are {', '.join(TRAINING)}")
    options.crowds = CROWDS
    if options.quick:
        options.rounds, options.threads, options.cases, options.crowds, options.seconds = 1, 2, ["policy"], CROWDS[:2], 0.1
    options.rounds = options.rounds or (7 if options.what == "speedup" else 2)
    {"speedup": speedup, "crowd": crowd}[options.what](options)


if __name__ == "__main__":
    main()
