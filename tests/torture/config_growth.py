"""Configs that grow in one place: a check calls functions in proportion to the size of the config."""

from __future__ import annotations

import sys
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import yaml

from hybridrec.config.experiment import ComponentSpec
from hybridrec.config.models import PipelineUse
from hybridrec.config.resolve import Checker
from hybridrec.errors import ConfigError
from hybridrec.registry.discovery import Registry
from tests.torture.config_fuzz import checked
from tests.torture.outcome import Loss, Outcome

SIZES = (40, 80, 160)
"""Sizes of which each doubles the one before."""
MOST = 2.05
"""The most by which the calls that a doubling adds may grow: 2 where a check is linear, 4 where it is quadratic."""


def torture(tries: int, seed: int, folder: Path) -> Outcome:
    """Grow a config in each place of `GROWING`, in at most so many; there is nothing to draw."""
    registry, outcome = Registry(), Outcome()
    for name, grow in list(GROWING.items())[:tries]:
        outcome.attempt(name, lambda grow=grow: is_linear(grow, registry, folder), seconds=60)
    return outcome


def _components(size: int) -> dict[str, Any]:
    return {"components": {"popularity": {}} | {f"c{number}": {"use": "popularity"} for number in range(size)}}


def _generators(size: int) -> dict[str, Any]:
    labels = {f"c{number}": {"use": "popularity"} for number in range(size)}
    wide = {
        "generators": [{"from": label, "k": 10} for label in labels],
        "scorers": [*labels],
        "rerank": [{"use": "rrf"}],
    }
    return {"components": labels, "pipelines": {"wide": wide}}


def _pipelines(size: int) -> dict[str, Any]:
    return {"pipelines": {f"p{number}": {"generators": [{"from": "popularity"}]} for number in range(size)}}


def _metrics(size: int) -> dict[str, Any]:
    return {"compare": {"control": "control", "metrics": [f"ndcg@{number + 1}" for number in range(size)]}}


def _unknown_keys(size: int) -> dict[str, Any]:
    return {f"key{number}": number for number in range(size)}


def _unknown_options(size: int) -> dict[str, Any]:
    return {"components": {"popularity": {f"key{number}": number for number in range(size)}}}


def _unknown_labels(size: int) -> dict[str, Any]:
    return {"pipelines": {"control": {"generators": [{"from": f"nobody{number}"} for number in range(size)]}}}


def _weights(size: int) -> dict[str, Any]:
    labels = [f"c{number}" for number in range(size)]
    weights = {"use": "weighted", "weights": dict.fromkeys(labels, 1.0)}
    wide = {"generators": [{"from": label, "k": 10} for label in labels], "rerank": [weights]}
    return {"components": {label: {"use": "popularity"} for label in labels}, "pipelines": {"wide": wide}}


def _long_text(size: int) -> dict[str, Any]:
    return {"split": {"use": "x" * 100 * size}}


GROWING: dict[str, Callable[[int], dict[str, Any]]] = {
    make.__name__.strip("_").replace("_", " "): make
    for make in (
        _weights, _components, _generators, _pipelines, _metrics, _unknown_keys, _unknown_options, _unknown_labels,
        _long_text,
    )
}  # fmt: skip
"""Configs that grow in one place."""
BASE: dict[str, Any] = {
    "name": "grown",
    "data": {"reader": "setlists"},
    "split": {"use": "masked"},
    "components": {"popularity": {}},
    "pipelines": {"control": {"generators": [{"from": "popularity"}]}},
}


def is_linear(grow: Callable[[int], dict[str, Any]], registry: Registry, folder: Path) -> None:
    """Count the functions called for configs of `SIZES`; raises Loss if they grow faster than the config."""
    calls(grown(grow, 2), registry, folder)  # what is imported or made once
    first, second, third = (calls(grown(grow, size), registry, folder) for size in SIZES)
    if third - second > MOST * (second - first):
        raise Loss(f"{first:,}, {second:,} and {third:,} calls for sizes of {SIZES}")


def grown(grow: Callable[[int], dict[str, Any]], size: int) -> bytes:
    """Return a config that has grown to a size."""
    return yaml.safe_dump(BASE | grow(size), sort_keys=False).encode()


def calls(text: bytes, registry: Registry, folder: Path) -> int:
    """Return the number of functions that are called, of Python and of C, while a config is checked."""
    count = 0

    def tell(_: object, event: str, __: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(tell)
    try:
        checked(text, registry, folder)
    except ConfigError:
        pass
    finally:
        sys.setprofile(None)
    return count


def _compare_names_with_all_others(patch: pytest.MonkeyPatch) -> int:
    patch.setattr(Checker, "pool_labels", _compared)
    return 1


def _compared(_: object, spec: ComponentSpec, use: PipelineUse, *__: object) -> None:
    for name in getattr(spec.options, "weights", ()):
        for generator in use.generators:
            fnmatchcase(generator.source, name)


BREAKS = {"a check is linear": _compare_names_with_all_others}
"""Promises, and what breaks them for a test of this part: it returns the number of attempts that have to notice."""
