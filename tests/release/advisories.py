"""Known vulnerabilities of what hybridrec brings in: `python -m tests.release.advisories`, which asks with pip-audit.

It looks at the distributions of the bill of materials. pip-audit finds "no known vulnerabilities" also where its index
serves no advisories; hence the dependencies about which nobody could be asked are told, and are no success.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.release.sbom import bill

SHOWN = 3
"""The most names of dependencies that nobody was asked about."""


def main() -> int:
    """Print the advisories; return 0 if there are none, 1 if there are some, 2 if not all could be asked for."""
    installed = [f"{entry['name']}=={entry['version']}" for entry in bill()["components"]]
    lines, status = summary(asked(installed), len(installed))
    print("\n".join(lines))
    return status


def asked(installed: Sequence[str]) -> list[dict[str, Any]]:
    """Return the answers of pip-audit on pinned distributions, an entry each; none at all if it could not ask."""
    with tempfile.TemporaryDirectory() as folder:
        pins = Path(folder) / "pins.txt"
        pins.write_text("\n".join(installed), encoding="utf-8")
        options = ("--format", "json", "--progress-spinner", "off", "--disable-pip", "--no-deps", "-r", str(pins))
        done = subprocess.run(
            [sys.executable, "-m", "pip_audit", *options], capture_output=True, text=True, check=False
        )
    try:
        dependencies: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except ValueError:
        print((done.stderr.strip().splitlines() or ["pip-audit says nothing"])[-1], file=sys.stderr)
        return []
    return dependencies


def summary(dependencies: Sequence[dict[str, Any]], installed: int) -> tuple[list[str], int]:
    """Return lines with the advisories and with what could not be asked for, and the exit status."""
    answered = [each for each in dependencies if "skip_reason" not in each]
    lines = [
        f"{each['name']} {each['version']}: {advisory['id']}, fixed in {', '.join(advisory['fix_versions']) or 'none'}"
        for each in answered
        for advisory in each["vulns"]
    ]
    status = 1 if lines else 0
    lines.append(f"advisories: {len(lines)}; dependencies asked about: {len(answered)} of {installed}")
    if len(answered) < installed:
        names = [each["name"] for each in dependencies if "skip_reason" in each]
        such = f", such as {', '.join(names[:SHOWN])}" if names else ""
        missing = f"{installed - len(answered)} dependencies{such}"
        lines.append(f"NOT ASKED: the index serves no advisories of {missing}, or cannot be reached")
        status = status or 2
    return lines, status


if __name__ == "__main__":
    sys.exit(main())
