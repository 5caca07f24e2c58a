"""``fastmlp bench``: the FMA peak of this machine, and the speed of fastmlp and of the other frameworks that are installed."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Self

from fastmlp._base.progress import ProgressLine, note

if TYPE_CHECKING:
    from fastmlp.bench.cases import Case
    from fastmlp.bench.report import Report
    from fastmlp.cli.arguments import Commands

_EPILOG = """\
training cases (a row is a step):             inference cases (a row is a call):
  spiral       2-64-64-3, batches of 32         policy-1       17-64-64-6, 1 sample
  policy       17-64-64-6, batches of 64        mnist-1        784-512-10, 1 sample
  mnist        784-512-10, batches of 128       mnist-dense-1  the same, a sample without zeros
  mnist-dense  the same, zeros not skipped      mnist-10000    784-512-10, 10,000 samples
  tabular      54-256-256-7, batches of 256     wide-1024      1024-2048-2048-1000, 1,024 samples
  wide         1024-2048-2048-1000, batches of 512
  text         20000-16-16-2, batches of 512, a sparse matrix of words (needs scipy)
  text-wide    20000-256-2, the same

peers: jax, torch, sklearn, keras, onnxruntime (with onnx) and numpy, those that are installed

examples:
  fastmlp bench --quick                   a first answer
  fastmlp bench                           every case beside every peer, in minutes
  fastmlp bench spiral policy-1 --peers jax,torch
  fastmlp bench wide --json wide.json     all rounds of all frameworks, in a file

Every framework runs in a process of its own, and they take turns, round by round; a figure is the
median. Another program at work on the machine makes every figure worse: wait for an idle one.
"""

_ROUNDS, _QUICK_ROUNDS = 7, 3


def add_parser(commands: Commands) -> None:
    """Add ``bench`` to the command's parser."""
    parser = commands.add_parser(
        "bench",
        help="measure the speed of fastmlp on this machine",
        description="Measure the FMA peak of this machine, and training and inference beside the peers that are installed.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("cases", nargs="*", metavar="CASE", help="default: all")
    parser.add_argument("--quick", action="store_true", help="no peers and few rounds, unless asked for")
    parser.add_argument("--peers", metavar="A,B", help="measure these beside fastmlp, or 'none' (default: all that are installed)")
    parser.add_argument("--rounds", type=_count, metavar="N", help=f"timed rounds (default: {_ROUNDS}; --quick: {_QUICK_ROUNDS})")
    parser.add_argument("--threads", type=_count, metavar="N", help="threads each framework may use (default: what this machine grants)")
    parser.add_argument("--json", nargs="?", const="-", metavar="FILE", help="write everything measured to FILE, or instead of the tables")
    parser.add_argument("--markdown", action="store_true", help="print the tables as Markdown")
    parser.set_defaults(run=lambda options: _run(options, parser))


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be an integer ≥ 1, got {text!r}")
    return int(text)


def _run(options: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    from fastmlp.bench.cases import CASES

    for name in options.cases:
        if name not in CASES:
            parser.error(f"unknown case {name!r}; the cases are {', '.join(CASES)}")
    if options.json in CASES:
        parser.error(f"--json takes a file: write the cases before it, as in fastmlp bench {options.json} --json")
    wanted = _wanted_peers(options, parser)
    cases = _available([case for name, case in CASES.items() if not options.cases or name in options.cases])
    if options.json not in (None, "-"):
        # An unwritable file must be an error before the long measurement, not after it.
        Path(options.json).open("a").close()

    from fastmlp._engine import threads
    from fastmlp.bench.peak import Peak
    from fastmlp.bench.report import Report

    report = Report(Peak(), options.threads or threads.default_count()[0], options.rounds or (_QUICK_ROUNDS if options.quick else _ROUNDS))
    try:
        _measure(report, cases, wanted, options.threads)
    except KeyboardInterrupt:
        if report.results:
            _show(report, options)
        raise
    _show(report, options)
    return 0 if all("fastmlp" in result.timings for result in report.results) else 1


def _wanted_peers(options: argparse.Namespace, parser: argparse.ArgumentParser) -> list[str] | None:
    """The names of the peers to measure; None for all that are installed."""
    from fastmlp.bench import peers

    if options.peers is None:
        return [] if options.quick else None
    if options.peers == "none":
        return []
    names = [name.strip() for name in options.peers.split(",")]
    for name in names:
        if name not in peers.PEERS:
            parser.error(f"unknown peer {name!r}; the peers are {', '.join(peers.PEERS)}")
        if missing := peers.missing_packages(name):
            here = ", ".join(peer for peer in peers.PEERS if not peers.missing_packages(peer))
            raise ImportError(f"to measure {name}, install {' and '.join(missing)}; what is installed here is {here}")
    return names


def _available(cases: Sequence[Case]) -> list[Case]:
    """The cases whose data are available; prints which are not, and what to do."""
    from fastmlp.datasets import mnist

    missing = {}
    if mnist.local_folder() is None:
        missing["mnist"] = "MNIST is not on this machine; `fastmlp train mnist` downloads it (11 MB)"
    if find_spec("scipy") is None:
        missing["words"] = "sparse matrices need scipy; pip install scipy"
    kept = [case for case in cases if case.data not in missing]
    for data, reason in missing.items():
        if without := [case.name for case in cases if case.data == data]:
            message = f"{', '.join(without)} skipped: {reason}"
            if not kept:
                raise FileNotFoundError(message)
            print(f"fastmlp: {message}", file=sys.stderr)
    return kept


def _measure(report: Report, cases: Sequence[Case], wanted: list[str] | None, threads: int | None) -> None:
    """Measure the cases one after another, each after the FMA peak."""
    from fastmlp.bench import peers
    from fastmlp.bench.runner import measure

    plan = {case.name: [name for name in peers.installed(case) if name == "fastmlp" or wanted is None or name in wanted] for case in cases}
    with _Progress(sum(len(names) for names in plan.values()) * (1 + report.rounds)) as progress:
        for case in cases:
            progress.begin(case.name, plan[case.name])
            for count in {1, report.threads}:
                report.peak.measure(count)
            result = measure(case, plan[case.name], report.rounds, threads, progress.turn)
            report.results.append(result)
            for name, reason in result.left_out.items():
                note(f"fastmlp: {case.name}: {name} is skipped: {reason}")


class _Progress:
    """Draws the progress line of a benchmark, and erases it before the table; without a terminal, writes a line for each case."""

    def __init__(self, turns: int) -> None:
        self._line = ProgressLine(turns, unit="turn", lines=0, stream=sys.stderr)
        self._case = ""
        self._done = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._line.erase()

    def begin(self, case: str, frameworks: Sequence[str]) -> None:
        """Called before the frameworks are measured on a case."""
        self._case = case
        self._line.update(self._done, f"{case}: FMA peak")
        if not self._line.live:
            note(f"{case}: {', '.join(frameworks)}")

    def turn(self, framework: str) -> None:
        """Called before each round of a framework."""
        self._line.update(self._done, f"{self._case}: {framework}")
        self._done += 1


def _show(report: Report, options: argparse.Namespace) -> None:
    """Write the results as tables, Markdown or JSON."""
    if options.json is not None:
        document = json.dumps(report.document(), indent=1) + "\n"
        if options.json == "-":
            sys.stdout.write(document)
            return
        Path(options.json).write_text(document, encoding="utf-8")
    if options.markdown:
        _show_markdown(report)
    else:
        _show_tables(report)


def _show_markdown(report: Report) -> None:
    import fastmlp.cli.output as output
    from fastmlp.bench.report import ABOUT_FLOPS

    facts = "; ".join(f"{name}: {value}" for name, value in report.facts())
    print(output.writable("\n".join([facts + ".", "", *(section.markdown() for section in report.sections()), ABOUT_FLOPS])))


def _show_tables(report: Report) -> None:
    from rich.table import Table

    import fastmlp.cli.output as output
    from fastmlp.bench.report import ABOUT_FLOPS

    console = output.console()
    if not console.is_terminal:
        console.width = output.WIDE_PIPE
    console.print(output.facts("this machine", report.facts()))
    for section in report.sections():
        table = Table()
        for number, name in enumerate(section.header):
            table.add_column(output.writable(name), justify="right" if number else "left", no_wrap=not number)
        for row in section.rows:
            table.add_row(*map(output.writable, row))
        console.print(table)
    console.print(output.writable(ABOUT_FLOPS), style="dim", markup=False)
