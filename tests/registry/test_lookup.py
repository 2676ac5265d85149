"""Classes of every kind are found by name, also by a plugin that is being loaded."""

import pytest

import hybridrec
from hybridrec import ConfigError, find
from hybridrec.registry.kinds import KINDS

WRAPPER = '''
from hybridrec import find


class Fewer(find("reader", "toy")):
    """Reads half of the users."""

    name = "fewer"

    def read(self):
        return super().read()


class Half(find("component", "popularity")):
    """Popularity by another name."""

    name = "half"
'''


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not kind.instances], ids=lambda kind: kind.name)
def test_every_kind_is_found(kind):
    name = hybridrec.Registry().names(kind.plural)[0]
    assert kind.includes(find(kind.name, name))


def test_first_party_classes_and_those_of_others_can_be_wrapped(experiment, tmp_path):
    path = tmp_path / "wrapper.py"
    path.write_text(WRAPPER)
    config = experiment(("reader: toy", "reader: fewer"), ("{use: echo}", "{use: half}"))
    report = hybridrec.run(config, plugins=[path]).report
    assert report.data.users == 60
    assert report.environment.plugins[-1].offers == {"readers": ["fewer"], "components": ["half"]}


def test_unknown_kinds_and_names_are_answered_with_those_there_are():
    with pytest.raises(ConfigError, match="no kind of plugins is called 'readers': did you mean 'reader'"):
        find("readers", "table")
    with pytest.raises(ConfigError, match="unknown reader 'tabel': did you mean 'table'"):
        find("reader", "tabel")
