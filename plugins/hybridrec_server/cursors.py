"""Cursors of pages: the ids that earlier pages showed, so that the next page repeats none of them.

A cursor is a list of ids in base64 and nothing else. Whoever changes one only changes which ids are left out for
themselves, as `blocked` does, so it needs no signature.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence

import orjson

from hybridrec_server.schemas import MAX_CURSOR, MAX_IDS


def cursor(shown: Sequence[str]) -> str | None:
    """Return the cursor of the page after these ids; None if there are too many to be remembered."""
    text = base64.urlsafe_b64encode(orjson.dumps(shown)).decode().rstrip("=")
    return text if len(text) <= MAX_CURSOR and len(shown) <= MAX_IDS else None


def shown_before(text: str) -> list[str]:
    """Return the ids that the pages before a cursor showed; raises ValueError for a text that is not a cursor."""
    try:
        ids = orjson.loads(base64.b64decode(text.encode() + b"=" * (-len(text) % 4), b"-_", validate=True))
    except (binascii.Error, UnicodeEncodeError, orjson.JSONDecodeError):
        raise ValueError("not a cursor") from None
    if not isinstance(ids, list) or len(ids) > MAX_IDS or not all(isinstance(text, str) for text in ids):
        raise ValueError("not a cursor")
    return ids
