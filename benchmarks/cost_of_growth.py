"""Time and memory of a training step as the batch, the width or the depth of the network grows.

    python benchmarks/cost_of_growth.py batch
    python benchmarks/cost_of_growth.py width --plot width.png
    python benchmarks/cost_of_growth.py depth --quick

The sizes include those next to multiples of the vector width and of the block sizes (15, 16, 17 ...), where cliffs are likely: a size is
reported if it takes 25 % longer than its smaller and larger neighbours predict. Memory is the increase of anonymous resident memory from
before the network was created to after training (Linux only); the expected memory is that of parameters and slots, and for each sample of
a batch the activations, their gradients and the transposed gradients.
"""

from __future__ import annotations

import math
import multiprocessing
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import common

import fastmlp
from fastmlp.bench import peers
from fastmlp.bench.cases import TrainingCase
from fastmlp.bench.peak import Peak

CLIFF = 1.25
ROUND_SECONDS = 0.02


@dataclass(frozen=True)
class Growth:
    """A kind of growth: networks as functions of a size, and the sizes."""

    title: str
    axis: str
    networks: dict[str, Callable[[int], TrainingCase]]
    sizes: Sequence[int]
    ticks: Sequence[int]
    about: str
    """The caption of the plot."""


def case(widths: tuple[int, ...], batch_size: int) -> TrainingCase:
    """A classifier trained with Adam, with enough samples and epochs for a round of about ROUND_SECONDS."""
    flops = TrainingCase("", widths, "classify", "adam", batch_size, rows=batch_size, epochs=1).flops
    steps = max(1, round(ROUND_SECONDS / (5e-6 + flops / 100e9)))
    batches = min(steps, max(4, 8192 // batch_size))
    return TrainingCase("", widths, "classify", "adam", batch_size, rows=batches * batch_size, epochs=max(1, steps // batches))


def around(*sizes: int) -> list[int]:
    """Each size with the sizes just below and above it."""
    return [near for size in sizes for near in (size - 1, size, size + 1)]


GROWTHS = {
    "batch": Growth(
        "A training step as the batch grows",
        "rows in a batch",
        {
            "17-64-64-6": lambda size: case((17, 64, 64, 6), size),
            "54-256-256-7": lambda size: case((54, 256, 256, 7), size),
        },
        [1, 2, 3, 4, 6, 8, 12, *around(16), 24, *around(32, 48, 64, 96, 128, 192, 256), 384, 512, 768, 1024, 2048, 4096],
        [1, 4, 16, 64, 256, 1024, 4096],
        "Small batches pay for reading and writing every weight and its slots; large ones for activations that leave the cache. "
        "Teeth: rows beyond a multiple of 16.",
    ),
    "width": Growth(
        "A training step as the network gets wider",
        "units in each of two hidden layers",
        {"64-n-n-10, batches of 128": lambda size: case((64, size, size, 10), 128)},
        [8, 12, *around(16), 24, *around(32, 48, 64), 96, *around(128), 192, *around(256), 384, *around(512, 1024, 2048), 4096, 8192],
        [8, 32, 128, 512, 2048, 8192],
        "Teeth: weights lie in panels of 16 units, so 17 units cost what 32 do. From about 512 units the weights and slots come from ever "
        "slower memory.",
    ),
    "depth": Growth(
        "A training step as the network gets deeper",
        "hidden layers",
        {
            "n layers of 32 units, batches of 32": lambda size: case((32, *[32] * size, 10), 32),
            "n layers of 256 units, batches of 128": lambda size: case((32, *[256] * size, 10), 128),
        },
        [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64],
        [1, 2, 4, 8, 16, 32, 64],
        "Every layer costs the same, but for the first with its narrow input. The wide network gets slower as its weights and slots leave "
        "the second cache.",
    ),
}


@dataclass(frozen=True)
class Line:
    """The measurements of one network at every size."""

    cases: dict[int, TrainingCase]
    rounds: dict[int, list[float]]
    """By size, the seconds per step in each round."""
    memory: dict[int, int]
    """By size, the memory in bytes, for powers of two."""

    def seconds(self, size: int) -> float:
        return statistics.median(self.rounds[size])

    def gflops(self, size: int) -> float:
        return self.cases[size].flops / self.seconds(size) / 1e9

    def cliffs(self) -> list[tuple[int, float]]:
        """Sizes that take longer than a power law through their neighbours predicts, with the median ratio over rounds."""
        per_flop = {size: [second / self.cases[size].flops for second in seconds] for size, seconds in self.rounds.items()}
        found = []
        for below, size, above in zip(self.cases, [*self.cases][1:], [*self.cases][2:], strict=False):
            share = math.log(size / below) / math.log(above / below)
            times = zip(per_flop[below], per_flop[size], per_flop[above], strict=True)
            excess = statistics.median(here / (before ** (1 - share) * after**share) for before, here, after in times)
            if excess > CLIFF:
                found.append((size, excess))
        return found


def expected_bytes(case: TrainingCase) -> int:
    """The bytes of parameters, Adam's two slots, and a batch's activations, gradients and transposed gradients."""
    parameters = sum((inputs + 1) * units for inputs, units in zip(case.widths, case.widths[1:], strict=False))
    return 4 * (3 * parameters + 3 * case.batch_size * sum(case.widths))


def held_bytes(case: TrainingCase) -> int:
    """The increase of this process's memory through training, in bytes."""
    x, y = case.load()
    peers.trainer("fastmlp", TrainingCase("", (2, 2), "classify", "adam", 1, 1, 1))()  # one-time allocations of the first network
    before = common.private_bytes()
    model = common.classifier(case.widths)
    model.fit(x, y, batch_size=case.batch_size, verbose=0)
    return common.private_bytes() - before


def measure(make: Callable[[int], TrainingCase], sizes: Sequence[int], rounds: int) -> Line:
    cases = {size: make(size) for size in sizes}
    times = common.in_turns({size: peers.trainer("fastmlp", one) for size, one in cases.items()}, rounds)
    powers = {size: one for size, one in cases.items() if size & (size - 1) == 0} if common.private_bytes() else {}
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        memory = dict(zip(powers, pool.map(held_bytes, powers.values(), chunksize=1), strict=True))
    return Line(cases, {size: [second / cases[size].repeats for second in seconds] for size, seconds in times.items()}, memory)


def show(growth: Growth, name: str, line: Line, peak: float) -> None:
    rows = [
        [
            f"{size:,}",
            common.number(line.seconds(size) * 1e6),
            f"{line.gflops(size):,.1f}",
            f"{line.gflops(size) / peak:.0%}",
            *((common.bytes_text(line.memory[size]), common.bytes_text(expected_bytes(one))) if size in line.memory else ("", "")),
        ]
        for size, one in line.cases.items()
    ]
    common.show(f"{growth.title}: {name}", [growth.axis, "µs a step", "GFLOP/s", "of peak", "memory", "expected"], rows)
    for size, excess in line.cliffs():
        print(f"cliff: {name}, size {size}: {excess:.2f} times what its neighbours let expect")


def draw(growth: Growth, lines: dict[str, Line], peak: float, threads: int, file: Path) -> None:
    drawing, (time, rate, memory) = common.figure(3, f"{growth.title} ({threads} thread{'s' * (threads > 1)})", growth.about)
    for (name, line), colour in zip(lines.items(), (common.BLUE, common.ORANGE), strict=False):
        sizes = list(line.cases)
        best = max(line.gflops(size) for size in sizes)
        time.plot(sizes, [line.seconds(size) * 1e6 for size in sizes], color=colour, label=name)
        time.plot(sizes, [line.cases[size].flops / best / 1e3 for size in sizes], ":", color=colour, linewidth=1)
        rate.plot(sizes, [line.gflops(size) for size in sizes], color=colour)
        memory.plot(sizes, [expected_bytes(one) / 1e6 for one in line.cases.values()], color=colour, alpha=0.35, linewidth=4)
        seen = {size: held for size, held in line.memory.items() if held > 5e5}  # smaller values may come from free memory of Python
        memory.plot(list(seen), [held / 1e6 for held in seen.values()], "o", color=colour, markersize=4)
    rate.axhline(peak, color=common.GREY, linestyle="--", linewidth=1)
    rate.annotate("FMA peak", (sizes[0], peak), xytext=(0, 3), textcoords="offset points", color=common.GREY)
    rate.set_ylim(0, 1.12 * peak)
    time.set(title="µs a step (dotted: all of it at the best rate)", yscale="log")
    rate.set(title="GFLOP/s")
    memory.set(title="MB held (band: parameters, slots, one batch)", yscale="log")
    time.legend(loc="upper left")
    for axis in (time, rate, memory):
        axis.set(xscale="log", xlabel=growth.axis)
        common.plain_log_axis(axis.xaxis, growth.ticks)
    for axis in (time, memory):
        axis.yaxis.set_major_formatter(lambda value, _: common.short(value))
    common.save(drawing, file)


def main() -> None:
    parser = common.parser_of(__file__, __doc__)
    parser.add_argument("what", choices=GROWTHS)
    parser.add_argument("--rounds", type=common.count, default=11, help="timed rounds (default: 11)")
    parser.add_argument("--threads", type=common.count, default=1, help="threads the engine may use (default: 1)")
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="save a plot")
    parser.add_argument("--quick", action="store_true", help="a quick check with few sizes and one round")
    options = parser.parse_args()
    fastmlp.set_num_threads(options.threads)
    growth = GROWTHS[options.what]
    peak = Peak()
    lines = {}
    for name, make in growth.networks.items():
        peak.measure(options.threads)
        lines[name] = measure(make, growth.ticks[:3] if options.quick else growth.sizes, 1 if options.quick else options.rounds)
        peak.measure(options.threads)
        show(growth, name, lines[name], peak[options.threads])
    if options.plot:
        draw(growth, lines, peak[options.threads], options.threads, options.plot)


if __name__ == "__main__":
    main()
