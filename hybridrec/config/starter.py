"""A first config for a user's own files, or for those of a published data set."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from hybridrec.data.checks import check_dataset
from hybridrec.data.io.files import FORMATS
from hybridrec.data.io.profile import Profile, describe, profile
from hybridrec.errors import DataError
from hybridrec.registry.discovery import Registry
from hybridrec.tracing import calling

EASE_ITEMS = 20_000
"""Above this many items the matrix of EASE takes gigabytes; factors and neighbours do not."""


def starting_config(paths: Sequence[Path], folder: Path, registry: Registry) -> tuple[list[str], str]:
    """What files, or those in folders, hold, in lines, and a config (YAML) to be written into `folder`.

    Where a reader recognises them they are read by it, else columns are guessed. Raises DataError where a
    file cannot be read or no file looks like interactions.
    """
    found = _published(paths, folder, registry) or profile(_tables(paths), folder)
    text = yaml.safe_dump(_config(found), sort_keys=False, allow_unicode=True, default_flow_style=None, width=100)
    return _description(found), _HEADER + text


SCHEMA = ".hybridrec/experiment.schema.json"
"""Where `init` puts the schema that the first line of a config names, from the folder of that config."""
_HEADER = f"""\
# yaml-language-server: $schema={SCHEMA}
# Written by `hybridrec init`. Every option is explained by `hybridrec show NAME`;
# `hybridrec check` shows what would be fitted, `hybridrec run` carries it out.
"""


def _published(paths: Sequence[Path], folder: Path, registry: Registry) -> Profile | None:
    """What the first reader that recognises the files makes of them."""
    files = [file for path in paths for file in _inside(path) if file.is_file()]
    for reader in registry.classes("readers"):
        with calling(reader, "while looking at files"):
            options = reader.recognises(files)
        if options is not None:
            with calling(reader, "while reading what it recognised"):
                made = reader(reader.Config.model_validate(options))
                data = check_dataset(made.read())
            relative = {
                key: os.path.relpath(value, folder) if isinstance(value, Path) else value
                for key, value in options.items()
            }
            notes = [f"recognised as what reader {reader.name} reads", *made.notes()]
            return describe(data, {"reader": reader.name, **relative}, "reader", notes)
    return None


def _tables(paths: Sequence[Path]) -> list[Path]:
    """The files, and of folders those of a known ending; DataError if there is none."""
    found = [file for path in paths for file in _inside(path) if file == path or file.suffix.lower() in FORMATS]
    if not found:
        folders, endings = ", ".join(map(str, paths)), ", ".join(FORMATS)
        raise DataError(f"{folders}: no reader recognises what is in it, and no file in it ends in {endings}")
    return found


def _inside(path: Path) -> list[Path]:
    """What a folder holds, or the file itself."""
    return sorted(path.iterdir()) if path.is_dir() else [path]


def _config(found: Profile) -> dict[str, Any]:
    components: dict[str, Any] = {"als": {"factors": 64}, "item-knn": {}}
    if found.items <= EASE_ITEMS:
        components["ease"] = {}
    if found.tags:
        components["tag-fallback"] = {}
    labels = list(components)
    return {
        "name": "experiment",
        "seed": 1,
        "data": found.data,
        "split": found.split,
        "components": components,
        "targets": {"items": 20},
        "pipelines": {
            "control": {"generators": [{"from": "als", "k": 200}]},
            "hybrid": {
                "generators": [{"from": label, "k": 200} for label in labels],
                "scorers": labels,
                "rerank": [{"use": "validated", "k": 10}],
            },
        },
        "compare": {"control": "control", "singles": True, "metrics": ["ndcg@10", "recall@20", "coverage@10"]},
        "refit": "all",
    }


def _description(found: Profile) -> list[str]:
    known = [
        (found.tagged_users, f"{found.tagged_users} users with tags"),
        (found.tagged_items, f"{found.tagged_items} items with tags"),
        (found.titles, f"{found.titles} users with a title"),
        (found.texts, f"{found.texts} items with a text"),
    ]
    extras = [text for count, text in known if count]
    times, weights = ("with" if there else "without" for there in (found.times, found.weights))
    return [
        f"{found.interactions} interactions of {found.users} users with {found.items} items ({found.tags} tags)",
        f"density {found.density:.4%}, {found.repeats} repeats, the median user has {found.median:g}",
        f"order by {found.order}; {times} times, {weights} weights" + "".join(f"; {text}" for text in extras),
        *found.notes,
    ]
