"""The command ``fastmlp``: train networks on a data set, compare them, predict, show a model file, run benchmarks.

Results are written to the standard output, progress and errors to the standard error. The exit code is 0 on success, 1 after an error, 2
after invalid arguments, and 130 after Ctrl-C.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Sequence
from typing import TextIO

from fastmlp._base.progress import note

__all__ = ["main"]

_EXAMPLES = """\
examples:
  fastmlp train                                  learn three spiral arms, in a second or two
  fastmlp train spiral --plot spiral.png         the same, with curves and the decision boundary
  fastmlp train mnist --save digits.safetensors  handwritten digits (downloads 11 MB the first time)
  fastmlp train mnist --to-accuracy 0.99         a recipe that classifies 99 % of the test digits correctly
  fastmlp train houses.csv --target price --out houses.safetensors  your own table
  fastmlp predict digits.safetensors four.png    which digit is in an image?
  fastmlp evaluate houses.safetensors new.csv    how good are predictions for another file?
  fastmlp info digits.safetensors                what is in a file
  fastmlp sweep --hidden 16 64,64 --epochs 20 50  which network, how many epochs?
  fastmlp bench --quick                          how fast is it here?
  fastmlp train --help                           all options
"""

_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: The arguments after the command's name; by default those of the command line.

    Returns:
        The exit code. As in argparse, invalid arguments raise SystemExit(2), ``--help`` and ``--version`` SystemExit(0).
    """
    options = _parser().parse_args(arguments)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            code: int = options.run(options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return _INTERRUPTED
    except BrokenPipeError:
        # The reader has closed the pipe, as `head` does. Flushing the rest at exit must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (OSError, ValueError, RuntimeError, ArithmeticError, ImportError, MemoryError) as error:
        print(f"fastmlp: {_one_line(error)}", file=sys.stderr)
        return 1
    return code


def _parser() -> argparse.ArgumentParser:
    from fastmlp.cli import bench, evaluate, info, predict, sweep, train
    from fastmlp.cli.suggestions import Parser

    parser = Parser(
        prog="fastmlp",
        description="Train multilayer perceptrons on the CPU, and use them.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in (train, sweep, predict, evaluate, info, bench):
        command.add_parser(commands)
    return parser


class _Version(argparse.Action):
    """Prints the version, and imports fastmlp only then."""

    def __init__(self, option_strings: Sequence[str], dest: str) -> None:
        super().__init__(option_strings, dest, nargs=0, default=argparse.SUPPRESS, help="show the version and exit")

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        import fastmlp

        print(f"fastmlp {fastmlp.__version__}")
        parser.exit()


def _show_warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, file: TextIO | None = None, line: str | None = None
) -> None:
    note(f"fastmlp: warning: {message}")


def _one_line(error: BaseException) -> str:
    """The message of an error, on one line."""
    if isinstance(error, OSError) and error.strerror and error.filename:
        text = f"{error.filename}: {error.strerror}"
    else:
        text = str(error) or type(error).__name__
    return " ".join(text.split())
