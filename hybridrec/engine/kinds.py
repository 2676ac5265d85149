"""Checks that the data has the kinds of entities that a config names as targets or under `through_items`."""

from __future__ import annotations

from dataclasses import replace

from hybridrec.config.models import ExperimentConfig
from hybridrec.data.dataset import Dataset
from hybridrec.errors import ConfigError, did_you_mean


def with_kinds(data: Dataset, config: ExperimentConfig) -> Dataset:
    """Return the data with users who also have, through their items, the kinds that the config lists.

    The config lists the kinds under `data.through_items`. Raises ConfigError if items do not have one of these kinds,
    or if the data already states which entities of the kind users have. Raises ConfigError, too, if the config names a
    target that users do not have.
    """
    through = tuple(config.data.through_items)
    of_items = [kind for kind in data.kinds if kind in data.item_has or kind in data.assignments]
    for place, kind in enumerate(through):
        if kind not in of_items:
            near = did_you_mean(kind, of_items)
            raise ConfigError(f"data.through_items[{place}]: items have no entities of the kind '{kind}'; {near}")
        if kind in data.user_has and data.user_has[kind].nnz:
            raise ConfigError(
                f"data.through_items[{place}]: the data states the {kind} of users; leave '{kind}' out of the list"
            )
    if through:
        data = replace(data, through_items=through)
    for target in config.targets:
        if target not in data.targets:
            hint = (
                f"users carry no {target}, only items do: add `through_items: [{target}]` to `data`"
                if target in data.kinds
                else f"the data has no such kind that users carry: {did_you_mean(target, data.targets)}"
            )
            raise ConfigError(f"targets.{target}: {hint}")
    return data
