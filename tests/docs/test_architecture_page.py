"""The architecture page names files that are there, and every folder of the package."""

from __future__ import annotations

import re

import pytest

from tests.docs.markdown import ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
FILES = sorted(set(re.findall(r"`((?:hybridrec|plugins)/[\w/]+\.py)`", PAGE)))


@pytest.mark.parametrize("file", FILES)
def test_the_files_of_the_journeys_exist(file: str) -> None:
    assert (ROOT / file).is_file()


def test_there_are_five_journeys_of_several_files() -> None:
    journeys = re.findall(r"^## The journey of a ([\w ]+)\n(.*?)(?=^## )", PAGE, re.S | re.M)
    assert [name for name, _ in journeys] == ["config", "query", "request over HTTP", "plugin", "validation query"]
    assert all(len(re.findall(r"`(?:hybridrec|plugins)/[\w/]+\.py`", text)) >= 4 for _, text in journeys)


def test_every_folder_of_the_package_has_its_layer() -> None:
    layers = PAGE.partition("## Layers")[2].partition("## The journey")[0]
    folders = {path.name for path in (ROOT / "hybridrec").iterdir() if (path / "__init__.py").exists()}
    assert {name for name in folders if not re.search(rf"`(hybridrec/)?{name}`", layers)} == set()
