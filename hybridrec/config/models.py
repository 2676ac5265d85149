"""The models of an experiment file, which document and validate its keys; plugins validate their own options."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, WithJsonSchema, model_validator

from hybridrec.errors import did_you_mean
from hybridrec.evaluation.report import Correction
from hybridrec.paths import KindName, Name, printable
from hybridrec.plugin import InputPath, Options

GATES = ("has-user", "has-items", "has-tags", "has-title", "cold")
KNOWN = r"has-[a-z][a-z0-9_-]*"
COUNTED = r"items(<|>=)[1-9][0-9]{0,8}"
THREADS = "threads"
"""Name of the default executor."""
_UNITS = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


_LARGEST_SIZE = 10**18
"""The most bytes that a size may have; a larger size is a mistake, and may not fit into 64 bits."""


def parse_size(value: object) -> object:
    """Convert a size such as "4GB" to bytes, 4_000_000_000; a value that is not a text is returned unchanged.

    Raises ValueError for a text that is not a size.
    """
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"\s*(\d+\.?\d*|\.\d+)\s*([KMGT]?B?)\s*", value.upper())
    unit = match[2] if match else None
    if match is None or unit not in _UNITS:
        raise ValueError(f"{printable(value)} is not a size; write for example 500MB or 4GB")
    size = float(match[1]) * _UNITS[unit]
    if size > _LARGEST_SIZE:
        raise ValueError("a size of more than 1000000TB is not a size")
    return int(size)


def as_list(value: object) -> object:
    """Wrap a single value in a list; lists and None are returned unchanged."""
    return value if value is None or isinstance(value, list) else [value]


def _known_gate(gate: str) -> str:
    if gate not in GATES and not re.fullmatch(f"{COUNTED}|{KNOWN}", gate):
        raise ValueError(f"'{gate}' is not a gate: {did_you_mean(gate, (*GATES, 'items<5', 'items>=5'))}")
    return gate


Gate = Annotated[
    str,
    AfterValidator(_known_gate),
    WithJsonSchema({"anyOf": [{"enum": list(GATES)}, {"type": "string", "pattern": f"^({COUNTED}|{KNOWN})$"}]}),
]
"""The type of a gate: a condition on the queries that are sent to a generator."""
Size = Annotated[int, Field(gt=0), BeforeValidator(parse_size, json_schema_input_type=int | str)]


ReportLabel = Annotated[str, Field(pattern=r"^\w[\w.+@-]*$", max_length=60)]
"""The type of the name that a metric or segmenter has in reports."""


class Use(Options, extra="allow"):
    """A plugin, by its name under `use`; every other key is an option of the plugin."""

    use: str
    """Name of the plugin (see `hybridrec plugins`)."""

    @property
    def options(self) -> dict[str, Any]:
        """The options of the plugin: all keys but `use`."""
        return dict(self.model_extra or {})


class ComponentUse(Use):
    """A component, by its name under `use`; every other key but `choose` is an option of the component."""

    use: str
    """Name of the component (see `hybridrec plugins`)."""
    choose: dict[str, Annotated[list[Any], Field(min_length=2, max_length=4)]] | None = Field(
        None, min_length=1, max_length=1
    )
    """Two to four values of one option, among which the run chooses by nDCG@20 on validation queries from the
    component's own training part: `choose: {alpha: [3, 1, 10]}`."""


class SegmenterUse(Use):
    """A segmenter with its options and its name in reports."""

    use: str
    """Name of the segmenter."""
    label: ReportLabel | None = Field(None, alias="as")
    """The name in reports; by default the name of the segmenter."""


class MetricUse(Use):
    """A metric with its options, cut-off and name in reports."""

    use: str
    """Name of the metric; `tags/ndcg` is for the target tags."""
    at: int | None = Field(None, ge=1)
    """The cut-off; left out for a metric that has none."""
    of: Literal["all", "new", "repeated"] = "all"
    """The relevant items that count: `all`, only items that are not in the query's history (`new`), or only items that
    are in it (`repeated`)."""
    label: ReportLabel | None = Field(None, alias="as")
    """The name in reports, without the target; by default made of name, changed options and cut-off:
    `ndcg[gain=linear]@20`, `ndcg[of=new]@20`."""


def _named(value: object) -> object:
    return {"use": value} if isinstance(value, str) else value


def _text_or_mapping(value: object) -> str:
    return "str" if isinstance(value, str) else "dict"


class DataUse(Options, extra="allow"):
    """The source of the data; every other key is an option of the reader."""

    reader: str
    """Name of the reader: `table` for your own files, `setlists` and `movietweetings` for the data sets that come with
    the package."""
    through_items: list[KindName] = Field([])
    """Kinds of entities that users have by way of their items: with `through_items: [artists]` a user has the artists
    of the items in the history, and artists can be a target. Only items of the training part count."""

    @property
    def options(self) -> dict[str, Any]:
        """The options of the reader: all keys but `reader`."""
        return dict(self.model_extra or {})


class KCore(Options):
    """The k-core: interactions of rare users and items are dropped from the training part, never from the test part."""

    users: int = Field(1, ge=1)
    """Users with fewer interactions than this are dropped."""
    items: int = Field(1, ge=1)
    """Items with fewer interactions than this are dropped."""


class GeneratorUse(Options):
    """A generator of a pipeline, with the number of its candidates and the condition for its queries."""

    source: str = Field(alias="from")
    """Label of the component that proposes candidates."""
    k: int = Field(200, ge=1, le=10**9)
    """Number of candidates that it proposes for each query."""
    when: Annotated[list[Gate], BeforeValidator(as_list, json_schema_input_type=list[Gate] | Gate)] = Field([])
    """A condition, or a list of conditions that must all hold; other queries are not sent to the generator: `has-user`,
    `has-items`, `has-tags` (or another kind), `has-title`, `items<5` or `items>=5` for the length of the history (any
    number), or `cold`: no generator before this one served the query."""


class Lists(Options):
    """A list of ids, given here or in a file. Under `allow`, only these ids may be recommended; under `block`, they are
    never recommended."""

    ids: list[str] = Field([])
    """External ids."""
    path: InputPath | None = None
    """A text file with one external id per line."""


class PipelineUse(Options):
    """A blend: generators propose candidates, scorers score them, re-rankers order them."""

    generators: list[GeneratorUse] = Field(min_length=1)
    """Sources of candidates; their lists are merged."""
    scorers: list[str] = Field([])
    """Labels of components that score every candidate of the pool; a generator that is not listed here scores only its
    own candidates."""
    rerank: Annotated[
        Annotated[list[Use], Tag("list")] | Annotated[dict[KindName, list[Use]], Tag("dict")],
        Discriminator(lambda value: "dict" if isinstance(value, dict) and "use" not in value else "list"),
    ] = Field([])
    """Re-rankers, in order: one list for all targets, or a mapping with a list for each target."""
    fallback: list[str] = Field([])
    """Generators, in order, for queries that none of `generators` served; they also fill slates that are too short.
    Without a fallback, such slates stay empty or short.

    Each entry is a label, or the name of a component, which then has its default options."""
    seen: Literal["exclude", "allow"] = "exclude"
    """`exclude` or `allow` recommending ids that are in the query already. To exclude only some of them, list the
    filter `seen` under `filters`."""
    disliked: Literal["exclude", "allow"] = "exclude"
    """`exclude` or `allow` recommending items that the user dislikes."""
    released: bool = False
    """Recommend only items that were out at the time of the query; needs data whose items have times. Items and
    queries without a time are not restricted."""
    allow: Lists | None = None
    """Only these items may be recommended."""
    block: Lists | None = None
    """These items are never recommended."""
    filters: list[Use] = Field([])
    """Rules for what is never shown, whatever a generator or the fallback proposes, such as
    `[{use: attribute, where: "price <= request.budget"}]`. The rules of the whole experiment hold, too."""


class Compare(Options):
    """The metrics of the experiment, and the comparison of its pipelines."""

    control: str | None = None
    """The pipeline that all other pipelines are compared with."""
    metrics: list[
        Annotated[
            Annotated[str, Tag("str")] | Annotated[MetricUse, Tag("dict")],
            Discriminator(_text_or_mapping),
        ]
    ] = Field(["ndcg@10", "recall@10"], min_length=1)
    """Metrics with their cut-off; the first one decides. `tags/ndcg@10` is for the target tags. A metric with options
    is a mapping: `{use: ndcg, gain: linear, at: 20, as: graded@20}`."""
    combined: dict[Name, Annotated[dict[str, Annotated[float, Field(gt=0)]], Field(min_length=1)]] = Field(
        default_factory=dict
    )
    """Weighted sums of metrics under a name that `metrics` may list: {both: {ndcg@100: 0.85, tags/ndcg@10: 0.15}}.
    Each query has its own sum; if a metric is not defined for a query, the other metrics share its weight."""
    borda: list[str] = Field(default_factory=list)
    """Metrics over which the arms are ranked together: in each metric the best of A arms gets A points, the next arm
    A - 1, ..., the last arm 1 (Borda, as in the RecSys Challenge 2018). The report has the sum of an arm's points
    beside its metrics, without a test."""
    singles: bool = False
    """Add every generator alone as an arm of its own, with the fallback of the first pipeline, and compare every
    pipeline with each of these arms."""
    segments: (
        Annotated[
            list[
                Annotated[
                    Annotated[str, Tag("str")] | Annotated[SegmenterUse, Tag("dict")], Discriminator(_text_or_mapping)
                ]
            ],
            Field(min_length=1),
        ]
        | None
    ) = None
    """Segmenters, which divide the queries into the segments of reports:
    `[known-fields, {use: activity, bounds: [5, 20]}]`. Each segmenter has its own tables and its own family of
    corrected tests; segments of two segmenters are not crossed. Blends and guards that learn by segment use the
    segments of the first segmenter, also when serving. By default queries are grouped by the fields that they have."""
    resamples: int = Field(10_000, ge=100, le=1_000_000)
    """Number of bootstrap resamples, and of draws of the randomization test."""
    correction: Correction = "holm"
    """Correction of p-values for multiple comparisons: `holm`, or `bh` (Benjamini-Hochberg, for many variants)."""
    margin: float | None = Field(None, gt=0)
    """Largest relative difference that does not matter in practice; with it a verdict may be "equivalent within the
    margin"."""
    guardrails: dict[str, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)
    """Metric, or `latency` (seconds per query) -> the largest relative loss against the control that is accepted."""


class Range(Options):
    """Numbers between two ends, both included; only whole numbers if both ends are whole."""

    low: int | float
    """The smallest number."""
    high: int | float
    """The largest number."""
    log: bool = False
    """Draw evenly in the logarithm, for ranges that span orders of magnitude."""
    step: int | float | None = Field(None, gt=0)
    """Distance of the numbers that are tried: `low`, `low + step`, `low + 2 step`, ...; by default all are possible."""

    @model_validator(mode="after")
    def _wide(self) -> Range:
        if self.low >= self.high:
            raise ValueError(f"low, {self.low}, must be less than high, {self.high}")
        if self.log and (self.low <= 0 or self.step is not None):
            raise ValueError("with `log` low must be more than 0, and there is no `step`")
        return self


class Tune(Options):
    """The search of `hybridrec tune`; `hybridrec run` ignores it and takes the values as they are written."""

    pipeline: str | None = None
    """The pipeline that is tuned; may be left out if there is only one."""
    metric: str | None = None
    """The metric that is optimised, such as `ndcg@20`; by default the first metric of `compare`."""
    search: Literal["tpe", "random"] = "tpe"
    """`tpe` draws values near the good ones of earlier trials; `random` draws every trial independently."""
    trials: int = Field(100, ge=1, le=1_000_000)
    """Largest number of trials; the first one is the config as it is written."""
    batch: int = Field(1, ge=1, le=64)
    """Number of trials that are proposed together, by the results of those before. A cluster (`executor:
    ray`) runs them side by side; the trials are the same on every executor. The first trial is alone."""
    seconds: float | None = Field(None, gt=0)
    """No trial begins after this many seconds."""
    space: dict[
        str,
        Annotated[
            Annotated[Range, Tag("range")] | Annotated[list[Any], Field(min_length=2), Tag("list")],
            Discriminator(lambda value: "list" if isinstance(value, list) else "range"),
        ],
    ] = Field(min_length=1)
    """Key path, as for `--set`, of an option of a component or pipeline -> a list of choices, or a range."""
    subject_to: list[str] = Field(default_factory=list)
    """Bounds that the best trial must satisfy, such as `coverage@10 >= 0.2`."""


class Tradeoff(Options):
    """A trade-off curve: the metrics of a pipeline, on the same pools, at several values of one re-ranker option."""

    pipeline: str
    """Name of the pipeline."""
    vary: str = Field(pattern=r"^rerank\.")
    """Path of the option below the pipeline, re-rankers counted from 0: `rerank.1.relevance`."""
    over: list[float] = Field(min_length=2)
    """The values; each is a point of the curve, not an arm of the comparison."""


class PluginsUse(Options):
    """The plugins that are not loaded for an experiment."""

    block: list[str] = Field([])
    """Plugins, or distributions of plugins, that are not loaded, as with `--block`; they need not be installed."""


class StoreUse(Options):
    """The limit on the size of the store of earlier fits and answers."""

    max: Size = 5_000_000_000
    """The largest size of the store, for example 20GB. If it is larger at the end of a run, the least recently used
    artifacts are removed, but none that the run used. Serving needs only the bundle of a run, never the store."""


class ExperimentConfig(Options):
    """One experiment: data, split, components, pipelines, comparison."""

    name: Name
    """Name of the experiment; the folder of a run begins with it."""
    seed: int = Field(0, ge=0)
    """The seed from which all random numbers are derived."""
    data: DataUse
    """The source of the data: a reader and its options."""
    k_core: KCore = KCore()
    """Removal of rare users and items from the training parts."""
    split: Use
    """The splitter that cuts the data into training and test."""
    components: dict[Name, ComponentUse] = Field(min_length=1)
    """Label -> component; each is fitted once and shared by all pipelines that name its label."""
    targets: dict[KindName, Annotated[int, Field(ge=1, le=100_000)]] = Field({"items": 100}, min_length=1)
    """The targets of the recommendations, with the length of their slates."""
    filters: list[Use] = Field([])
    """Rules for what no pipeline ever shows, in addition to the rules of each pipeline."""
    pipelines: dict[Name, PipelineUse] = Field(min_length=1)
    """Name -> pipeline. The pipelines are the arms of the comparison."""
    compare: Compare = Compare()
    """The metrics, and the comparison of the pipelines."""
    repeats: int = Field(1, ge=1, le=1_000)
    """Train everything this many times, with different seeds; results are means, and their spread is reported."""
    tune: Tune | None = None
    """The search of `hybridrec tune`."""
    tradeoffs: list[Tradeoff] = Field(default_factory=list)
    """Curves of relevance against diversity, novelty, coverage: all metrics at each value of an option."""
    refit: Literal["none", "all"] = "none"
    """`all` trains the pipelines on the whole data after the evaluation, for serving."""
    memory: Size = 8_000_000_000
    """Memory that a run may take, for example 4GB. A fit that needs more is refused, fits go side by side only as far
    as they fit beside what the process holds, and the blocks of queries in work take a quarter of it."""
    store: StoreUse = StoreUse()
    """The store of earlier fits and answers."""
    executor: Annotated[Use, BeforeValidator(_named, json_schema_input_type=str | Use)] = Use(use=THREADS)
    """The workers of fits and blocks of queries, which change no result: `threads`, `processes` (which copy data, and
    outlive a component that hangs or ends its process), `ray` or another plugin, or a mapping with its options:
    `{use: ray, address: auto}`."""
    workers: int | None = Field(None, ge=1, le=10_000)
    """Number of threads, or of what else the executor starts, for fits and blocks of queries; by default that of the
    cores."""
    fit_timeout: float | None = Field(None, gt=0, le=31_536_000)
    """Seconds that one fit may take; a fit that takes longer ends the run with an error that names the component. It
    is unlimited by default."""
    device: str | None = Field(None, pattern=r"^[a-z]+(:[0-9]+)?$", examples=["cuda:0"])
    """The device of components that use one: `cpu` (the default), `cuda` or `cuda:1`. Other components ignore it."""
    observe: dict[str, dict[str, Any] | None] = Field(default_factory=dict)
    """Observer -> its options, such as `{jsonl: {path: events.jsonl}}`. Observers are told every event of a run, and do
    not change its results."""
    plugins: PluginsUse | None = None
    """Plugins that are not loaded for this experiment."""
