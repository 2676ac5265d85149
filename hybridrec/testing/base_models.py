"""Base models for the contract suites: fitted components for classes under test whose options name a component."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, ClassVar, Self, cast

import numpy as np

from hybridrec.data.dataset import Dataset
from hybridrec.data.queries import QueryBatch
from hybridrec.errors import PluginError
from hybridrec.registry.option_types import ComponentRef, used_component
from hybridrec.stages.checks import check_self
from hybridrec.stages.component import Component, VectorModel
from hybridrec.testing._helpers import fitted, toy
from hybridrec.testing.contract import DataContract
from hybridrec.types import EVERY_KIND, Floats, State, Target

_DIM = 6


class ToyVectors(VectorModel):
    """A small vector model for contract suites: the truncated singular vectors of the interactions.

    The vector of an entity is the sum of the vectors of the users who have it, NaN if nobody does; the vector of a
    query is the sum of the vectors of the entities that it has.
    """

    name = "toy-vectors"
    targets = (EVERY_KIND,)
    needs = frozenset({EVERY_KIND})
    folds_in = True

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Compute the vectors from the interactions."""
        users = np.linalg.svd(data.interactions.matrix(binary=True).toarray(), full_matrices=False)[0][:, :_DIM]
        state = {}
        for kind in data.targets:
            has = data.user_matrix(kind)
            state[kind] = np.asarray(has.T @ users, np.float32)
            state[kind][has.getnnz(axis=0) == 0] = np.nan
        return self.restore(state)

    def memory(self, data: Dataset) -> int:
        """Estimate the bytes of the interactions as a full matrix, of its copy, and of both factors."""
        users, items = len(data.users), len(data.items)
        return 4 * (2 * users * items + 2 * min(users, items) * (users + items))

    def query_vectors(self, queries: QueryBatch, target: Target) -> Floats:
        """Return the vector of each query: float32 [Q, D], NaN for queries without any entity."""
        kinds = [kind for kind in self._vectors if queries.width(kind)]
        total = sum(queries.matrix(kind) @ np.nan_to_num(self._vectors[kind]) for kind in kinds)
        vectors = np.zeros((len(queries), 1), np.float32) + np.asarray(total, np.float32)
        vectors[~queries.has_any(kinds)] = np.nan
        return vectors

    def vectors(self, target: Target) -> Floats:
        """Return the vector of each id of a target: float32 [N, D]."""
        return self._vectors[target]

    def state(self) -> State:
        """Return the vectors by kind of entity: float32 [N, D] each."""
        return dict(self._vectors)

    def restore(self, state: State) -> Self:
        """Take the vectors of each kind from `state`; return self."""
        self._vectors = dict(state)
        return self


class BaseModelContract(DataContract):
    """Base class of the contracts of components, which may name another component in their options (`ComponentRef`).

    base_model: the class of that other component; it is fitted on the same data and passed to the component under test.
        By default it is a class that has vectors of all kinds that users have
    base_options: options of the base model
    """

    base_model: ClassVar[type[Component]] = ToyVectors
    base_options: ClassVar[Mapping[str, Any]] = {}

    @classmethod
    def unfit(cls, options: Mapping[str, Any]) -> str | None:
        """Return a sentence if `base_model` is not of the class that an option requires; None if it suits."""
        reference = used_component(cls.subject().Config.model_validate(options))
        if reference is None or not isinstance(marker := reference.marker, ComponentRef):
            return None
        if issubclass(cls.base_model, marker.role):
            return None
        option = ".".join(map(str, reference.path))
        return (
            f"'{cls.subject().name}' needs a {marker.word} for its option `{option}`: "
            f"name a class of it as `base_model` of the contract"
        )

    def lent(self, options: Mapping[str, Any], data: Dataset) -> Component | None:
        """Return the base model, fitted on `data`, if the options name a component, else None.

        Raises PluginError if the base model is not of the class that the option requires.
        """
        if used_component(self.options(options)) is None:
            return None
        if (reason := self.unfit(options)) is not None:
            raise PluginError(reason)
        if data is toy():
            return _on_toy(self.base_model, json.dumps(dict(self.base_options)))
        return fitted(self.base_model(self.base_model.Config.model_validate(self.base_options)), data)

    def made(self, options: Mapping[str, Any], lent: Component | None = None) -> Any:
        """Return a new, unfitted instance of the class under test, with `lent` as its base model if there is one."""
        component = cast(Component, self.subject()(self.options(options)))
        return component if lent is None else check_self(component, "use", component.use(lent))


@lru_cache(maxsize=64)
def _on_toy(cls: type[Component], options: str) -> Component:
    """Return a base model fitted on the toy dataset, always the same one for equal arguments."""
    return fitted(cls(cls.Config.model_validate(json.loads(options))), toy())
