"""`hybridrec recommend`: recommend from a finished run or a bundle."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hybridrec.cli._console import say
from hybridrec.cli._options import BLOCK, EXECUTOR, HELD_OUT_QUERY, PLUGIN, RUN_OR_BUNDLE, TARGET

if TYPE_CHECKING:
    from hybridrec.data.dataset import Dataset
    from hybridrec.data.features import Features, FeatureValue
    from hybridrec.data.queries import Query
    from hybridrec.serving.batch import BatchRecommender
    from hybridrec.serving.batch_job import PartFormat
    from hybridrec.serving.explain import Explanation
    from hybridrec.serving.recommender import Recommender, UnknownIds
    from hybridrec.stages.pipeline import Pipeline
    from hybridrec.types import Field, Target


@click.command()
@RUN_OR_BUNDLE
@click.option(
    "--user",
    help="A known user, by id. Alone, with what the data knows of them; --item, --tag and the like stand in its place.",
)
@click.option("--held-out", metavar="ID", help="A list of the test part, of which its query shows what is known.")
@HELD_OUT_QUERY
@click.option("--item", "items", multiple=True, help="An item of the history, by id, or loosely by title.")
@click.option("--tag", "tags", multiple=True, help="A tag, by id, or loosely by title.")
@click.option(
    "--entity",
    "entities",
    multiple=True,
    metavar="KIND=NAME",
    help="An entity of another kind, by id, or loosely by title.",
)
@click.option("--context", multiple=True, metavar="COLUMN=VALUE", help="A column of the request, as in the data.")
@click.option(
    "--user-feature",
    "user_features",
    multiple=True,
    metavar="COLUMN=VALUE",
    help="A feature of the user, as in the data; it takes the place of what the data says.",
)
@click.option("--time", help="Time of the request: 2024-12-31, 2024-12-31T20:00, or seconds since 1970.")
@click.option("--text", default="", help="A title in free words.")
@click.option(
    "--ratings",
    type=click.Path(path_type=Path),
    help="A CSV file `item,rating` of a person's ratings, from 0 (a dislike); items as for --item.",
)
@click.option("-n", default=10, show_default=True, type=click.IntRange(min=1), help="Number of recommendations.")
@click.option(
    "--pipeline",
    help="Pipeline of the run; by default the best of those that beat the control and break no guardrail, else the "
    "control.",
)
@click.option(
    "--explain",
    is_flag=True,
    help="Show sources, ranks, contributions and moves of each recommendation; contributions in a batch.",
)
@click.option("--all", "everyone", is_flag=True, help="Recommend to all users of the run, into the folder of -o.")
@click.option(
    "--queries",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Answer the queries of a .parquet, .jsonl or .csv file, a row each, into the folder of -o.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder of the part files of a batch.")
@click.option(
    "--format",
    "part_format",
    type=click.Choice(["parquet", "jsonl", "csv"]),
    default="parquet",
    show_default=True,
    help="Format of the part files of a batch.",
)
@click.option("--resume", is_flag=True, help="Continue a batch that was killed; its finished parts are kept.")
@click.option(
    "--unknown",
    type=click.Choice(["refuse", "skip"]),
    default="refuse",
    show_default=True,
    help="Treatment of unknown ids in a batch: an error, or passed over.",
)
@click.option(
    "--queries-per-part",
    type=click.IntRange(min=1),
    help="Number of queries in a part file (default: at most 10,000, and at most a million places).",
)
@click.option(
    "--list-separator",
    default="|",
    show_default=True,
    metavar="TEXT",
    help="Text between the ids of a list in a csv file of queries.",
)
@EXECUTOR
@TARGET
@BLOCK
@PLUGIN
def recommend(
    run_or_bundle: Path,
    user: str | None,
    held_out: str | None,
    number: int,
    items: tuple[str, ...],
    tags: tuple[str, ...],
    entities: tuple[str, ...],
    context: tuple[str, ...],
    user_features: tuple[str, ...],
    time: str | None,
    text: str,
    ratings: Path | None,
    n: int,
    pipeline: str | None,
    explain: bool,
    everyone: bool,
    queries: Path | None,
    output: Path | None,
    part_format: PartFormat,
    resume: bool,
    unknown: UnknownIds,
    queries_per_part: int | None,
    list_separator: str,
    executor: str | None,
    target: str,
    block: tuple[str, ...],
    plugins: tuple[Path, ...],
) -> None:
    """Recommend from a RUN (made with `refit: all`) or a bundle for a user, items, tags, free text or ratings.

    With --all or --queries it answers many queries, and writes part files into the folder of -o.
    """
    from hybridrec.cli._console import held_out_query, print_table
    from hybridrec.serving.recommender import load

    typed = _TypedQuery(user, items, tags, entities, context, user_features, time, text, ratings)
    if everyone or queries is not None:
        others = [*typed.given, *(["--held-out"] if held_out is not None else []), *typed.circumstances]
        if others or (everyone and queries is not None):
            raise click.UsageError(f"--all, --queries and {[*others, '--all'][0]} each say who asks: give one")
        from hybridrec.serving.batch import BatchRecommender

        if output is None:
            raise click.UsageError("-o: name the folder into which the recommendations are written")
        options = {"n": n, "pipeline": pipeline, "target": target, "explain": explain, "unknown": unknown}
        answer = BatchRecommender(run_or_bundle, **options, block=block, plugins=plugins)  # type: ignore[arg-type]
        _answer_all(answer, queries, list_separator, output, part_format, queries_per_part, resume, executor)
        return
    if output is not None or resume:
        raise click.UsageError(f"{'-o' if output else '--resume'} is of a batch: give --all or --queries FILE, too")
    if held_out is not None and typed.given:
        raise click.UsageError(f"--held-out: its query says what is known; leave out {', '.join(typed.given)}")
    recommender = load(run_or_bundle, block=block, plugins=plugins)
    _refuse_unknown_user(user, recommender)
    query, hidden = typed.query(recommender.data), None
    if held_out is not None:
        test_query = held_out_query(run_or_bundle, held_out, number)
        asked_at = test_query.query.time if query.time is None else query.time
        query = replace(test_query.query, user_features=query.user_features, context=query.context, time=asked_at)
        hidden = test_query.hidden.get(target, [])
    chosen = recommender.pipeline(pipeline)
    _say_what_is_left_out(query, typed, chosen, target, recommender)
    slate = recommender.explain(query, n, pipeline=pipeline, target=target)
    if pipeline is None:
        click.echo(_default(recommender), err=True)
    if not slate:
        say(f"{chosen.name!r} recommends no {target} for this: {_silence(chosen)}")
        return
    if query.text and _passes_over_text(chosen, slate[0].served_by):
        reason = f"no generator of '{chosen.name}' proposes {target} for it; served by {slate[0].served_by}"
        click.echo(f"note: the text changes nothing: {reason}", err=True)
    print_table(f"Recommended {target}", *_slate_table(slate, hidden, explain=explain))


@dataclass(frozen=True, slots=True)
class _TypedQuery:
    """A query as it was typed: the options of the command that say who asks, and when."""

    user: str | None
    items: tuple[str, ...]
    tags: tuple[str, ...]
    entities: tuple[str, ...]
    context: tuple[str, ...]
    user_features: tuple[str, ...]
    time: str | None
    text: str
    ratings: Path | None

    @property
    def given(self) -> list[str]:
        """The options that were given of those that say what is known; `--user` comes first."""
        stated = {
            "user": self.user, "item": self.items, "tag": self.tags, "entity": self.entities, "text": self.text,
            "ratings": self.ratings,
        }  # fmt: skip
        return [f"--{option}" for option, value in stated.items() if value]

    @property
    def circumstances(self) -> list[str]:
        """The options that were given of those that say in which circumstances it is asked."""
        stated = {"context": self.context, "user-feature": self.user_features, "time": self.time}
        return [f"--{option}" for option, value in stated.items() if value]

    def query(self, data: Dataset) -> Query:
        """Match what was typed with the data; print each id that was found by a title."""
        from hybridrec.data.queries import Query
        from hybridrec.serving.lookup import find
        from hybridrec.serving.typed_values import read_time
        from hybridrec.serving.user_ratings import read_ratings

        rated = [] if self.ratings is None else read_ratings(self.ratings, data)
        items = [(item, find(item, data, "items")) for item in self.items]
        typed = [("tags", tag) for tag in self.tags] + [_assigned(pair, "--entity") for pair in self.entities]
        entities = [(kind, name, find(name, data, kind)) for kind, name in typed]
        matches = [*items, *((name, match) for _, name, match in entities), *((r.typed, r.match) for r in rated)]
        for name, match in matches:
            if name not in (match.id, match.name):
                say(f"'{name}' is taken for '{match.name}' ({match.id})")
        liked = [rating for rating in rated if rating.rating]
        return Query(
            user=self.user,
            items=[match.id for _, match in items] + [rating.match.id for rating in liked],
            entities={kind: [match.id for other, _, match in entities if other == kind] for kind, _, _ in entities},
            user_features=_columns(self.user_features, data.users.features, "--user-feature"),
            context=_columns(self.context, data.interactions.context, "--context"),
            time=None if self.time is None else read_time(self.time, "--time"),
            text=self.text,
            item_weights=[1.0] * len(items) + [rating.rating for rating in liked] if rated else None,
            disliked=[rating.match.id for rating in rated if not rating.rating],
        )


def _say_what_is_left_out(
    query: Query, typed: _TypedQuery, chosen: Pipeline, target: Target, recommender: Recommender
) -> None:
    """Print what the pipeline does not read of the query, and what the query states in place of the user's data."""
    for field, text_of_field in _stated_fields(query):
        if not chosen.reads(field, target):
            say(f"no component of '{chosen.name}' reads {text_of_field}: what was given of it changes nothing")
    if typed.user is not None and recommender.knows_users and (instead := typed.given[1:]):
        say(f"what the data knows of '{typed.user}' is left out: {', '.join(instead)} stand in its place")


def _refuse_unknown_user(user: str | None, recommender: Recommender) -> None:
    """Raise DataError, with users of similar ids, for a user whom the data does not have."""
    from hybridrec.serving.lookup import unknown_id

    users = recommender.data.users.vocabulary
    if user is not None and recommender.knows_users and user not in users:
        raise unknown_id(user, users, "users", hint="; leave --user out for somebody new")


def _slate_table(
    slate: Sequence[Explanation], hidden: Collection[str] | None, *, explain: bool
) -> tuple[list[str], list[list[str]]]:
    """Return (headers, rows) of a slate; `hidden` are the ids that a query of the test part hides, if it is one."""
    headers = ["rank", "name", "id", "score", "served_by"]
    rows = [[str(e.rank), e.name, e.id, "" if e.score is None else f"{e.score:.4f}", e.served_by] for e in slate]
    if hidden is not None:
        headers.append("hidden")
        rows = [[*row, "yes" if place.id in hidden else ""] for row, place in zip(rows, slate, strict=True)]
    if explain:
        headers += ["proposed by", "opinions: rank (value)", "contributions", "moved by: from > to"]
        rows = [[*row, *_reasons(place)] for row, place in zip(rows, slate, strict=True)]
    return headers, rows


def _answer_all(
    answer: BatchRecommender,
    queries: Path | None,
    list_separator: str,
    output: Path,
    part_format: PartFormat,
    queries_per_part: int | None,
    resume: bool,
    executor: str | None,
) -> None:
    """Write the recommendations for a file of queries into the folder `output`, and print the folder.

    queries: the file; None to recommend to all users of the bundle
    executor: name of the executor whose workers answer; None or `threads` for this process
    """
    import time
    from contextlib import ExitStack

    from hybridrec.cli._console import Bars
    from hybridrec.config.models import THREADS
    from hybridrec.errors import DataError
    from hybridrec.serving.batch_job import BatchJob
    from hybridrec.serving.query_source import AllUsers, QueryFile, QuerySource

    recommender = answer.recommender
    if queries is None and not recommender.knows_users:
        raise DataError(f"--all: {answer.bundle} holds no users; name a file of queries with --queries")
    data = recommender.data
    source: QuerySource = AllUsers(data)
    if queries is not None:
        source = QueryFile(queries, data, list_separator, answer.target)
    if answer.pipeline is None:
        click.echo(_default(recommender), err=True)
    total, done, last = source.count(), 0, time.monotonic()
    bars = Bars(quiet=False)
    with bars.task("recommend", total) as advance:

        def finished(number: int) -> None:
            """Show the progress after a part with this number of queries; its duration gives the time left."""
            nonlocal done, last
            done, before, last = done + number, last, time.monotonic()
            advance(number)
            if not bars.shown:
                left = (last - before) * (total - done) / max(number, 1)
                bars.report("recommend: query", done, total, {"seconds left": left})

        job = BatchJob(answer, source, output, part_format, queries_per_part)
        with ExitStack() as stack:
            workers = None
            if executor not in (None, "", THREADS):
                from hybridrec.engine.executor import open_named
                from hybridrec.registry.discovery import Registry

                registry = Registry(block=answer.block, plugins=answer.plugins)
                workers = stack.enter_context(open_named(executor, registry))
            parts = job.run(resume=resume, advance=finished, executor=workers)
    print(f"{output}: {done:,} queries in {len(parts)} part{'' if len(parts) == 1 else 's'}")


def _silence(pipeline: Pipeline) -> str:
    """Explain in a clause why a pipeline recommends nothing."""
    generators = ", ".join(source.label for source in pipeline.sources)
    if not pipeline.fallback:
        return f"{generators} propose nothing, and the pipeline has no fallback"
    return f"{generators} propose nothing, nor does the fallback ({', '.join(label for label, _ in pipeline.fallback)})"


def _passes_over_text(pipeline: Pipeline, served_by: str) -> bool:
    """Return True if a fallback that reads no text served a query, though a generator of the pipeline reads text."""
    fallback = dict(pipeline.fallback).get(served_by)
    if fallback is None or fallback.reads("title"):
        return False
    return any(source.generator.reads("title") for source in pipeline.sources)


def _stated_fields(query: Query) -> Iterator[tuple[Field, str]]:
    """Yield (field, its name in a sentence) for each of items, other entities and text that the query states."""
    if query.items:
        yield "items", "items"
    yield from ((kind, kind) for kind, ids in query.entities.items() if ids)
    if query.text:
        yield "title", "texts"


def _assigned(pair: str, option: str) -> tuple[str, str]:
    """Split NAME=VALUE into (name, value); raises UsageError, which names `option`, for any other text."""
    name, equals, value = pair.partition("=")
    if not (name and equals and value):
        raise click.UsageError(f"{option} '{pair}': write NAME=VALUE")
    return name, value


def _columns(pairs: tuple[str, ...], columns: Features | None, option: str) -> dict[str, FeatureValue]:
    """Convert the texts NAME=VALUE of a command's `option` to a mapping: NAME -> value in the type of this column."""
    from hybridrec.serving.typed_values import read_columns

    return read_columns(dict(_assigned(pair, option) for pair in pairs), columns, option)


def _default(recommender: Recommender) -> str:
    """Return a line with the name of the default pipeline, which answers, and the names of the other pipelines."""
    others = [name for name in recommender.pipelines if name != recommender.default]
    hint = f", the default of the run; others by --pipeline: {', '.join(others)}" if others else ""
    return f"pipeline: {recommender.default}{hint}"


def _reasons(place: Explanation) -> tuple[str, str, str, str]:
    """Format the reasons for a place as cells of a table: generators, scores by model, contributions, and moves."""
    opinions = ", ".join(f"{label} {rank} ({value:.3g})" for label, (value, rank) in place.opinions.items())
    parts = ", ".join(f"{label} {value:+.3f}" for label, value in place.contributions.items())
    moves = ", ".join(f"{move.rule} {move.before or '-'} > {move.after or '-'}" for move in place.moves)
    return ", ".join(place.sources), opinions, parts, moves
