"""`hybridrec reduce`: make short vectors of spectrograms or embeddings by PCA."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import click
import numpy as np

from hybridrec import ConfigError, DataError, NpyRows, replacing
from hybridrec_vectors.principal_components import Reduced, pca
from hybridrec_vectors.spectrogram_folder import BANDS, SpectrogramFolder


@click.command()
@click.argument("array", metavar="FILE.npy|FOLDER", type=click.Path(path_type=Path))
@click.option("--dims", default=64, show_default=True, type=click.IntRange(min=1), help="Length of each vector.")
@click.option(
    "--moments",
    default=32,
    show_default=True,
    type=click.IntRange(min=1),
    help="Moments to which each spectrogram of a folder is brought.",
)
@click.option(
    "--fit",
    default="pool",
    show_default=True,
    type=click.Choice(["pool", "crop"]),
    help="Bring spectrograms to that length by means over equal stretches of time, or by cropping and padding.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="File to write.  [default: vectors.npy, of a folder vectors.parquet]",
)
@click.option("--catalogue", is_flag=True, help="The rows of FILE.npy are items, though it looks like one song.")
@click.option("--force", is_flag=True, help="Overwrite the output file.")
def reduce(
    array: Path,
    dims: int,
    moments: int,
    fit: Literal["pool", "crop"],
    output: Path | None,
    catalogue: bool,
    force: bool,
) -> None:
    """Reduce spectrograms or embeddings to short vectors by PCA.

    FILE.npy has a row for each item. FOLDER has a file ID.npy for each item, a matrix of bands x moments with any
    number of moments; a folder becomes a Parquet file of id and vector. Either may be larger than memory. Readers take
    the result as `item_vectors`.
    """
    folder = array.is_dir()
    output = output or Path("vectors.parquet" if folder else "vectors.npy")
    if output.exists() and not force:
        raise ConfigError(f"{output} exists; give another name with -o, or --force to overwrite it")
    if folder:
        _reduce_folder(SpectrogramFolder.of(array), dims, moments, fit, output)
    else:
        _reduce_file(NpyRows.of(array), dims, output, catalogue)


def _reduce_file(rows: NpyRows, dims: int, output: Path, catalogue: bool) -> None:
    if len(rows.shape) == 2 and len(rows) == BANDS and not catalogue:
        raise DataError(
            f"{rows.path} has the shape {rows.shape}: the spectrogram of one song in {BANDS} mel bands, not a row for "
            "each item; right is the folder of all songs, an ID.npy for each (if the rows are items, say --catalogue)"
        )
    reduced = pca(rows, dims, np.random.default_rng(0))
    with replacing(output) as file:
        np.save(file, reduced.vectors)
    _tell(output, rows, reduced)


def _reduce_folder(
    spectrograms: SpectrogramFolder, dims: int, moments: int, fit: Literal["pool", "crop"], output: Path
) -> None:
    import polars as pl

    if output.suffix != ".parquet":
        raise ConfigError(f"{output}: the vectors of a folder are written with their ids, as a file NAME.parquet")
    with TemporaryDirectory(dir=output.parent) as place:
        rows = Path(place, "rows.npy")
        spectrograms.write_rows(rows, moments, fit)
        brought = NpyRows.of(rows)
        reduced = pca(brought, dims, np.random.default_rng(0))
    with replacing(output) as file:
        pl.DataFrame({"id": spectrograms.ids, "vector": reduced.vectors}).write_parquet(file)
    _tell(output, brought, reduced)


def _tell(output: Path, rows: NpyRows, reduced: Reduced) -> None:
    count, dims = reduced.vectors.shape
    print(
        f"wrote {output}: {dims} numbers in place of {rows.dims} for each of {count} items, "
        f"with {reduced.explained:.1%} of the variance"
    )
