"""The walk-through, from top to bottom: a fresh environment, a CSV, a server, a page in a browser."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from tests.docs.markdown import ROOT, blocks
from tests.plugins.hybridrec_server.browser import CHROMIUM, opened

PAGE = ROOT / "docs" / "walkthrough.md"
SOURCE = ("hybridrec", "plugins", "configs", "pyproject.toml", "README.md", "LICENSE")


class Shell:
    """A shell that runs one block after another."""

    def __init__(self, folder: Path) -> None:
        """Start it in a folder."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        self._process = subprocess.Popen(
            ["bash", "-e"], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def run(self, block: str) -> str:
        """Run a block, and return what it printed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{block}\necho; echo END-OF-BLOCK\n")
        self._process.stdin.flush()
        printed = ""
        for line in self._process.stdout:
            if line == "END-OF-BLOCK\n":
                return printed
            printed += line
        raise AssertionError(f"the shell ended with status {self._process.wait()} in:\n{block}\n{printed}")

    def end(self) -> None:
        """End it, and the server that it started."""
        if self._process.poll() is None:
            self._process.communicate("kill $(jobs -p) 2>/dev/null || true; wait\n", timeout=600)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def items(printed: str) -> list[list[str]]:
    """Return the ids of each answer among what was printed."""
    lines = [line for line in printed.splitlines() if line.startswith("{") and '"items"' in line]
    return [[place["id"] for place in json.loads(line)["items"]] for line in lines]


@pytest.mark.slow
def test_the_walk_leads_from_a_csv_to_a_page(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    for name in SOURCE:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, checkout / name)
    port = free_port()
    printed: list[str] = []
    shell = Shell(checkout)
    try:
        for block in blocks(PAGE):
            content = block.code.replace(":8080", f":{port}").replace("--log off", f"--log off --port {port}")
            if block.mark == "plays.py":
                (checkout / "songs" / "plays.py").write_text(content)
                continue
            printed.append(shell.run(content))
            if "hybridrec serve" in content and CHROMIUM is not None:
                with opened(tmp_path / "browser") as page:
                    page.open(f"http://127.0.0.1:{port}/")
                    page.wait("document.body.innerText.includes('Drums')")
    finally:
        shell.end()
    table, measured, ready, stranger, acted, shown, learned, forgotten = printed[1:-1]
    assert table.splitlines()[0] == "show,date,song"
    assert "hybrid beats control" in measured
    assert any(json.loads(line)["ready"] for line in ready.splitlines() if line.startswith("{"))
    (popular,) = items(stranger)
    (personal,) = items(acted)
    assert personal != popular
    assert '"accepted":1' in acted
    assert "Events: 1" in shown
    assert '"swapped":true' in learned
    assert "unknown_user" in acted
    assert "unknown_user" not in learned
    assert forgotten.startswith("forgotten: 1 events in the state; 1 events and ")
