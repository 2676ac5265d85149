"""`content`: items like those of the history, by what is known of the items themselves; serves cold items."""

from __future__ import annotations

from pydantic import Field

from hybridrec import (
    Options,
)


