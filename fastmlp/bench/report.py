"""The results of a benchmark run, in JSON values and as tables."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fastmlp._base.configs import Config
from fastmlp.bench.cases import Case, InferenceCase, TrainingCase
from fastmlp.bench.peak import Peak
from fastmlp.bench.runner import CaseResult, Timing

__all__ = ["ABOUT_FLOPS", "Report", "Section", "processor"]

ABOUT_FLOPS = (
    "GFLOP/s count the operations of the matrix products: 6·batch·weights − 2·batch·(weights of the first layer) per training step, "
    "2·samples·weights per prediction. Zeros that fastmlp skips are counted, so mnist and text can exceed 100 % of the peak. "
    "The peak is that of the number of threads the case kept busy."
)


@dataclass(frozen=True, slots=True)
class Section:
    """A table with one row of text per case."""

    title: str
    header: list[str]
    rows: list[list[str]]

    def markdown(self) -> str:
        """The table in Markdown."""
        lines = [self.header, ["---", *["---:"] * (len(self.header) - 1)], *self.rows]
        return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


@dataclass(slots=True)
class Report:
    """The measurements so far."""

    peak: Peak
    threads: int
    """The maximum number of threads of a case."""
    rounds: int
    results: list[CaseResult] = field(default_factory=list)

    def facts(self) -> Iterator[tuple[str, str]]:
        """The properties of the machine, by name."""
        from fastmlp import build_info

        yield "processor", processor()
        yield "instruction set", str(build_info()["isa"])
        for threads in sorted({1, self.threads}):
            yield f"FMA peak, {threads} thread{'s' * (threads > 1)}", f"{self.peak[threads]:,.1f} GFLOP/s"
        if "AMD" in processor() and any("torch" in result.timings for result in self.results):
            yield "torch", "as installed: its MKL takes a slow path on AMD processors"

    def sections(self) -> list[Section]:
        """The tables of the training and inference cases, if not empty."""
        titled = (("training, µs a step", TrainingCase), ("inference, µs a call", InferenceCase))
        groups = [(title, [result for result in self.results if isinstance(result.case, kind)]) for title, kind in titled]
        return [self._section(title, results) for title, results in groups if results]

    def _section(self, title: str, results: Sequence[CaseResult]) -> Section:
        others = list(dict.fromkeys(name for result in results for name in (*result.timings, *result.left_out) if name != "fastmlp"))
        return Section(
            title,
            [title, "fastmlp", "GFLOP/s", "threads", "of peak", *others],
            [[result.case.name, *self._own(result), *(_other(result, name) for name in others)] for result in results],
        )

    def _own(self, result: CaseResult) -> list[str]:
        timing = result.timings.get("fastmlp")
        if timing is None:
            return ["–"] * 4
        return [
            _microseconds(timing.median),
            f"{_gflops(result.case, timing):,.1f}",
            str(self._threads(timing)),
            f"{self._share(result.case, timing):.0%}",
        ]

    def _threads(self, timing: Timing) -> int:
        return min(timing.threads, self.threads)

    def _share(self, case: Case, timing: Timing) -> float:
        return _gflops(case, timing) / self.peak[self._threads(timing)]

    def document(self) -> Config:
        """The whole report in JSON values."""
        from fastmlp import __version__, build_info

        cases = [self._describe(result) for result in self.results]
        return {
            "fastmlp": __version__,
            "compiler": build_info()["compiler"],
            "isa": build_info()["isa"],
            "processor": processor(),
            "system": platform.platform(),
            "python": platform.python_version(),
            "threads": self.threads,
            "rounds": self.rounds,
            "peak_gflops": {str(threads): rate for threads, rate in self.peak.as_dict().items()},
            "cases": cases,
        }

    def _describe(self, result: CaseResult) -> Config:
        own = result.timings.get("fastmlp")
        return {
            "name": result.case.name,
            "kind": "training" if isinstance(result.case, TrainingCase) else "inference",
            "about": result.case.about,
            "flops": result.case.flops,
            "frameworks": {
                name: {
                    "microseconds": timing.median,
                    "rounds": list(timing.microseconds),
                    "threads": self._threads(timing),
                    "gflops": _gflops(result.case, timing),
                    "share_of_peak": self._share(result.case, timing),
                    "times_fastmlp": timing.median / own.median if own else None,
                }
                for name, timing in result.timings.items()
            },
            "left_out": result.left_out,
        }


def _gflops(case: Case, timing: Timing) -> float:
    return case.flops / timing.median / 1e3


def _other(result: CaseResult, name: str) -> str:
    """The cell of a peer: microseconds, and the ratio to fastmlp."""
    timing, own = result.timings.get(name), result.timings.get("fastmlp")
    if timing is None:
        return "–"
    ratio = f" ({timing.median / own.median:.1f}×)" if own else ""
    return _microseconds(timing.median) + ratio


def _microseconds(value: float) -> str:
    return f"{value:,.2f}" if value < 10 else f"{value:,.1f}" if value < 1000 else f"{value:,.0f}"


def processor() -> str:
    """The name of the processor, if the system reports it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()
