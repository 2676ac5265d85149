"""Codes of a few bits for vectors, which faiss scans much faster than it multiplies the vectors themselves."""

from __future__ import annotations

from math import ceil, isqrt
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybridrec import Floats, Longs, MissingDependencyError

INSTALL_HINT = "pip install 'hybridrec[ann]'"
CENTROIDS = 16
"""Number of values of a code; fewer vectors are too few to learn codes from."""


class Codes:
    """A product quantization of vectors (Jégou, Douze and Schmid 2011), with one code of 4 bits per dimension.

    Inner products with codes are sums over tables of 16 entries, which stay in registers (André, Kermarrec and Le
    Scouarnec 2015). So a scan of all codes takes a fraction of the time of the exact products, and finds approximately
    the largest of them. Vectors are rotated at random first, since every dimension has the same number of bits: in
    principal axes most dimensions carry so little information that their bits would be wasted. If only a share of the
    codes is scanned, the codes are divided into cells, as many as the square root of their number.
    """

    def __init__(self, index: Any, probes: float) -> None:
        self._index = index
        self._search = {} if probes == 1 else {"params": _scanning(probes, index)}

    @classmethod
    def of(cls, vectors: Floats, probes: float, seed: int) -> Codes:
        """Learn the codes of vectors, float32 [N, D], on one thread, so that the same seed gives the same codes.

        N must be at least `CENTROIDS`. `probes` is the share of the cells that are scanned; 1 makes no cells.
        """
        faiss = _faiss()
        cells = "" if probes == 1 else f"IVF{isqrt(len(vectors))},"
        width = vectors.shape[1]
        index = faiss.index_factory(width, f"RR{width},{cells}PQ{width}x4fs", faiss.METRIC_INNER_PRODUCT)
        coded = faiss.downcast_index(index.index)
        for clustering in (coded.pq.cp, coded.cp) if cells else (coded.pq.cp,):
            clustering.seed = seed
            clustering.min_points_per_centroid = 1  # no warning for few vectors: the recall is measured
        index.train(vectors)
        index.add(vectors)
        return cls(index, probes)

    def nearest(self, queries: Floats, k: int) -> Longs:
        """Find the rows of about the k largest inner products with each query: int64 [Q, k], ascending.

        Where the scanned cells hold fewer than k vectors, rows begin with -1.
        """
        _faiss()
        _, rows = self._index.search(queries, k, **self._search)
        rows.sort(axis=1)
        return rows

    def serialized(self) -> NDArray[np.uint8]:
        """Serialize the index in faiss's own format: uint8 [bytes]."""
        return _faiss().serialize_index(self._index)

    @classmethod
    def deserialized(cls, content: NDArray[np.uint8], probes: float) -> Codes:
        """Rebuild the codes from the output of `serialized`."""
        return cls(_faiss().deserialize_index(np.asarray(content)), probes)


def _scanning(probes: float, index: Any) -> Any:
    """Build faiss's search parameters for this share of the cells."""
    faiss = _faiss()
    cells = faiss.SearchParametersIVF(nprobe=ceil(probes * faiss.extract_index_ivf(index).nlist))
    return faiss.SearchParametersPreTransform(index_params=cells)


def _faiss() -> ModuleType:
    """Import faiss, limited to one thread in the calling thread: the engine has a thread per core already.

    Raises MissingDependencyError if faiss is not installed.
    """
    try:
        import faiss
    except ImportError as error:
        raise MissingDependencyError(
            f"component 'approximate' needs the library faiss, which cannot be imported ({error}); {INSTALL_HINT}"
        ) from error
    faiss.omp_set_num_threads(1)  # applies to the calling thread only
    return faiss
