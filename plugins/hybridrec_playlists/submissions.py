"""Slates as the files that challenges take in: the results JSON of Melon, the CSV of the RecSys Challenge 2018."""

from __future__ import annotations

import gzip
import json
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import AfterValidator, Field

from hybridrec import DataError, Exporter, InputPath, text_files
from hybridrec_playlists import melon, mpd

if TYPE_CHECKING:
    import polars as pl

    from hybridrec import Query, Run, Target

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
        """Return lists of the best n ids for each playlist; raises DataError if there are fewer for one of them."""
        import polars as pl

        if target not in self.slates:
            raise DataError(f"'{self.pipeline}' recommends no {target}; `targets` has to hold {{{target}: {n}}}")
        ranked = self.slates[target].select(pl.col("query").cast(pl.Int64), "rank", "id").sort("query", "rank")
        best = ranked.group_by("query", maintain_order=True).agg(pl.col("id").head(n))
        every = pl.DataFrame({"query": pl.int_range(len(self.playlists), eager=True)})
        lists = every.join(best, on="query", how="left", maintain_order="left")["id"].fill_null([])
        lengths = lists.list.len()
        if (lengths < n).any():
            short = int(lengths.to_numpy().argmin())
            raise DataError(
                f"'{self.pipeline}' has {lengths[short]} {target} for playlist {self.playlists[short]}, and {n} are "
                f"wanted: `targets` has to say so many, `fallback` to end with popularity, and the data to hold as "
                "many that may be recommended (with `unplayed: true` songs of no playlist, too)"
            )
        return lists


class SubmissionOptions(text_files.Tolerance):
    """What is answered."""

    questions: InputPath | None = None
    """A file of the challenge whose playlists are answered (val.json, challenge_set.json) by a run made with
    `refit: all`; by default the file holds the slates of the run's own queries."""


class SubmissionExporter(Exporter):
    """Base of the files that a challenge takes in: one for each pipeline of the run."""

    Config: ClassVar[type[SubmissionOptions]] = SubmissionOptions
    config: SubmissionOptions
    _malformed: text_files.Malformed | None = None

    @abstractmethod
    def read_questions(self, path: Path, malformed: text_files.Malformed) -> dict[str, Query]:
        """Read what the challenge asks: id of each playlist -> what it shows."""

    @abstractmethod
    def write(self, answers: Answers, folder: Path) -> Path:
        """Write the file of a pipeline; raises DataError if the challenge wants more than there is."""

    def export(self, run: Run, folder: Path) -> list[Path]:
        """Write a file for each pipeline of the run; raises DataError if the challenge wants more than there is."""
        questions = self.config.questions
        answers = _own(run) if questions is None else self._answered(run, questions)
        return [self.write(given, folder) for given in answers]

    def notes(self) -> list[str]:
        """The malformed lines of the questions."""
        return [] if self._malformed is None else self._malformed.notes()

    def _answered(self, run: Run, path: Path) -> Iterator[Answers]:
        """Ask every pipeline of the run what the file asks."""
        import polars as pl

        from hybridrec import load

        self._malformed = text_files.Malformed(strict=self.config.strict)
        questions = self.read_questions(path, self._malformed)
        if not questions:
            raise DataError(f"{path} holds no questions")
        recommender = load(run)
        queries = list(questions.values())
        for name, report in run.report.pipelines.items():
            if name not in recommender.pipelines:
                continue
            slates = {
                target: recommender.recommend(queries, pipeline=name, target=target).to_frame()
                for target in report.candidate_recall
            }
            yield Answers(name, pl.Series(list(questions), dtype=pl.String), slates)


def _own(run: Run) -> Iterator[Answers]:
    """Return what the pipelines gave for the run's queries; raises DataError if it asked a playlist more than once."""
    playlists = run.queries()["unit"]
    if playlists.is_duplicated().any():
        raise DataError(f"{run.folder} asks a playlist more than once; the file has one answer for each")
    for name, report in run.report.pipelines.items():
        yield Answers(name, playlists, {target: run.slates(name, target) for target in report.candidate_recall})


class MelonExporter(SubmissionExporter):
    """The results file of the Melon challenge: `<pipeline>.json`, exactly 100 songs and 10 tags for each playlist."""

    name = "melon"

    def read_questions(self, path: Path, malformed: text_files.Malformed) -> dict[str, Query]:
        """Read the playlists of val.json or test.json, with the time of their last change."""
        return melon.read_questions(path, malformed)

    def write(self, answers: Answers, folder: Path) -> Path:
        """Write the JSON; raises DataError also if ids are no whole numbers, as those of Melon are."""
        import polars as pl

        songs = _numbers(answers.best("items", SONGS).explode()).reshape((-1, SONGS))
        rows = pl.DataFrame({"id": _numbers(answers.playlists), "songs": songs, "tags": answers.best("tags", TAGS)})
        path = folder / f"{answers.pipeline}.json"
        path.write_text(json.dumps(rows.to_dicts(), ensure_ascii=False), encoding="utf-8")
        return path


def _without_comma(text: str) -> str:
    if "," in text:
        raise ValueError(f"a comma would part '{text}' in the file; leave it out")
    return text


Cell = Annotated[str, AfterValidator(_without_comma)]


class MPDSubmissionOptions(SubmissionOptions):
    """What is answered, and by whom."""

    team: Cell = Field(examples=["the neighbours"])
    """Name of the team."""
    email: Cell = Field(examples=["us@example.org"])
    """Its address."""


class MPDExporter(SubmissionExporter):
    """The submission to the RecSys Challenge 2018: `<pipeline>.csv.gz`, 500 tracks for each playlist.

    A line `team_info,team,email`, then a line for each playlist, its pid and its tracks.
    """

    name = "mpd"
    Config = MPDSubmissionOptions
    config: MPDSubmissionOptions

    def read_questions(self, path: Path, malformed: text_files.Malformed) -> dict[str, Query]:
        """Read the playlists of challenge_set.json."""
        return mpd.read_questions(path, malformed)

    def write(self, answers: Answers, folder: Path) -> Path:
        """Write the table; the same answers make the same file."""
        lines = [f"team_info,{self.config.team},{self.config.email}"]
        rows = zip(answers.playlists, answers.best("items", TRACKS), strict=True)
        lines += [",".join([pid, *tracks]) for pid, tracks in rows]
        path = folder / f"{answers.pipeline}.csv.gz"
        # No time of writing in it: the same answers make the same file.
        path.write_bytes(gzip.compress("\n".join([*lines, ""]).encode(), mtime=0))
        return path


def _numbers(ids: pl.Series) -> pl.Series:
    import polars as pl

    numbers = ids.cast(pl.Int64, strict=False)
    if numbers.null_count():
        raise DataError(f"the id '{ids.filter(numbers.is_null())[0]}' is not a number, as those of Melon are")
    return numbers
