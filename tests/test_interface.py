"""Registered names, schemas and commands change on purpose, or not at all."""

from __future__ import annotations

from difflib import unified_diff
from pathlib import Path

from tests import accept


def test_the_interface_is_the_accepted_one():
    changes: list[str] = []
    for file, content in accept.interface().items():
        accepted = (accept.ROOT / file).read_text(encoding="utf-8").splitlines()
        changes += unified_diff(accepted, content.splitlines(), file, file, n=0, lineterm="")
    assert not changes, "\n".join([*changes, "If these changes are meant, accept them: python -m tests.accept"])


def test_an_editor_finds_the_schema_of_every_config_here():
    for config in sorted((accept.ROOT / "configs").rglob("*.yaml")):
        first, *_ = config.read_text(encoding="utf-8").splitlines()
        schema = first.removeprefix("# yaml-language-server: $schema=")
        assert Path(config.parent, schema).resolve() == accept.ROOT / "docs" / "experiment.schema.json"
