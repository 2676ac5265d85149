"""Registered names, schemas and commands change on purpose, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import accept

INTERFACE = accept.interface()


@pytest.mark.parametrize("file", INTERFACE)
def test_the_interface_is_the_accepted_one(file: str):
    accepted = (accept.ROOT / file).read_text(encoding="utf-8").splitlines()
    now = INTERFACE[file].splitlines()
    gone, come = [line for line in accepted if line not in now], [line for line in now if line not in accepted]
    told = "\n".join([*(f"- {line}" for line in gone), *(f"+ {line}" for line in come)])
    assert now == accepted, f"{told}\n{file} has changed. If that is meant, accept it: python -m tests.accept"


def test_an_editor_finds_the_schema_of_every_config_here():
    for config in sorted((accept.ROOT / "configs").rglob("*.yaml")):
        first, *_ = config.read_text(encoding="utf-8").splitlines()
        schema = first.removeprefix("# yaml-language-server: $schema=")
        assert Path(config.parent, schema).resolve() == accept.ROOT / "docs" / "experiment.schema.json"
