"""Word2Vec at the sizes and settings of two published systems, on synthetic lists of songs."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
import polars as pl
import yaml

from benchmarks.timing import ROOT, Way, Work, run_way
from hybridrec import Dataset, Longs, Tables, assemble

EPOCHS = 2
"""Number of epochs that are measured if the whole training takes too long; the last one stands for the others."""
SHRINK = 2_000
"""Divisor of the numbers of lists and songs in a quick measurement."""


@dataclass(frozen=True, slots=True)
class Popularity:
    """Popularity of ids: shares in proportion to (rank + shift) ** -exponent (Mandelbrot 1953)."""

    exponent: float
    shift: float

    def draw(self, n: int, ids: int, rng: np.random.Generator) -> Longs:
        """Draw n of `ids` ids by their shares, int64[n]; the ranks of the ids are random."""
        ends = np.cumsum((np.arange(1, ids + 1) + self.shift) ** -self.exponent)
        ranks = np.minimum(np.searchsorted(ends, rng.random(n) * ends[-1]), ids - 1)
        return rng.permutation(ids)[ranks]


@dataclass(frozen=True, slots=True)
class System:
    """A published system: the size of its data, and the config with its settings.

    lists, songs: number of lists, and of distinct songs
    plays: number of songs on all lists together
    popularity: popularity of songs, as skewed as in the published figures of the data
    repeats: true if a song may be on a list several times
    config, label: file below `configs`, and the component whose options are taken
    complete: true if the whole training takes less than an hour, and is measured
    tags, words: number of tags, and of words of titles, of all lists together
    """

    name: str
    lists: int
    songs: int
    plays: int
    popularity: Popularity
    repeats: bool
    config: str
    label: str
    complete: bool = False
    tags: int = 0
    words: int = 0

    def options(self, **changed: Any) -> dict[str, Any]:
        """Return the published options of the component, with changes; synthetic titles are split into words only."""
        config = yaml.safe_load((ROOT / "configs" / self.config).read_text(encoding="utf-8"))
        options = {key: value for key, value in config["components"][self.label].items() if key != "use"}
        return {**options, **changed} | ({"tokenizer": {"use": "words"}} if "tokenizer" in options else {})

    def dataset(self, shrink: int, seed: int = 0) -> Dataset:
        """Draw a data set with the numbers of lists and songs divided by `shrink`.

        If songs repeat, every song is on at least one list.
        """
        rng = np.random.default_rng(seed)
        lists, songs = max(self.lists // shrink, 50), max(self.songs // shrink, 100)
        mean = self.plays / self.lists
        lengths = rng.lognormal(-0.18, 0.6, lists)  # of mean 1
        rows = np.repeat(np.arange(lists), np.maximum(np.rint(lengths * mean), 2).astype(np.int64))
        played = self.popularity.draw(len(rows), songs, rng)
        if self.repeats:
            played[rng.permutation(len(rows))[:songs]] = np.arange(min(songs, len(rows)))
            plays = pl.DataFrame({"user": rows, "item": played})
        else:
            plays = pl.DataFrame({"user": rows, "item": played}).unique(maintain_order=True)
        plays = plays.with_columns(position=pl.int_range(pl.len()).over("user").cast(pl.Float64))
        return assemble(Tables(plays, **self._about(lists, songs, shrink, rng)))

    def _about(self, lists: int, songs: int, shrink: int, rng: np.random.Generator) -> Mapping[str, Any]:
        """Return tables of tags and titles of lists, and of genres and artists of songs; empty without tags."""
        if not self.tags:
            return {}
        each = {
            name: max(count // shrink, 30)
            for name, count in (("tags", 29_160), ("words", 30_000), ("artists", 107_824))
        }
        skewed = Popularity(1.0, 5.0)
        tags = {
            "user": rng.integers(lists, size=self.tags // shrink),
            "id": skewed.draw(self.tags // shrink, each["tags"], rng),
        }
        words = skewed.draw(self.words // shrink, each["words"], rng)
        titles = pl.DataFrame({"id": rng.integers(lists, size=len(words)), "text": pl.Series(words).cast(pl.String)})
        features = {
            "genre": rng.integers(220, size=songs),
            "artist": skewed.draw(songs, each["artists"], rng),
        }
        labels = [
            pl.DataFrame({"id": np.arange(songs), "feature": pl.Series(codes).cast(pl.String)}).with_columns(
                pl.format(f"{name}:{{}}", "feature").alias("feature")
            )
            for name, codes in features.items()
        ]
        return {
            "entities": {"users": titles.group_by("id").agg(pl.col("text").str.join(" ")).cast({"id": pl.String})},
            "user_has": {"tags": pl.DataFrame(tags).unique(maintain_order=True)},
            "labels": {"items": pl.concat(labels).cast({"id": pl.String})},
        }


SYSTEMS = {
    "melon": System(
        "MelonRec-W2V on the training lists of Melon",
        lists=115_071,
        songs=707_989,
        plays=5_285_871,
        popularity=Popularity(0.964, 300),  # 615,000 songs are on a list, as in the data
        repeats=False,
        config="published/melonrec-w2v.yaml",
        label="space",
        tags=476_331,
        words=400_000,
    ),
    "radio": System(
        "Song2Vec on the lists of Yes.com",
        lists=15_910,
        songs=75_262,
        plays=2_840_553 + 15_910,  # transitions, and the first song of each list
        popularity=Popularity(1.67, 30),  # 9,775 songs are played five times or more, as in the data
        repeats=True,
        config="published/song2vec.yaml",
        label="song2vec",
        complete=True,
    ),
}


def published_sizes(quick: bool) -> list[Work]:
    """Train Song2Vec, and two epochs of MelonRec-W2V, at published sizes and settings, on one thread and on two."""
    works = []
    for key, system in SYSTEMS.items():
        every = system.options()["epochs"]
        epochs = every if system.complete and not quick else EPOCHS
        shrink = SHRINK if quick else 1
        told = {n: run_way(sys.executable, "with_published_sizes.py", key, n, epochs, shrink) for n in (1, 2)}
        ways = {f"{workers} worker{'s' if workers > 1 else ''}": _way(at) for workers, at in told.items()}
        size = f"{told[1]['lists']:,} lists, {told[1]['songs']:,} songs, {told[1]['tokens']:,} tokens"
        work = Work(f"{system.name}: {size}, {told[1]['vocabulary']:,} with a vector", "epoch", 1, ways)
        work.ratio("2 workers", "1 worker")
        for workers, at in told.items():
            computed = every - len(at["epochs"])
            suffix = f", {computed} of them computed" if computed else ""
            wall, cpu = (_hours(at, clock, computed) for clock in ("wall", "cpu"))
            work.note(f"hours of {every} epochs on {workers}{suffix}", wall, cpu=cpu)
        works.append(work)
    return works


def _hours(told: Mapping[str, Any], clock: str, computed: int) -> float:
    """Return the hours of a whole training.

    `computed` is the number of epochs that were not run; each counts as long as the last epoch that was run.
    """
    seconds = [epoch[clock] for epoch in told["epochs"]]
    return (told["before"][clock] + sum(seconds) + computed * seconds[-1]) / 3600


def _way(told: Mapping[str, Any]) -> Way:
    walls, cpus = ([epoch[clock] for epoch in told["epochs"][1:]] for clock in ("wall", "cpu"))
    facts = {
        "CPU, s": median(cpus),
        "before the first epoch, CPU s": told["before"]["cpu"],
        "private memory at the peak, GB": told["private"] / 1e9,
        "of it training, GB": (told["private"] - told["data"]) / 1e9,
        "estimated for training, GB": told["estimate"] / 1e9,
    }
    return Way(walls, cpus, facts)
