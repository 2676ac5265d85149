"""`python -m benchmarks.serving_fuzz RUN [--requests N]`: ask a server what clients get wrong, and check each answer.

Schemathesis makes requests from the server's own OpenAPI document, valid and invalid ones; mutations of the examples in
that document add bodies that no schema describes: cut, nested deeply, with repeated keys, huge numbers, NaN, halves of
surrogate pairs. Every answer has to follow the document, problems the standard; none may show a traceback or a path of
the server, and none but 503 may say that the server failed.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import jsonschema

MUTATIONS_BESIDE = 0.25
"""Number of mutations for each request of Schemathesis."""
SEED = 20261130
PHASES = ("examples,coverage,fuzzing", "fuzzing")
"""Phases of Schemathesis in the first round, and in those after it: the first two are always the same."""
CONFIG = """
[checks]
negative_data_rejection.expected-statuses = ["400", "404", "405", "408", "413", "415", "422", "503"]
positive_data_acceptance.enabled = false
not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", "503"]
"""
"""Rules between keys, names of the bundle and the size of a whole body are beyond a JSON Schema: bodies that follow it
may rightly be answered with 422 and 413."""
LEAKS = re.compile(r"Traceback|site-packages|\.py\b|hybridrec_server|File \\\\?\"")
COUNT = re.compile(r"(\d[\d,]*) generated")


class Fuzz:
    """Mutations of the examples of an OpenAPI document, and the checks of their answers."""

    def __init__(self, document: dict[str, Any], seed: int = SEED) -> None:
        """Take a document."""
        self._document = document
        self._random = random.Random(seed)
        self._examples = [
            (path, json.dumps(example["value"]))
            for path, methods in document["paths"].items()
            for operation in methods.values()
            for content in operation.get("requestBody", {}).get("content", {}).values()
            for example in content["examples"].values()
            if not path.startswith("/admin")
        ]

    def bodies(self, number: int) -> Iterator[tuple[str, bytes]]:
        """Yield (path, body) of mutations."""
        for _ in range(number):
            path, example = self._random.choice(self._examples)
            body = example.encode()
            for _ in range(self._random.choice((1, 1, 2, 4))):
                body = self._random.choice(MUTATIONS)(body, self._random)
            yield path, body

    def mistakes(self, path: str, response: httpx.Response) -> list[str]:
        """Check an answer; return its mistakes, empty for one that follows the document."""
        declared = self._document["paths"][path]["post"]["responses"]
        status, media_type = str(response.status_code), response.headers["content-type"].partition(";")[0]
        wrong = [f"shows {leak}" for leak in set(LEAKS.findall(response.text))]
        if response.status_code >= 500 and response.status_code != 503:
            wrong.append(f"status {status}")
        if status not in declared or media_type not in declared[status]["content"]:
            return [*wrong, f"{status} {media_type} is not declared"]
        schema = {**declared[status]["content"][media_type]["schema"], "components": self._document["components"]}
        try:
            jsonschema.validate(response.json(), schema)
        except (ValueError, jsonschema.ValidationError) as error:
            wrong.append(str(error).splitlines()[0])
        return wrong


def _truncated(body: bytes, rng: random.Random) -> bytes:
    return body[: rng.randrange(len(body) + 1)]


def _flipped(body: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(body) + 1)
    return body[:place] + bytes([rng.randrange(256)]) + body[place + rng.randrange(2) :]


def _with_value(value: Callable[[random.Random], str]) -> Callable[[bytes, random.Random], bytes]:
    """Return the mutation that puts a text in the place of one value of the body."""

    def mutate(body: bytes, rng: random.Random) -> bytes:
        places = list(re.finditer(rb'(?<=: )(?:"[^"]*"|-?[\d.]+|true|false|null|\[|\{)', body))
        if not places:
            return body
        place = rng.choice(places)
        return body[: place.start()] + value(rng).encode("utf-8", "surrogatepass") + body[place.end() :]

    return mutate


def _doubled(body: bytes, rng: random.Random) -> bytes:
    keys = list(re.finditer(rb'"[^"]+": ?(?:"[^"]*"|[\d.]+)', body))
    if not keys:
        return body
    key = rng.choice(keys)
    return body[: key.end()] + b", " + key[0] + body[key.end() :]


def _nested(rng: random.Random) -> str:
    depth, opened = rng.choice((3, 60, 900, 5_000, 200_000)), rng.choice(("[", '{"a":'))
    closed = {"[": "]", '{"a":': "}"}[opened] * rng.choice((depth, depth, depth - 1))
    return opened * depth + ("1" if opened != "[" else "") + closed


NUMBERS = (
    "1e999",
    "-1e999",
    "1e308",
    "-0",
    "0.0",
    "1e-400",
    "9" * 400,
    "9" * 5_000,
    "9223372036854775808",
    "1.5",
    "-1",
)
WORDS = (
    "NaN",
    "Infinity",
    "-Infinity",
    "nan",
    "undefined",
    "True",
    "null",
    "true",
    "''",
    "0x10",
    "01",
    "[]",
    "{}",
    "[[]]",
)
TEXTS = (
    "\\ud800",
    "\\udfff\\ud800",
    "\\u0000",
    "\ud800",
    "\u0000",
    "\\x",
    "%00",
    "../../etc/passwd",
    "😀" * 300,
    "x" * 9_000,
    "",
)
MUTATIONS: Sequence[Callable[[bytes, random.Random], bytes]] = (
    _truncated,
    _flipped,
    _doubled,
    _with_value(_nested),
    _with_value(lambda rng: rng.choice(NUMBERS)),
    _with_value(lambda rng: rng.choice(WORDS)),
    _with_value(lambda rng: f'"{rng.choice(TEXTS)}"'),
    _with_value(lambda rng: "[" + ", ".join(rng.choices(('"a"', "1", "null", "1.5", '{"b": 2}'), k=9)) + "]"),
)


@contextmanager
def served(run: Path, *options: str) -> Iterator[str]:
    """Serve a run or bundle on a free port; give the address."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-m",
            "hybridrec",
            "serve",
            str(run),
            "--port",
            "0",
            "--folder",
            f"{folder}/serve",
            *options,
        ]
        with (Path(folder) / "log").open("w") as log:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
            try:
                line = process.stdout.readline() if process.stdout else ""
                if " at http" not in line:
                    raise SystemExit(f"the server does not start: {(Path(folder) / 'log').read_text()}")
                yield line.rpartition(" at ")[2].strip()
            finally:
                process.terminate()
                process.wait(30)


def run_schemathesis(address: str, examples: int, phases: str, *, seed: int = SEED) -> tuple[int, int, str]:
    """Run Schemathesis on a server; return its exit status, the number of requests, and the text that it printed."""
    program = "from schemathesis.cli import schemathesis; schemathesis()"
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "schemathesis.toml").write_text(CONFIG, encoding="utf-8")
        options = ["--max-examples", str(examples), "--seed", str(seed), "--phases", phases, "--no-color"]
        options += ["--generation-database", "none", "--continue-on-failure", "--exclude-path-regex", "^/admin"]
        command = [sys.executable, "-c", program, "run", f"{address}/openapi.json", *options]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    printed = done.stdout + done.stderr
    count = COUNT.search(printed)
    return done.returncode, int(count[1].replace(",", "")) if count else 0, printed


def run_mutations(address: str, number: int, seed: int = SEED) -> tuple[Counter[int], list[str]]:
    """Send mutations to a server; return the number of answers of each status, and what was wrong."""
    statuses: Counter[int] = Counter()
    wrong: list[str] = []
    with httpx.Client(base_url=address, timeout=30) as client:
        fuzz = Fuzz(client.get("/openapi.json").json(), seed)
        for path, body in fuzz.bodies(number):
            response = client.post(path, content=body, headers={"content-type": "application/json"})
            statuses[response.status_code] += 1
            wrong += [f"{path} {body[:200]!r}: {mistake}" for mistake in fuzz.mistakes(path, response)]
    return statuses, wrong


def main() -> None:
    """Ask a server at least as many requests as wanted; print the counts, and end with 1 if an answer was wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving_fuzz", description=__doc__)
    parser.add_argument("run", type=Path, help="a run made with `refit: all`, or a bundle")
    parser.add_argument("--requests", type=int, default=20_000, help="(%(default)s)")
    asked = parser.parse_args()
    with served(asked.run, "--deadline", "10") as address:
        total, status, rounds = 0, 0, 0
        while not status and total < asked.requests:
            examples = min(100, max(10, (asked.requests - total) // 20))
            status, count, printed = run_schemathesis(address, examples, PHASES[rounds > 0], seed=SEED + rounds)
            total, rounds = total + count, rounds + 1
            lines = printed.splitlines() if status else [f"schemathesis: {total:,} requests, no failures"]
            print(*[line[:300] for line in lines], sep="\n", flush=True)
        statuses, wrong = run_mutations(address, round(asked.requests * MUTATIONS_BESIDE))
        counts = ", ".join(f"{number:,} of {code}" for code, number in sorted(statuses.items()))
        print(f"mutations of bodies: {statuses.total():,} requests: {counts}; {len(wrong)} wrong answers")
        print(*wrong[:20], sep="\n")
        alive = httpx.get(f"{address}/health/ready").json()
        print(f"afterwards: {json.dumps(alive)}")
    raise SystemExit(1 if status or wrong else 0)


if __name__ == "__main__":
    main()
