"""Song2Vec by plain calls of gensim and its published rule, beside our component on the same held-out lists.

    pip install -e '.[word2vec]'
    python -m benchmarks.systems.song2vec          # a minute on one core; takes rock radio where it is

The table is written into docs/word2vec.md. A query of the published code is the mean of the vectors of the songs
around; the component brings each to length 1 first, as gensim's `most_similar` does. Both means are taken of the same
vectors, which plain gensim has trained; the component trains its own, from other random numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
import yaml
from gensim.models import KeyedVectors, Word2Vec
from scipy import stats
from threadpoolctl import threadpool_limits

from benchmarks.readme import ROOT, markdown, write
from benchmarks.systems.data import CONFIGS, missing
from hybridrec import Dataset, run
from hybridrec.config.load import load_experiment
from hybridrec.registry.discovery import Registry
from hybridrec.types import Doubles

PUBLISHED = CONFIGS.parent / "published" / "song2vec.yaml"
PAGE = ROOT / "docs" / "word2vec.md"
LISTS = {"concerts": CONFIGS / "setlists.yaml", "rock radio": CONFIGS / "radio.yaml"}
"""Name of a collection of lists -> config with its data."""
WINDOW, TOP = 10, 25
METRIC = f"hit-rate@{TOP}"


def main() -> None:
    """Measure each collection whose files exist by both rules, print the table and write it into the page."""
    rows = [
        [
            "lists",
            "a song that is around again",
            "plain gensim",
            "of unit vectors",
            "`song2vec`",
            "difference from these",
        ]
    ]
    rows.append(["---"] * len(rows[0]))
    for name, config in LISTS.items():
        absent = list(missing(load_experiment(config, Registry()), config))
        if absent:
            print(f"{name}: skipped, {absent[0]}")
            continue
        data = yaml.safe_load(config.read_text(encoding="utf-8"))["data"]
        if "folder" in data:
            data["folder"] = str(config.parent / data["folder"])
        for repeats, words in ((True, "stays"), (False, "is hidden")):
            plain, unit, ours = measure(data, repeats)
            rows.append([f"{name}, {len(plain):,}", words, *map(cell, (plain, unit, ours, ours - unit))])
    table = markdown(rows)
    print(table)
    write(PAGE, {"song2vec plain": table})


def measure(data: dict[str, Any], repeats: bool) -> tuple[Doubles, Doubles, Doubles]:
    """Return the hit rate of each held-out list: float64 [L], three times.

    The first is by plain gensim and the mean of vectors, the second by the mean of unit vectors, the third by the
    component.

    data: section `data` of a config
    repeats: true to leave a song in its own window where it stands there again
    """
    config = document(data, repeats)
    lists = songs_of(load_experiment(config, Registry()).reader.read())
    with threadpool_limits(limits=1):
        ours = run(config).per_query().group_by("unit", maintain_order=True).agg(pl.mean(METRIC))
        held_out = ours["unit"].to_list()
        vectors = trained([songs for name, songs in lists.items() if name not in set(held_out)], config["seed"])
        plain, unit = (
            np.array([hit_rate(vectors, lists[name], repeats, unit) for name in held_out]) for unit in (False, True)
        )
    return plain, unit, ours[METRIC].to_numpy()


def document(data: dict[str, Any], repeats: bool) -> dict[str, Any]:
    """Return the published experiment on other lists, with the trained model alone."""
    published = yaml.safe_load(PUBLISHED.read_text(encoding="utf-8"))
    seen = "allow" if repeats else "exclude"
    return published | {
        "name": "song2vec-plain",
        "data": data,
        "split": {"use": "each-position", "test": 0.2, "window": WINDOW, "seen": seen},
        "components": {"song2vec": published["components"]["song2vec"]},
        "pipelines": {"song2vec": published["pipelines"]["song2vec"]},
        "refit": "none",
    }


def songs_of(data: Dataset) -> dict[str, list[str]]:
    """Return the songs of each list, in order and with repeats, by the name of the list."""
    plays = data.interactions
    songs = data.items.vocabulary.texts(plays.ids)
    ends = pairwise(plays.offsets.tolist())
    return {name: songs[start:end] for name, (start, end) in zip(data.users.vocabulary.ids, ends, strict=True)}


def trained(lists: Sequence[Sequence[str]], seed: int) -> KeyedVectors:
    """Train the published model by gensim, whose defaults are taken for what was not published."""
    model = Word2Vec(lists, vector_size=256, window=WINDOW, min_count=1, negative=20, epochs=100, workers=1, seed=seed)
    return model.wv


def hit_rate(vectors: KeyedVectors, songs: Sequence[str], repeats: bool, unit: bool) -> float:
    """Compute the share of the positions of a list at which the song is found by the songs around it.

    It is found if it is among the `TOP` songs nearest, by cosine, to the mean vector of `WINDOW` songs on each side.
    With `unit` these vectors have length 1. Positions without songs around do not count; songs that were not trained
    are passed over.
    """
    hits = []
    for place, song in enumerate(songs):
        around = [*songs[max(place - WINDOW, 0) : place], *songs[place + 1 : place + 1 + WINDOW]]
        around = [other for other in around if repeats or other != song]
        if not around:
            continue
        heard = [other for other in around if other in vectors]
        if heard:
            query = vectors.get_mean_vector(heard, pre_normalize=unit)
            hits.append(song in {name for name, _ in vectors.similar_by_vector(query, topn=TOP)})
        else:
            hits.append(False)
    return float(np.mean(hits)) if hits else float("nan")


def cell(values: Doubles) -> str:
    """Return the mean over lists with the half width of its 95 % interval by Student's t."""
    half = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)
    return f"{values.mean():.4f} ± {half:.4f}"


if __name__ == "__main__":
    main()
