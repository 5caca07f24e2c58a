"""Measures fastmlp and the installed peers side by side and prints the tables of the README.

    python benchmarks/compare.py                        every case, every installed peer
    python benchmarks/compare.py spiral mnist-1         some cases
    python benchmarks/compare.py --peers fastmlp torch  some peers
    python benchmarks/compare.py --markdown             the tables as Markdown

Every framework runs in a process of its own, and the processes take turns (A B C A B C …), so that a slow moment of the machine meets them
all; between its turns a process waits for a line on its standard input. A figure is the median over the rounds. Wait for an idle machine.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import peers
from cases import INFERENCE, TRAINING
from rich.console import Console
from rich.progress import Progress
from rich.table import Table


def serve(case: str, peer: str) -> None:
    """The body of a worker process: one warm-up, then one timed round for every line read; answers microseconds per step or call."""
    answers, sys.stdout = sys.stdout, sys.stderr
    if case in TRAINING:
        run, count = peers.trainer(peer, TRAINING[case]), TRAINING[case].steps
    else:
        predict, count = peers.predictor(peer, INFERENCE[case]), INFERENCE[case].calls

        def run() -> None:
            for _ in range(count):
                predict()

    run()
    print("ready", file=answers, flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        run()
        print((time.perf_counter() - start) / count * 1e6, file=answers, flush=True)


class Worker:
    """A process that measures one peer on one case when asked."""

    def __init__(self, case: str, peer: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--serve", case, peer],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.wait_for_answer()

    def wait_for_answer(self) -> str:
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(self.process.stderr.read().strip() or f"the worker ended with status {self.process.wait()}")
        return answer

    def measure(self) -> float:
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return float(self.wait_for_answer())

    def stop(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def measure(case: str, names: list[str], rounds: int, progress: Progress) -> dict[str, float]:
    """Median microseconds of every peer in `names` on one case."""
    task = progress.add_task(case, total=rounds * len(names))
    workers: dict[str, Worker] = {}
    try:
        for name in names:
            try:
                workers[name] = Worker(case, name)
            except RuntimeError as error:
                progress.console.print(f"{case}: {name} is left out: {str(error).splitlines()[-1]}", style="yellow")
        times: dict[str, list[float]] = {name: [] for name in workers}
        for _ in range(rounds):
            for name, worker in workers.items():
                times[name].append(worker.measure())
                progress.advance(task)
    finally:
        for worker in workers.values():
            worker.stop()
        progress.remove_task(task)
    return {name: statistics.median(values) for name, values in times.items()}


def cells(result: dict[str, float], names: list[str]) -> list[str]:
    """One row: microseconds, and for peers how many times fastmlp's."""
    row = []
    for name in names:
        if name not in result:
            row.append("–")
        elif name == "fastmlp" or "fastmlp" not in result:
            row.append(f"{result[name]:,.1f}")
        else:
            row.append(f"{result[name]:,.1f} ({result[name] / result['fastmlp']:.1f}×)")
    return row


def show(title: str, results: dict[str, dict[str, float]], names: list[str], markdown: bool, console: Console) -> None:
    """One table: a row a case, a column a peer."""
    if markdown:
        lines = [f"| {title} | " + " | ".join(names) + " |", "|---|" + "---:|" * len(names)]
        lines += [f"| {case} | " + " | ".join(cells(result, names)) + " |" for case, result in results.items()]
        sys.stdout.write("\n".join(lines) + "\n\n")
        return
    table = Table(title=title)
    table.add_column("case")
    for name in names:
        table.add_column(name, justify="right")
    for case, result in results.items():
        table.add_row(case, *cells(result, names))
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures fastmlp and the installed peers side by side.")
    parser.add_argument("cases", nargs="*", metavar="case", help=f"any of {', '.join([*TRAINING, *INFERENCE])}; all if none is given")
    parser.add_argument("--peers", nargs="+", metavar="peer", help="measure these only")
    parser.add_argument("--rounds", type=int, default=7, help="timed rounds of every peer (default 7)")
    parser.add_argument("--markdown", action="store_true", help="print the tables as Markdown")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the medians here")
    parser.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(*options.serve)
        return
    unknown = [case for case in options.cases if case not in {**TRAINING, **INFERENCE}]
    if unknown:
        parser.error(f"unknown case {unknown[0]!r}; the cases are {', '.join([*TRAINING, *INFERENCE])}")
    console = Console(stderr=options.markdown)
    everything = {}
    for title, known, installed in (
        ("training, µs a step", TRAINING, peers.training_peers()),
        ("inference, µs a call", INFERENCE, peers.inference_peers()),
    ):
        names = [name for name in installed if not options.peers or name in options.peers]
        chosen = [case for case in known if not options.cases or case in options.cases]
        with Progress(console=console, transient=True) as progress:
            results = {case: measure(case, names, options.rounds, progress) for case in chosen}
        if results:
            show(title, results, names, options.markdown, console)
        everything.update(results)
    if options.json:
        options.json.write_text(json.dumps(everything, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
