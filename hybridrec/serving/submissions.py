"""Slates as the files that challenges take in: the results JSON of Melon, the CSV of the RecSys Challenge 2018."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from hybridrec.errors import DataError
from hybridrec.paths import inside, replacing, write_whole
from hybridrec.runs.run import Run
from hybridrec.serving.recommender import Recommender
from hybridrec.tracing import calling
from hybridrec.types import Target

if TYPE_CHECKING:
    import polars as pl

SONGS, TAGS = 100, 10
"""How many of each the Melon challenge wants for a playlist."""
TRACKS = 500
"""How many the RecSys Challenge 2018 wants."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What one pipeline recommends to Q playlists.

    playlists: their ids
    slates: for each target a frame of query (row number), rank and id
    """

    pipeline: str
    playlists: pl.Series
    slates: Mapping[Target, pl.DataFrame]

    def best(self, target: Target, n: int) -> pl.Series:
        """Lists of the best n ids for each playlist; DataError if there are fewer for one of them."""
        import polars as pl

        if target not in self.slates:
            raise DataError(f"'{self.pipeline}' recommends no {target}; `targets` has to hold {{{target}: {n}}}")
        ranked = self.slates[target].select(pl.col("query").cast(pl.Int64), "rank", "id").sort("query", "rank")
        found = ranked.group_by("query", maintain_order=True).agg(pl.col("id").head(n))
        every = pl.DataFrame({"query": pl.int_range(len(self.playlists), eager=True)})
        lists = every.join(found, on="query", how="left", maintain_order="left")["id"].fill_null([])
        lengths = lists.list.len()
        if (lengths < n).any():
            short = int(lengths.to_numpy().argmin())
            raise DataError(
                f"'{self.pipeline}' has {lengths[short]} {target} for playlist {self.playlists[short]}, and {n} are "
                f"wanted: `targets` has to say so many, `fallback` to end with popularity, and the data to hold as "
                "many that may be recommended (with `unplayed: true` songs of no playlist, too)"
            )
        return lists


Form: TypeAlias = Callable[[Answers, Path], Path]
"""Writes what a pipeline answered into a folder; gives the path of the file."""


def answers_of(run: Run) -> Iterator[Answers]:
    """What the pipelines of a run gave for its own queries; DataError if it asked a playlist more than once."""
    playlists = run.queries()["unit"]
    if playlists.is_duplicated().any():
        raise DataError(f"{run.folder} asks a playlist more than once; the file has one answer for each")
    for name, report in run.report.pipelines.items():
        yield Answers(name, playlists, {target: run.slates(name, target) for target in report.candidate_recall})


def answers_to(questions: Path, recommender: Recommender) -> Iterator[Answers]:
    """What the pipelines of a run that serves give for the questions in a file, as the reader of its data reads it."""
    import polars as pl

    reader, data = recommender.experiment.reader, recommender.data
    with calling(reader, f"while reading the questions of {questions}"):
        asked = reader.questions(questions)
    playlists, queries = pl.Series(list(asked), dtype=pl.String), list(asked.values())
    if not queries:
        raise DataError(f"{questions} holds no questions")
    for name in recommender.pipelines:
        slates = {
            target: recommender.recommend(queries, pipeline=name, target=target).to_frame(
                data.items if target == "items" else data.tags
            )
            for target in recommender.experiment.config.targets
        }
        yield Answers(name, playlists, slates)


def export(answers: Iterable[Answers], form: Form, folder: Path) -> list[Path]:
    """Write a file for each pipeline into a folder; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    return [form(given, folder) for given in answers]


def melon(answers: Answers, folder: Path) -> Path:
    """`<pipeline>.json`: exactly 100 songs and 10 tags for each playlist.

    Raises DataError if there are fewer, or ids are no whole numbers, as those of Melon are.
    """
    import polars as pl

    songs = _numbers(answers.best("items", SONGS).explode()).reshape((-1, SONGS))
    rows = pl.DataFrame({"id": _numbers(answers.playlists), "songs": songs, "tags": answers.best("tags", TAGS)})
    path = inside(folder, f"{answers.pipeline}.json")
    write_whole(path, json.dumps(rows.to_dicts(), ensure_ascii=False))
    return path


def mpd(team: str, email: str) -> Form:
    """`<pipeline>.csv.gz`: a line `team_info,team,email`, then a line for each playlist, its pid and 500 tracks.

    The form raises DataError if there are fewer.
    """

    def write(answers: Answers, folder: Path) -> Path:
        lines = [f"team_info,{team},{email}"]
        rows = zip(answers.playlists, answers.best("items", TRACKS), strict=True)
        lines += [",".join([pid, *tracks]) for pid, tracks in rows]
        path = inside(folder, f"{answers.pipeline}.csv.gz")
        with replacing(path) as file:
            # No time of writing in it: the same answers make the same file.
            file.write(gzip.compress("\n".join([*lines, ""]).encode(), mtime=0))
        return path

    return write


def _numbers(ids: pl.Series) -> pl.Series:
    import polars as pl

    numbers = ids.cast(pl.Int64, strict=False)
    if numbers.null_count():
        raise DataError(f"the id '{ids.filter(numbers.is_null())[0]}' is no number, as those of Melon are")
    return numbers
