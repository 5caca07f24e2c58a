"""Every instruction set's kernels against the portable ones, bit for bit, also those this machine's Python cannot run.

The programs are in tests/kernels: run.sh builds them with a C compiler, here and for AArch64, and qemu-user runs the latter.
"""

import os
import re
import shutil
import subprocess

import pytest
from folders import ROOT

SCRIPT = ROOT / "tests" / "kernels" / "run.sh"

# Seconds of compiling, and that without the sanitizers that may be loaded into this process.
pytestmark = pytest.mark.slow


def needs(*programs):
    missing = [program for program in programs if shutil.which(program) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


def run(target, folder, **options):
    environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"} | {"CFLAGS": "-Werror"}
    return subprocess.run(["bash", SCRIPT, target, folder], env=environment | options, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What is built for one test is there for the next."""
    return tmp_path_factory.mktemp("kernels")


@needs("bash", "cc")
def test_every_table_of_this_machine_and_avx512_s_width_without_it_have_the_portable_bits(folder):
    result = run("native", folder)
    assert result.returncode == 0, result.stdout + result.stderr
    assert re.search(r"^wide: (\d+) of \1 kernels agree with portable$", result.stdout, re.MULTILINE)
    assert len(re.findall(r"^[1-9]\d* passed, 0 failed$", result.stdout, re.MULTILINE)) == 2


@needs("bash", "cc", "aarch64-linux-gnu-gcc", "qemu-aarch64")
def test_neon_and_training_on_aarch64_have_the_bits_of_this_machine(folder):
    result = run("aarch64", folder)
    assert result.returncode == 0, result.stdout + result.stderr
    assert re.search(r"^neon: (\d+) of \1 kernels agree with portable$", result.stdout, re.MULTILINE)
    assert re.search(r"^aarch64: \d+ digests like this machine's$", result.stdout, re.MULTILINE)


@needs("bash", "cc")
def test_a_table_that_rounds_its_products_is_noticed(folder, tmp_path):
    header = tmp_path / "rounds_twice.h"
    header.write_text("static inline float rounds_twice(float a, float b, float c) { return a * b + c; }\n#define fmaf rounds_twice\n")
    tables = folder / "native" / "tables"
    result = run("native", tmp_path, WIDE_CFLAGS=f"-include {header}", **({"TABLES": str(tables)} if tables.is_dir() else {}))
    assert result.returncode != 0
    for kernel in ("gemm_forward", "exp", "update_adam", "loss_categorical_crossentropy"):
        assert re.search(rf"^wide {kernel}: trial \d+, word \d+: ", result.stdout, re.MULTILINE), result.stdout
    assert "wide compress:" not in result.stdout


def test_the_script_compiles_instruction_sets_with_the_flags_of_the_library():
    script = SCRIPT.read_text(encoding="utf-8")
    options = re.findall(r"set\(flags_of_(\w+) (-m[^)]+)\)", (ROOT / "CMakeLists.txt").read_text(encoding="utf-8"))
    assert options, "no instruction set has flags"
    for isa, flags in options:
        assert f"{isa}) echo {flags} ;;" in script, isa
