"""The contract suite of generators and scorers: the checks that they must pass."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np

from hybridrec.data.array_checks import check_array
from hybridrec.data.dataset import Dataset
from hybridrec.data.encoding import encode
from hybridrec.data.queries import Query
from hybridrec.errors import HybridrecError
from hybridrec.evaluation.report import figure_report
from hybridrec.stages.candidates import Exclude
from hybridrec.stages.checks import check_candidates, check_figures, check_scores, check_self, check_state
from hybridrec.stages.component import Component, Generator, Scorer, VectorModel
from hybridrec.testing._helpers import (
    assert_close,
    assert_unchanged,
    candidates,
    contents,
    dense,
    edges,
    fitted,
    identical,
    large,
    queries_of_all_kinds,
    score,
    shuffled_ids,
    targets_of,
    through_a_file,
    tied,
    toy,
)
from hybridrec.testing.base_models import BaseModelContract
from hybridrec.testing.contract import data_of
from hybridrec.testing.datasets import csr_of, parity_queries, toy_dataset, toy_queries
from hybridrec.testing.memory import misjudged, peak_memory
from hybridrec.types import EVERY_KIND, ITEMS, KIND_NAME, PADDING, Field, Ints, State, Target


@lru_cache(maxsize=64)
def _fitted(contract: Callable[[], ComponentContract], component: type[Component], options: str) -> Component:
    """Return a component of this class with these options (JSON), fitted once for all checks of a contract."""
    suite = contract()
    return suite.fitted(json.loads(options), suite.data())


_OF_STAGES: dict[str, tuple[type[Component], ...]] = {
    "candidates_are_well_formed": (Generator,),
    "scores_are_well_formed": (Scorer,),
    "scores_agree_with_candidates": (Generator, Scorer),
    "score_of_a_pair_does_not_depend_on_the_others": (Scorer,),
    "threads_do_not_meet": (Generator,),
    "unknown_ids_are_as_no_ids": (Generator,),
    "exclude_is_honoured": (Generator,),
    "everything_excluded": (Generator,),
    "wide_ids_are_refused_or_served": (Scorer,),
    "embeddings_are_well_formed": (VectorModel,),
}
"""Name of a check for some stages only -> classes; the check applies to components that derive from each of them."""


class ComponentContract(BaseModelContract):
    """The contract suite of generators and scorers, with a named check for each requirement.

    component: the class under test
    configs: the options to test it with, one dict each, as in the YAML
    base_model, base_options: class and options of the component that is passed to the component under test, if the
        options of that name another component; by default a class that has vectors
    learns_the_checkerboard: fields of queries; each of them alone must suffice to distinguish the two colours of the
        toy dataset
    """

    role = "component"
    component: ClassVar[type[Component]]
    learns_the_checkerboard: ClassVar[tuple[Field, ...]] = ()

    @classmethod
    def parameters(cls) -> dict[str, dict[str, Any]]:
        """Return the arguments that checks may take: name of the argument -> name of the case -> value.

        They are `options`, `k` (a number of candidates) and `edge` (the name of an incomplete dataset).
        """
        lengths = {"best": 1, "ten": 10, "more than the catalogue": 100}
        return super().parameters() | {"k": lengths, "edge": {name: name for name in sorted(edges())}}

    @classmethod
    def idle(cls) -> set[str]:
        """Return the names of the checks that do not apply to the class under test.

        They are for other stages, for properties that the class does not declare, or for the toy dataset only.
        """
        idle = {check for check, stages in _OF_STAGES.items() if not all(issubclass(cls.component, s) for s in stages)}
        idle |= set() if cls.component.refreshes else {"takes_up_data_that_grew"}
        idle |= {"prepares_the_catalogue_alone"} if cls.component.prepare is Component.prepare else set()
        of_toys = {"memory_is_as_estimated", "takes_up_data_that_grew", "learns_the_checkerboard"}
        idle |= set() if data_of(cls.component) is toy() else of_toys
        return idle | (set() if cls.learns_the_checkerboard else {"learns_the_checkerboard"})

    def model(self, options: Mapping[str, Any]) -> Component:
        """Return the component, fitted on the data of the checks; it is the same instance for all checks."""
        cls: Any = type(self)
        return _fitted(cls, self.component, json.dumps(dict(options)))

    def fitted(self, options: Mapping[str, Any], data: Dataset) -> Component:
        """Return a new component, fitted on `data`; its base model, if it has one, is fitted on `data`, too."""
        component: Component = fitted(self.made(options, self.lent(options, data)), data)
        return component

    def prepare(self, options: Mapping[str, Any]) -> None:
        """Fit the component once, since all checks need a fitted component."""
        self.model(options)

    def generated(self, model: Component) -> tuple[Target, ...]:
        """Return the targets for which the component generates candidates; () if it is not a generator."""
        return targets_of(model, self.data()) if isinstance(model, Generator) else ()

    def scored(self, model: Component) -> tuple[Target, ...]:
        """Return the targets that the component scores; () if it is not a scorer."""
        return targets_of(model, self.data()) if isinstance(model, Scorer) else ()

    def test_declares_what_it_serves(self, options: Mapping[str, Any]) -> None:
        """Require valid `targets`, `needs` and `memory`, and a class that is a Generator, a Scorer or both."""
        model = self.model(options)
        assert isinstance(model, Generator | Scorer), "neither a Generator nor a Scorer"
        assert model.targets, "has no target"
        for name in (*model.targets, *model.needs):
            assert name == EVERY_KIND or re.match(KIND_NAME, name), f"'{name}' cannot name a kind or a field"
        assert targets_of(model, self.data()), (
            f"recommends none of {', '.join(self.data().targets)}, the targets of the data"
        )
        assert model.memory(self.data()) >= 0, "a negative number of bytes"
        model.preparer()

    def test_memory_is_as_estimated(self, options: Mapping[str, Any]) -> None:
        """Require `memory` to estimate the memory of `fit`, on data with 1,000 users and 2,500 items.

        Only the first options are checked. The fit may take up to twice the estimate plus 16 MB, and the estimate may
        be up to ten times what the fit takes plus 160 MB.
        """
        if options != next(iter(self.parameters()["options"].values())) or self.data() is not toy():
            return
        self.model(options)  # libraries are loaded
        data = large()
        lent = self.lent(options, data)
        model = self.made(options, lent)
        estimated = model.memory(data)
        problem = misjudged(estimated, peak_memory(lambda: fitted(model, data)))
        assert problem is None, problem

    def test_candidates_are_well_formed(self, options: Mapping[str, Any], k: int) -> None:
        """Require candidates of the right types and shapes: known ids, each once, best first, NaN only at padding."""
        model, queries = self.model(options), self.queries()
        for target in self.generated(model):
            candidates(model, queries, target, k)

    def test_scores_are_well_formed(self, options: Mapping[str, Any]) -> None:
        """Require scores of float32 in the shape of the ids, NaN at padding, never infinite."""
        model, queries = self.model(options), self.queries()
        for target in self.scored(model):
            score(model, queries, shuffled_ids(queries, target), target)

    def test_has_an_opinion(self, options: Mapping[str, Any]) -> None:
        """Require some candidates and some scores for queries with a field that the component `needs`."""
        model, queries = self.model(options), self.queries()
        if model.needs:
            queries = queries.take(np.flatnonzero(queries.has_any(model.needs)))
        for target in self.generated(model):
            silent = (candidates(model, queries, target, 5).ids == PADDING).all()
            assert not silent, f"{target}: proposes nothing for any query"
        for target in self.scored(model):
            silent = np.isnan(score(model, queries, shuffled_ids(queries, target), target)).all()
            assert not silent, f"{target}: every score is NaN, for every query"

    def test_scores_agree_with_candidates(self, options: Mapping[str, Any]) -> None:
        """Require a generator that also scores to give its candidates the same scores (within 1e-4 of the largest)."""
        model, queries = self.model(options), self.queries()
        for target in set(self.generated(model)) & set(self.scored(model)):
            proposed = candidates(model, queries, target, 10)
            if not model.columns:  # type: ignore[attr-defined]
                assert_close(score(model, queries, proposed.ids, target)[0], proposed.scores, 1e-4, target)

    def test_score_of_a_pair_does_not_depend_on_the_others(self, options: Mapping[str, Any]) -> None:
        """Require the same scores for ids in another order, and for a subset of them."""
        model, queries = self.model(options), self.queries()
        for target in self.scored(model):
            ids = shuffled_ids(queries, target)
            scores = score(model, queries, ids, target)
            alone = score(model, queries, ids[:, ::-3], target)
            assert_close(alone, scores[:, :, ::-3], 1e-5, target)

    def test_batch_and_one_by_one_agree(self, options: Mapping[str, Any]) -> None:
        """Require the results of a query not to depend on the rest of the batch.

        Ids may differ if their scores are equal within 1e-5.
        """
        model, queries = self.model(options), self.queries()
        single = [queries.take(np.array([row])) for row in range(len(queries))]
        for target in self.generated(model):
            batch = candidates(model, queries, target, 10)
            parts = [candidates(model, query, target, 10) for query in single]
            scores = np.concatenate([answer.scores for answer in parts])
            assert_close(scores, batch.scores, 1e-5, target)
            moved = np.concatenate([answer.ids for answer in parts]) != batch.ids
            assert not (moved & ~tied(batch.scores)).any(), f"{target}: other candidates in a batch than one by one"
        for target in self.scored(model):
            ids = shuffled_ids(queries, target)
            rows = [score(model, query, ids[row : row + 1], target) for row, query in enumerate(single)]
            assert_close(np.concatenate(rows, axis=1), score(model, queries, ids, target), 1e-5, target)

    def test_threads_do_not_meet(self, options: Mapping[str, Any]) -> None:
        """Require the same answers from several threads at once as from one thread."""
        model, queries = self.model(options), self.queries()
        for target in self.generated(model):
            alone = candidates(model, queries, target, 10)
            with ThreadPoolExecutor(4) as pool:
                several = list(pool.map(lambda _, t=target: candidates(model, queries, t, 10), range(8)))
            for answer in several:
                assert np.array_equal(answer.ids, alone.ids), f"{target}: other candidates from several threads at once"

    def test_same_seed_same_result(self, options: Mapping[str, Any]) -> None:
        """Require two fits with the same data and seed to be identical."""
        model = self.model(options)
        again = self.fitted(options, self.data()).state()
        state = model.state()
        check_state(state)
        assert again.keys() == state.keys(), "other names in the state"
        for name, array in state.items():
            assert identical(array, again[name]), f"state {name!r} differs between two fits with one seed"

    def test_empty_batch(self, options: Mapping[str, Any]) -> None:
        """Require empty results for an empty batch."""
        model, queries = self.model(options), self.queries()
        nobody = queries.take(slice(0, 0))
        for target in self.generated(model):
            candidates(model, nobody, target, 5)
        for target in self.scored(model):
            score(model, nobody, np.empty((0, 5), np.int32), target)

    def test_unknown_ids_are_as_no_ids(self, options: Mapping[str, Any]) -> None:
        """Require a query of unknown ids to get the same result as an empty query."""
        model = self.model(options)
        unknown = Query(user="nobody", items=["no such item"], tags=["no such tag"])
        both = encode([Query(), unknown], self.data())
        for target in self.generated(model):
            ids = candidates(model, both, target, 10).ids
            assert np.array_equal(ids[0], ids[1]), f"{target}: {ids[1]} for unknown ids, {ids[0]} for nothing"

    def test_serves_what_it_says(self, options: Mapping[str, Any]) -> None:
        """Require no candidates and no scores for queries with none of the fields that the component `needs`.

        A component that needs nothing must serve every query.
        """
        model, queries = self.model(options), self.queries()
        if not model.needs:
            for target in self.generated(model):
                silent = (candidates(model, queries, target, 1).ids == PADDING).any()
                assert not silent, f"{target}: `needs` is empty, but a query got no candidates"
            for target in self.scored(model):
                scores = score(model, queries, shuffled_ids(queries, target), target)
                silent = np.isnan(scores).all(axis=(0, 2)).any()  # of several columns one is enough
                assert not silent, f"{target}: `needs` is empty, but a query got no scores"
            return
        is_served = queries.has_any(model.needs)
        others = queries.take(np.flatnonzero(~is_served))
        for target in self.generated(model):
            ids = candidates(model, others, target, 5).ids
            assert (ids == PADDING).all(), f"{target}: proposes {ids.max()} to a query without {_either(model)}"
        for target in self.scored(model):
            scores = score(model, others, shuffled_ids(others, target), target)
            assert np.isnan(scores).all(), f"{target}: scores for a query without {_either(model)}, instead of NaN"

    def test_exclude_is_honoured(self, options: Mapping[str, Any]) -> None:
        """Require excluded ids to be replaced by the next best ids, while the other ids keep their scores."""
        model, queries = self.model(options), self.queries()
        for target in self.generated(model):
            n = queries.width(target)
            everything = candidates(model, queries, target, n)
            some = np.arange(n) % 3 == 0
            best = (everything.ids[:, :4, None] == np.arange(n)).any(axis=1)
            newer = {"released": np.arange(n, dtype=float), "times": np.linspace(0, n, len(queries))}
            shown = np.random.default_rng(2).random((2, n)) < [[0.5], [0.05]]  # the second group is left few ids
            groups, group = ~shown, (np.arange(len(queries)) % 3 - 1).astype(np.int32)
            exclusions = (
                *(Exclude(ids=some), Exclude(rows=csr_of(best)), Exclude(groups=groups, group=group)),
                Exclude(csr_of(best), some, **newer, groups=groups, group=group),
            )
            for exclude in exclusions:
                wanted = dense(everything, n)
                exclude.mask(wanted)
                given = dense(candidates(model, queries, target, n, exclude), n)
                banned = np.isneginf(wanted) & ~np.isnan(given)
                assert not banned.any(), f"{target}: proposes id {np.argwhere(banned)[0, 1]}, which is excluded"
                assert_close(given, np.where(np.isneginf(wanted), np.nan, wanted), 1e-5, target)

    def test_everything_excluded(self, options: Mapping[str, Any]) -> None:
        """Require no candidates if all ids are excluded."""
        model, queries = self.model(options), self.queries()
        for target in self.generated(model):
            proposed = candidates(model, queries, target, 5, Exclude(ids=np.ones(queries.width(target), bool)))
            assert (proposed.ids == PADDING).all(), (
                f"{target}: proposes {proposed.ids.max()} though every id is excluded"
            )

    def test_state_survives_a_file(self, options: Mapping[str, Any]) -> None:
        """Require a state without Python objects, which a file can hold.

        A new instance that is restored from the file must give identical results.
        """
        model, queries = self.model(options), self.queries()
        state = model.state()
        other = self.made(options, self.lent(options, self.data()))
        check_self(other, "restore", other.restore(through_a_file(state)))
        assert (other.targets, other.needs, other.folds_in) == (model.targets, model.needs, model.folds_in)
        names = (getattr(made, "columns", ()) for made in (model, other))
        assert next(names) == next(names), "other `columns` after restore"
        for target in self.generated(model):
            mine, restored = (candidates(m, queries, target, 10) for m in (model, other))
            assert identical(mine.ids, restored.ids), f"{target}: other candidates after restore"
            assert identical(mine.scores, restored.scores), f"{target}: other scores of candidates after restore"
        for target in self.scored(model):
            ids = shuffled_ids(queries, target)
            mine_, restored_ = (score(m, queries, ids, target) for m in (model, other))
            assert identical(mine_, restored_), f"{target}: other scores after restore"

    def test_shows_the_same_after_restore(self, options: Mapping[str, Any]) -> None:
        """Require figures that the report can hold, and clusters of int32 [N].

        Figures and clusters must be identical after restore.
        """
        model = self.model(options)
        other = self.made(options, self.lent(options, self.data()))
        other.restore(through_a_file(model.state()))
        for shown in (figures := model.figures(self.data())), other.figures(self.data()):
            check_figures(shown)
        same = [*map(figure_report, figures)] == [*map(figure_report, shown)]
        assert same, "other figures after restore"
        for target in targets_of(model, self.data()):
            clusters, restored = model.clusters(target), other.clusters(target)
            if clusters is None or restored is None:
                assert clusters is restored, f"{target}: clusters only before or only after restore"
                continue
            check_array(f"clusters of {target}", clusters, np.int32, (self.data().size(target),))
            assert (clusters >= PADDING).all(), f"{target}: a cluster is {clusters.min()}; -1 stands for none"
            assert identical(clusters, restored), f"{target}: other clusters after restore"

    def test_does_not_write_to_its_input(self, options: Mapping[str, Any]) -> None:
        """Require data, queries, ids and exclusions to be unchanged after use, since other plugins share them."""
        data, queries = toy_dataset() if self.data() is toy() else self.data(), self.queries()
        lent = self.lent(options, data)
        before = contents(data=data, base_model=_state(lent))
        model = fitted(self.made(options, lent), data)
        assert_unchanged(before, data=data, base_model=_state(lent))
        for target in targets_of(model, self.data()):
            rows, barred = (
                np.eye(len(queries), queries.width(target), dtype=bool),
                np.arange(queries.width(target)) == 1,
            )
            exclude, ids = Exclude(rows=csr_of(rows), ids=barred), shuffled_ids(queries, target)
            before = contents(data=data, queries=queries, exclude=exclude, ids=ids, base_model=_state(lent))
            if isinstance(model, Generator):
                model.candidates(queries, 5, target, exclude)
            if isinstance(model, Scorer):
                model.score(queries, ids, target)
            assert_unchanged(before, data=data, queries=queries, exclude=exclude, ids=ids, base_model=_state(lent))

    def test_wide_ids_are_refused_or_served(self, options: Mapping[str, Any]) -> None:
        """Require ids of int64 to be refused, or to get the same float32 scores as ids of int32."""
        model, queries = self.model(options), self.queries()
        for target in self.scored(model):
            assert isinstance(model, Scorer)
            ids = shuffled_ids(queries, target)
            try:
                wide = model.score(queries, ids.astype(np.int64), target)
            except (TypeError, ValueError, HybridrecError):
                continue
            check_scores(wide, ids, model.columns)
            same = identical(wide, model.score(queries, ids, target))
            assert same, f"{target}: int64 ids get other scores"

    def test_embeddings_are_well_formed(self, options: Mapping[str, Any]) -> None:
        """Require a vector for each id, of the same length for all kinds, and a count for each id or for no id."""
        model = self.model(options)
        if not isinstance(model, VectorModel):
            return
        lengths = set()
        for kind, embedding in model.embeddings(self.data()).items():
            vectors, counts = embedding.vectors, embedding.counts
            check_array(f"embeddings: {kind}", vectors, np.float32, (len(embedding.vocabulary), *vectors.shape[1:2]))
            assert counts is None or counts.shape == (len(embedding.vocabulary),), f"embeddings: {kind}: other counts"
            lengths.add(vectors.shape[1])
        assert len(lengths) <= 1, f"embeddings: vectors of several lengths, {sorted(lengths)}: no two kinds compare"

    def test_edge_datasets(self, options: Mapping[str, Any], edge: str) -> None:
        """Require a fit on incomplete data either to work and serve queries, or to be refused with an explanation."""
        data = edges()[edge]
        queries = toy_queries(data)
        try:
            model = self.fitted(options, data)
        except HybridrecError as error:
            refusal = str(error)
            assert len(refusal.split()) >= 4, f"the message is too short to help: {refusal}"
            return
        for target in targets_of(model, data):
            n = data.size(target)
            if isinstance(model, Generator):
                for k in (1, n + 3):
                    check_candidates(model.candidates(queries, k, target, Exclude()), len(queries), k, n)
            if isinstance(model, Scorer):
                ids = np.tile(np.arange(n, dtype=np.int32), (len(queries), 1))
                check_scores(model.score(queries, ids, target), ids, model.columns)

    def test_takes_up_data_that_grew(self, options: Mapping[str, Any]) -> None:
        """Require a component that `refreshes` to propose and score new ids after the data grew."""
        if self.data() is not toy():
            return
        small, whole = toy_dataset(40, 30, 11), toy()
        model = self.fitted(options, small)
        if not model.refreshes:
            return
        new_codes: dict[Target, Ints] = {
            kind: whole.vocabulary(kind).encode(small.vocabulary(kind).ids) for kind in (ITEMS, *small.kinds)
        }
        lent = self.lent(options, whole)
        if lent is not None:
            check_self(model, "use", model.use(lent))
        check_self(model, "refresh", model.refresh(whole, new_codes, np.random.default_rng(0)))
        other, queries = self.made(options, lent), queries_of_all_kinds()
        other.restore(through_a_file(model.state()))
        for target in self.generated(other):
            scores = dense(candidates(other, queries, target, queries.width(target)), queries.width(target))
            new = np.setdiff1d(np.arange(queries.width(target)), new_codes[target])
            assert not np.isnan(scores[:, new]).all(), f"{target}: never proposes an id that is new"
        for target in self.scored(other):
            ids = shuffled_ids(queries, target)
            new = np.setdiff1d(ids, np.append(new_codes[target], PADDING))
            opinions = score(other, queries, ids, target)[:, np.isin(ids, new)]
            assert not np.isnan(opinions).all(), f"{target}: never has an opinion on an id that is new"

    def test_fits_without_a_validation_split(self, options: Mapping[str, Any]) -> None:
        """Require a component that `validates` to fit also without a validation split, which only runs provide."""
        data = self.data()
        model = self.made(options, self.lent(options, data))
        if model.validates:
            check_self(model, "fit", model.fit(data, np.random.default_rng(0)))
            check_state(model.state())

    def test_prepares_the_catalogue_alone(self, options: Mapping[str, Any]) -> None:
        """Require `prepare` to depend on nothing but the catalogue and the options that `prepares` names.

        Two calls must give identical arrays, and a fit must learn the same from arrays that the run has prepared as
        from arrays that the fit itself prepares.
        """
        data = self.data()
        model = self.made(options, self.lent(options, data))
        if model.prepares is None:
            return
        state = model.preparer().prepare(data.catalogue)
        check_state(state)
        for other in (model.preparer().prepare(data.catalogue), model.prepare(data.catalogue), model.prepare(data)):
            assert other.keys() == state.keys(), "other names of arrays in another call of `prepare`"
            for name, array in state.items():
                assert identical(array, other[name]), (
                    f"prepared {name!r} depends on more than the catalogue and `prepares`"
                )
        model._from_catalogue = through_a_file(state)
        shared, alone = fitted(model, data).state(), self.model(options).state()
        for name, array in shared.items():
            assert identical(array, alone[name]), f"state {name!r} differs if the catalogue is prepared by the run"

    def test_learns_the_checkerboard(self, options: Mapping[str, Any]) -> None:
        """Require most recommendations to have the colour of the query, for queries with one declared field alone."""
        model = self.model(options)
        if self.data() is not toy():
            return
        for field in self.learns_the_checkerboard:
            if model.needs and not model.reads(field):
                continue  # this configuration does not read the field
            queries = parity_queries(toy(), field)
            for target in self.generated(model):
                exclude = Exclude(rows=queries.history.matrix()) if target == "items" else Exclude()
                ids = candidates(model, queries, target, 5, exclude).ids
                right = (ids % 2 == np.array([[0], [1]])) & (ids != PADDING)
                assert right.mean() >= 0.8, f"{target} for an even and an odd query of {field} alone: {ids.tolist()}"


def _state(component: Component | None) -> State:
    return {} if component is None else component.state()


def _either(model: Component) -> str:
    return " or ".join(sorted(model.needs))
