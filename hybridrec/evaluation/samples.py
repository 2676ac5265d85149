"""Input of the statistics: the queries of an evaluation, and each arm's value of every metric for each query."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from hybridrec.data.fingerprint import fingerprint
from hybridrec.data.queries import ALL as ALL
from hybridrec.data.queries import KNOWN_FIELDS
from hybridrec.data.segments.base import Segmenter, segments_of
from hybridrec.data.splits.base import Fold
from hybridrec.types import Bools, Doubles, Ints


@dataclass(frozen=True, slots=True)
class Sample:
    """The Q queries of an evaluation, the same for every arm.

    units: int32 [Q], the user behind each query
    weights: float64 [Q], the weight of each query in means over queries
    segments: str [Q], the segment of each query by the first segmenter
    digest: a hash of the queries, the hidden ids, the gains and the recommendable ids
    segmenter: the name of the first segmenter in reports
    more_segments: name of each further segmenter -> str [Q], the segment of each query
    """

    units: Ints
    weights: Doubles
    segments: NDArray[np.str_]
    digest: str = ""
    segmenter: str = KNOWN_FIELDS
    more_segments: Mapping[str, NDArray[np.str_]] = field(default_factory=dict)

    @classmethod
    def of(cls, fold: Fold, segmenters: Mapping[str, Segmenter] | None = None) -> Sample:
        """Return the sample of one fold.

        `segmenters` has the segmenters by name. The queries of the fold already carry their segments by the first
        segmenter; the segments by all others are computed here. Without segmenters, the segment of a query is named
        after the fields that the query has.
        """
        truth = [f"{target}={fingerprint(relevant)}" for target, relevant in sorted(fold.truth.items())]
        truth += [f"gains of {target}={fingerprint(gains)}" for target, gains in sorted(fold.gains.items())]
        # Runs that divide the same queries into other segments can be compared.
        asked = fingerprint(replace(fold.queries, segment=None), tuple(truth), fold.candidate_items)
        first, *others = segmenters or [KNOWN_FIELDS]
        more = {name: segments_of(segmenters[name], fold.queries, fold.train) for name in others} if segmenters else {}
        return cls(fold.units, fold.weights, fold.queries.segments(), asked, first, more)

    @classmethod
    def join(cls, parts: Sequence[Sample]) -> Sample:
        """Concatenate the samples of several folds, one fold after the other."""
        return cls(
            np.concatenate([sample.units for sample in parts]),
            np.concatenate([sample.weights for sample in parts]),
            np.concatenate([sample.segments for sample in parts]),
            fingerprint(tuple(sample.digest for sample in parts)),
            parts[0].segmenter,
            {name: np.concatenate([sample.more_segments[name] for sample in parts]) for name in parts[0].more_segments},
        )

    def __len__(self) -> int:
        return len(self.units)

    def has_same_queries(self, other: Sample) -> bool:
        """Return True if both samples hold the same queries in the same order, with the same truth and segments."""
        return self.digest == other.digest and all(
            np.array_equal(mine, others)
            for mine, others in (
                (self.units, other.units),
                (self.weights, other.weights),
                (self.segments, other.segments),
            )
        )

    def parts(self) -> Iterator[tuple[str, str, Bools]]:
        """Yield (segmenter, segment, queries), where `queries`, bool [Q], marks the queries of the segment.

        The first triple is ("", "all", every query). Then come the segments of each segmenter, sorted by name; numbers
        in names are sorted as numbers. `segment` is the name in reports: the segment's own name for the first
        segmenter, and "SEGMENTER: SEGMENT" for all others.
        """
        yield "", ALL, np.ones(len(self), bool)
        for segmenter, segments in {self.segmenter: self.segments, **self.more_segments}.items():
            for segment in sorted(np.unique(segments).tolist(), key=_natural):
                name = segment if segmenter == self.segmenter else f"{segmenter}: {segment}"
                yield segmenter, name, segments == segment


def _natural(name: str) -> list[tuple[str, int, str]]:
    """Return a sort key for a segment's name in which digits count as numbers: "5-19" before "20 or more"."""
    digits = (re.fullmatch(r"(\D*)(\d*)", piece) for piece in re.findall(r"\D*\d+|\D+", name))
    return [(match[1], int(match[2] or -1), match[2]) for match in digits if match is not None]


def distinct(parts: Iterable[Bools]) -> tuple[list[Bools], list[int]]:
    """Return (masks, indices): the distinct masks among `parts`, bool [Q], and for each part the index of its mask.

    So equal masks need to be measured only once. If all queries are in one segment, for example, the mask of this
    segment is equal to the mask of `all`.
    """
    different: dict[bytes, Bools] = {}
    places: list[int] = []
    for members in parts:
        key = members.tobytes()
        different.setdefault(key, members)
        places.append(list(different).index(key))
    return list(different.values()), places


@dataclass(frozen=True, slots=True)
class EvaluatedArm:
    """A pipeline, or a component alone, with its measured values.

    values: metric -> float64 [Q], NaN where not defined; metrics of tags are called `tags/ndcg@10`
    set_values: metric -> one number of the whole run (coverage)
    without_group: metric -> float64 [G], the number in `set_values` computed anew for each of G groups of users, with
        the queries of this group left out; only for metrics that are guardrails
    served_by: str [Q], the generators or the fallback that served each query; None where it is not needed
    """

    name: str
    sample: Sample
    values: dict[str, Doubles]
    set_values: dict[str, float] = field(default_factory=dict)
    served_by: NDArray[np.str_] | None = None
    without_group: dict[str, Doubles] = field(default_factory=dict)

    @classmethod
    def averaged(cls, repeats: Sequence[EvaluatedArm]) -> EvaluatedArm:
        """Average the values of one arm over its repeats (trainings with other seeds), query by query.

        `served_by` is taken from the first repeat.
        """
        first = repeats[0]
        if len(repeats) == 1:
            return first
        return replace(
            first,
            values={metric: np.mean([arm.values[metric] for arm in repeats], axis=0) for metric in first.values},
            set_values={
                metric: float(np.mean([arm.set_values[metric] for arm in repeats])) for metric in first.set_values
            },
            without_group={
                metric: np.mean([arm.without_group[metric] for arm in repeats], axis=0)
                for metric in first.without_group
            },
        )

    def matrix(self, metrics: Sequence[str]) -> Doubles:
        """Return the values of these metrics per query as the columns of a matrix: float64 [Q, len(metrics)].

        Without any metric it has Q rows and no columns.
        """
        return np.array([self.values[metric] for metric in metrics], float).reshape(len(metrics), len(self.sample)).T
