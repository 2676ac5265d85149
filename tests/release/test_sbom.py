"""The bill of materials names what is installed, its licences, and who needs whom."""

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


def test_names_are_normal():
    assert normal("Ruamel.yaml_X") == "ruamel-yaml-x"
    assert component(metadata.distribution("click"))["bom-ref"].startswith("pkg:pypi/click@")
