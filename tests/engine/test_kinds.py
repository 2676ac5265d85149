"""The kinds that a config names are those of the data."""

import pytest

from hybridrec import ConfigError
from hybridrec.config.models import ExperimentConfig
from hybridrec.engine.kinds import with_kinds
from hybridrec.testing import toy_dataset

DATA = toy_dataset()


def config(targets, through=()):
    return ExperimentConfig.model_validate(
        {
            "name": "kinds",
            "data": {"reader": "toy", "through_items": list(through)},
            "split": {"use": "masked"},
            "components": {"popularity": {"use": "popularity"}},
            "pipelines": {"all": {"generators": [{"from": "popularity"}]}},
            "targets": targets,
        }
    )


def test_targets_that_users_carry_change_nothing():
    assert with_kinds(DATA, config({"items": 5, "tags": 3})) is DATA


@pytest.mark.parametrize(
    ("targets", "through", "message"),
    [
        ({"tag": 5}, (), r"targets\.tag: the data has no such kind that users carry: did you mean 'tags'"),
        ({"users": 5}, (), r"targets\.users: the data has no such kind"),
        ({"items": 5}, ("tag",), r"data\.through_items\[0\]: items have no entities of the kind 'tag'; did you mean"),
        ({"items": 5}, ("tags",), r"data\.through_items\[0\]: the data states the tags of users"),
    ],
)
def test_kinds_that_do_not_fit_are_refused_with_their_key(targets, through, message):
    with pytest.raises(ConfigError, match=message):
        with_kinds(DATA, config(targets, through))
