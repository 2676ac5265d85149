"""What an experiment file may say: the documented options, before any plugin is asked."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag

from hybridrec.arrays import Target
from hybridrec.evaluation.report import Correction
from hybridrec.plugin import InputPath, Options

Gate = Literal["has-user", "has-items", "has-tags", "has-title", "cold"]
_UNITS = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def parse_size(value: object) -> object:
    """ "4GB" -> 4_000_000_000; numbers pass through."""
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"\s*([\d.]+)\s*([KMGT]?B?)\s*", value.upper())
    unit = match[2] if match else None
    if match is None or unit not in _UNITS:
        raise ValueError(f"'{value}' is not a size; write for example 500MB or 4GB")
    return int(float(match[1]) * _UNITS[unit])


def as_list(value: object) -> object:
    """A single value stands for a list of one."""
    return value if value is None or isinstance(value, list) else [value]


Name = Annotated[str, Field(pattern=r"^[\w.+-]+$")]
"""Of labels, pipelines and experiments: they become names of files."""
Size = Annotated[int, Field(gt=0), BeforeValidator(parse_size, json_schema_input_type=int | str)]


class Use(Options, extra="allow"):
    """A plugin by name; every other key is one of its own options."""

    use: str
    """Name of the plugin (see `hybridrec plugins`)."""

    @property
    def options(self) -> dict[str, Any]:
        """The keys beside `use`."""
        return dict(self.model_extra or {})


class DataUse(Options, extra="allow"):
    """Where the data comes from; every other key is an option of the reader."""

    reader: str
    """Name of the reader: `table` for your own files, `setlists` and `movietweetings` come with the package."""

    @property
    def options(self) -> dict[str, Any]:
        """The keys beside `reader`."""
        return dict(self.model_extra or {})


class KCore(Options):
    """Interactions of rare users and items are dropped from the training part (never from the test part)."""

    users: int = Field(1, ge=1)
    """Fewest interactions of a user."""
    items: int = Field(1, ge=1)
    """Fewest interactions of an item."""


class GeneratorUse(Options):
    """One generator of a pipeline."""

    source: str = Field(alias="from")
    """Label of the component that proposes."""
    k: int = Field(200, ge=1)
    """How many candidates for each query."""
    when: Annotated[list[Gate], BeforeValidator(as_list, json_schema_input_type=Gate | list[Gate])] = Field(
        default_factory=list
    )
    """Only for queries that know this (all of it, if a list); `cold` = no generator before it served the query."""


class Lists(Options):
    """Ids that are always or never recommended."""

    ids: list[str] = Field(default_factory=list)
    """External ids."""
    path: InputPath | None = None
    """A text file with one external id a line."""


class PipelineUse(Options):
    """A blend: generators propose, scorers score, re-rankers order."""

    generators: list[GeneratorUse] = Field(min_length=1)
    """Who proposes candidates; their lists are merged."""
    scorers: list[str] = Field(default_factory=list)
    """Labels that score every candidate of the pool; a generator that is not listed scores only its own."""
    rerank: Annotated[
        Annotated[list[Use], Tag("list")] | Annotated[dict[Target, list[Use]], Tag("dict")],
        Discriminator(lambda value: "dict" if isinstance(value, dict) and "use" not in value else "list"),
    ] = Field(default_factory=list)
    """Re-rankers, in order; one list for all targets, or one for each."""
    fallback: list[str] = Field(default_factory=lambda: ["tag-fallback", "popularity"])
    """Who serves queries that no generator served, and fills slates that stay short, in this order.

    Labels, or names of components that are then used with their defaults."""
    seen: Literal["exclude", "allow"] = "exclude"
    """Whether what the query already holds may be recommended."""
    released: bool = False
    """Recommend only items that were out at the time of the query; needs data whose items have times. Items and
    queries without a time are not held back."""
    allow: Lists | None = None
    """Only these items may be recommended."""
    block: Lists | None = None
    """These items are never recommended."""


class Compare(Options):
    """What is measured and compared."""

    control: str | None = None
    """The pipeline the others are compared with."""
    metrics: list[str] = Field(default_factory=lambda: ["ndcg@10", "recall@10"], min_length=1)
    """Metrics with their cut-off; the first one is the one that decides. `tags/ndcg@10` is for the target tags."""
    combined: dict[Name, Annotated[dict[str, Annotated[float, Field(gt=0)]], Field(min_length=1)]] = Field(
        default_factory=dict
    )
    """Weighted sums of metrics under a name that `metrics` may list: {both: {ndcg@100: 0.85, tags/ndcg@10: 0.15}}.
    They are made query by query; where one of the metrics is not defined, the others take its weight."""
    singles: bool = False
    """Add every component alone as a pipeline of its own, behind the same fallback, and compare all with it."""
    resamples: int = Field(10_000, ge=100)
    """Bootstrap resamples and randomization draws."""
    correction: Correction = "holm"
    """Of p-values for the number of comparisons: `holm`, or `bh` (Benjamini-Hochberg, for sweeps of many variants)."""
    margin: float | None = Field(None, gt=0)
    """Relative difference that does not matter in practice; gives the verdict "equivalent"."""


class ExperimentConfig(Options):
    """One experiment: data, split, components, pipelines, comparison."""

    name: Name
    """Name of the experiment; the folder of a run begins with it."""
    seed: int = Field(0, ge=0)
    """Everything random is derived from it."""
    data: DataUse
    """The data."""
    k_core: KCore = Field(default_factory=KCore)
    """Thinning of the training parts."""
    split: Use
    """How the data is cut into training and test."""
    components: dict[Name, Use] = Field(min_length=1)
    """Label -> component; each is fitted once and shared by all pipelines that name its label."""
    targets: dict[Target, Annotated[int, Field(ge=1)]] = Field({"items": 100}, min_length=1)
    """What is recommended and how long the slates are."""
    pipelines: dict[Name, PipelineUse] = Field(min_length=1)
    """Name -> blend: the arms of the comparison."""
    compare: Compare = Field(default_factory=Compare)
    """Metrics and comparison."""
    refit: Literal["none", "all"] = "none"
    """`all` trains the pipelines on the whole data after the evaluation, to be served."""
    memory: Size = 8_000_000_000
    """Budget for one fit and for the blocks of queries in work, for example 4GB."""
    workers: int | None = Field(None, ge=1)
    """Threads for fits and blocks of queries; the number of cores if not given."""
