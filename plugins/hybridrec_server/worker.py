"""The worker process: it maps one bundle and answers batches, until the front closes the connection.

`python -m hybridrec_server.worker CONNECTION PAGE PARENT` is started by the front with an inherited socket and an
inherited shared page. All code of plugins runs here, so that a plugin that does not come back stops a worker and not
the server.
"""

from __future__ import annotations

import ctypes
import gc
import mmap
import os
import pickle
import signal
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from socket import socket
from typing import Any

from hybridrec import DataError, HybridrecError, Query, Recommender, load
from hybridrec_server.answers import Answerer, BatchAnswers
from hybridrec_server.frames import frame, receive_frame
from hybridrec_server.page import Page
from hybridrec_server.protocols import NotFound, RequestProblem

_DIE_WITH_PARENT = 1
"""The option of prctl(2) by which the kernel ends a process when its parent is gone."""
_RECORDED = 8
"""The number of queries by which a bundle is checked, beside one that says nothing."""


def main(arguments: Sequence[str]) -> None:
    """Serve the front over the inherited connection."""
    connection_number, page_number, parent = map(int, arguments)
    _end_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the front drains first
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    connection = socket(fileno=connection_number)
    page = Page(mmap.mmap(page_number, mmap.PAGESIZE))
    answerer: Answerer | None = None
    while True:
        try:
            header, _ = receive_frame(connection)
        except (EOFError, ConnectionError):
            os._exit(0)  # no clean-up of plugins may keep the process
        if header["do"] == "load":
            answerer, reply, payload = _load(header, page)
        else:
            assert answerer is not None
            reply, payload = _answered(answerer, header)
        page.note("")
        connection.sendall(frame(reply, payload))


def _end_with(parent: int) -> None:
    """Make the kernel end this process when its parent ends, even if a plugin holds the interpreter then (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(0)


def _load(header: Mapping[str, Any], page: Page) -> tuple[Answerer | None, dict[str, Any], bytes]:
    """Load a bundle; return what answers from it, and the reply: the catalogue, or the reason of a refusal.

    The payload are the attributes of the precomputed lists, pickled, since they are arrays.
    """
    try:
        page.note("loading")
        plugins = [Path(path) for path in header["plugins"]]
        recommender = load(header["bundle"], block=header["block"], plugins=plugins, unknown="skip")
        answerer = Answerer(recommender, page.note)
        catalogue = answerer.catalogue()
        attributes = pickle.dumps(answerer.attributes(catalogue))
        if header["check"]:
            check(recommender)
        gc.collect()
        gc.freeze()  # what is loaded stays: collections pass over it
    except HybridrecError as error:
        return None, {"refused": str(error)}, b""
    except Exception as error:
        traceback.print_exc()
        return None, {"refused": f"{type(error).__name__}: {error}"}, b""
    return answerer, {"catalogue": catalogue}, attributes


def check(recommender: Recommender) -> None:
    """Raise DataError unless every pipeline gives sane answers to recorded queries: of known users, and of nobody.

    An answer is sane if no id repeats, and if users with a history get recommendations at all.
    """
    queries = [Query(id="nobody")]
    if recommender.knows_users and len(recommender.data.users):
        users = recommender.data.users.vocabulary.packed
        step = max(len(users) // _RECORDED, 1)
        queries += [Query(user=users[place], id=str(place)) for place in range(0, len(users), step)][:_RECORDED]
    for name in recommender.pipelines:
        for target in recommender.targets:
            slate = recommender.recommend(queries, pipeline=name, target=target)
            for row in slate.ids:
                ids = row[row >= 0]
                if len(set(ids.tolist())) != len(ids):
                    raise DataError(f"pipeline '{name}' recommends an id of {target} twice in one slate")
            if len(recommender.data.vocabulary(target)) and not (slate.ids >= 0).any():
                raise DataError(f"pipeline '{name}' recommends no {target} to any of {len(queries)} recorded queries")


def _answered(answerer: Answerer, header: Mapping[str, Any]) -> tuple[dict[str, Any], bytes]:
    """Return the reply to a question, and its payload."""
    left_out = frozenset(header["left_out"])
    try:
        if header["do"] == "recommend":
            answers = answerer.recommend(
                header["requests"], header["pipeline"], header["target"], header["n"], left_out,
                explain=header["explain"],
            )  # fmt: skip
            return _packed(answers)
        arguments = header["arguments"]
        if header["do"] == "explain":
            body = answerer.explain(arguments, header["pipeline"], header["target"], header["n"], left_out)
        elif header["do"] == "similar":
            by = "text" if arguments.get("id") is None else arguments["by"]
            asked = arguments["text"] if by == "text" else arguments["id"]
            body = answerer.similar(arguments["component"], asked, by, arguments["target"], arguments["n"])
        elif header["do"] == "search":
            body = answerer.search(arguments["q"], arguments["kind"], arguments["n"])
        elif header["do"] == "item":
            body = answerer.item(arguments["id"], arguments["kind"])
        else:
            body = answerer.pipelines(left_out)
        return {}, body
    except RequestProblem as problem:
        return {"problem": [problem.path, problem.message]}, b""
    except NotFound as error:
        return {"not_found": str(error)}, b""
    except Exception as error:
        traceback.print_exc()  # the log of the server; clients are told nothing of it
        return {"failed": f"{type(error).__name__}: {error}"}, b""


def _packed(answers: BatchAnswers) -> tuple[dict[str, Any], bytes]:
    """Return the header and the payload of the answers to a batch: the bodies, one after the other."""
    outcomes: list[list[Any]] = []
    for body, served_by in zip(answers.bodies, answers.served_by, strict=True):
        if isinstance(body, RequestProblem):
            outcomes.append([0, body.path, body.message])
        else:
            outcomes.append([len(body), served_by])
    header = {
        "outcomes": outcomes,
        "segments": answers.segments,
        "seconds": answers.seconds,
        "faults": answers.faults,
        "unknown": answers.unknown,
    }
    return header, b"".join(body for body in answers.bodies if isinstance(body, bytes))


if __name__ == "__main__":
    main(sys.argv[1:])
