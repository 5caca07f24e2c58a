"""The sweep itself: which runs are missing, who trains them, where their numbers go."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from typing import Any, Self, TypeAlias

import fastmlp.sweep.worker as worker
from fastmlp._base import checks
from fastmlp._base.progress import ProgressLine
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
    train: tuple[Any, Any],
    validation: tuple[Any, Any] | None = None,
    *,
    test_data: tuple[Any, Any] | None = None,
    monitor: str | None = None,
    seeds: int | Sequence[int] = 3,
    out: str | os.PathLike[str] | None = None,
    workers: int | None = None,
    verbose: Any = "auto",
    on_progress: Watcher | None = None,
    start_method: str | None = None,
    test: tuple[Any, Any] | None = None,
) -> Results:
    """Train every combination of a grid, several times each, on all cores, and compare them.

    Each run has a process to itself, with one thread, and depends on its combination and its seed alone: the numbers have the same bits
    however many workers there are. Combinations that differ only in ``epochs`` are one training, measured on its way.

    Args:
        build: Makes a compiled model. It is called with the values of a combination by name, ``epochs`` and ``batch_size`` only if it has
            parameters of these names; the others reach ``fit`` alone.
        grid: Names and their values: ``{"units": [16, 64], "learning_rate": [0.001, 0.01], "epochs": [20, 100], "batch_size": 32}``. A
            list, a range or an array holds several values; anything else is one, a tuple too: ``"hidden": [(16,), (64, 64)]``. Several
            such grids in a list are swept one after another.
        train: ``(x, y)`` as ``fit`` takes them.
        validation: The same for samples that no run trains on and that the combinations are compared by. The best combination is good on
            these by luck as well, so its numbers on them are too good to report.
        test_data: The same for samples that have no part in the comparison. When all runs are done, the best combination is measured on
            them once, with all seeds: see ``test`` of the results.
        monitor: The column that says which combination is best, such as ``"validation_auc"``; see :class:`Results` for the default.
        seeds: How often to train each combination, with the seeds 0, 1, …; or a list of seeds. A seed decides first weights, the order of
            the rows, and dropout.
        out: A CSV file that gets a row for each run as soon as it is done. If it is there already, only what is missing is trained.
        workers: How many processes; the cores this process may use unless told.
        verbose: 0 silent, 1 or ``"auto"`` a progress bar.
        on_progress: Called with the number of runs done, the number of all runs, and the latest :class:`Run`; first, with None, when it is
            known what ``out`` has already.
        start_method: How processes are started, ``"fork"``, ``"forkserver"`` or ``"spawn"``; what suits the system unless told.
        test: The old name of ``validation``.

    Returns:
        The rows, one for each combination, best first; printed, they are a table.

    Raises:
        RuntimeError: A worker process died.
        TypeError: With ``out``, the data or the model's functions can't be compared with those of an earlier sweep.
        SweepInterrupted: Ctrl-C; a KeyboardInterrupt with the results so far.
        ValueError: The grid makes no sense, or ``out`` is of another sweep, of other data or another ``build``, or damaged.

        Whatever ``build``, ``fit`` and ``evaluate`` raise ends the sweep too, except that a loss which becomes NaN or infinite is a result:
        its numbers are NaN.
    """
    chosen, seed_list = combinations(grid), name_seeds(seeds)
    count = threads.default_count()[0] if workers is None else checks.check_int("workers", workers)
    if start_method not in (None, *START_METHODS):
        raise ValueError(f"start_method must be one of {', '.join(START_METHODS)}, or None, got {start_method!r}")
    if verbose not in ("auto", 0, 1):
        raise ValueError(f"verbose must be 0, 1 or 'auto', got {verbose!r}")
    if test is not None and validation is None:
        checks.warn("sweep.run(test=...) is called validation now, since it chooses the best; test_data is for samples that do not")
        validation, test = test, None
    if validation is None or test is not None:
        raise TypeError("sweep.run takes the training and the validation samples: sweep.run(build, grid, (x, y), (x_val, y_val))")
    job = Job(build, _pair("train", train), _pair("validation", validation), None if test_data is None else _pair("test_data", test_data))
    data = "" if out is None else fingerprint(*job.train, *job.validation)
    with ExitStack() as stack:
        # Opened first: a file that can't be used is an error before anything else is done.
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
                # What is done is kept before an error ends the sweep.
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
            state.look()  # Ctrl-C may have come after a run was written and before it was counted
            raise SweepInterrupted(state.results(), state.status()) from None
        except BrokenProcessPool:
            raise RuntimeError(
                "a worker process ended in the middle of its work: it was killed, perhaps because memory ran out (fewer workers need "
                f"less), or it could not import the function that builds models, and its error is above; {state.status()}"
            ) from None


def _pair(name: str, data: Any) -> tuple[Any, Any]:
    if not isinstance(data, (tuple, list)) or len(data) != 2:
        raise ValueError(f"{name} must be a pair (x, y)")
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
    """What is done, and what is not.

    Args:
        chosen: The combinations.
        seeds: The seeds of each.
        journal: Where runs are written, if anywhere.
        watchers: Who is told.
        monitor: The column that says what is best, None for the default.
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
        """The runs of every combination; two combinations may share theirs, such as dropouts of a network without hidden layers."""
        self._about: dict[str, tuple[Combination, int]] = {}
        """Combination and seed of every run."""
        self._numbers: dict[str, dict[str, float]] = {}
        """Of the runs that are done."""

    def begin(self, names: list[list[str]], first: Identity) -> None:
        """Finds out what is done already.

        Args:
            names: For every combination, what identifies its runs.
            first: What is known of the first combination.
        """
        self._names, self._higher_is_better = names, first.higher_is_better
        for number, seed in enumerate(self._seeds):  # seed by seed: soon there is something to compare
            for combination, of_combination in zip(self._chosen, names, strict=True):
                self._about.setdefault(of_combination[number], (combination, seed))
        if self._journal is not None:
            self._journal.check_strangers(self._about)
        self._count()
        self._tell(None)

    def look(self) -> None:
        """Counts again what is in the file."""
        if self._journal is not None:
            self._journal.read()
        self._count()

    def _count(self) -> None:
        if self._journal is not None:
            found = {name: self._journal.find(name) for name in self._about}
            self._numbers = {name: numbers for name, numbers in found.items() if numbers is not None}

    def tasks(self, apart: bool) -> list[Task]:
        """The work that is left.

        Args:
            apart: True if runs of different numbers of epochs can't be one training, because their models know the number.
        """
        groups: dict[tuple[Any, ...], dict[int, str]] = {}
        for name, (combination, seed) in self._about.items():
            if name not in self._numbers:
                alike = tuple(text(value) for key, value in combination.items() if apart or key != "epochs")
                groups.setdefault((seed, *alike), {})[combination["epochs"]] = name
        return [Task(*self._about[next(iter(runs.values()))], dict(sorted(runs.items()))) for runs in groups.values()]

    def add(self, task: Task, numbers: Sequence[dict[str, float]]) -> None:
        """Takes the numbers of a task that is done."""
        for name, values in zip(task.runs.values(), numbers, strict=True):
            combination, seed = self._about[name]
            if self._journal is not None:
                self._journal.add(combination, seed, name, values)
            self._numbers[name] = values
            self._tell(Run(combination, seed, values))

    def _tell(self, latest: Run | None) -> None:
        for watcher in self._watchers:
            watcher(len(self._numbers), len(self._about), latest)

    def results(self) -> Results:
        """What is done so far."""
        runs = [
            Run(combination, seed, self._numbers[name])
            for combination, names in zip(self._chosen, self._names, strict=False)
            for seed, name in zip(self._seeds, names, strict=True)
            if name in self._numbers
        ]
        return Results(runs, len(self._seeds), None, self._higher_is_better, self._monitor)

    def status(self) -> str:
        """How many runs are done, and what becomes of them."""
        done = f"{len(self._numbers)} of {len(self._about) or len(self._chosen) * len(self._seeds)} runs are done"
        if self._journal is None:
            return f"{done}; with a file for the results (out), a sweep can be resumed"
        return f"{done} and in {self._journal.path}; to go on from there, do the same again"
