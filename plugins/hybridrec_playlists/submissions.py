"""Exporters of slates as submission files: the results JSON of Melon, the CSV of the RecSys Challenge 2018."""

from __future__ import annotations

import gzip
import json
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import AfterValidator, Field

from hybridrec import DataError, Exporter, InputPath, text_files
from hybridrec_playlists import melon, mpd

if TYPE_CHECKING:
    import polars as pl

    from hybridrec import Query, Run, Target

SONGS, TAGS = 100, 10
"""Numbers of songs and of tags for each playlist in a submission to the Melon challenge."""
TRACKS = 500
"""Number of tracks for each playlist in a submission to the RecSys Challenge 2018."""


@dataclass(frozen=True, slots=True)
class Answers:
    """Recommendations of one pipeline for Q playlists.

    playlists: the ids of the playlists
    slates: target -> frame with `query` (row number of the playlist), `rank` and `id`
    """

    pipeline: str
    playlists: pl.Series
    slates: Mapping[Target, pl.DataFrame]

    def best(self, target: Target, n: int) -> pl.Series:
        """Return a list of the best n ids for each playlist; raises DataError if a playlist has fewer."""
        import polars as pl

        if target not in self.slates:
            raise DataError(f"'{self.pipeline}' does not recommend {target}; `targets` must contain {{{target}: {n}}}")
        ranked = self.slates[target].select(pl.col("query").cast(pl.Int64), "rank", "id").sort("query", "rank")
        best = ranked.group_by("query", maintain_order=True).agg(pl.col("id").head(n))
        every = pl.DataFrame({"query": pl.int_range(len(self.playlists), eager=True)})
        lists = every.join(best, on="query", how="left", maintain_order="left")["id"].fill_null([])
        lengths = lists.list.len()
        if (lengths < n).any():
            short = int(lengths.to_numpy().argmin())
            raise DataError(
                f"'{self.pipeline}' has {lengths[short]} {target} for playlist {self.playlists[short]}, but {n} are "
                f"required: `targets` must ask for {n}, `fallback` must end with popularity, and the data must have "
                "as many that may be recommended (`unplayed: true` adds songs that are on no playlist)"
            )
        return lists


class SubmissionOptions(text_files.BadLineOptions):
    """Options of exporters of submission files: the playlists for which they recommend."""

    questions: InputPath | None = None
    """File of the challenge (val.json, challenge_set.json) with the playlists to recommend for; the run must be made
    with `refit: all`. By default the submission holds the slates of the run's own queries."""


class SubmissionExporter(Exporter):
    """Base of the exporters of submission files, which write one file for each pipeline of the run."""

    Config: ClassVar[type[SubmissionOptions]] = SubmissionOptions
    config: SubmissionOptions
    _malformed: text_files.BadLines | None = None

    @abstractmethod
    def read_questions(self, path: Path, bad_lines: text_files.BadLines) -> dict[str, Query]:
        """Read the playlists of the challenge as queries: id -> visible part."""

    @abstractmethod
    def write(self, answers: Answers, folder: Path) -> Path:
        """Write the file of a pipeline and return its path; raises DataError if there are too few recommendations."""

    def export(self, run: Run, folder: Path) -> list[Path]:
        """Write a file for each pipeline of the run; raises DataError if there are too few recommendations."""
        questions = self.config.questions
        answers = _own(run) if questions is None else self._answered(run, questions)
        return [self.write(given, folder) for given in answers]

    def notes(self) -> list[str]:
        """Return a note on the malformed lines of the file of questions, if there were any."""
        return [] if self._malformed is None else self._malformed.notes()

    def _answered(self, run: Run, path: Path) -> Iterator[Answers]:
        """Yield the recommendations of every pipeline of the run for the playlists of the file."""
        import polars as pl

        from hybridrec import load

        self._malformed = text_files.BadLines(strict=self.config.strict)
        questions = self.read_questions(path, self._malformed)
        if not questions:
            raise DataError(f"{path} contains no playlist to recommend for")
        recommender = load(run, unknown="skip")  # questions know songs that the data does not have
        features = recommender.data.users.features
        read = frozenset(() if features is None else features.columns)
        queries = [_with_features(query, read) for query in questions.values()]
        for name, report in run.report.pipelines.items():
            if name not in recommender.pipelines:
                continue
            slates = {
                target: recommender.recommend(queries, pipeline=name, target=target).to_frame()
                for target in report.candidate_recall
            }
            yield Answers(name, pl.Series(list(questions), dtype=pl.String), slates)


def _with_features(query: Query, names: frozenset[str]) -> Query:
    """Return the query with only those features of its user whose names are among `names`."""
    return replace(
        query, user_features={name: query.user_features[name] for name in names & query.user_features.keys()}
    )


def _own(run: Run) -> Iterator[Answers]:
    """Yield each pipeline's slates for the run's own queries.

    Raises DataError if a playlist was queried more than once.
    """
    playlists = run.queries()["unit"]
    if playlists.is_duplicated().any():
        raise DataError(f"{run.folder} queries a playlist more than once; the file has one answer per playlist")
    for name, report in run.report.pipelines.items():
        yield Answers(name, playlists, {target: run.slates(name, target) for target in report.candidate_recall})


class MelonExporter(SubmissionExporter):
    """Exporter of results files of the Melon challenge: `<pipeline>.json`, 100 songs and 10 tags for each playlist."""

    name = "melon"

    def read_questions(self, path: Path, bad_lines: text_files.BadLines) -> dict[str, Query]:
        """Read the playlists of val.json or test.json as queries: id -> visible part."""
        return melon.read_questions(path, bad_lines)

    def write(self, answers: Answers, folder: Path) -> Path:
        """Write the JSON of a pipeline and return its path.

        Raises DataError if there are too few recommendations, or if an id of a playlist or song is not an integer.
        """
        import polars as pl

        songs = _numbers(answers.best("items", SONGS).explode()).reshape((-1, SONGS))
        rows = pl.DataFrame({"id": _numbers(answers.playlists), "songs": songs, "tags": answers.best("tags", TAGS)})
        path = folder / f"{answers.pipeline}.json"
        path.write_text(json.dumps(rows.to_dicts(), ensure_ascii=False), encoding="utf-8")
        return path


def _without_comma(text: str) -> str:
    if "," in text:
        raise ValueError(f"a comma would split '{text}' into two fields of the file; leave it out")
    return text


Cell = Annotated[str, AfterValidator(_without_comma)]


class MPDSubmissionOptions(SubmissionOptions):
    """Options of `mpd`: the playlists for which it recommends, and the sender."""

    team: Cell = Field(examples=["the neighbours"])
    """Name of the team."""
    email: Cell = Field(examples=["us@example.org"])
    """E-mail address of the team."""


class MPDExporter(SubmissionExporter):
    """Exporter of submissions to the RecSys Challenge 2018: `<pipeline>.csv.gz`, 500 tracks for each playlist.

    A file has a line `team_info,team,email`, then a line for each playlist with its pid and its tracks.
    """

    name = "mpd"
    Config = MPDSubmissionOptions
    config: MPDSubmissionOptions

    def read_questions(self, path: Path, bad_lines: text_files.BadLines) -> dict[str, Query]:
        """Read the playlists of challenge_set.json as queries: pid -> visible part."""
        return mpd.read_questions(path, bad_lines)

    def write(self, answers: Answers, folder: Path) -> Path:
        """Write the compressed table of a pipeline and return its path; the same answers make the same file."""
        lines = [f"team_info,{self.config.team},{self.config.email}"]
        rows = zip(answers.playlists, answers.best("items", TRACKS), strict=True)
        lines += [",".join([pid, *tracks]) for pid, tracks in rows]
        path = folder / f"{answers.pipeline}.csv.gz"
        # Without a timestamp in the gzip header the same answers make the same file.
        path.write_bytes(gzip.compress("\n".join([*lines, ""]).encode(), mtime=0))
        return path


def _numbers(ids: pl.Series) -> pl.Series:
    import polars as pl

    numbers = ids.cast(pl.Int64, strict=False)
    if numbers.null_count():
        raise DataError(f"the id '{ids.filter(numbers.is_null())[0]}' is not a number, as those of Melon are")
    return numbers
