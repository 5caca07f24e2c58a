"""How far fastmlp is from Keras: the golden tests run once more, and every comparison is measured.

    python tests/golden/differences.py

prints, for each kind, the cases and the largest difference, relative to the largest number of the array it is in: the table of
docs/keras.md.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

TESTS = Path(__file__).resolve().parents[1]
KINDS = {
    "networks, each loss × activation × optimizer": "parity/test_golden.py::test_ten_steps_follow_keras",
    "`fit` and `evaluate`": "parity/test_golden.py::test_fit_and_evaluate_report_what_keras_reports",
    "layers": "parity/test_golden_layers.py::test_predictions_gradients_statistics_and_training_are_those_of_keras",
    "activations": "layers/test_activations.py::test_functions_have_the_values_and_gradients_of_keras",
    "losses": "parity/test_loss_golden.py::test_losses_and_gradients_in_training_are_those_of_keras",
    "optimizers, regularizers and constraints in training": "parity/test_golden_optimizers.py::test_trainings_follow_keras",
    "schedules": "optimizers/test_schedules.py::test_schedules_give_the_rates_of_keras",
    "regularizers": "parity/test_golden_values.py::test_regularizers_give_the_penalties_of_keras",
    "constraints": "parity/test_golden_values.py::test_constraints_keep_what_keras_keeps",
    "metrics": "metrics/test_metric_values.py::test_a_metric_on_its_own_gives_kerass_value",
}


class Measure:
    """A plugin of pytest that listens to ``assert_allclose``."""

    def __init__(self) -> None:
        self.largest: dict[str, float] = defaultdict(float)
        self.cases: dict[str, set[str]] = defaultdict(set)
        self._check, self._now = np.testing.assert_allclose, ""

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        name, _, case = item.nodeid.split("/")[-1].partition("[")
        self._now = name
        engines = ("native", "reference")
        self.cases[name].add("-".join(part for part in case.rstrip("]").split("-") if part not in engines))

    def __call__(self, found, expected, *args, **options) -> None:
        self._check(found, expected, *args, **options)
        a, b = np.asarray(found, np.float64), np.asarray(expected, np.float64)
        scale = np.abs(b).max(initial=0)
        if scale:
            self.largest[self._now] = max(self.largest[self._now], float(np.abs(a - b).max() / scale))


def main() -> None:
    measure = Measure()
    np.testing.assert_allclose = measure
    failed = pytest.main(["-q", "--no-header", *(str(TESTS / test) for test in KINDS.values())], plugins=[measure])
    print("| kind | cases | largest difference |\n|---|---:|---:|")
    for kind, test in KINDS.items():
        print(f"| {kind} | {len(measure.cases[test])} | {measure.largest[test]:.1e} |")
    raise SystemExit(failed)


if __name__ == "__main__":
    main()
