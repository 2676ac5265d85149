"""The answers of a worker: from requests, as the front sends them, to the JSON that clients get."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import orjson

from hybridrec import (
    ITEMS,
    PADDING,
    PROPENSITY,
    USERS,
    Bools,
    ConfigError,
    DataError,
    Doubles,
    Exclude,
    Features,
    Ints,
    Pool,
    Query,
    QueryBatch,
    Ragged,
    Recommender,
    Slate,
    Tolerance,
)
from hybridrec_server.cursors import cursor
from hybridrec_server.lookup import TypeAhead
from hybridrec_server.page import ENCODING, FILTERS
from hybridrec_server.protocols import NotFound, RequestProblem
from hybridrec_server.rules import Rules

CANDIDATES = 200
"""The most candidates that an explanation has."""
SEARCHED = 250_000
"""The most entities of a kind whose titles are prepared for searches while the bundle is loaded, in tenths of a second.
More of them wait for the first search, which takes seconds then."""
SPARE = 1_000
"""The most ids of the precomputed list from which the front answers at the deadline."""
_NAMED = 20
"""The most unknown ids or values of a field that warnings name."""
_CATEGORIES = 1_000
"""The most categories of a column that are listed."""
_NUMPY = orjson.OPT_SERIALIZE_NUMPY


@dataclass(slots=True)
class BatchAnswers:
    """The answers to a batch of requests.

    bodies: for each request the JSON of its answer, or the problem that it cannot be answered
    served_by: for each request the source that served it, "" for a problem
    segments: for each request its segment by the segmenter of the bundle, "" for a problem
    seconds: stage -> seconds of the whole batch
    faults: component -> its error in one line, and the origin of the error, for components that failed
    unknown: number of ids that the data does not have
    """

    bodies: list[bytes | RequestProblem]
    served_by: list[str]
    segments: list[str]
    seconds: dict[str, float] = field(default_factory=dict)
    faults: dict[str, tuple[str, str]] = field(default_factory=dict)
    unknown: int = 0


@dataclass(slots=True)
class _Encoded:
    """A request with its query and the warnings about it; `pinned` are codes of the target that come first."""

    request: Mapping[str, Any]
    query: Query
    warnings: list[dict[str, str]]
    pinned: Ints


class Answerer:
    """The questions that a worker answers from one bundle."""

    def __init__(self, recommender: Recommender, at_work: Callable[[str], None]) -> None:
        """Take a loaded bundle, and the function that is told which component is at work."""
        self.recommender = recommender
        self._at_work = at_work
        self._rules = Rules({kind: entities.features for kind, entities in recommender.data.entities.items()})
        self._searches: dict[str, TypeAhead] = {}
        self._counts: dict[str, Doubles] = {}
        self._known_values: dict[tuple[int, str], frozenset[str]] = {}
        """The categories of the columns that requests have named."""
        self._pipelines = orjson.dumps(self._describe())
        for kind, entities in recommender.data.entities.items():
            if kind != USERS and len(entities) <= SEARCHED:
                self._searched(kind)

    def catalogue(self) -> dict[str, Any]:
        """Return all that the front needs to know of the bundle, with a precomputed list of ids for each target."""
        recommender = self.recommender
        return {
            "bundle": recommender.digest,
            "default": recommender.default,
            "segmenter": recommender.segmenter,
            "pipelines": list(recommender.pipelines),
            "targets": recommender.targets,
            "spare": {target: self._spare(target) for target in recommender.targets},
        }

    def attributes(self, catalogue: Mapping[str, Any]) -> dict[str, Features | None]:
        """Return the features of the ids of each precomputed list, by which the front applies filters to it."""
        features: dict[str, Features | None] = {}
        for target, content in catalogue["spare"].items():
            entities = self.recommender.data.entities[target]
            codes = entities.vocabulary.encode(content["ids"])
            features[target] = None if entities.features is None else entities.features.take(codes)
        return features

    def recommend(
        self,
        requests: Sequence[Mapping[str, Any]],
        pipeline: str,
        target: str,
        n: int,
        left_out: frozenset[str],
        *,
        explain: bool = False,
        candidates: bool = False,
    ) -> BatchAnswers:
        """Answer requests of the same pipeline, target and number of places as one batch of arrays.

        requests: the fields of `schemas.RecommendRequest`, and what the front knows beside them: `shown` (ids of
            earlier pages), `recent`, `recent_times` and `hidden` (from the events of the user), `warnings`
        explain: True for the sources and contributions of each place
        candidates: True for the candidates, too, for a single request that is explained

        A component that fails for a request of the batch must not cost the others its opinion: then each request is
        answered alone.
        """
        answers = BatchAnswers([b""] * len(requests), [""] * len(requests), [""] * len(requests))
        encoded, places = [], []
        for place, request in enumerate(requests):
            try:
                encoded.append(self._encoded(request, target, answers))
                places.append(place)
            except RequestProblem as problem:
                answers.bodies[place] = problem
            except DataError as error:
                answers.bodies[place] = RequestProblem("", str(error))
        if not encoded:
            return answers
        try:
            made = self._batch(encoded, pipeline, target, n, left_out, explain, candidates, answers)
        except (DataError, RequestProblem) as error:
            if len(encoded) > 1:  # the mistake of one of them is not that of the others
                return self._one_by_one(requests, pipeline, target, n, left_out, explain)
            told = error if isinstance(error, RequestProblem) else RequestProblem(_path_in(str(error)), str(error))
            answers.bodies[places[0]] = told
            return answers
        if answers.faults and len(requests) > 1:
            return self._one_by_one(requests, pipeline, target, n, left_out, explain)
        for place, (body, served_by, segment) in zip(places, made, strict=True):
            answers.bodies[place], answers.served_by[place], answers.segments[place] = body, served_by, segment
        return answers

    def explain(
        self, request: Mapping[str, Any], pipeline: str, target: str, n: int, left_out: frozenset[str]
    ) -> bytes:
        """Return the JSON of `schemas.ExplainedAnswer`."""
        answers = self.recommend([request], pipeline, target, n, left_out, explain=True, candidates=True)
        (body,) = answers.bodies
        if isinstance(body, RequestProblem):
            raise body
        return body

    def similar(self, component: str, asked: str, by: str, target: str, n: int) -> bytes:
        """Return the JSON of `schemas.Neighbours`; `by` is "text" for free words."""
        try:
            self._at_work(component)
            neighbours = self.recommender.similar(component, asked, by=by, target=target, n=n)
        except ConfigError as error:
            raise RequestProblem("component", str(error)) from None
        except DataError as error:
            raise RequestProblem("text" if by == "text" else "id", str(error)) from None
        listed = [
            {"id": each.id, "title": each.name, "similarity": each.similarity, "count": each.count}
            for each in neighbours
        ]
        answer: dict[str, Any] = {
            "component": component,
            "bundle": self.recommender.digest,
            "neighbours": listed,
            "warnings": [],
        }
        if not listed:
            told = f"'{component}' knows no neighbours of it"
            answer["warnings"] = [_warning("short", "text" if by == "text" else "id", told)]
        return orjson.dumps(answer)

    def search(self, q: str, kind: str, n: int) -> bytes:
        """Return the JSON of `schemas.Hits`: the entities of a kind whose title or id has what was typed."""
        self._check_kind(kind, users=self.recommender.knows_users)
        hits = [hit | {"kind": kind} for hit in self._searched(kind).hits(q, n)]
        return orjson.dumps({"bundle": self.recommender.digest, "hits": hits})

    def item(self, name: str, kind: str) -> bytes:
        """Return the JSON of `schemas.ItemDetails`; raises NotFound for an id that the data does not have."""
        self._check_kind(kind)
        data = self.recommender.data
        entities = data.entities[kind]
        code = int(entities.vocabulary.encode([name])[0])
        if code == PADDING:
            raise NotFound(f"none of the {kind} has this id")
        row = np.array([code], np.int32)
        counts = self._popularity(kind)
        has = {}
        if kind == ITEMS:
            for other in data.kinds:
                codes = data.item_matrix(other)[row].indices
                has[other] = data.vocabulary(other).texts(codes)
        return orjson.dumps(
            {
                "id": name,
                "title": entities.text[code] or name,
                "kind": kind,
                "count": int(counts[code]) if counts.any() else None,
                "features": {} if entities.features is None else _values(entities.features.take(row)),
                "entities": {other: ids for other, ids in has.items() if ids},
                "bundle": self.recommender.digest,
            }
        )

    def pipelines(self, left_out: frozenset[str]) -> bytes:
        """Return the JSON of `schemas.Pipelines`."""
        if not left_out:
            return self._pipelines
        described = orjson.loads(self._pipelines)
        for pipeline in described["pipelines"]:
            stages = ("generators", "scorers", "fallback")
            labels = {label for stage in stages for label in pipeline[stage]}
            labels |= {f"re-ranker {name}" for name in pipeline["rerankers"]}
            pipeline["left_out"] = sorted(labels & left_out)
        return orjson.dumps(described)

    def _one_by_one(
        self,
        requests: Sequence[Mapping[str, Any]],
        pipeline: str,
        target: str,
        n: int,
        left_out: frozenset[str],
        explain: bool,
    ) -> BatchAnswers:
        alone = [self.recommend([request], pipeline, target, n, left_out, explain=explain) for request in requests]
        answers = BatchAnswers(
            [body for each in alone for body in each.bodies],
            [name for each in alone for name in each.served_by],
            [name for each in alone for name in each.segments],
        )
        for each in alone:
            answers.faults |= each.faults
            answers.unknown += each.unknown
            for stage, seconds in each.seconds.items():
                answers.seconds[stage] = answers.seconds.get(stage, 0.0) + seconds
        return answers

    def _encoded(self, request: Mapping[str, Any], target: str, answers: BatchAnswers) -> _Encoded:
        """Return the query of a request; ids that the data does not have are named in warnings."""
        warnings = list(request.get("warnings", ()))
        data, user = self.recommender.data, request.get("user")
        kinds = (
            ("items", ITEMS), ("tags", "tags"), ("disliked", ITEMS), ("pinned", target), ("blocked", target),
        )  # fmt: skip
        for key, kind in kinds:
            self._warn_of_unknown(request.get(key), key, kind, warnings, answers)
        for kind, ids in request.get("entities", {}).items():
            self._warn_of_unknown(ids, f"entities.{kind}", kind, warnings, answers)
        if user is not None and (
            not self.recommender.knows_users or data.users.vocabulary.encode([user])[0] == PADDING
        ):
            told = "answered as a new user" if self.recommender.knows_users else "the bundle was written without users"
            warnings.append(_warning("unknown_user", "user", f"the data does not have this user: {told}"))
        columns = {"user_features": data.users.features, "context": data.interactions.context}
        for key, features in columns.items():
            for name, value in request.get(key, {}).items():
                warnings += self._unknown_values(features, name, value, f"{key}.{name}")
        for place, rule in enumerate(request.get("filters", ())):
            key = "in" if "in" in rule else "is"
            features = data.entities[target].features
            warnings += self._unknown_values(features, rule["column"], rule.get(key), f"filters[{place}].{key}")
        query = Query(
            user=user if self.recommender.knows_users else None,
            items=request.get("items", ()),
            tags=request.get("tags", ()),
            text=request.get("text", ""),
            time=request.get("time"),
            item_times=request.get("item_times"),
            item_weights=request.get("item_weights"),
            disliked=request.get("disliked", ()),
            entities=request.get("entities", {}),
            user_features=request.get("user_features", {}),
            context=request.get("context", {}),
            id=request.get("id"),
            recent=request.get("recent", ()),
            recent_times=request.get("recent_times"),
        )
        pinned = np.empty(0, np.int32)
        if request.get("pinned"):
            pinned = self._pinned(request, target)
        return _Encoded(request, query, warnings, pinned)

    def _warn_of_unknown(
        self, ids: Sequence[str] | None, key: str, kind: str, warnings: list[dict[str, str]], answers: BatchAnswers
    ) -> None:
        if not ids:
            return
        entities = self.recommender.data.entities
        if kind not in entities:  # tags of data without tags; encoding refuses other unknown kinds
            return
        unknown = np.flatnonzero(entities[kind].vocabulary.encode(list(ids)) == PADDING)
        answers.unknown += len(unknown)
        message = f"none of the {kind} has this id"
        warnings += [_warning("unknown_id", f"{key}[{place}]", message) for place in unknown[:_NAMED].tolist()]
        if len(unknown) > _NAMED:
            told = f"{len(unknown)} ids are not in the data; {_NAMED} are named"
            warnings.append(_warning("unknown_id", key, told))

    def _unknown_values(self, features: Features | None, name: str, value: Any, path: str) -> list[dict[str, str]]:
        """Return a warning if a column has categories, but not some texts of a value."""
        if features is None or features.types.get(name) != "category":
            return []
        key = id(features), name
        if key not in self._known_values:
            self._known_values[key] = frozenset(_categories(features, name))
        texts = {text for text in (value if isinstance(value, list) else [value]) if isinstance(text, str)}
        if not (unknown := sorted(texts - self._known_values[key])):
            return []
        named = ", ".join(map(repr, unknown[:_NAMED])) + (", ..." if len(unknown) > _NAMED else "")
        return [_warning("unknown_value", path, f"'{name}' has no value {named}")]

    def _pinned(self, request: Mapping[str, Any], target: str) -> Ints:
        """Return the codes of the pinned ids, without repeats, blocked ids and those that earlier pages showed."""
        vocabulary = self.recommender.data.vocabulary(target)
        barred = {*request.get("blocked", ()), *request.get("shown", ())}
        ids = [name for name in dict.fromkeys(request["pinned"]) if name not in barred]
        codes = vocabulary.encode(ids)
        return codes[codes != PADDING]

    def _batch(
        self,
        encoded: Sequence[_Encoded],
        pipeline: str,
        target: str,
        n: int,
        left_out: frozenset[str],
        explain: bool,
        candidates: bool,
        answers: BatchAnswers,
    ) -> list[tuple[bytes, str, str]]:
        """Return the JSON of each answer, the source that served it, and the segment of the query."""
        recommender, seconds = self.recommender, answers.seconds
        tolerance = Tolerance(left_out, self._at_work)
        chosen = replace(recommender.pipeline(pipeline), tolerance=tolerance)
        self._at_work(ENCODING)
        with recommender.one_thread():
            with _timed(seconds, "encode"):
                batch = recommender.encode([each.query for each in encoded])
                own = self._exclude(encoded, target)
            made, start = [], 0
            for queries in recommender.blocks(batch):
                rows = slice(start, start + len(queries))
                start += len(queries)
                self._at_work(FILTERS)
                with _timed(seconds, "filter"):
                    exclude = chosen.filters.exclude(queries, target).also(own.take(rows))
                with _timed(seconds, "generate"):
                    pool = chosen.generate(queries, target, exclude)
                with _timed(seconds, "score"):
                    pool = chosen.score(queries, pool)
                with _timed(seconds, "rerank"):
                    ranked = chosen.rank(queries, pool, n)
                with _timed(seconds, "fallback"):
                    slate = chosen.complete(queries, ranked, n, exclude)
                    pinned = [each.pinned for each in encoded[rows]]
                    if any(map(len, pinned)):
                        slate = slate.behind(Ragged.from_rows(pinned, queries.width(target)))
                answers.faults.update((fault.component, (fault.message, fault.origin)) for fault in tolerance.faults)
                if answers.faults and len(encoded) > 1:
                    return []
                notes = [
                    *(_warning("left_out", "", f"'{label}' is left out for now") for label in _used(chosen, left_out)),
                    *(_warning("failed", "", f"'{label}' failed and has no opinion") for label in answers.faults),
                ]
                with _timed(seconds, "write"):
                    segments = queries.segments().tolist()
                    for row, each in enumerate(encoded[rows]):
                        more = None
                        if explain:
                            more = _Reasons(chosen, queries.take(slice(row, row + 1)), pool.take(slice(row, row + 1)))
                        shown = ranked if candidates else None
                        written = self._written(each, pipeline, slate, row, n, notes, more, shown)
                        made.append((*written, segments[row]))
        return made

    def _exclude(self, encoded: Sequence[_Encoded], target: str) -> Exclude:
        """Return the exclusion of what requests bar: blocked ids, those shown before, pinned ones, and filters."""
        vocabulary = self.recommender.data.vocabulary(target)
        codes = []
        for each in encoded:
            request = each.request
            barred = [*request.get("blocked", ()), *request.get("shown", ()), *request.get("hidden", ())]
            barred_codes = vocabulary.encode(barred)
            codes.append(np.concatenate([barred_codes[barred_codes != PADDING], each.pinned]))
        exclude = Exclude()
        if any(map(len, codes)):
            exclude = Exclude(Ragged.from_rows(codes, len(vocabulary)).matrix(binary=True))
        return exclude.also(self._filtered(encoded, target))

    def _filtered(self, encoded: Sequence[_Encoded], target: str) -> Exclude:
        """Return the exclusion of what the filters of requests exclude; equal filters are one group."""
        group, masks, places = np.full(len(encoded), PADDING, np.int32), list[Bools](), dict[int, int]()
        for place, each in enumerate(encoded):
            filters = each.request.get("filters")
            if filters:
                mask = self._rules.excluded(target, filters)
                if id(mask) not in places:
                    places[id(mask)] = len(masks)
                    masks.append(mask)
                group[place] = places[id(mask)]
        return Exclude(groups=np.stack(masks), group=group) if masks else Exclude()

    def _written(
        self,
        encoded: _Encoded,
        pipeline: str,
        slate: Slate,
        row: int,
        n: int,
        notes: Sequence[Mapping[str, str]],
        reasons: _Reasons | None,
        ranked: Pool | None,
    ) -> tuple[bytes, str]:
        """Return the JSON of one answer, and the source that served it."""
        entities = self.recommender.data.entities[slate.target]
        codes = slate.ids[row][slate.ids[row] != PADDING]
        ids, titles = entities.vocabulary.texts(codes), entities.names(codes)
        places = [
            {
                "place": place,
                "id": name,
                "title": title,
                "score": None,
            }
            for place, (name, title) in enumerate(zip(ids, titles, strict=True), start=1)
        ]
        for entry, score in zip(places, slate.scores[row], strict=False):
            if score == score:  # NaN: a pinned id, or one of the fallback
                entry["score"] = score
        if PROPENSITY in slate.extras:
            for entry, propensity in zip(places, slate.extras[PROPENSITY][row], strict=False):
                entry["propensity"] = propensity if propensity == propensity else None
        body: dict[str, Any] = {
            "request": encoded.request["id"],
            "pipeline": pipeline,
            "bundle": self.recommender.digest,
            "target": slate.target,
            "served_by": (served_by := slate.servers[slate.served_by[row]]),
            "degraded": False,
            "items": places,
            "next": cursor([*encoded.request.get("shown", ()), *ids]) if len(codes) == n else None,
            "warnings": [*encoded.warnings, *notes, *_short(len(codes), n)],
        }
        if PROPENSITY in slate.extras:
            body["policy"] = _policy(self.recommender.pipelines[pipeline], slate.target)
        if reasons is not None:
            reasons.tell(places, codes)
        if reasons is not None and ranked is not None:
            body["candidates"] = self._candidates(reasons, ranked, row, slate.target)
        return orjson.dumps(body, option=_NUMPY), served_by

    def _candidates(self, reasons: _Reasons, ranked: Pool, row: int, target: str) -> dict[str, Any]:
        """Return the best candidates with the columns and weights of the blend, as `schemas.Candidates` has them."""
        entities = self.recommender.data.entities[target]
        best = np.empty(0, np.int64)
        if ranked.final is not None and ranked.ids.shape[1]:
            final = ranked.final[row]
            order = np.argsort(-final, kind="stable")[:CANDIDATES]
            best = order[~np.isnan(final[order])]
        codes = ranked.ids[row][best]
        columns, weights = reasons.blend()
        return {
            "ids": entities.vocabulary.texts(codes),
            "titles": entities.names(codes),
            # orjson writes NaN as null
            "columns": {label: np.ascontiguousarray(values[0][best]) for label, values in columns.items()}
            if len(best)
            else {},
            "weights": weights,
            "sources": reasons.sources(codes),
        }

    def _searched(self, kind: str) -> TypeAhead:
        """Return the titles and ids of a kind as they are searched; they are prepared at the first call."""
        if kind not in self._searches:
            self._searches[kind] = TypeAhead(self.recommender.data.entities[kind], self._popularity(kind))
        return self._searches[kind]

    def _check_kind(self, kind: str, *, users: bool = False) -> None:
        """Raise RequestProblem for a kind that the data does not have, and for users, unless they may be asked for."""
        kinds = [other for other in self.recommender.data.entities if other != USERS or users]
        if kind not in kinds:
            raise RequestProblem("kind", f"unknown kind '{kind}'; the kinds are {', '.join(kinds)}")

    def _popularity(self, kind: str) -> Doubles:
        """Return the number of training users who have each entity of a kind: float64[N], 0 if it is not known."""
        if kind not in self._counts:
            data = self.recommender.data
            size = data.size(kind)
            counts: Any
            if kind == ITEMS:
                counts = np.bincount(data.interactions.ids, minlength=size)
            elif kind == USERS:
                counts = data.interactions.lengths
            elif kind in data.targets:
                counts = np.bincount(data.user_matrix(kind).indices, minlength=size)
            else:
                counts = np.zeros(size)
            self._counts[kind] = np.asarray(counts, np.float64)
        return self._counts[kind]

    def _spare(self, target: str) -> dict[str, list[str]]:
        """Return `ids` and `titles` of the most popular entities that no filter of a pipeline excludes for everybody.

        Without users in the bundle there are no counts: then the default pipeline answers a query that says nothing.
        """
        recommender = self.recommender
        entities = recommender.data.entities[target]
        nobody = recommender.encode([Query(time=time.time())])
        barred = np.zeros((1, len(entities)), np.float32)
        for pipeline in recommender.pipelines.values():
            pipeline.filters.exclude(nobody, target).mask(barred)
        counts = self._popularity(target)
        if counts.any():
            order = np.argsort(-counts, kind="stable")
        else:
            tolerant = replace(recommender.pipeline(None), tolerance=Tolerance(at_work=self._at_work))
            with recommender.one_thread():
                slate = tolerant.slate(nobody, target, min(SPARE, max(len(entities), 1)))
            order = slate.ids[0][slate.ids[0] != PADDING]
        codes = order[barred[0][order] == 0][:SPARE]
        return {"ids": entities.vocabulary.texts(codes), "titles": list(entities.names(codes))}

    def _describe(self) -> dict[str, Any]:
        """Return the content of `schemas.Pipelines`."""
        recommender, data = self.recommender, self.recommender.data
        return {
            "name": recommender.name,
            "bundle": recommender.digest,
            "default": recommender.default,
            "pipelines": [
                {
                    "name": name,
                    "generators": [source.label for source in pipeline.sources],
                    "scorers": [label for label, _ in pipeline.scorers],
                    "rerankers": list(dict.fromkeys(r.name for chain in pipeline.rerankers.values() for r in chain)),
                    "fallback": [label for label, _ in pipeline.fallback],
                    "left_out": [],
                }
                for name, pipeline in recommender.pipelines.items()
            ],
            "targets": recommender.targets,
            "kinds": [ITEMS, *data.kinds],
            "components": list(recommender.components),
            "filters": {target: _columns(data.entities[target].features) for target in recommender.targets},
            "user_features": _columns(data.users.features),
            "context": _columns(data.interactions.context),
            "knows_users": recommender.knows_users,
        }


class _Reasons:
    """The reasons for the places of one slate: its pool, and how the last sum of the pipeline weighs the columns."""

    def __init__(self, pipeline: Any, query: QueryBatch, pool: Pool) -> None:
        self._pool = pool
        self._query = query
        self._columns = {code: place for place, code in enumerate(pool.ids[0].tolist()) if code != PADDING}
        self._chain = pipeline.rerankers.get(pool.target, ())

    def tell(self, places: Sequence[dict[str, Any]], codes: Ints) -> None:
        """Add `sources` and `contributions` to the places of these codes."""
        summands: dict[str, Any] = {}
        for reranker in self._chain:
            try:
                summands = reranker.contributions(self._query, self._pool) or summands
            except Exception:
                continue
        for entry, code, sources in zip(places, codes.tolist(), self.sources(codes), strict=True):
            place = self._columns.get(code)
            entry["sources"] = sources
            entry["contributions"] = (
                []
                if place is None
                else [{"label": label, "value": values[0, place]} for label, values in summands.items()]
            )

    def sources(self, codes: Ints) -> list[list[str]]:
        """Return for each code the labels of the generators that proposed it."""
        proposed = {label: self._pool.proposed_by(label)[0] for label in self._pool.generators}
        places = map(self._columns.get, codes.tolist())
        return [
            [] if place is None else [label for label, flags in proposed.items() if flags[place]] for place in places
        ]

    def blend(self) -> tuple[dict[str, Any], dict[str, float]]:
        """Return the columns that the last sum of the chain adds, by label, and their weights.

        A sum without weights of its own adds its contributions, each with the weight 1. Without a sum they are the
        scores of the models, and there are no weights.
        """
        for reranker in reversed(self._chain):
            try:
                weighing = reranker.weighing(self._query, self._pool)
                summands = {} if weighing is not None else reranker.contributions(self._query, self._pool)
            except Exception:
                continue
            if weighing is not None:
                weights, columns = weighing
                return columns, {label: float(w[0]) for label, w in zip(columns, weights, strict=True)}
            if summands:
                return summands, dict.fromkeys(summands, 1.0)
        return dict(self._pool.columns), {}


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    started = time.perf_counter()
    try:
        yield
    finally:
        seconds[stage] = seconds.get(stage, 0.0) + time.perf_counter() - started


def _warning(code: str, path: str, message: str) -> dict[str, str]:
    return {"code": code, "path": path, "message": message}


def _categories(features: Features, name: str) -> list[str]:
    """Return the categories of a column, which may be the part before the colon of labels."""
    if name in features.columns:
        return list(features.columns[name].categories)
    return [label.partition(":")[2] for label in features.columns[""].categories if label.startswith(f"{name}:")]


def _short(length: int, n: int) -> list[dict[str, str]]:
    return [_warning("short", "n", f"only {length} of {n} can be recommended")] if length < n else []


def _used(pipeline: Any, left_out: frozenset[str]) -> list[str]:
    """Return the labels that are left out of this pipeline, sorted."""
    if not left_out:
        return []
    labels = {source.label for source in pipeline.sources} | {
        label for label, _ in (*pipeline.scorers, *pipeline.fallback)
    }
    labels |= {f"re-ranker {r.name}" for chain in pipeline.rerankers.values() for r in chain}
    return sorted(labels & left_out)


def _policy(pipeline: Any, target: str) -> str:
    """Return the name of the re-ranker that draws the slates of a pipeline."""
    return next(reranker.name for reranker in pipeline.rerankers[target] if reranker.stochastic)


def _path_in(message: str) -> str:
    """Return the field of the request that an error of encoding names: "context" in "query: context: unknown name"."""
    for name in ("user_features", "context", "entities", "item_times", "item_weights"):
        if name in message.partition(";")[0]:
            return name
    return ""


def _values(features: Features) -> dict[str, Any]:
    """Return the values of the only row of features, as a person writes them; unknown values are left out."""
    values: dict[str, Any] = {}
    for name, column in features.columns.items():
        if column.type == "category":
            categories = [column.categories[code] for code in column.values.indices.tolist()]
            if name:
                values |= {name: categories} if categories else {}
                continue
            for label in categories:
                prefix, colon, rest = label.partition(":")
                values.setdefault(prefix, []).append(rest if colon else label)
        elif not np.isnan(value := column.values[0]):
            values[name] = bool(value) if column.type == "flag" else float(value)
    return values


def _columns(features: Features | None) -> list[dict[str, Any]]:
    """Return the content of `schemas.Column` for each declared column."""
    if features is None:
        return []
    columns = []
    for name, kind in features.types.items():
        column: dict[str, Any] = {"name": name, "type": kind, "values": None, "smallest": None, "largest": None}
        if kind == "category":
            column["values"] = _categories(features, name)[:_CATEGORIES]
        elif kind != "flag":
            values = features.columns[name].values
            stated = values[~np.isnan(values)]
            if len(stated):
                column["smallest"], column["largest"] = float(stated.min()), float(stated.max())
        columns.append(column)
    return columns
