"""What lies near an item, a tag or a text in the space of one fitted component."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hybridrec.arrays import PADDING, Floats, Target
from hybridrec.data.dataset import Dataset
from hybridrec.data.encoding import encode
from hybridrec.data.queries import Query
from hybridrec.errors import ConfigError, DataError, did_you_mean
from hybridrec.experiment.serving import Recommender
from hybridrec.stages import kernels
from hybridrec.stages.component import Exclude, Generator, VectorModel


@dataclass(frozen=True, slots=True)
class Neighbour:
    """One near thing: its external id, its readable name, and how near it is (higher is nearer)."""

    id: str
    name: str
    similarity: float


@dataclass(frozen=True, slots=True)
class Found:
    """What a loosely typed name was taken for."""

    id: str
    name: str
    score: float
    """0 to 100: how well the name fits."""


def find(text: str, data: Dataset, target: Target) -> Found:
    """The item or tag whose id or name is nearest to `text`; raises DataError if nothing is near."""
    from rapidfuzz import fuzz, process, utils

    ids = data.items if target == "items" else data.tags
    names = data.item_names() if target == "items" else tuple(data.tags.ids)
    if text in ids:
        code = int(ids.encode([text])[0])
        return Found(text, names[code], 100.0)
    near = process.extract(text, names, scorer=fuzz.WRatio, processor=utils.default_process, score_cutoff=60, limit=50)
    if not near:
        raise DataError(f"nothing among {len(names)} {target} is called like '{text}'")
    # Of names that fit equally well the shortest says the least beyond what was typed.
    name, score, code = min(near, key=lambda found: (-found[1], len(found[0]), found[2]))
    return Found(ids.ids[code], name, score)


def similar(recommender: Recommender, label: str, query: Query, target: Target, n: int) -> list[Neighbour]:
    """The n nearest ids of `target` to what the query holds, in the space of the component `label`.

    For a vector model and a single item or tag, nearness is the cosine of their vectors; else it is the
    component's own score for the query.
    """
    if label not in recommender.components:
        raise ConfigError(f"no component is labelled '{label}': {did_you_mean(label, recommender.components)}")
    component = recommender.components[label].component
    if not isinstance(component, Generator) or target not in component.targets:
        raise ConfigError(f"'{label}' ({component.name}) proposes no {target}")
    data = recommender.data
    vocabulary = data.items if target == "items" else data.tags
    batch = encode([query], data)
    own = batch.history.ids if target == "items" else batch.tags.indices
    if isinstance(component, VectorModel) and len(own) == 1 and not query.text:
        scores = _cosines(component.vectors(target), int(own[0]))
        ids, values = kernels.top_k(scores, n)
    else:
        seen = batch.history.matrix(binary=True) if target == "items" else batch.tags
        found = component.candidates(batch, n, target, Exclude(seen))
        ids, values = found.ids, found.scores
    known = ids[0] != PADDING
    names = data.item_names() if target == "items" else tuple(data.tags.ids)
    external = vocabulary.decode(ids[0][known])
    return [
        Neighbour(name, names[code], float(value))
        for name, code, value in zip(external, ids[0][known], values[0][known], strict=True)
    ]


def _cosines(vectors: Floats, code: int) -> Floats:
    """float32 [1, N]: cosine of every vector with one of them, which itself is left out."""
    lengths = np.linalg.norm(vectors, axis=1)
    scores = vectors @ vectors[code] / np.where(lengths > 0, lengths * max(float(lengths[code]), 1e-12), np.nan)
    scores[code] = np.nan
    return scores[None].astype(np.float32, copy=False)
