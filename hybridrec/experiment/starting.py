"""A first config for a user's own files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from hybridrec.data.profile import Profile, profile

EASE_ITEMS = 20_000
"""Above this many items the matrix of EASE takes gigabytes; factors and neighbours do not."""


def starting_config(files: Sequence[Path], folder: Path) -> tuple[list[str], str]:
    """What the files hold, in lines, and a config (YAML) to be written into `folder`.

    Raises DataError where a file cannot be read or no file looks like interactions.
    """
    found = profile(files, folder)
    text = yaml.safe_dump(_config(found), sort_keys=False, allow_unicode=True, default_flow_style=None, width=100)
    return _description(found), _HEADER + text


SCHEMA = ".hybridrec/experiment.schema.json"
"""Where `init` puts the schema that the first line of a config names, from the folder of that config."""
_HEADER = f"""\
# yaml-language-server: $schema={SCHEMA}
# Written by `hybridrec init`. Every option is explained by `hybridrec show NAME`;
# `hybridrec check` shows what would be fitted, `hybridrec run` carries it out.
"""


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
