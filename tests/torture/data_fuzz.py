"""Fuzzing of files of data: every reader reads mutated files, or refuses them with a message, and loses no row."""

from __future__ import annotations

import gzip
import json
import random
import shutil
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hybridrec.data.dataset import Dataset
from hybridrec.data.io import columns, files
from hybridrec.data.io.bad_lines import BadLines
from hybridrec.data.readers.base import Reader
from hybridrec.registry.discovery import Registry
from tests.torture.mutate import mutated_bytes
from tests.torture.outcome import Loss, Outcome

FIXTURES = Path(__file__).parents[1] / "plugins" / "fixtures"
CORPUS = Path(__file__).parent / "corpus" / "data"
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


def torture(tries: int, seed: int, folder: Path) -> Outcome:
    """Read the whole corpus, and so many mutants of the files of every reader, strictly and not."""
    registry, outcome, mutants = Registry(), Outcome(), Outcome()
    for place in sorted(CORPUS.glob("*/case.json")):
        outcome.attempt(f"corpus/data/{place.parent.name}", partial(from_corpus, place, registry))
    table = list(cases().items())
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
        data = mutants.attempt(
            f"data {seed} {number} ({name}: {file})", partial(sound, case, spot, registry, strict, count)
        )
        mutants.counts[f"{name} {'accepted' if data is not None else 'refused'}"] += 1
        if len(mutants.losses) > kept and (failures := folder / "failures").exists():
            shutil.copytree(spot, failures / f"{seed}-{number}", dirs_exist_ok=True)
    if mutants.counts["accepted"] * 10 < tries:
        outcome.lose("mutants", f"{mutants.counts['accepted']} of {tries} were accepted, too few to test what follows")
    outcome.add(mutants)
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


def from_corpus(place: Path, registry: Registry) -> Dataset:
    """Read a case of the corpus: a folder with `case.json` (reader, options, rows) beside its files."""
    kept = json.loads(place.read_text(encoding="utf-8"))
    case = Case(kept["reader"], kept["options"], {})
    return sound(case, place.parent, registry, kept.get("strict", True), kept.get("rows"))


def sound(case: Case, folder: Path, registry: Registry, strict: bool, rows: int | None) -> Dataset:
    """Read the files of a case; raises Loss for data that no reader may give, and for a row that is lost in silence."""
    cls: type[Reader] = registry.get("readers", case.reader)
    options = placed(case.options, folder)
    if "strict" in cls.Config.model_fields:
        options = {**options, "strict": strict}
    reader = cls(cls.Config.model_validate(options))
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
            if not name.strip() or any(sign in name for sign in odd) or len(name) > 10_000:
                raise Loss(f"the id {name[:60]!r}")


@cache
def cases() -> dict[str, Case]:
    """Return the cases by name: fixtures of every reader of published files, and tables in all formats."""
    return {**_published(), **_tables()}


def _folder(name: str) -> dict[str, bytes]:
    folder = FIXTURES / name
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir()) if file.is_file()}


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
    }


def _tables() -> dict[str, Case]:
    import polars as pl

    plain = {"user": "user", "item": "item"}
    full = plain | {"time": "time", "weight": "weight"}
    plays = pl.read_csv(PLAYS.encode())
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


def _let_errors_through(patch: pytest.MonkeyPatch) -> int:
    patch.setattr(columns, "naming", lambda *_: nullcontext())
    patch.setattr(files, "naming", lambda *_: nullcontext())
    return 1


def _count_no_line(patch: pytest.MonkeyPatch) -> int:
    patch.setattr(BadLines, "add", lambda self, path, lines, fault, unit="line": None)
    return 1


def _take_any_id(patch: pytest.MonkeyPatch) -> int:
    patch.setattr(columns, "LONGEST_ID", 10**9)
    patch.setattr(columns.ColumnTable, "_usable", lambda self, values, *_: values)
    return 1


BREAKS = {
    "errors of libraries name the file": _let_errors_through,
    "rows that are not read are counted": _count_no_line,
    "ids that cannot be meant are malformed": _take_any_id,
}
"""Promises, and what breaks them for a test of this part: it returns the number of attempts that have to notice."""
