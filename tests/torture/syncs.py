"""The order of syncs, seen under strace: what is renamed into place was synced before, and its folder is afterwards."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.torture.outcome import Loss

_CALL = re.compile(r"^\d+ +(\w+)\((.*)\) += (\d+)")
_UNFINISHED = " <unfinished ...>"
_RESUMED = re.compile(r"<\.\.\. \w+ resumed>(.*)")
_DESCRIPTOR = re.compile(r"\d+<([^>]*)>")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_SYSTEM_CALLS = ("fsync", "fdatasync", "rename", "renameat", "renameat2")
PRELUDE = ""
"""Code that runs before a traced command, to break a promise."""


def can_trace() -> bool:
    """Return True if strace is installed and may trace processes here."""
    if shutil.which("strace") is None:
        return False
    return subprocess.run(["strace", "-qq", "-o", os.devnull, "true"], capture_output=True, check=False).returncode == 0


def traced(arguments: Sequence[str], folder: Path) -> list[str]:
    """Carry out the command line under strace, and return a line for each call; raises Loss if the command fails."""
    record = folder.parent / "strace"
    code = f"{PRELUDE}\nfrom hybridrec.cli import main\nmain()"
    done = subprocess.run(
        ["strace", "-f", "-y", "-qq", "-s", "4096", "-e", f"trace={','.join(_SYSTEM_CALLS)}", "-e", "signal=none",
         "-o", record, sys.executable, "-c", code, *arguments],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    if done.returncode:
        raise Loss(f"it ends with {done.returncode} under strace: {done.stderr[-200:]}")
    return record.read_text(encoding="utf-8").splitlines()


def in_order(lines: Sequence[str], folder: Path, without: Path) -> int:
    """Return the number of renames below a folder; raises Loss for one that a power cut could leave half-done.

    Files below `without` are left out: those of a store, whose checksums tell.
    """
    calls = [*_calls(lines)]
    synced: set[Path] = set()
    waiting: dict[Path, Path] = {}
    renames = 0
    for number, (call, paths) in enumerate(calls):
        if call in ("fsync", "fdatasync"):
            synced.add(paths[0])
            waiting.pop(paths[0], None)
            continue
        old, new = paths
        moved = {path for path in synced if path.is_relative_to(old)}
        replaced = {path for path in synced if path.is_relative_to(new)}
        synced = synced - moved - replaced | {new / path.relative_to(old) for path in moved}
        if not new.is_relative_to(folder) or new.is_relative_to(without):
            continue
        renames += 1
        later = {paths[1] for call, paths in calls[number + 1 :] if call.startswith("rename")}
        for file in [new] if new.is_file() else (path for path in new.rglob("*") if path.is_file()):
            if file not in synced and file not in later:  # of one that is replaced later, what was there is gone
                raise Loss(f"{(old / file.relative_to(new)).name} is renamed to {new.name} before it is synced")
        waiting[new.parent] = new
    for parent, new in waiting.items():
        raise Loss(f"{parent.name} is not synced after {new.name} was renamed into it")
    return renames


def _calls(lines: Sequence[str]) -> Iterator[tuple[str, list[Path]]]:
    """Yield (call, paths) of the calls that succeeded."""
    unfinished: dict[str, str] = {}
    for line in lines:
        process, _, rest = line.partition(" ")
        if rest.endswith(_UNFINISHED):
            unfinished[process] = line.removesuffix(_UNFINISHED)
            continue
        if (resumed := _RESUMED.search(line)) is not None:
            line = unfinished.pop(process, "") + resumed[1]
        if (match := _CALL.match(line)) is None or match[1] not in _SYSTEM_CALLS or match[3] != "0":
            continue
        call, arguments = match[1], match[2]
        texts = _QUOTED.findall(arguments) if call.startswith("rename") else _DESCRIPTOR.findall(arguments)
        yield call, [Path(text) for text in texts]
