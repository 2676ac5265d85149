"""The fenced blocks of a page, and what a page does with them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs" / "plugins").glob("*.md")),
    *sorted((ROOT / "examples").glob("*/README.md")),
]
_BLOCK = re.compile(r"^```(\w+)(?: ([\w.-]+))?\n(.*?)^```$", re.M | re.S)


class Block(NamedTuple):
    """One fenced block: its language, the mark behind it, and what it holds."""

    language: str
    mark: str
    code: str


def blocks(page: Path) -> list[Block]:
    """All of a page, in order."""
    return [Block(*groups) for groups in _BLOCK.findall(page.read_text(encoding="utf-8"))]


def title(page: Path) -> str:
    """The name of a page in tests."""
    return page.relative_to(ROOT).as_posix()


def marked(page: Path, mark: str) -> str:
    """The code of all blocks of a page with this mark, as one text."""
    return "\n\n".join(block.code for block in blocks(page) if block.mark == mark)


@cache
def written_plugin(page: Path) -> Path:
    """The file of what the blocks marked `test` of a page define: a plugin without packaging, and its tests."""
    file = Path(tempfile.mkdtemp(), f"test_{page.stem.replace('-', '_')}.py")
    file.write_text(marked(page, "test"), encoding="utf-8")
    return file


def call(*command: str, cwd: Path, beside: Path | None = None) -> str:
    """The output of a Python module, run in a folder; it finds those there, or those `beside` it, and must succeed."""
    paths = os.pathsep.join(map(str, (beside or cwd, ROOT, ROOT / "plugins")))
    env = os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=cwd, env=env, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
