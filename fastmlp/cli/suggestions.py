"""Suggestions for misspelt names, and a parser of arguments that makes them."""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any

__all__ = ["Parser", "did_you_mean", "find_name"]


def did_you_mean(name: str, known: Iterable[str], otherwise: str = "") -> str:
    """``"; did you mean 'price'?"``, or another text if no known name is similar."""
    by_lower = {other.lower(): other for other in known}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1)
    return f"; did you mean {by_lower[close[0]]!r}?" if close else otherwise


def find_name(name: str, known: Sequence[str], what: str) -> str:
    """The known name that is meant: the name itself, or a number from 1, or negative from the end.

    Raises:
        ValueError: There is no such name; the message suggests one.
    """
    if name in known:
        return name
    if re.fullmatch(r"-?[0-9]+", name) and 1 <= abs(int(name)) <= len(known):
        place = int(name)
        return known[place - 1 if place > 0 else place]
    shown = ", ".join(known[:_SHOWN]) + (f", … ({len(known)} in all)" if len(known) > _SHOWN else "")
    raise ValueError(f"unknown {what} {name!r}{did_you_mean(name, known, f'; there are {shown}')}")


_SHOWN = 20


class Parser(argparse.ArgumentParser):
    """A parser whose errors about unknown options and choices suggest similar ones."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """Parse the arguments after a check of the options' names: otherwise the value of an unknown option would be the error."""
        given = sys.argv[1:] if args is None else list(args)
        for text in given:
            if text == "--" or (self._subparsers is not None and not text.startswith("-")):
                break  # all that follows are no options, or those of a command, which checks them itself
            name = text.partition("=")[0]
            if _is_option(name) and name not in self._option_string_actions:
                known = [option for option in self._option_string_actions if option.startswith("--")]
                self.error(f"unrecognized arguments: {text}{did_you_mean(name, known)}")
        return super().parse_known_args(given, namespace)

    def _check_value(self, action: argparse.Action, value: object) -> None:
        if action.choices is not None and value not in action.choices:
            known = [str(choice) for choice in action.choices]
            hint = did_you_mean(str(value), known)
            raise argparse.ArgumentError(action, f"invalid choice: {value!r} (choose from {', '.join(known)}){hint}")


def _is_option(text: str) -> bool:
    return re.match(r"--?[A-Za-z]", text) is not None
