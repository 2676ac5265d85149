"""The command `reduce`."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from hybridrec import ConfigError, NpyRows, replacing
from hybridrec_vectors.principal_components import pca


@click.command()
@click.argument("array", metavar="FILE.npy", type=click.Path(path_type=Path))
@click.option("--dims", default=64, show_default=True, type=click.IntRange(min=1), help="Length of each vector.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("vectors.npy"),
    show_default=True,
    help="File to write.",
)
@click.option("--force", is_flag=True, help="Overwrite the output file.")
def reduce(array: Path, dims: int, output: Path, force: bool) -> None:
    """Reduce spectrograms or embeddings, FILE.npy with a row for each item, to short vectors by PCA.

    The file may be larger than memory. The `table` reader takes the result as `item_vectors`.
    """
    if output.exists() and not force:
        raise ConfigError(f"{output} exists; give another name with -o, or --force to overwrite it")
    rows = NpyRows.of(array)
    reduced = pca(rows, dims, np.random.default_rng(0))
    with replacing(output) as file:
        np.save(file, reduced.vectors)
    print(
        f"wrote {output}: {dims} numbers in place of {rows.dims} for each of {len(rows)} items, "
        f"with {reduced.explained:.1%} of the variance"
    )
