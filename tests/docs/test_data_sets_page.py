"""The page on data sets is true: its blocks are read, and it knows all readers and configs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from hybridrec.registry.discovery import Registry
from tests.docs.markdown import ROOT, blocks

FILE = ROOT / "docs" / "data-sets.md"
PAGE = FILE.read_text(encoding="utf-8")
BLOCKS = [yaml.safe_load(block.code)["data"] for block in blocks(FILE) if block.language == "yaml"]
EMBEDDED = ["setlists", "movietweetings"]
READERS = ["melon", "yes-radio", "spotify", "mpd", "radio", "movielens", "hetrec-lastfm", "feature-lines"]


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry()


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block["reader"])
def test_every_block_reads_the_fixture(block: dict[str, object], registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "data").symlink_to(ROOT / "tests" / "plugins" / "fixtures", target_is_directory=True)
    reader = registry.get("readers", block["reader"])
    options = {key: value for key, value in block.items() if key != "reader"}
    data = reader(reader.Config.model_validate(options, context={"folder": tmp_path})).read()
    assert len(data.interactions.ids)


def test_every_reader_has_its_block_and_its_row() -> None:
    assert [block["reader"] for block in BLOCKS] == READERS
    assert re.findall(r"^\| `([\w-]+)` \|", PAGE, re.M) == [*READERS, *EMBEDDED]


@pytest.mark.parametrize("name", EMBEDDED)
def test_what_the_package_holds_is_told_in_numbers(name: str, registry: Registry) -> None:
    data = registry.get("readers", name)().read()
    (row,) = [line for line in PAGE.splitlines() if line.startswith(f"| `{name}` |")]
    counts = {len(data.users), len(data.items), len(data.interactions.ids)}
    told = {int(number.replace(",", "")) for number in re.findall(r"\d[\d,]*", row.split("|")[2])}
    assert told <= counts
    assert len(told) > 1


def test_the_configs_it_names_are_there() -> None:
    (line,) = re.findall(r"^`configs/` has an experiment for (.*)\.$", PAGE, re.M)
    assert all((ROOT / "configs" / f"{name}.yaml").is_file() for name in re.findall(r"`([\w-]+)`", line))
