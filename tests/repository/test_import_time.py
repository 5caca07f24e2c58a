"""``import fastmlp`` costs next to nothing over ``import numpy``: it brings no other library. benchmarks/bench_import.py has the times."""

from __future__ import annotations

import subprocess
import sys


def modules_after(statements):
    code = f"import sys; {statements}; print(*sorted(sys.modules))"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


def test_importing_fastmlp_alone_does_not_even_import_numpy():
    modules = modules_after("import fastmlp")
    assert "numpy" not in modules
    assert [name for name in modules if name.startswith("fastmlp")] == ["fastmlp"]


def test_building_and_compiling_a_model_imports_no_library_but_numpy():
    building = (
        "import fastmlp; from fastmlp import layers, models;"
        "model = models.Sequential([layers.Dense(2, input_shape=(3,))]); model.compile(optimizer='adam', loss='mse')"
    )
    new = modules_after(building) - modules_after("import numpy")
    assert new.isdisjoint({"rich", "safetensors", "matplotlib", "PIL", "http.client", "urllib.request", "argparse", "json", "scipy"})
