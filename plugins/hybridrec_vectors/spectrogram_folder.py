"""Folders of spectrograms: a .npy file for each item, all with the same bands, with any number of moments."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import numpy as np

from hybridrec import DataError, Floats, map_npy

BANDS = 48
"""Number of mel bands of the spectrograms of the Melon Playlist Dataset."""
BLOCK = 64 << 20
"""Number of bytes of rows that are in memory at a time."""


@dataclass(frozen=True, slots=True)
class SpectrogramFolder:
    """Spectrograms below a folder, in the order of their ids; each is read only when its row is written.

    ids: the names of the files without .npy; they are ordered as numbers if all are whole numbers
    files: the path of each file, as text, which takes less memory
    """

    ids: list[str]
    files: list[str]

    @classmethod
    def of(cls, path: Path) -> Self:
        """List the .npy files of a folder and of the folders in it.

        Raises DataError if there are none, or if two of the files have the same id.
        """
        files: dict[str, str] = {}
        for folder, _, names in os.walk(path):
            for name, ending in map(os.path.splitext, names):
                if ending != ".npy":
                    continue
                if other := files.get(name):
                    raise DataError(f"{other}: a file in {folder} has the same id '{name}'; right is one for each item")
                files[name] = os.path.join(folder, name + ending)  # noqa: PTH118
        if not files:
            raise DataError(f"{path}: no .npy file is in this folder; right is one ID.npy for each item")
        number = all(name.isdecimal() for name in files)
        ids = sorted(files, key=lambda name: (int(name) if number else 0, name))
        return cls(ids, [files[name] for name in ids])

    def __len__(self) -> int:
        return len(self.ids)

    def write_rows(self, target: Path, moments: int, fit: Literal["pool", "crop"]) -> None:
        """Write the spectrograms to a .npy file, float32 [N, bands, moments], a block of rows at a time.

        Raises DataError for a file that is not bands x moments of finite numbers, in as many bands as the first.
        """
        bring = pooled if fit == "pool" else cropped
        bands = len(_loaded(self.files[0], None))
        header = {"descr": "<f4", "fortran_order": False, "shape": (len(self), bands, moments)}
        with target.open("wb") as rows:
            np.lib.format.write_array_header_1_0(rows, header)
            for block in self._blocks(bands * moments * 4):
                array = np.stack([bring(_loaded(file, bands), moments) for file in block])
                rows.write(array.astype("<f4").tobytes())

    def _blocks(self, row: int) -> Iterator[list[str]]:
        """Yield the files in blocks that fit into memory; a row takes `row` bytes."""
        step = max(BLOCK // row, 1)
        for start in range(0, len(self), step):
            yield self.files[start : start + step]


def pooled(spectrogram: Floats, moments: int) -> Floats:
    """Return the means of a spectrogram over `moments` stretches of time of equal length: float32 [bands, moments].

    Stretch k of M holds the moments from floor(k T / M) up to ceil((k + 1) T / M) of T, at least one, so that a
    spectrogram with T below M repeats some. Without any moment all means are 0, which stands for unknown.
    """
    bands, length = spectrogram.shape
    if not length:
        return np.zeros((bands, moments), np.float32)
    sums = np.cumsum(spectrogram, axis=1, dtype=np.float64)
    sums = np.concatenate((np.zeros((bands, 1)), sums), axis=1)
    starts = np.arange(moments) * length // moments
    stops = -(-(np.arange(moments) + 1) * length // moments)
    means = (sums[:, stops] - sums[:, starts]) / (stops - starts)
    return means.astype(np.float32)


def cropped(spectrogram: Floats, moments: int) -> Floats:
    """Return the first moments of a spectrogram: float32 [bands, moments].

    A shorter spectrogram is padded with its smallest value, which is silence in decibels. A spectrogram without any
    moment becomes all 0, which stands for unknown.
    """
    bands, length = spectrogram.shape
    result = np.full((bands, moments), spectrogram.min() if length else 0, np.float32)
    result[:, :length] = spectrogram[:, :moments]
    return result


def _loaded(path: str, bands: int | None) -> Floats:
    """Load one spectrogram, float32 [bands, moments]; raises DataError if it is broken or has other bands."""
    mapped = map_npy(Path(path))
    if mapped.ndim != 2 or mapped.dtype.kind not in "fiu" or (bands is not None and len(mapped) != bands):
        expected = "bands" if bands is None else f"{bands} bands, as those before it"
        raise DataError(
            f"{path} has the shape {mapped.shape} and the type {mapped.dtype}; right is {expected} x moments"
        )
    with np.errstate(over="ignore"):  # values too large for float32 are refused below
        array = np.array(mapped, np.float32)  # in memory: a mapping would stay with the process
    if not np.isfinite(array).all():
        raise DataError(f"{path}: not all numbers are finite")
    return array
