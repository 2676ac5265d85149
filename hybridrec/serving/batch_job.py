"""Batches in a folder: recommendations of many queries in part files, which a later call continues after a kill."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from pydantic import BaseModel, ValidationError

from hybridrec import __version__
from hybridrec.data.fingerprint import json_digest
from hybridrec.errors import ConfigError, DataError, StoreError
from hybridrec.inference.batch_runner import BlockMapper
from hybridrec.paths import replacing, sweep, write_whole, writing
from hybridrec.runs.bundle import bundle_digest, bundle_path
from hybridrec.serving.batch import BatchRecommender, PinnedRecommender
from hybridrec.serving.query_source import QuerySource
from hybridrec.serving.query_table import Places
from hybridrec.serving.recommender import Recommender

if TYPE_CHECKING:
    import polars as pl

MANIFEST = "manifest.json"
"""The name of the file that describes the job and its finished part files."""
PartFormat = Literal["parquet", "jsonl", "csv"]
"""The format of part files."""
FORMATS: tuple[PartFormat, ...] = get_args(PartFormat)
PLACES = 1_000_000
"""The largest number of places in a part file whose number of queries is not given."""
QUERIES = 10_000
"""The largest number of queries in a part file whose number of queries is not given."""
BLOCKS = 8
"""The number of blocks of queries for each worker that are handed to an executor at a time."""


class _Part(BaseModel, extra="forbid"):
    """A finished part file."""

    file: str
    queries: int
    rows: int
    digest: str


class _Manifest(BaseModel, extra="forbid"):
    """The content of the file `MANIFEST`, which is written anew after each part.

    bundle: digest of the bundle
    queries: fingerprint of the source of the queries
    columns: the name and type of each column
    checksum: its digest, by which damage is found
    parts: the finished parts, in the order of their queries
    complete: True once there are no more queries
    """

    hybridrec: str
    bundle: str
    queries: str
    options: dict[str, Any]
    columns: dict[str, str]
    parts: list[_Part] = []
    complete: bool = False
    checksum: str = ""

    @property
    def digest(self) -> str:
        """The digest of everything but `checksum`."""
        return json_digest(self.model_dump(exclude={"checksum"}))

    def differences(self, other: _Manifest) -> list[str]:
        """Return a clause for each difference from `other` in something that decides the recommendations."""
        told = [f"another bundle ({self.bundle[:8]}, not {other.bundle[:8]})"] * (self.bundle != other.bundle)
        told += ["other queries"] * (self.queries != other.queries)
        told += [f"hybridrec {self.hybridrec}, not {other.hybridrec}"] * (self.hybridrec != other.hybridrec)
        for name in dict.fromkeys([*self.options, *other.options]):
            mine, theirs = self.options.get(name), other.options.get(name)
            told += [f"{name} {mine}, not {theirs}"] * (mine != theirs)
        return told


@dataclass(frozen=True, slots=True)
class BatchJob:
    """The recommendations for all queries of a source, in part files of a folder.

    answer: the function that answers tables of queries
    source: the queries
    folder: the folder of the part files, which must be new or empty, or hold the beginning of the same job
    format: format of the part files
    size: number of queries in a part; by default at most `QUERIES`, and at most `PLACES` places

    A part file is written beside its place and renamed, so that it is there whole or not at all. A job that was killed
    and continued leaves the same files as one that was not.
    """

    answer: BatchRecommender
    source: QuerySource
    folder: Path
    format: PartFormat = "parquet"
    size: int | None = None

    def queries_per_part(self, recommender: Recommender) -> int:
        """Return the number of queries in each part but the last, if this recommender answers."""
        return self.size or min(max(PLACES // recommender.length(self.answer.n, self.answer.target), 1), QUERIES)

    def run(
        self,
        *,
        resume: bool = False,
        advance: Callable[[int], None] = lambda queries: None,
        executor: BlockMapper | None = None,
    ) -> list[Path]:
        """Write all parts, and return their paths.

        All parts are answered from the bundle as it is at the beginning, whatever then takes its place.

        resume: True to keep the finished parts of an earlier call with the same bundle, queries and options
        advance: is called for each part, once it is finished or found finished, with its number of queries
        executor: workers in other processes, each of which maps the bundle, answers parts and writes them; they find
            the bundle and the folder at the same paths. By default this process does so

        Raises ConfigError if the folder holds other files, another job, or without `resume` this one, and StoreError if
        its manifest is damaged. Raises DataError for queries that cannot be used, and WriteError if a file cannot be
        written.
        """
        recommender, digest = _recommender_of(self.answer)
        pinned, source = PinnedRecommender(self.answer, recommender), self.source.of(recommender.data)
        manifest = self._begun(self._new_manifest(pinned, digest), resume)
        for part_file in manifest.parts:
            advance(part_file.queries)
        queries = source.parts(self.queries_per_part(recommender), len(manifest.parts))
        blocks = (_Block(number, *table) for number, table in enumerate(queries, len(manifest.parts)))
        if executor is None:
            written = self._written(pinned, source.name, blocks)
        else:
            writer = _PartWriter(_found_anywhere(self.answer), digest, self.folder.resolve(), self.format, source.name)
            written = _mapped(executor, writer, blocks)
        for part_file in written:
            self._keep(manifest, part_file, advance)
        manifest.complete = True
        self._save(manifest)
        return [self.folder / part_file.file for part_file in manifest.parts]

    def _written(self, pinned: PinnedRecommender, name: str, blocks: Iterable[_Block]) -> Iterator[_Part]:
        """Answer and write the parts of blocks of queries one after the other; yield their entries for the manifest."""
        write = None
        # A part is written on a thread, which needs no lock of the interpreter, while the next one is answered.
        with ThreadPoolExecutor(1) as writer:
            for block in blocks:
                frames = block.answered(pinned, name)
                if write is not None:
                    yield write.result()
                write = writer.submit(_write, self.folder, self.format, block, frames)
            if write is not None:
                yield write.result()

    def _new_manifest(self, pinned: PinnedRecommender, digest: str) -> _Manifest:
        """Return the manifest of this job before its first part; `digest` is that of the bundle."""
        recommender = pinned.recommender
        return _Manifest(
            hybridrec=__version__,
            bundle=digest,
            queries=self.source.fingerprint,
            options={
                "n": recommender.length(self.answer.n, self.answer.target),
                "pipeline": self.answer.pipeline or recommender.default,
                "target": self.answer.target,
                "explain": self.answer.explain,
                "unknown": self.answer.unknown,
                "format": self.format,
                "queries per part": self.queries_per_part(recommender),
            },
            columns={name: str(dtype) for name, dtype in pinned.schema.items()},
        )

    def _begun(self, fresh: _Manifest, resume: bool) -> _Manifest:
        """Return the manifest to continue: `fresh` in an empty folder, else the earlier one with its intact parts."""
        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        sweep(self.folder)
        path = self.folder / MANIFEST
        if not path.exists():
            if any(self.folder.iterdir()):
                raise ConfigError(f"{self.folder} holds other files: name a new or an empty folder")
            self._save(fresh)
            return fresh
        try:
            earlier = _Manifest.model_validate_json(path.read_bytes())
        except (OSError, ValidationError):
            raise ConfigError(f"{self.folder} holds other files: {path} is not that of a batch") from None
        if earlier.checksum != earlier.digest:
            raise StoreError(f"{path}: damaged (its checksum differs): name another folder")
        if not resume:
            state = "a finished batch" if earlier.complete else "a batch that was begun"
            raise ConfigError(f"{self.folder} holds {state}: continue it with --resume, or name another folder")
        if differences := earlier.differences(fresh):
            raise ConfigError(
                f"{self.folder} cannot be continued, as it was begun with {'; '.join(differences)}: name another folder"
            )
        intact = 0
        while intact < len(earlier.parts) and self._is_intact(earlier.parts[intact]):
            intact += 1
        return earlier.model_copy(update={"parts": earlier.parts[:intact], "complete": False})

    def _is_intact(self, part_file: _Part) -> bool:
        """Return True if a finished part file exists and has the content that was written."""
        path = self.folder / part_file.file
        return path.is_file() and _digest(path.read_bytes()) == part_file.digest

    def _keep(self, manifest: _Manifest, part_file: _Part, advance: Callable[[int], None]) -> None:
        """Add a written part to the manifest, save it, and call `advance` with the part's number of queries."""
        manifest.parts.append(part_file)
        self._save(manifest)
        advance(part_file.queries)

    def _save(self, manifest: _Manifest) -> None:
        manifest.checksum = manifest.digest
        write_whole(self.folder / MANIFEST, manifest.model_dump_json(indent=1) + "\n")


@dataclass(frozen=True, slots=True)
class _Block:
    """The queries of one part: its number, from 0, the table, and the function that names the place of a row."""

    number: int
    rows: pl.DataFrame
    places: Places

    def answered(self, pinned: PinnedRecommender, name: str) -> list[pl.DataFrame]:
        """Return the recommendations for the queries, in several tables of which the first is empty."""
        import polars as pl

        return [pl.DataFrame(schema=pinned.schema), *pinned.frames(self.rows, self.places, name)]


@dataclass(frozen=True, slots=True)
class _PartWriter:
    """A function that answers a block of queries and writes its part, in any process that sees bundle and folder.

    digest: that of the bundle; raises DataError if another one has taken its place
    name: the name of the queries in messages
    """

    answer: BatchRecommender
    digest: str
    folder: Path
    format: PartFormat
    name: str

    def __call__(self, block: _Block) -> _Part:
        """Return the entry of the part for the manifest; the bundle is loaded once in each process."""
        recommender, digest = _recommender_of(self.answer)
        if digest != self.digest:
            raise DataError(
                f"{self.answer.bundle} was replaced while the batch ran: begin it anew in another folder, or put the "
                "bundle back and continue with --resume"
            )
        frames = block.answered(PinnedRecommender(self.answer, recommender), self.name)
        return _write(self.folder, self.format, block, frames)


def _mapped(executor: BlockMapper, writer: _PartWriter, blocks: Iterator[_Block]) -> Iterator[_Part]:
    """Yield the entries of parts that the workers write, in order; only some blocks are in memory at the same time."""
    while window := list(islice(blocks, BLOCKS * executor.workers)):
        yield from executor.map(writer, window)


def _recommender_of(answer: BatchRecommender) -> tuple[Recommender, str]:
    """Return the recommender of a bundle and the digest of the bundle from which it was loaded."""
    path = bundle_path(answer.bundle)
    while True:
        digest, recommender = bundle_digest(path), answer.recommender
        if bundle_digest(path) == digest:  # else the bundle was replaced while it was loaded
            return recommender, digest


def _found_anywhere(answer: BatchRecommender) -> BatchRecommender:
    """Return the same function with absolute paths, for processes with another working folder."""
    plugins = tuple(Path(plugin).resolve() for plugin in answer.plugins)
    return replace(answer, bundle=Path(answer.bundle).resolve(), plugins=plugins)


def _write(folder: Path, part_format: PartFormat, block: _Block, frames: list[pl.DataFrame]) -> _Part:
    """Write the part of a block and return its entry for the manifest."""
    import polars as pl

    frame = pl.concat(frames)
    file = f"part-{block.number:05}.{part_format}"
    content = _encoded(frame, part_format)
    with replacing(folder / file) as target:
        target.write(content)
    return _Part(file=file, queries=len(block.rows), rows=len(frame), digest=_digest(content))


def _encoded(frame: pl.DataFrame, part_format: PartFormat) -> bytes:
    """Return the content of a part file; in csv, contributions are a JSON object from label to value."""
    import polars as pl

    content = BytesIO()
    if part_format == "parquet":
        frame.write_parquet(content, compression="zstd", compression_level=1)
    elif part_format == "jsonl":
        frame.write_ndjson(content)
    else:
        if "contributions" in frame.columns:
            texts = [json.dumps({each["label"]: each["value"] for each in row}) for row in frame["contributions"]]
            frame = frame.with_columns(pl.Series("contributions", texts, dtype=pl.String))
        frame.write_csv(content)
    return content.getvalue()


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()
