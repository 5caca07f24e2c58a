"""Instruction counts of small fixed workloads, compared with recorded counts: detects regressions without measuring time.

    python benchmarks/instruction_counts.py             compare with instruction_counts.json
    python benchmarks/instruction_counts.py --update    record the new counts

Repeated counts differ by less than 0.1 % with the same compiler and, for calls from Python, the same versions of Python and NumPy. With the
recorded versions, an increase of 3 % is an error (exit code 1); otherwise the table is only printed. Needs valgrind and a C compiler.
Valgrind does not support AVX-512, so the workloads run with AVX2 and with the portable kernels, or with NEON. They use one thread, because
instructions of waiting threads are counted too.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import common
import numpy as np

from fastmlp import _core, build_info
from fastmlp._engine.spec import Batches

Counts: TypeAlias = dict[str, dict[str, float]]
"""Instruction counts by instruction set and workload."""

RECORD = Path(__file__).with_suffix(".json")
TOLERANCE = 0.03
ISAS = ("avx2", "neon", "portable")

# Counting is started and stopped by requests to valgrind, which are C macros.
REQUESTS = """
#include <valgrind/callgrind.h>
void begin(void) { CALLGRIND_START_INSTRUMENTATION; CALLGRIND_ZERO_STATS; }
void end(const char *job) { CALLGRIND_DUMP_STATS_AT(job); CALLGRIND_STOP_INSTRUMENTATION; }
"""


# Workloads


def training(widths: tuple[int, ...], batch_size: int, steps: int, density: float = 1.0, loss: str = "labels") -> Callable[[], int]:
    """Training steps with Adam in one call of the engine; `density` is the fraction of non-zeros in the input."""
    random = np.random.default_rng(0)
    rows = batch_size * steps
    x = random.standard_normal((rows, widths[0]), dtype=np.float32)
    x[random.random(x.shape) >= density] = 0
    model = common.classifier(widths)
    if loss == "labels":
        y = random.integers(widths[-1], size=rows, dtype=np.int32)
    else:
        model.compile(optimizer="adam", loss="mse")
        y = random.standard_normal((rows, widths[-1]), dtype=np.float32)
    batches = Batches(x, y, None, np.arange(rows, dtype=np.uint32), batch_size)
    model.train_on_batch(x[:batch_size], y[:batch_size])  # creates the network and allocates its memory
    network, totals = model.network, np.zeros(2)

    def run() -> int:
        network.train(batches, 0, steps, 1e9, totals)
        return steps

    return run


def predicting(widths: tuple[int, ...], calls: int, method: str) -> Callable[[], int]:
    """Predictions of one sample from Python."""
    model = common.classifier(widths)
    row = np.random.default_rng(0).standard_normal((1, widths[0]), dtype=np.float32)
    call = model if method == "call" else lambda x: model.predict(x, verbose=0)
    call(row)

    def run() -> int:
        for _ in range(calls):
            call(row)
        return calls

    return run


JOBS: dict[str, Callable[[], Callable[[], int]]] = {
    "spiral, a step": lambda: training((2, 64, 64, 3), 32, 20),
    "policy, a step": lambda: training((17, 64, 64, 6), 64, 20, loss="mse"),
    "mnist, a step": lambda: training((784, 512, 10), 128, 3, density=0.19),
    "mnist-dense, a step": lambda: training((784, 512, 10), 128, 3),
    "policy, model(x) of a row": lambda: predicting((17, 64, 64, 6), 200, "call"),
    "policy, predict of a row": lambda: predicting((17, 64, 64, 6), 200, "predict"),
}
SLOW = ("mnist, a step", "mnist-dense, a step")
"""Workloads that take too long with the portable kernels."""
FROM_PYTHON = ("policy, model(x) of a row", "policy, predict of a row")
"""Workloads whose counts include the Python interpreter."""


def work(library: str) -> None:
    """Runs all workloads, in a separate process under valgrind."""
    requests = ctypes.CDLL(library)
    gc.disable()
    for name, prepare in JOBS.items():
        if build_info()["isa"] == "portable" and name in SLOW:
            continue
        run = prepare()
        requests.begin()
        times = run()
        requests.end(f"{name} ×{times}".encode())


# Counting


def count(isa: str, folder: Path) -> dict[str, float]:
    """The instructions per step or call of each workload with one instruction set."""
    library = folder / "requests.so"
    if not library.exists():
        source = folder / "requests.c"
        source.write_text(REQUESTS, encoding="ascii")
        subprocess.run([os.environ.get("CC", "cc"), "-O2", "-shared", "-fPIC", str(source), "-o", str(library)], check=True)
    output = folder / f"{isa}.out"
    valgrind = ["valgrind", "-q", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={output}"]
    subprocess.run(
        [*valgrind, sys.executable, __file__, "--work", str(library)],
        env=os.environ | {"FASTMLP_ISA": isa, "FASTMLP_NUM_THREADS": "1", "PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1"},
        check=True,
    )
    counts = {}
    for dump in folder.glob(f"{isa}.out.*"):
        text = dump.read_text(encoding="utf-8", errors="replace")
        trigger = re.search(r"^desc: Trigger: Client Request: (.+) ×(\d+)$", text, re.MULTILINE)
        total = re.search(r"^(?:totals|summary): (\d+)", text, re.MULTILINE)
        if trigger and total:
            counts[trigger[1]] = int(total[1]) / int(trigger[2])
    return {name: counts[name] for name in JOBS if name in counts}


def show(counted: Counts, record: dict[str, Any], compiler: str, versions: str) -> list[str]:
    """Prints the table; returns the workloads whose counts exceed the tolerance."""
    beside = record.get(compiler) or next(iter(record.values()), {})
    judged = [*JOBS] if compiler in record else []
    if beside.get("versions") != versions:
        judged = [job for job in judged if job not in FROM_PYTHON]
    rows, worse = [], []
    for isa, counts in counted.items():
        for job, value in counts.items():
            before = beside.get(isa, {}).get(job)
            change = value / before - 1 if before else 0.0
            rows.append([f"{isa}: {job}", f"{value:,.0f}", f"{before:,}" if before else "", f"{change:+.2%}" if before else "new"])
            if job in judged and change > TOLERANCE:
                worse.append(f"{isa}: {job}")
    left = [job for job in JOBS if job not in judged]
    notes = f"Not judged, because the record is not of {compiler} and {versions}: {'; '.join(left)}." if left else ""
    common.show(f"Instructions, {compiler}, {versions}", ["job", "now", "on record", "change"], rows, notes)
    return worse


def main() -> None:
    parser = common.parser_of(__file__, __doc__)
    parser.add_argument("--update", action="store_true", help="record the new counts")
    parser.add_argument("--isa", choices=ISAS, help="count with this instruction set only")
    parser.add_argument("--record", type=Path, default=RECORD, metavar="FILE", help="the recorded counts (default: next to this script)")
    parser.add_argument("--work", metavar="LIBRARY", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(options.work)
        return
    if not shutil.which("valgrind"):
        sys.exit("valgrind is not installed: apt install valgrind")
    compiler = str(build_info()["compiler"])
    versions = f"Python {sys.version_info.major}.{sys.version_info.minor}, NumPy {'.'.join(np.__version__.split('.')[:2])}"
    record = json.loads(options.record.read_text(encoding="utf-8")) if options.record.exists() else {}
    isas = [options.isa] if options.isa else [isa for isa in ISAS if isa in _core.supported_isas()]
    with tempfile.TemporaryDirectory() as name:
        counted = {isa: count(isa, Path(name)) for isa in isas}
    worse = show(counted, record, compiler, versions)
    if options.update:
        for isa, counts in counted.items():
            record.setdefault(compiler, {})[isa] = {job: round(value) for job, value in counts.items()}
        record[compiler]["versions"] = versions
        options.record.write_text(json.dumps(record, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
    elif worse:
        sys.exit(f"more than {TOLERANCE:.0%} above the record: {', '.join(worse)}; if that is meant, run this with --update")


if __name__ == "__main__":
    main()
