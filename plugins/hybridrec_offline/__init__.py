"""Questions of live experiments, answered from finished runs and logs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hybridrec import hookimpl

if TYPE_CHECKING:
    from click import Command


@hookimpl
def hybridrec_commands() -> list[Command]:
    """`interleave`: the preference between two pipelines."""
    from hybridrec_offline.interleaving import interleave

    return [interleave]
