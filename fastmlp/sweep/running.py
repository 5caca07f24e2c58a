"""Running a sweep: determine the missing runs, train them in worker processes, record the results."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from typing import Self, TypeAlias

import fastmlp.sweep.worker as worker
from fastmlp._base import checks
from fastmlp._base.progress import ProgressLine
from fastmlp._base.typing import InputData, TargetData, Verbose
from fastmlp._engine import threads
from fastmlp._models.model import Model
from fastmlp.sweep.grid import Combination, Grid, combinations, name_seeds, text
from fastmlp.sweep.identity import fingerprint
from fastmlp.sweep.interrupts import Interrupts
from fastmlp.sweep.journal import Journal, run_id
from fastmlp.sweep.pool import START_METHODS, Workers
from fastmlp.sweep.results import Results, Row, Run, SweepInterrupted
from fastmlp.sweep.worker import Identity, Job, Task

__all__ = ["run"]

Watcher: TypeAlias = Callable[[int, int, Run | None], object]


def run(
    build: Callable[..., Model],
    grid: Grid,
    train: tuple[InputData, TargetData],
    validation: tuple[InputData, TargetData] | None = None,
    *,
    test_data: tuple[InputData, TargetData] | None = None,
    monitor: str | None = None,
    seeds: int | Sequence[int] = 3,
    out: str | os.PathLike[str] | None = None,
    workers: int | None = None,
    verbose: Verbose = "auto",
    on_progress: Watcher | None = None,
    start_method: str | None = None,
    test: tuple[InputData, TargetData] | None = None,
) -> Results:
    """Trains every combination of a grid on all cores, with several seeds each, and compares the results.

    Each run has its own process and a single thread, and depends only on its combination and its seed: the results are bit-identical for
    any number of workers. Combinations that differ only in ``epochs`` share one training run and are evaluated along the way.

    Args:
        build: A function that returns a compiled model. It is called with the values of a combination as keyword arguments; ``epochs`` and
            ``batch_size`` are passed to ``fit``, and to ``build`` only if it has parameters of these names.
        grid: The values of each hyperparameter:
            ``{"units": [16, 64], "learning_rate": [0.001, 0.01], "epochs": [20, 100], "batch_size": 32}``. A list, a range or an array
            holds several values; anything else is a single value, including tuples: ``"hidden": [(16,), (64, 64)]``. A list of grids is
            processed one after another.
        train: The training data ``(x, y)``, as for ``fit``.
        validation: The validation data ``(x, y)`` by which the combinations are compared. Results on it are optimistic for the best
            combination, so report those on ``test_data``.
        test_data: The test data ``(x, y)``, which takes no part in the comparison. After all runs, the best combination is evaluated on it
            once, with all seeds: see ``Results.test``.
        monitor: The column that determines the best combination, such as ``"validation_auc"``; see :class:`Results` for the default.
        seeds: The number of seeds, 0, 1, …, to train each combination with, or a list of seeds. A seed determines the initial weights, the
            order of the samples, and dropout.
        out: A CSV file to which every run is appended as soon as it is done. If the file exists, only missing runs are trained.
        workers: The number of processes; by default the number of CPUs available to this process.
        verbose: 0 is silent; 1 or ``"auto"`` shows a progress bar.
        on_progress: Called with the number of completed runs, the total number of runs, and the latest :class:`Run`; first with None, once
            the runs in ``out`` have been counted.
        start_method: How to start processes, ``"fork"``, ``"forkserver"`` or ``"spawn"``; by default what suits the system.
        test: The former name of ``validation``.

    Returns:
        One row per combination, best first; printing it shows a table.

    Raises:
        RuntimeError: A worker process died.
        TypeError: With ``out``, the data or the functions of the model can't be compared with those of an earlier sweep.
        SweepInterrupted: Ctrl-C; a KeyboardInterrupt with the results so far.
        ValueError: The grid is invalid, or ``out`` is damaged or belongs to another sweep, to other data or to another ``build``.

        Exceptions in ``build``, ``fit`` and ``evaluate`` end the sweep too, except that a loss that becomes NaN or infinite is recorded:
        its results are NaN.
    """
    chosen, seed_list = combinations(grid), name_seeds(seeds)
    count = threads.default_count()[0] if workers is None else checks.check_int("workers", workers)
    if start_method not in (None, *START_METHODS):
        raise ValueError(f"start_method must be one of {', '.join(START_METHODS)}, or None, got {start_method!r}")
    if verbose not in ("auto", 0, 1):
        raise ValueError(f"verbose must be 0, 1 or 'auto', got {verbose!r}")
    if test is not None and validation is None:
        checks.warn("sweep.run(test=...) has been renamed to validation, since it selects the best; use test_data for the final test")
        validation, test = test, None
    if validation is None or test is not None:
        raise TypeError("sweep.run needs training and validation data: sweep.run(build, grid, (x, y), (x_val, y_val))")
    job = Job(build, _pair("train", train), _pair("validation", validation), None if test_data is None else _pair("test_data", test_data))
    data = "" if out is None else fingerprint(*job.train, *job.validation)
    with ExitStack() as stack:
        # Opened first, so that an unusable file is reported before any work is done.
        journal = None if out is None else stack.enter_context(Journal(out, list(chosen[0]), data))
        interrupts = stack.enter_context(Interrupts())
        crew = stack.enter_context(Workers(min(count, len(chosen) * len(seed_list)), job, start_method))
        watchers = [] if on_progress is None else [on_progress]
        if verbose:
            watchers.append(stack.enter_context(_Line()))
        state = _State(chosen, seed_list, journal, watchers, monitor)
        try:
            identities = [interrupts.result(future) for future in [crew.submit(worker.identify, combination) for combination in chosen]]
            state.begin([[run_id(data, identity.text, seed) for seed in seed_list] for identity in identities], identities[0])
            waiting: dict[Future[list[dict[str, float]]], Task] = {}
            for task in state.tasks("epochs" in job.asks_for()):
                waiting[crew.submit(worker.train, task)] = task
            while waiting:
                done = interrupts.first(waiting)
                # Completed runs are recorded before an error ends the sweep.
                for future in sorted(done, key=lambda future: future.exception() is not None):
                    task = waiting.pop(future)
                    state.add(task, future.result())
            results = state.results()
            if job.test is not None:
                best = results.best
                measured = [crew.submit(worker.test, Task(run.combination, run.seed, {run.combination["epochs"]: ""})) for run in best.runs]
                runs = (Run(run.combination, run.seed, interrupts.result(future)) for run, future in zip(best.runs, measured, strict=True))
                results.test = Row(best.combination, tuple(runs))
            return results
        except KeyboardInterrupt:
            state.reload()  # Ctrl-C may have come after a run was written and before it was counted
            raise SweepInterrupted(state.results(), state.status()) from None
        except BrokenProcessPool:
            raise RuntimeError(
                "a worker process died: it was killed, perhaps because memory ran out (use fewer workers), or it could not import the "
                f"build function, in which case its error is shown above; {state.status()}"
            ) from None


def _pair(name: str, data: tuple[InputData, TargetData]) -> tuple[InputData, TargetData]:
    if not isinstance(data, (tuple, list)) or len(data) != 2:
        raise ValueError(f"{name} must be a pair (x, y), got {data!r:.80}")
    return data[0], data[1]


class _Line:
    """The progress line of ``run``."""

    def __init__(self) -> None:
        self._line: ProgressLine | None = None

    def __call__(self, done: int, total: int, latest: Run | None) -> None:
        self._line = self._line or ProgressLine(total, unit="run", done=done)
        logs = {} if latest is None else {name: value for name, value in latest.numbers.items() if name.startswith("validation_")}
        self._line.show(done, logs)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._line is not None:
            self._line.abandon()


class _State:
    """The completed and the remaining runs of a sweep.

    Args:
        chosen: The combinations.
        seeds: The seeds of each combination.
        journal: The file to append runs to, or None.
        watchers: Functions to call with the progress.
        monitor: The column that determines the best combination; None for the default.
    """

    def __init__(
        self,
        chosen: Sequence[Combination],
        seeds: Sequence[int],
        journal: Journal | None,
        watchers: Sequence[Watcher],
        monitor: str | None,
    ) -> None:
        self._chosen, self._seeds = chosen, seeds
        self._journal = journal
        self._watchers = watchers
        self._monitor = monitor
        self._higher_is_better: dict[str, bool | None] = {}
        self._names: list[list[str]] = []
        """The ids of the runs of every combination; equivalent combinations share them, such as dropout rates without hidden layers."""
        self._about: dict[str, tuple[Combination, int]] = {}
        """Combination and seed of every run."""
        self._numbers: dict[str, dict[str, float]] = {}
        """The results of the completed runs."""

    def begin(self, names: list[list[str]], first: Identity) -> None:
        """Determines which runs are already in the file.

        Args:
            names: The ids of the runs of every combination.
            first: The identity of the first combination.
        """
        self._names, self._higher_is_better = names, first.higher_is_better
        for number, seed in enumerate(self._seeds):  # seed by seed, so that all combinations can be compared early
            for combination, of_combination in zip(self._chosen, names, strict=True):
                self._about.setdefault(of_combination[number], (combination, seed))
        if self._journal is not None:
            self._journal.check_conflicts(self._about)
        self._count()
        self._notify(None)

    def reload(self) -> None:
        """Counts the runs in the file again."""
        if self._journal is not None:
            self._journal.read()
        self._count()

    def _count(self) -> None:
        if self._journal is not None:
            found = {name: self._journal.find(name) for name in self._about}
            self._numbers = {name: numbers for name, numbers in found.items() if numbers is not None}

    def tasks(self, apart: bool) -> list[Task]:
        """The remaining work.

        Args:
            apart: True if runs with different numbers of epochs can't share a training run, because ``build`` takes the number.
        """
        groups: dict[tuple[int | str, ...], dict[int, str]] = {}
        for name, (combination, seed) in self._about.items():
            if name not in self._numbers:
                alike = tuple(text(value) for key, value in combination.items() if apart or key != "epochs")
                groups.setdefault((seed, *alike), {})[combination["epochs"]] = name
        return [Task(*self._about[next(iter(runs.values()))], dict(sorted(runs.items()))) for runs in groups.values()]

    def add(self, task: Task, numbers: Sequence[dict[str, float]]) -> None:
        """Records the results of a completed task."""
        for name, values in zip(task.runs.values(), numbers, strict=True):
            combination, seed = self._about[name]
            if self._journal is not None:
                self._journal.add(combination, seed, name, values)
            self._numbers[name] = values
            self._notify(Run(combination, seed, values))

    def _notify(self, latest: Run | None) -> None:
        for watcher in self._watchers:
            watcher(len(self._numbers), len(self._about), latest)

    def results(self) -> Results:
        """The results so far."""
        runs = [
            Run(combination, seed, self._numbers[name])
            for combination, names in zip(self._chosen, self._names, strict=False)
            for seed, name in zip(self._seeds, names, strict=True)
            if name in self._numbers
        ]
        return Results(runs, len(self._seeds), None, self._higher_is_better, self._monitor)

    def status(self) -> str:
        """How many runs are done, and how to resume."""
        done = f"{len(self._numbers)} of {len(self._about) or len(self._chosen) * len(self._seeds)} runs are done"
        if self._journal is None:
            return f"{done}; to make a sweep resumable, pass a file for its results (out)"
        return f"{done} and saved in {self._journal.path}; run the same sweep again to resume it"
