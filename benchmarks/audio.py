"""Audio at its real size, and its value for recommendations.

    python -m benchmarks.audio size       # spectrograms of 20 GB reduced to short vectors: time and memory
    python -m benchmarks.audio folder     # a file for each song, as Melon has them: time and memory
    python -m benchmarks.audio quality    # films without any ratings, recommended by their sound

`size` reduces spectrograms of 128 x 128 float32 in one sparse .npy file by `hybridrec reduce`, in a separate process.
Every twentieth is written, the others are unknown (zeros). The peak is the resident memory of that process according
to the operating system, mapped pages included. A part that fits into memory is also reduced by scikit-learn's
IncrementalPCA.

`folder` reduces spectrograms of 48 bands and 1,200 to 2,600 moments, a file for each, by `hybridrec reduce FOLDER`.

`quality` gives each film of the package a spectrogram, the sum of a pattern for each of its genres and of noise.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import numpy as np
import polars as pl
import yaml

import hybridrec
from benchmarks.readme import table
from hybridrec import NpyRows
from hybridrec.data.dataset import Dataset
from hybridrec.data.readers.movietweetings import MovieTweetingsOptions, MovieTweetingsReader
from hybridrec.types import Floats
from hybridrec_vectors.principal_components import pca

SHAPE = (128, 128)
"""Numbers of frequency bands and of moments of a spectrogram."""
DIMS = 64
WRITTEN = 20
"""Interval of the spectrograms in the large file that are written: every twentieth."""
PATTERNS = 200
"""Number of directions in which spectrograms differ, each 3 % weaker than the one before, under white noise."""
BLOCK = 512
"""Number of spectrograms that are generated at a time."""
SMALL = (32, 32)
"""Numbers of frequency bands and of moments of a film's spectrogram."""
EXPERIMENT = {
    "name": "audio",
    "seed": 7,
    "data": {
        "reader": "table",
        "interactions": {"path": "plays.csv", "user": "user", "item": "film"},
        "items": {"path": "films.csv", "id": "film", "tags": ["genres"]},
        "item_vectors": {"path": "vectors.npy"},
    },
    "split": {"use": "cold-items", "folds": 5, "min_history": 5},
    "components": {
        "random": {},
        "popularity": {},
        "audio": {"use": "content-vectors"},
        "audio-transfer": {"use": "content-transfer", "tags": 0, "features": 0, "vectors": 1},
        "audio-tags": {
            "use": "audio-tag-autoencoder",
            "hidden": 128,
            "epochs": 30,
            "batch": 128,
            "learning_rate": 0.002,
        },
        "genres": {"use": "content", "features": 0, "text": 0},
    },
    "targets": {"items": 20},
    "pipelines": {
        "audio-first": {"generators": [{"from": "audio", "k": 100}], "fallback": ["tag-fallback", "popularity"]}
    },
    "compare": {"control": "audio-first", "singles": True, "metrics": ["ndcg@20", "recall@20"]},
}


@click.group()
def main() -> None:
    """Measure the processing of audio."""


@main.command()
@click.option("--gigabytes", default=20.0, show_default=True, help="Of the large file.")
@click.option("--compared", default=4096, show_default=True, help="Spectrograms that scikit-learn is given, too.")
@click.option("--folder", type=click.Path(path_type=Path), help="For the file; else a temporary one.")
def size(gigabytes: float, compared: int, folder: Path | None) -> None:
    """Reduce spectrograms larger than memory; also reduce a part of them by two methods, for comparison."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        large = Path(place, "spectrograms.npy")
        rows = int(gigabytes * 1e9 / (4 * np.prod(SHAPE)))
        write_sparse(large, rows, np.random.default_rng(1))
        stat = large.stat()
        print(f"{rows} spectrograms, {stat.st_size / 1e9:.1f} GB, {stat.st_blocks * 512 / 1e9:.1f} of them written")
        seconds, peak = reduced(large, Path(place, "vectors.npy"))
        print(f"hybridrec reduce: {seconds:.0f} s, {peak / 1e9:.2f} GB resident at most")
        large.unlink()
        small = Path(place, "part.npy")
        np.save(small, spectrograms(compared, np.random.default_rng(1)))
        for name, method in (("hybridrec", ours), ("IncrementalPCA", incremental)):
            started = time.perf_counter()
            explained = method(small)
            print(f"{name}, {compared} of them: {time.perf_counter() - started:.1f} s, {explained:.2%} of the variance")


def spectrograms(rows: int, rng: np.random.Generator) -> Floats:
    """Generate spectrograms, float32 [rows, *SHAPE]; their patterns are the same for every `rng`."""
    width = int(np.prod(SHAPE))
    patterns = np.random.default_rng(0).standard_normal((PATTERNS, width), np.float32)
    patterns *= 0.97 ** np.arange(PATTERNS, dtype=np.float32)[:, None]
    loudness = rng.standard_normal((rows, PATTERNS), np.float32)
    return (loudness @ patterns + 3 * rng.standard_normal((rows, width), np.float32) - 40).reshape(rows, *SHAPE)


def write_sparse(path: Path, rows: int, rng: np.random.Generator) -> None:
    """Write a .npy file of `rows` spectrograms; every `WRITTEN`-th has data, the others take no space on disk."""
    np.lib.format.open_memmap(path, "w+", np.float32, (rows, *SHAPE))
    for start in range(0, rows, BLOCK * WRITTEN):
        whole = np.load(path, mmap_mode="r+")
        written = whole[start : start + BLOCK * WRITTEN : WRITTEN]
        written[:] = spectrograms(len(written), rng)


def reduced(source: Path, target: Path) -> tuple[float, int]:
    """Run `hybridrec reduce` in a separate process; return its seconds and its peak of resident bytes.

    The system reports the largest peak of all children so far, so earlier children must have had smaller peaks.
    """
    started = time.perf_counter()
    command = [sys.executable, "-m", "hybridrec", "reduce", str(source), "--dims", str(DIMS), "-o", str(target)]
    subprocess.run(command, check=True)
    return time.perf_counter() - started, 1024 * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss


@main.command()
@click.option("--songs", default=2000, show_default=True, help="Number of files.")
@click.option("--folder", type=click.Path(path_type=Path), help="For the files; else a temporary one.")
def folder(songs: int, folder: Path | None) -> None:
    """Reduce a folder with a spectrogram for each song."""
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory(dir=folder) as place:
        mel, total = Path(place, "mel"), 0
        for song in range(songs):
            path = mel / f"arena_mel_{song // 1000}" / f"{song}.npy"
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, rng.standard_normal((48, rng.integers(1200, 2601)), np.float32))
            total += path.stat().st_size
        seconds, peak = reduced(mel, Path(place, "vectors.parquet"))
        print(f"{songs} songs, {total / 1e9:.2f} GB: {seconds:.1f} s, {peak / 1e9:.2f} GB resident at most")


def ours(path: Path) -> float:
    """Return the share of the variance that `pca` keeps."""
    return pca(NpyRows.of(path), DIMS, np.random.default_rng(0)).explained


def incremental(path: Path) -> float:
    """Return the share of the variance that scikit-learn's IncrementalPCA keeps, in batches of 5 x `DIMS` rows."""
    from sklearn.decomposition import IncrementalPCA

    values = np.load(path, mmap_mode="r").reshape(-1, int(np.prod(SHAPE)))
    model = IncrementalPCA(DIMS, batch_size=5 * DIMS).fit(values)
    kept = model.transform(values).var(axis=0, dtype=np.float64).sum()
    return float(kept / values.var(axis=0, dtype=np.float64).sum())


@main.command()
@click.option("--noise", default=3.0, show_default=True, help="Its loudness, where the pattern of a genre has 1.")
@click.option("--folder", type=click.Path(path_type=Path), help="For the experiment; else a temporary one.")
def quality(noise: float, folder: Path | None) -> None:
    """Recommend films without ratings by their sound, compared with chance, popularity and the genres themselves."""
    data = MovieTweetingsReader(MovieTweetingsOptions(min_rating=6)).read()
    with tempfile.TemporaryDirectory(dir=folder) as place:
        experiment = write_experiment(Path(place), data, noise, np.random.default_rng(1))
        reduced(experiment.parent / "spectrograms.npy", experiment.parent / "vectors.npy")
        print(table(hybridrec.run(experiment, runs=Path(place, "runs"), store=Path(place, "store")).report))


def write_experiment(folder: Path, data: Dataset, noise: float, rng: np.random.Generator) -> Path:
    """Write plays, films, spectrograms and a config that reads them, the spectrograms reduced; return its path."""
    history = data.interactions
    plays = {"user": data.users.vocabulary.decode(history.rows), "film": data.items.vocabulary.decode(history.ids)}
    pl.DataFrame(plays).write_csv(folder / "plays.csv")
    genres = data.item_matrix("tags")
    names = np.array(data.vocabulary("tags").ids)
    told = ["|".join(names[genres[film].indices]) for film in range(len(data.items))]
    pl.DataFrame({"film": data.items.vocabulary.ids, "genres": told}).write_csv(folder / "films.csv")
    patterns = rng.standard_normal((data.size("tags"), *SMALL), np.float32)
    sound = np.tensordot(genres.toarray(), patterns, 1) + noise * rng.standard_normal((len(told), *SMALL), np.float32)
    np.save(folder / "spectrograms.npy", sound.astype(np.float16))
    (folder / "audio.yaml").write_text(yaml.safe_dump(EXPERIMENT, sort_keys=False), encoding="utf-8")
    return folder / "audio.yaml"


if __name__ == "__main__":
    main()
