"""Fuzzing of files of data: every reader reads mutated files, or refuses them with a message, and loses no row."""

from __future__ import annotations

import gzip
import json
import random
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

from hybridrec.data.dataset import Dataset
from hybridrec.data.io import columns, files
from hybridrec.data.io.bad_lines import BadLines
from hybridrec.data.readers import row_blocks
from hybridrec.data.readers.base import Reader
from hybridrec.registry.discovery import Registry
from hybridrec_server.journal.folder import LogFolder
from hybridrec_server.journal.frames import frame
from hybridrec_server.journal.rotation import rotate
from hybridrec_server.state.base import Event
from tests.torture.mutate import mutated_bytes
from tests.torture.outcome import Loss, Outcome

FIXTURES = Path(__file__).parents[1] / "plugins" / "fixtures"
CORPUS = Path(__file__).parent / "corpus" / "data"
WHITE_SPACE = re.compile(r"[^\S\x1c-\x1f]")
"""Letters of which blank ids are made: those that Unicode calls so, which the four separators are not."""
ENDED = "ended by Polars"
"""Name of the count of Parquet files on which Polars ends the process, so that nobody can answer with a message."""
ENOUGH = 100
"""Mutants of a case from which on a tenth has to be accepted."""
PLAYS = "user,item,time,weight\n" + "".join(
    f"u{row % 7},song {row * 5 % 11},{1_600_000_000 + row},{row % 4 + 1}\n" for row in range(24)
)
SONGS = "id,title,tags,year,date\n" + "".join(
    f"song {row},The {row}th,rock|t{row % 3},{1990 + row},2020-01-{row + 1:02}\n" for row in range(11)
)
PAIRS = "".join(f"u{row},item {row % 5}\n" for row in range(20))


@dataclass(frozen=True)
class Case:
    """Files that a reader reads with these options, which name files relative to the folder.

    rows: the number of rows in the file that is mutated, for files whose rows can be counted without reading them;
        each has to be an interaction afterwards, or counted as malformed
    """

    reader: str
    options: Mapping[str, Any]
    files: Mapping[str, bytes]
    rows: Callable[[bytes], int | None] | None = None
    counted: str = ""
    plain: tuple[str, ...] = field(default=())
    """Files that are mutated before they are compressed."""
    blocks: bool = False
    """If true, rows are read in blocks, as those of a large table are."""


def torture(tries: int, seed: int, folder: Path) -> Outcome:
    """Read the whole corpus, and so many mutants of the files of every reader, strictly and not.

    Parquet files are read in a process of its own, since Polars ends the process on some that are damaged.
    """
    outcome, mutants = Outcome(), Outcome()
    for place in sorted(CORPUS.glob("*/case.json")):
        outcome.attempt(f"corpus/data/{place.parent.name}", partial(from_corpus, place))
    table = list(cases().items())
    parquet = ProcessPoolExecutor(1, get_context("spawn"))
    for number in range(tries):
        name, case = table[number % len(table)]
        rng = random.Random(f"data {seed} {number}")
        file = rng.choice(list(case.files))
        content = mutant(case, file, rng)
        strict = rng.random() < 0.5
        spot = folder / "data"
        fill(spot, {**case.files, file: content})
        kept = len(mutants.losses)
        count = None if case.rows is None or strict or file != case.counted else case.rows(content)
        if count is not None:
            mutants.counts["rows counted"] += 1
        accepted = mutants.counts["accepted"]
        attempt = f"data {seed} {number} ({name}: {file})", case, spot, strict, count
        if file.endswith(".parquet"):
            try:
                mutants.add(parquet.submit(attempted, *attempt).result())
            except BrokenProcessPool:
                parquet = ProcessPoolExecutor(1, get_context("spawn"))
                mutants.counts[ENDED] += 1
                continue
        else:
            mutants.add(attempted(*attempt))
        mutants.counts[f"{name} {'accepted' if mutants.counts['accepted'] > accepted else 'refused'}"] += 1
        if len(mutants.losses) > kept and (failures := folder / "failures").exists():
            shutil.copytree(spot, failures / f"{seed}-{number}", dirs_exist_ok=True)
    if mutants.counts["accepted"] * 10 < tries:
        outcome.lose("mutants", f"{mutants.counts['accepted']} of {tries} were accepted, too few to test what follows")
    parquet.shutdown()
    if mutants.counts[ENDED] * 100 > tries:
        outcome.lose("mutants", f"{mutants.counts[ENDED]} of {tries} ended the process")
    for name in dict(table):
        accepted, refused = (mutants.counts[f"{name} {end}"] for end in ("accepted", "refused"))
        if accepted + refused >= ENOUGH and accepted * 10 < accepted + refused:
            outcome.lose("mutants", f"{accepted} of {accepted + refused} of {name} were accepted, too few")
    outcome.add(mutants)
    return outcome


def attempted(name: str, case: Case, folder: Path, strict: bool, rows: int | None) -> Outcome:
    """Read the files of a case once; return the outcome of this attempt."""
    outcome = Outcome()
    outcome.attempt(name, partial(sound, case, folder, strict, rows))
    return outcome


def mutant(case: Case, file: str, rng: random.Random) -> bytes:
    """Return a mutated file; files in `plain` are packed after the change rather than before it."""
    content = case.files[file]
    if file in case.plain and rng.random() < 0.8:
        return gzip.compress(mutated_bytes(gzip.decompress(content), rng), mtime=0)
    return mutated_bytes(content, rng)


def fill(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files into a folder that has no others."""
    shutil.rmtree(folder, ignore_errors=True)
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def placed(options: Any, folder: Path) -> Any:
    """Return options in which every text that begins with `./` is the path of a file in the folder."""
    if isinstance(options, str):
        return str(folder / options[2:]) if options.startswith("./") else options
    if isinstance(options, Mapping):
        return {key: placed(value, folder) for key, value in options.items()}
    return [placed(value, folder) for value in options] if isinstance(options, list) else options


def from_corpus(place: Path) -> Dataset:
    """Read a case of the corpus: a folder with `case.json` (reader, options, rows) beside its files."""
    kept = json.loads(place.read_text(encoding="utf-8"))
    case = Case(kept["reader"], kept["options"], {})
    return sound(case, place.parent, kept.get("strict", True), kept.get("rows"))


def sound(case: Case, folder: Path, strict: bool, rows: int | None) -> Dataset:
    """Read the files of a case; raises Loss for data that no reader may give, and for a row that is lost in silence."""
    cls: type[Reader] = _registry().get("readers", case.reader)
    options = placed(case.options, folder)
    if "strict" in cls.Config.model_fields:
        options = {**options, "strict": strict}
    reader = cls(cls.Config.model_validate(options))
    with patch.multiple(row_blocks, LONG=1, BLOCK=7) if case.blocks else nullcontext():
        data = reader.read()
    check_dataset(data, "\0\n\r\ufeff" if case.reader == "table" else "\0\ufeff")
    if rows is not None and reader.bad_lines is not None:
        bad = reader.bad_lines.count
        if len(data.interactions.ids) + bad != rows:
            raise Loss(f"{rows} rows, of which {len(data.interactions.ids)} were read and {bad} counted as malformed")
    for note in reader.notes():
        if len(note) > 5000:
            raise Loss(f"a note of {len(note):,} characters")
    return data


@cache
def _registry() -> Registry:
    return Registry()


def check_dataset(data: Dataset, odd: str) -> None:
    """Raise Loss for codes outside of the vocabularies, numbers that are not finite, or an id with an odd letter."""
    users, items, history = len(data.users), len(data.items), data.interactions
    if (len(history), history.width) != (users, items):
        raise Loss("interactions do not fit the users and items")
    if len(history.ids) and not (history.ids.min() >= 0 and history.ids.max() < items):
        raise Loss("a code outside of the vocabulary")
    if history.weights is not None and not np.isfinite(history.weights).all():
        raise Loss("a weight that is not finite")
    if history.times is not None and np.isinf(history.times).any():
        raise Loss("an infinite time")
    for kind in data.kinds:
        for matrix, height in ((data.user_matrix(kind), users), (data.item_matrix(kind), items)):
            if matrix.shape != (height, data.size(kind)) or not np.isfinite(matrix.data).all():
                raise Loss(f"a matrix of {kind} that does not fit, or is not finite")
    for entities in data.entities.values():
        if entities.vectors is not None and not np.isfinite(entities.vectors).all():
            raise Loss("a vector that is not finite")
        for name in entities.vocabulary.ids.to_list():
            if not WHITE_SPACE.sub("", name) or any(sign in name for sign in odd) or len(name) > 10_000:
                raise Loss(f"the id {name[:60]!r}")


@cache
def cases() -> dict[str, Case]:
    """Return the cases by name: fixtures of every reader of published files, and tables in all formats."""
    return {**_published(), **_tables(), **_kept()}


def _folder(name: str) -> dict[str, bytes]:
    return _files(FIXTURES / name)


def _files(folder: Path) -> dict[str, bytes]:
    files = [file for file in sorted(folder.rglob("*")) if file.is_file() and not file.name.startswith(".")]
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def lines(content: bytes) -> int | None:
    """Return the number of lines; None where quotes, carriage returns or blank lines make that another question."""
    text = content.removesuffix(b"\n")
    if any(sign in text for sign in (b'"', b"\r", b"\n\n")) or text.startswith(b"\n") or content.endswith(b"\n\n"):
        return None
    return text.count(b"\n") + 1


def rows_below_header(content: bytes) -> int | None:
    """Return the number of lines below the header."""
    count = lines(content)
    return None if count is None or not content.partition(b"\n")[0].strip() else count - 1


def _published() -> dict[str, Case]:
    movielens = {
        f"movielens {edition}": Case("movielens", {"folder": "./."}, _folder(f"movielens-{edition}"))
        for edition in ("100k", "1m", "10m", "latest")
    }
    slice_of_mpd = {"mpd.slice.0-999.json": _folder("mpd")["mpd.slice.1000-1999.json"]}
    line_files = {"interactions": "./interactions.txt", "item_features": "./item_features.txt"}
    return movielens | {
        "hetrec-lastfm": Case("hetrec-lastfm", {"folder": "./."}, _folder("hetrec-lastfm")),
        "feature-lines": Case("feature-lines", line_files, _folder("feature-lines")),
        "melon": Case("melon", {"folder": "./.", "playlists": ["train.json", "val.json"]}, _folder("melon")),
        "mpd": Case("mpd", {"folder": "./."}, slice_of_mpd),
        "yes": Case("yes-radio", {"folder": "./."}, _folder("yes")),
        "spotify": Case("spotify", {"path": "./spotify_dataset.csv"}, _folder("spotify")),
        "radio": Case("radio", {"folder": "./."}, _folder("radio")),
        "qrels": Case("qrels", {"qrels": "./qrels.txt"}, {"qrels.txt": _folder("slates")["qrels.txt"]}),
        "qrels and more": Case(
            "qrels",
            {"qrels": "./qrels.txt", "queries": "./queries.csv", "items": "./items.csv", "slates": ["./a.run"]},
            _folder("slates") | {"items.csv": b"id,title\n" + b"".join(b"d%d,Title %d\n" % (n, n) for n in range(9))},
        ),
    }


def _tables() -> dict[str, Case]:
    import polars as pl

    plain = {"user": "user", "item": "item"}
    full = plain | {"time": "time", "weight": "weight"}
    plays = pl.read_csv(PLAYS.encode())
    lists = (
        plays.group_by("user", maintain_order=True)
        .agg("item")
        .with_columns(
            name=pl.lit("My list"), tags=pl.lit(["a", "b"]), age=pl.int_range(pl.len()), since=pl.lit("2020-01-01")
        )
    )
    songs = {
        "path": "./songs.csv",
        "id": "id",
        "text": ["title"],
        "tags": ["tags"],
        "time": "date",
        "features": {"year": "number"},
    }
    vectors = np.arange(33, dtype=np.float32).reshape(11, 3) + 1
    sizes = {"columns": ["user", "item"]} | plain
    return {
        "csv": Case("table", {"interactions": {"path": "./a.csv"} | full}, {"a.csv": PLAYS.encode()}),
        "csv of pairs": Case(
            "table", {"interactions": {"path": "./a.csv"} | plain}, {"a.csv": PLAYS.encode()}, rows_below_header,
            "a.csv",
        ),
        "csv without header": Case(
            "table", {"interactions": {"path": "./a.csv"} | sizes}, {"a.csv": PAIRS.encode()}, lines, "a.csv"
        ),
        "csv.gz": Case(
            "table", {"interactions": {"path": "./a.csv.gz"} | full},
            {"a.csv.gz": gzip.compress(PLAYS.encode(), mtime=0)}, plain=("a.csv.gz",),
        ),
        "csv with times": Case(
            "table", {"interactions": {"path": "./a.csv"} | plain | {"time": "time"}}, {"a.csv": PLAYS.encode()},
            rows_below_header, "a.csv",
        ),
        "tsv": Case(
            "table", {"interactions": {"path": "./a.tsv"} | full}, {"a.tsv": PLAYS.replace(",", "\t").encode()}
        ),
        "jsonl": Case("table", {"interactions": {"path": "./a.jsonl"} | full}, {"a.jsonl": _json_lines(plays)}),
        "jsonl of pairs": Case(
            "table", {"interactions": {"path": "./a.jsonl"} | plain}, {"a.jsonl": _json_lines(plays)}, _json_rows,
            "a.jsonl",
        ),
        "parquet": Case("table", {"interactions": {"path": "./a.parquet"} | full}, {"a.parquet": _parquet(plays)}),
        "parquet in blocks": Case(
            "table", {"interactions": {"path": "./plays"} | full},
            {f"plays/part-{row}.parquet": _parquet(plays[row : row + 12]) for row in (0, 12)},
            blocks=True,
        ),
        "kinds": Case(
            "table",
            {"interactions": {"path": "./buys", "event": "kind"} | full, "kinds": {"view": 1, "buy": 3},
             "asked": ["buy"], "weight": {"half_life": 30, "transform": "log"}},
            {f"buys/kind={kind}/a.csv": PLAYS.encode() for kind in ("buy", "view")},
        ),
        "lists": Case(
            "table",
            {"interactions": {"path": "./a.jsonl", "event_kind": "play"} | plain,
             "events": {"like": {"path": "./likes.csv", "user": "user", "item": "item"}},
             "users": {"path": "./a.jsonl", "id": "user", "title": "name", "tags": {"tags": "kind"},
                       "features": {"age": "number", "since": "time"}},
             "assignments": {"tags": {"path": "./likes.csv", "user": "user", "item": "item", "id": "weight"}},
             "impressions": {"path": "./likes.csv", "user": "user", "item": "item", "time": "time"}},
            {"a.jsonl": _json_lines(lists), "likes.csv": PLAYS.encode()},
        ),
        "songs": Case(
            "table", {"interactions": {"path": "./a.csv"} | full, "items": songs},
            {"a.csv": PLAYS.encode(), "songs.csv": SONGS.encode()},
        ),
        "tags": Case(
            "table",
            {"interactions": {"path": "./a.csv"} | plain,
             "item_has": {"tags": {"path": "./tags.csv", "item": "item", "id": "tag"}}},
            {"a.csv": PLAYS.encode(), "tags.csv": b"item,tag\nsong 1,rock\nsong 2,pop\nsong 3,rock\n"},
        ),
        "join": Case(
            "table",
            {"interactions": {"path": "./a.csv", "user": "user", "item": "title", "join":
                              {"path": "./songs.csv", "match": {"item": "id"}}}},
            {"a.csv": PLAYS.encode(), "songs.csv": SONGS.encode()},
        ),
        "vectors": Case(
            "table",
            {"interactions": {"path": "./a.csv"} | plain, "items": {"path": "./songs.csv", "id": "id"},
             "item_vectors": {"path": "./v.npy"}},
            {"a.csv": PLAYS.encode(), "songs.csv": SONGS.encode(), "v.npy": _npy(vectors)},
        ),
    }  # fmt: skip


def _kept() -> dict[str, Case]:
    """Return the cases of what programs keep: the log of a server, and a database in a file."""
    cases = {}
    with tempfile.TemporaryDirectory() as scratch:
        log = LogFolder(Path(scratch) / "log")
        log.make()
        records = [
            frame(Event(f"e{row}", f"u{row % 7}", f"song {row * 5 % 11}", "play", 1.6e9 + row, 1.6e9 + row, None))
            for row in range(24)
        ]
        log.segment(1).write_bytes(b"".join(records[:12]))
        rotate(log, 2)
        log.segment(2).write_bytes(b"".join(records[12:]))
        cases["events"] = Case("events", {"log": "./."}, _files(log.path))
        path = Path(scratch) / "plays.db"
        with closing(sqlite3.connect(path)) as database, database:
            database.execute("CREATE TABLE plays (user text, item text, time integer, weight real)")
            rows = [line.split(",") for line in PLAYS.splitlines()[1:]]
            database.executemany("INSERT INTO plays VALUES (?, ?, ?, ?)", rows)
        plays = {"path": "frame:plays", "user": "user", "item": "item", "time": "time", "weight": "weight"}
        options = {"database": "./plays.db", "queries": {"plays": "plays"}, "interactions": plays}
        cases["sqlite"] = Case("sql", options, {"plays.db": path.read_bytes()})
    return cases


def _json_lines(frame: Any) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in frame.iter_rows(named=True)).encode()


def _json_rows(content: bytes) -> int | None:
    """Return the number of lines that are not blank; None where a lone CR makes that another question."""
    if b"\r" in content.replace(b"\r\n", b""):
        return None
    return sum(bool(line.strip()) for line in content.split(b"\n"))


def _parquet(frame: Any) -> bytes:
    from io import BytesIO

    file = BytesIO()
    frame.write_parquet(file)
    return file.getvalue()


def _npy(array: np.ndarray[Any, Any]) -> bytes:
    from io import BytesIO

    file = BytesIO()
    np.save(file, array)
    return file.getvalue()


def _let_errors_through(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(columns, "naming", lambda *_: nullcontext())
    monkeypatch.setattr(files, "naming", lambda *_: nullcontext())
    return 1


def _count_no_line(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(BadLines, "add", lambda self, path, lines, fault, unit="line": None)
    return 1


def _take_any_id(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(columns, "LONGEST_ID", 10**9)
    monkeypatch.setattr(columns.ColumnTable, "_usable", lambda self, values, *_: values)
    return 1


BREAKS = {
    "errors of libraries name the file": _let_errors_through,
    "rows that are not read are counted": _count_no_line,
    "ids that cannot be meant are malformed": _take_any_id,
}
"""Promises, and what breaks them for a test of this part: it returns the number of attempts that have to notice."""
