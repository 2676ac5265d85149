"""The page on factorization is true: its options are those of the components, and all of them are told."""

from __future__ import annotations

import re
from typing import get_args

from hybridrec_implicit.cold import ColdOptions
from hybridrec_implicit.wmf import WMFOptions
from tests.docs.markdown import ROOT

PAGE = (ROOT / "docs" / "factorization.md").read_text(encoding="utf-8")


def test_every_way_of_wmf_and_of_cold_items_is_told():
    choices = [get_args(WMFOptions.model_fields[name].annotation) for name in ("feedback", "similarity")]
    rows = set(re.findall(r"^\| `(?:\w+: )?(\w+)`", PAGE, re.M))
    assert set(choices[1]) | set(get_args(ColdOptions.model_fields["cold"].annotation)) <= rows
    assert [choice for choice in choices[0] if f"`{choice}`" not in PAGE] == []


def test_every_symbol_of_the_loss_is_an_option():
    table = re.findall(r"^\| (\w+|λ) \| `(\w+)` \|", PAGE, re.M)
    assert [symbol for symbol, _ in table] == ["w", "w0", "g", "λ", "r"]
    assert {option for _, option in table} <= WMFOptions.model_fields.keys()
