"""A plugin made of its source, visible as if pip had installed it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, source: str) -> Path:
    """Write the module `NAME_plugin` of the distribution and plugin `name`, version 1.0; return its path."""
    module = folder / f"{name}_plugin.py"
    module.write_text(source, encoding="utf-8")
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[hybridrec]\n{name} = {module.stem}\n")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, module.stem, raising=False)
    return module
