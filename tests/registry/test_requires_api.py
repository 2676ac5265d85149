"""The version of the API is read from the source, whatever the module would do when it is imported."""

import sys

import pytest

from hybridrec.registry.requires_api import requires_api_in, requires_api_of


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('requires_api = "1.7"', "1.7"),
        ('from hybridrec import hookimpl\nrequires_api: str = "1.7"\n', "1.7"),
        ("requires_api = 1.7", 1.7),
        ("import numpy", None),
        ('def f():\n    requires_api = "1.7"', None),
        ("requires_api = (", None),
    ],
)
def test_it_is_the_constant_at_the_top_level(text, value):
    assert requires_api_in(text) == value


def test_it_is_read_without_running_the_module_or_its_package(tmp_path, monkeypatch):
    package = tmp_path / "later_package"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('was run')")
    (package / "plugin.py").write_text('requires_api = "1.99"\nraise RuntimeError("was run")')
    monkeypatch.syspath_prepend(str(tmp_path))
    assert requires_api_of("later_package.plugin") == "1.99"
    assert requires_api_of("later_package") is None
    assert requires_api_of("no_such_package.plugin") is None
    assert requires_api_of("itertools") is None
    assert "later_package" not in sys.modules
