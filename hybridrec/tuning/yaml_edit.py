"""The text of `best.yaml`: the experiment file with the chosen values, otherwise as its author wrote it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from hybridrec.config.experiment import CheckedExperiment
from hybridrec.config.load import check
from hybridrec.config.search_space import Variants
from hybridrec.config.yaml_document import parse
from hybridrec.config.yaml_edit import edited_text
from hybridrec.errors import ConfigError


def tuned_text(
    variants: Variants, text: str, values: Mapping[str, Any], chosen: CheckedExperiment, folder: Path
) -> str:
    """Insert values into the experiment file `text`, remove its section `tune`, and return the text.

    The result is meant for a file in `folder` and must resolve to the experiment `chosen`. If editing the text does not
    lead to this (for example, because a value stands behind an alias that is used in several places), the resolved
    config of `chosen` is returned instead.
    """
    edits = {tuple(path.split(".")): value for path, value in values.items()}
    edits |= _absolute(variants.document.content, chosen.resolved)
    try:
        edited = edited_text(text, edits, without="tune")
        if check(parse(edited, "best.yaml"), variants.registry, folder).resolved == chosen.resolved:
            return edited
    except (ConfigError, KeyError, IndexError, TypeError, ValueError):
        pass
    return yaml.safe_dump(chosen.resolved, sort_keys=False, allow_unicode=True)


def _absolute(content: Any, resolved: Any, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], str]:
    """Return, by key path, the absolute path of each file that the document names by a relative path.

    `resolved` is the resolved config, in which paths are absolute.
    """
    if isinstance(content, str):
        moved = isinstance(resolved, str) and content != resolved and Path(resolved).is_absolute()
        return {path: resolved} if moved else {}
    below: Iterator[tuple[Any, Any, Any]] = iter(())
    if isinstance(content, dict) and isinstance(resolved, dict):
        below = ((key, content[key], resolved[key]) for key in content if key in resolved)
    elif isinstance(content, list) and isinstance(resolved, list):
        below = ((place, *pair) for place, pair in enumerate(zip(content, resolved, strict=False)))
    return {where: new for key, old, now in below for where, new in _absolute(old, now, (*path, str(key))).items()}
