"""Vectors as codes of a few bits, which faiss scans much faster than it takes to multiply the vectors themselves."""

from __future__ import annotations

from math import ceil, isqrt
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybridrec import Floats, Longs, MissingDependencyError

INSTALL_HINT = "pip install 'hybridrec[ann]'"
CENTROIDS = 16
"""Values of a code: fewer vectors than these teach no codes."""


class Codes:
    """A product quantization of vectors (Jégou, Douze and Schmid 2011), one code of 4 bits for each dimension.

    Inner products are sums over tables of 16 entries that stay in registers (André, Kermarrec and Le Scouarnec
    2015): a scan of all codes costs a fraction of the exact products, and says roughly which are the largest.
    Vectors are turned at random first: a code has as many bits in each dimension, and vectors in their principal
    axes have little to say in most of them. Where only a share of the codes is scanned, they lie in cells, as many
    as the root of their number.
    """

    def __init__(self, index: Any, probes: float) -> None:
        self._index = index
        self._search = {} if probes == 1 else {"params": _scanning(probes, index)}

    @classmethod
    def of(cls, vectors: Floats, probes: float, seed: int) -> Codes:
        """Learn the codes of float32 [N, D], N at least `CENTROIDS`, on one thread; the same for the same seed.

        `probes` is the share of the cells that is scanned, and there are no cells if it is 1.
        """
        faiss = _faiss()
        cells = "" if probes == 1 else f"IVF{isqrt(len(vectors))},"
        width = vectors.shape[1]
        index = faiss.index_factory(width, f"RR{width},{cells}PQ{width}x4fs", faiss.METRIC_INNER_PRODUCT)
        coded = faiss.downcast_index(index.index)
        for clustering in (coded.pq.cp, coded.cp) if cells else (coded.pq.cp,):
            clustering.seed = seed
            clustering.min_points_per_centroid = 1  # few vectors are no reason to warn: the recall is measured
        index.train(vectors)
        index.add(vectors)
        return cls(index, probes)

    def nearest(self, queries: Floats, k: int) -> Longs:
        """Rows of the k vectors with about the largest inner products with each query, ascending: int64 [Q, k].

        Where the cells that are scanned hold fewer, rows begin with -1.
        """
        _faiss()
        _, rows = self._index.search(queries, k, **self._search)
        rows.sort(axis=1)
        return rows

    def serialized(self) -> NDArray[np.uint8]:
        """uint8 [bytes]: everything, in faiss's own format."""
        return _faiss().serialize_index(self._index)

    @classmethod
    def deserialized(cls, content: NDArray[np.uint8], probes: float) -> Codes:
        """The way back."""
        return cls(_faiss().deserialize_index(np.asarray(content)), probes)


def _scanning(probes: float, index: Any) -> Any:
    """How faiss is told which share of the cells to scan."""
    faiss = _faiss()
    cells = faiss.SearchParametersIVF(nprobe=ceil(probes * faiss.extract_index_ivf(index).nlist))
    return faiss.SearchParametersPreTransform(index_params=cells)


def _faiss() -> ModuleType:
    """The library, on one thread where it is called: the engine has a thread for each core already.

    Raises MissingDependencyError where it is not installed.
    """
    try:
        import faiss
    except ImportError as error:
        raise MissingDependencyError(
            f"component 'approximate' needs the library faiss, which cannot be imported ({error}); {INSTALL_HINT}"
        ) from error
    faiss.omp_set_num_threads(1)  # counts for the calling thread alone
    return faiss
