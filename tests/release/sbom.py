"""The bill of materials of an environment: `python -m tests.release.sbom > sbom.json`, beside a release.

It has the distributions that hybridrec and its extras bring in, as installed, with versions, licences and who needs
whom, in the format CycloneDX 1.5.
"""

from __future__ import annotations

import json
import re
import sys
from importlib import metadata
from typing import Any

LONGEST = 80
"""The most characters of a licence that is given by name; more is its whole text."""


def bill(root: str = "hybridrec") -> dict[str, Any]:
    """Return the bill of materials of a distribution and of everything installed that it needs, in any extra."""
    installed = {normal(each.name): each for each in metadata.distributions()}
    needs: dict[str, list[str]] = {}
    waiting = [normal(root)]
    while waiting:
        name = waiting.pop()
        if name in needs:
            continue
        named = {normal(re.split(r"[\s\[;(<>=!~]", line, maxsplit=1)[0]) for line in installed[name].requires or ()}
        needs[name] = sorted(named & installed.keys() - {name})
        waiting += needs[name]
    components = [component(installed[name]) for name in sorted(needs)]
    references = {normal(each["name"]): each["bom-ref"] for each in components}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": next(each for each in components if normal(each["name"]) == normal(root))},
        "components": [each for each in components if normal(each["name"]) != normal(root)],
        "dependencies": [
            {"ref": references[name], "dependsOn": [references[other] for other in others]}
            for name, others in sorted(needs.items())
        ],
    }


def component(distribution: metadata.Distribution) -> dict[str, Any]:
    """Return the entry of a distribution: its name, version and licence."""
    name, version = distribution.name, distribution.version
    reference = f"pkg:pypi/{normal(name)}@{version}"
    entry = {"type": "library", "name": name, "version": version, "purl": reference, "bom-ref": reference}
    licence = licence_of(distribution)
    return entry | ({"licenses": [{"license": {"name": licence}}]} if licence else {})


def licence_of(distribution: metadata.Distribution) -> str:
    """Return the licence that a distribution states: its expression, else its classifiers, else a short text."""
    about = distribution.metadata
    if expression := about.get("License-Expression"):
        return str(expression)
    classified = [
        line.rpartition(" :: ")[2] for line in about.get_all("Classifier") or () if line.startswith("License ::")
    ]
    text = str(about.get("License") or "").strip()
    return " AND ".join(classified) or (text if len(text) <= LONGEST else "")


def normal(name: str) -> str:
    """Return the normal form of the name of a distribution."""
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    json.dump(bill(), sys.stdout, indent=1)
