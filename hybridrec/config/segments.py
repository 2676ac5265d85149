"""Checks of `compare.segments`: make the segmenters with their options and their names in reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hybridrec.config.models import Compare, SegmenterUse
from hybridrec.config.yaml_document import KeyPath
from hybridrec.data.queries import KNOWN_FIELDS
from hybridrec.data.segments.base import Segmenter

if TYPE_CHECKING:
    from hybridrec.config.resolve import Checker


def segmenters(checker: Checker, compare: Compare) -> dict[str, Segmenter]:
    """Make the segmenters of the config, by their names in reports; blends and guards use the first.

    Without `segments` there is one, `known-fields`. Raises ConfigError for an unknown segmenter, an option that is not
    valid, or a name that two segmenters have.
    """
    by_name: dict[str, Segmenter] = {}
    for index, entry in enumerate([KNOWN_FIELDS] if compare.segments is None else compare.segments):
        path: KeyPath = ("compare", "segments", index)
        use = SegmenterUse(use=entry) if isinstance(entry, str) else entry
        cls = checker.find("segmenters", use.use, path if isinstance(entry, str) else (*path, "use"))
        label = use.label or use.use
        if label in by_name:
            raise checker.fail(path, f"two segmenters are called '{label}'; name one of them: `as: NAME`")
        by_name[label] = cls(checker.validate(cls.Config, use.options, path))
    return by_name
