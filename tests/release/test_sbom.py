"""The bill of materials names what is installed, its licences, and who needs whom."""

import re
from importlib import metadata

from tests.release.sbom import bill, component, normal


def test_the_bill_has_what_the_core_needs_with_versions_and_licences():
    made = bill()
    entries = {entry["name"].lower(): entry for entry in made["components"]}
    assert {"numpy", "scipy", "polars", "pydantic", "click"} <= entries.keys()
    assert entries["numpy"]["version"] == metadata.version("numpy")
    assert entries["numpy"]["purl"] == f"pkg:pypi/numpy@{metadata.version('numpy')}"
    assert [entry["name"] for entry in made["components"] if "licenses" not in entry] == []
    assert made["metadata"]["component"]["name"] == "hybridrec"


def test_every_dependency_is_in_the_bill():
    made = bill()
    references = {entry["bom-ref"] for entry in (*made["components"], made["metadata"]["component"])}
    assert {entry["ref"] for entry in made["dependencies"]} == references
    assert {other for entry in made["dependencies"] for other in entry["dependsOn"]} <= references


def test_no_dependency_passes_on_a_licence_that_covers_whoever_uses_it():
    strong = re.compile("(?<!L)GPL|Affero|(?<!Lesser )General Public", re.IGNORECASE)
    assert strong.search("GPL-3.0-only")
    assert strong.search("AGPL-3.0-or-later")
    assert not strong.search("LGPL-2.1-only")
    licences = {entry["name"]: entry["licenses"][0]["license"]["name"] for entry in bill()["components"]}
    assert {name: licence for name, licence in licences.items() if strong.search(licence)} == {}


def test_names_are_normal():
    assert normal("Ruamel.yaml_X") == "ruamel-yaml-x"
    assert component(metadata.distribution("click"))["bom-ref"].startswith("pkg:pypi/click@")
