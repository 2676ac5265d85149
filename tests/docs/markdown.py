"""The fenced blocks of a page, and what a page does with them."""

from __future__ import annotations

import glob
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
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
    return python("-m", *command, cwd=cwd, beside=beside)


def python(*words: str, cwd: Path, beside: Path | None = None) -> str:
    """The output of Python, called with these words as in `call`."""
    env = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (beside or cwd, ROOT, ROOT / "plugins")))}
    done = subprocess.run([sys.executable, *words], cwd=cwd, env=env, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, f"{words}\n{done.stdout}{done.stderr}"
    return done.stdout


def words_of(command: str) -> Iterator[str]:
    """The words of a command, with its patterns expanded as a shell does."""
    for word in shlex.split(command):
        yield from sorted(glob.glob(word)) or [word]  # noqa: PTH207
