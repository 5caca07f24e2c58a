"""The files around the package agree with each other: links lead somewhere, hooks are the gate's checks, there is one address."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from folders import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PAGES = sorted(path for pattern in ("*.md", "docs/**/*.md", ".github/**/*.md") for path in ROOT.glob(pattern))

needs_checkout = pytest.mark.skipif(not (ROOT / ".ci").is_dir(), reason="not in the source distribution")


def anchors(page: Path) -> set[str]:
    """What GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ +(.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_to_a_file_or_a_heading_leads_there(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if target.startswith(("http:", "https:", "mailto:")):
            continue
        name, _, anchor = target.partition("#")
        other = (page.parent / name) if name else page
        assert other.exists(), f"{target} is not there"
        assert not anchor or anchor in anchors(other), f"{target}: no such heading"


def test_the_project_has_one_address():
    home = PROJECT["urls"]["Homepage"]
    texts = [*PAGES, ROOT / "pyproject.toml", *(ROOT / ".github").rglob("*.yml")]
    for path in texts:
        for address in re.findall(r"https://[^\s\"')>]*fastmlp[^\s\"')>]*", path.read_text(encoding="utf-8")):
            assert f"{address}/".startswith(f"{home}/"), f"{path.name} has {address}"


@needs_checkout
def test_the_hooks_are_checks_of_the_gate():
    gate = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    hooks = re.findall(r"^ +entry: (\S+(?: [a-z]+)?)", (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"), re.MULTILINE)
    assert hooks == ["ruff check", "ruff format", "mypy", "clang-format"]
    for hook in hooks:
        assert re.search(rf"(^|\| xargs -0 ){hook}\b", gate, re.MULTILINE), hook


@needs_checkout
def test_a_hook_s_tools_come_with_the_development_extra():
    tools = {re.split(r"[>=;\[ ]", requirement)[0] for requirement in PROJECT["optional-dependencies"]["dev"]}
    assert {"pre-commit", "ruff", "mypy", "clang-format"} <= tools
