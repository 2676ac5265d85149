"""Requests and responses of the HTTP interface as pydantic models: the one source of validation, OpenAPI and client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from hybridrec import FilterRule

MAX_ID = 512
"""Number of characters of the longest id, name or column."""
MAX_IDS = 10_000
"""Number of ids in the longest list of a request."""
MAX_N = 1_000
"""Number of places of the longest slate."""
MAX_QUERIES = 256
"""Number of requests in the largest body with several."""
MAX_TEXT = 4_000
"""Number of characters of the longest free text."""
MAX_EVENTS = 1_000
"""Number of events in the largest body."""
MAX_COLUMNS = 256
"""Number of kinds, features or context columns that a request may name."""
MAX_FILTERS = 32
"""Number of filters of a request."""
MAX_CURSOR = 65_536
"""Number of characters of the longest cursor."""

_WHOLE = 2**63


def _texts(ids: list[str | int]) -> list[str]:
    """Return ids as text."""
    return [each if type(each) is str else str(each) for each in ids]


Name: TypeAlias = Annotated[str, Field(min_length=1, max_length=MAX_ID, pattern=r"^[^\x00]*$")]
"""A name or an id as text; the null character cannot be stored by PostgreSQL."""
AnyId: TypeAlias = Name | Annotated[int, Field(ge=-_WHOLE, lt=_WHOLE)]
"""An id as people write it: text or a whole number."""
if TYPE_CHECKING:
    Id: TypeAlias = str
    Ids: TypeAlias = list[str]
else:  # text once they are validated
    Id = Annotated[AnyId, AfterValidator(str)]
    Ids = Annotated[list[AnyId], Field(max_length=MAX_IDS), AfterValidator(_texts)]
Number: TypeAlias = Annotated[float, Field(ge=-1e300, le=1e300)]
Numbers: TypeAlias = Annotated[list[Number], Field(max_length=MAX_IDS)]
Text: TypeAlias = Annotated[str, Field(max_length=MAX_TEXT)]
Scalar: TypeAlias = bool | Number | Text
Value: TypeAlias = Scalar | Annotated[list[Text], Field(max_length=MAX_COLUMNS)] | None
"""The value of a feature or column: text, a number, a flag, a list of categories, or null for unknown."""
Columns: TypeAlias = Annotated[dict[Name, Value], Field(max_length=MAX_COLUMNS)]
Places: TypeAlias = Annotated[int, Field(ge=1, le=MAX_N)]


class Body(BaseModel):
    """Base of what clients send: unknown keys, values of another type, NaN and infinity are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, populate_by_name=False)


class Response(BaseModel):
    """Base of what the server sends; a client of an older version passes over keys that it does not know."""

    model_config = ConfigDict(extra="ignore", serialize_by_alias=True)


class RecommendRequest(Body):
    """One request for a slate: all that a query may state, and how it is to be answered.

    A request with only a `user` is answered from what is known of that user. Unknown users are new users; unknown items
    and other entities are passed over with a warning in the answer.
    """

    # Lists and objects by factories: a default that can be changed would be copied, which costs more than all checks.
    id: Name | None = Field(None, description="Name of the request; the server makes one if it is missing.")
    user: Id | None = Field(None, description="Id of the person or session; also the key of their events.")
    items: Ids = Field(default_factory=list, description="History, oldest first.")
    item_times: Numbers | None = Field(None, description="A time for each item, seconds since 1970.")
    item_weights: Numbers | None = Field(None, description="A weight for each item.")
    tags: Ids = Field(default_factory=list)
    entities: Annotated[dict[Name, Ids], Field(max_length=MAX_COLUMNS)] = Field(
        default_factory=dict, description="Ids of other kinds of entities, by kind."
    )
    text: Text = Field("", description="A title in free words.")
    time: Number | None = Field(None, description="Time of the request, seconds since 1970; now, if it is missing.")
    disliked: Ids = Field(default_factory=list, description="Items that are not to be recommended.")
    user_features: Columns = Field(
        default_factory=dict, description="Features of the user, in the place of those in the data."
    )
    context: Columns = Field(default_factory=dict, description="Columns of the request, as the data have them.")
    n: Places | None = Field(None, description="Number of places; by default what the experiment sets for the target.")
    target: Name = Field("items", description="Kind of entity that is recommended.")
    pipeline: Name | None = Field(None, description="Pipeline that answers; by default the winner of the run.")
    filters: Annotated[list[FilterRule], Field(max_length=MAX_FILTERS)] = Field(
        default_factory=list, description="Conditions that all recommended ids meet."
    )
    pinned: Ids = Field(
        default_factory=list, max_length=MAX_N, description="Ids that take the first places, in this order."
    )
    blocked: Ids = Field(default_factory=list, description="Ids that are not recommended.")
    cursor: Annotated[str, Field(max_length=MAX_CURSOR)] | None = Field(
        None, description="The value of `next` in the answer before: asks for the next page, without repeats."
    )
    explain: bool = Field(False, description="True for sources and contributions of each place.")

    @model_validator(mode="after")
    def _has_a_value_for_each_item(self) -> RecommendRequest:
        for name in ("item_times", "item_weights"):
            values = getattr(self, name)
            if values is not None and len(values) != len(self.items):
                raise ValueError(
                    f"`{name}` has {len(values)} values for {len(self.items)} items; give one for each item"
                )
        return self


class RecommendRequests(Body):
    """Several requests, each answered as it would be alone."""

    queries: Annotated[list[RecommendRequest], Field(min_length=1, max_length=MAX_QUERIES)]


class Warned(Response):
    """A warning: something in the request was passed over, or the answer is not what it would usually be."""

    code: str = Field(description="A fixed word, such as `unknown_id`, `unknown_value`, `degraded` or `short`.")
    path: str = Field(description="Key path in the request, such as `items[3]`; empty if it concerns all of it.")
    message: str


class Contribution(Response):
    """One summand of a score."""

    label: str
    value: float


class Place(Response):
    """One place of a slate."""

    place: int = Field(description="Counted from 1.")
    id: str
    title: str
    score: float | None = Field(
        description="Score of the last re-ranker that gave one; null for a pinned id and one of the fallback."
    )
    propensity: float | None = Field(
        None, description="Only where the pipeline draws: probability of the id here, null where it was not drawn."
    )
    sources: list[str] | None = Field(None, description="With `explain`: labels of what proposed the id.")
    contributions: list[Contribution] | None = Field(None, description="With `explain`: summands of the score.")


class Answer(Response):
    """The slate of one request."""

    request: str = Field(description="Name of the request; events name it to say what they follow.")
    pipeline: str
    bundle: str = Field(description="Digest of the bundle that answered.")
    target: str
    served_by: str = Field(
        description="`blend:` and what was known of the request, a label of the fallback, `none` or `precomputed`."
    )
    degraded: bool = Field(
        False, description="True if the answer is not the pipeline's own, since it was late or failed."
    )
    policy: str | None = Field(None, description="Only where the pipeline draws: name of the re-ranker that does.")
    items: list[Place]
    next: str | None = Field(None, description="Cursor of the next page; null on the last page.")
    warnings: list[Warned] = []


class Answers(Response):
    """The answers to several requests, in their order."""

    answers: list[Answer]


class Candidates(Response):
    """The candidates of a blend, best first, so that a page can rank them with other weights."""

    ids: list[str]
    titles: list[str]
    columns: dict[str, list[float | None]] = Field(
        description="Label -> a value for each candidate, as the blend sums them; null for no opinion."
    )
    weights: dict[str, float] = Field(description="Label -> weight in the blend; empty if the blend is not a sum.")
    sources: list[list[str]] = Field([], description="For each candidate the labels of what proposed it.")


class ExplainedAnswer(Answer):
    """A slate and the candidates that it was chosen from."""

    candidates: Candidates


class SimilarRequest(Body):
    """A request for the entities that are nearest to one in the space of a component."""

    component: Name = Field(description="Label of the component.")
    id: Id | None = Field(None, description="Id of an entity of the kind `by`; either this or `text`.")
    text: Text | None = Field(None, description="Free words; either this or `id`.")
    by: Name = Field("items", description="Kind of the entity `id`.")
    target: Name = Field("items", description="Kind of the neighbours.")
    n: Places = 10

    @model_validator(mode="after")
    def _asks_for_one(self) -> SimilarRequest:
        if (self.id is None) == (self.text is None):
            raise ValueError("give either `id` or `text`")
        return self


class Neighbour(Response):
    """One neighbour of an entity."""

    id: str
    title: str
    similarity: float = Field(description="Cosine of the vectors; without vectors the component's own score.")
    count: int | None = Field(description="Number of training users with the entity, if it is known.")


class Neighbours(Response):
    """Neighbours, nearest first."""

    component: str
    bundle: str
    neighbours: list[Neighbour]
    warnings: list[Warned] = []


class SearchRequest(Body):
    """A type-ahead search of titles and ids, from the parameters of the address."""

    q: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]*$", examples=["dark"])]
    kind: Name = "items"
    n: Annotated[int, Field(ge=1, le=50)] = 10


class Hit(Response):
    """An entity whose title or id matches what was typed."""

    id: str
    title: str
    kind: str
    score: float = Field(description="1 for an equal title, less for a weaker match.")


class Hits(Response):
    """Matches, best first."""

    bundle: str
    hits: list[Hit]


class ItemParameters(Body):
    """The parameters of a request for one item."""

    kind: Name = Field("items", description="Kind of the entity.")


class ItemDetails(Response):
    """The data about one item (or entity of another kind)."""

    id: str
    title: str
    kind: str
    count: int | None = Field(None, description="Number of training users who have it, if it is known.")
    features: dict[str, Any] = Field({}, description="Declared attributes, by column.")
    entities: dict[str, list[str]] = Field({}, description="Entities that it has, by kind: its tags, for example.")
    bundle: str


FeatureType: TypeAlias = Literal["number", "category", "flag", "time"]


class Column(Response):
    """A declared column: an attribute for filters, a feature of users, or a column of the request."""

    name: str
    type: FeatureType
    values: list[str] | None = Field(None, description="Categories, at most 1,000; null for other types.")
    smallest: float | None = None
    largest: float | None = None


class PipelineDetails(Response):
    """A pipeline, and what its parts are called."""

    name: str
    generators: list[str]
    scorers: list[str]
    rerankers: list[str]
    fallback: list[str]
    left_out: list[str] = Field([], description="Components that are left out for now, since they failed or hung.")


class Pipelines(Response):
    """The pipelines of the bundle, and all that a request may name."""

    name: str = Field(description="Name of the experiment.")
    bundle: str
    default: str = Field(description="The pipeline that answers if a request names none.")
    pipelines: list[PipelineDetails]
    targets: dict[str, int] = Field(description="Target -> default number of places.")
    kinds: list[str] = Field(description="Kinds of entities that a request may have.")
    components: list[str] = Field(description="Labels of components, for `similar`.")
    filters: dict[str, list[Column]] = Field(description="Target -> attributes that filters may name.")
    user_features: list[Column] = []
    context: list[Column] = []
    knows_users: bool


class EventBody(Body):
    """Something that a person did, or saw."""

    id: Name | None = Field(None, description="Name of the event: a second one of the same name is not counted again.")
    request: Name | None = Field(None, description="Name of the request whose answer it follows.")
    user: Id
    item: Id
    kind: Name = Field(description="Such as `play`, `like`, `dislike`, `skip`, `buy` or `seen`.")
    value: Number | None = None
    time: Number | None = Field(None, description="Seconds since 1970; now, if it is missing.")


class EventsRequest(Body):
    """Events, in the order in which they happened."""

    events: Annotated[list[EventBody], Field(min_length=1, max_length=MAX_EVENTS)]


class EventsWritten(Response):
    """The receipt of events, sent after they were committed."""

    accepted: int = Field(description="Number of events that are new.")
    repeated: int = Field(description="Number of events whose id was there before.")


class ReloadRequest(Body):
    """A request for another bundle in the place of the one that serves."""

    bundle: Annotated[str, Field(min_length=1, max_length=4096, pattern=r"^[^\x00]*$")] | None = Field(
        None, description="Path of a bundle or run on the server; the one it was started with, if it is missing."
    )
    dry_run: bool = Field(False, description="True to check the bundle only.")


class RollbackRequest(Body):
    """A request for the bundle that served before; it says nothing more."""


class Check(Response):
    """One check of a bundle."""

    name: str
    passed: bool
    message: str = ""


class Reloaded(Response):
    """The outcome of a reload or roll-back; refused bundles leave the old one serving."""

    swapped: bool
    bundle: str = Field(description="Digest of the bundle that serves now.")
    before: str = Field(description="Digest of the bundle that served before.")
    checks: list[Check] = []


class WorkerStatus(Response):
    """One worker process."""

    worker: int
    state: Literal["starting", "ready", "busy", "replaced"]
    bundle: str | None


class Ready(Response):
    """The state of the server: 200 if it is ready, else 503."""

    ready: bool
    bundle: str | None
    workers: list[WorkerStatus]
    queue: int = Field(description="Number of requests that wait.")
    left_out: dict[str, float] = Field({}, description="Component -> seconds for which it is still left out.")


class Live(Response):
    """The sign of life of the front process."""

    live: Literal[True] = True


class Mistake(Response):
    """One mistake in a request."""

    path: str = Field(description="Key path, such as `queries[2].items[0]`.")
    message: str


class Problem(Response):
    """Problem details (RFC 9457)."""

    type: str = Field(description="Name of the kind of problem, as a reference to its explanation.")
    title: str
    status: int
    detail: str
    trace: str = Field(description="Trace id of the request, which the log has, too.")
    errors: list[Mistake] = []
