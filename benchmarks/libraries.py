"""Functions of hybridrec compared with libraries for the same tasks, as reasons to keep the one or take the other.

    pip install ruamel.yaml ijson safetensors
    python -m benchmarks.libraries yaml      # PyYAML and ruamel.yaml: lines of keys, and files written back
    python -m benchmarks.libraries json      # ijson: time and memory for the elements of a long array
    python -m benchmarks.libraries arrays    # safetensors: time and memory for stored arrays

Each way of reading JSON or arrays runs in a separate process, whose memory is measured by Linux.
"""

from __future__ import annotations

import difflib
import io
import json
import multiprocessing
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np

from benchmarks.readme import markdown
from benchmarks.timing import ROOT, race
from hybridrec.config import yaml_document
from hybridrec.data.io.bad_lines import BadLines
from hybridrec.data.io.json_stream import read_elements
from hybridrec.inference.array_file import read_artifact, write_artifact

SHAPES = {"playlists of ids": None, "playlists of tracks": "playlists"}
"""Shape of a file of playlists -> key of its array; None if the file is the array itself."""
MAPPED = 64
"""Arrays should begin at multiples of this number of bytes."""


@click.group(help=__doc__)
def libraries() -> None:
    """Group the commands, one for each measurement."""


@libraries.command("yaml")
@click.option("--blocks", default=1000, show_default=True, help="Blocks of three lines in the long file.")
@click.option("--repeats", default=5, show_default=True)
def yaml_lines(blocks: int, repeats: int) -> None:
    """Time the reading of a short and of a long file; count the lines that a round trip changes."""
    from ruamel.yaml import YAML

    long = "components:\n" + "".join(
        f"  c{n}: {{use: als, factors: {n}}}  # a remark\n  d{n}:\n    use: word2vec\n" for n in range(blocks)
    )
    rows = []
    for text in (Path(ROOT / "configs" / "quickstart.yaml").read_text(encoding="utf-8"), long):
        work = race(
            "yaml",
            "line",
            len(text.splitlines()),
            {
                "PyYAML, with lines": lambda text=text: yaml_document.parse(text, ""),
                "ruamel.yaml, nodes": lambda text=text: YAML(typ="safe", pure=True).compose(text),
                "ruamel.yaml, round trip": lambda text=text: YAML().load(text),
            },
            repeats,
        )
        rows += [[str(work.units), name, f"{way.as_json()['cpu']:.4f}"] for name, way in work.ways.items()]
    print(_table(["lines", "way", "CPU seconds"], rows))
    files = sorted(path for folder in ("configs", "examples") for path in (ROOT / folder).rglob("*.yaml"))
    changed = [_changed_lines(path.read_text(encoding="utf-8")) for path in files]
    print(f"ruamel.yaml writes {sum(map(bool, changed))} of {len(files)} files back otherwise, {sum(changed)} lines")


def _changed_lines(text: str) -> int:
    """Count the lines that a round trip adds or removes, with the better of two ways to indent lists."""
    from ruamel.yaml import YAML

    counts = []
    for sequence, offset in ((4, 2), (2, 0)):
        editor, written = YAML(), io.StringIO()
        editor.preserve_quotes, editor.width = True, 10**6
        editor.indent(mapping=2, sequence=sequence, offset=offset)
        editor.dump(editor.load(text), written)
        lines = difflib.ndiff(text.splitlines(), written.getvalue().splitlines())
        counts.append(sum(line[:2] in ("+ ", "- ") for line in lines))
    return min(counts)


@libraries.command("json")
@click.option("--megabytes", default=200.0, show_default=True)
def json_elements(megabytes: float) -> None:
    """Measure time and memory of reading every element of a long array."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for shape, key in SHAPES.items():
            path = Path(folder, "long.json")
            _write_playlists(path, key, megabytes * 1e6)
            for name, way in {"own": read_by_lines, "ijson": read_by_ijson}.items():
                count, seconds, grown = _in_a_process(way, path, key)
                rows.append([shape, str(count), name, f"{seconds:.2f}", f"{grown:.0f}"])
    print(_table(["file", "elements", "way", "CPU seconds", "MB"], rows))


def _write_playlists(path: Path, key: str | None, size: float) -> None:
    """Write playlists until the file has `size` bytes.

    Without `key` a playlist is one line with ids; with `key` it is indented, with an object for each track.
    """
    with path.open("w", encoding="utf-8") as file:
        file.write("[" if key is None else f'{{"info": {{"slice": "0-999"}},\n "{key}": [')
        for place, playlist in enumerate(_playlists(tracks=key is not None)):
            file.write((",\n" if place else "") + json.dumps(playlist, ensure_ascii=False, indent=key and 4))
            if file.tell() > size:
                break
        file.write("]" if key is None else "]}")


def _playlists(tracks: bool) -> Iterator[dict[str, Any]]:
    rng, place = random.Random(1), 0
    while True:
        place += 1
        songs: list[Any] = [rng.randrange(700_000) for _ in range(45)]
        if tracks:
            songs = [
                {"pos": n, "artist_name": "Björk", "track_uri": f"spotify:track:{song}", "duration_ms": song}
                for n, song in enumerate(songs)
            ]
        yield {"id": place, "title": f"여행같은 음악 {place}", "tags": ["락", "드라이브"], "songs": songs}


def read_by_lines(path: Path, key: str | None) -> int:
    """Return the number of elements that hybridrec reads."""
    return sum(1 for _ in read_elements(path, BadLines(strict=True), key))


def read_by_ijson(path: Path, key: str | None) -> int:
    """Return the number of elements that ijson reads, with its fastest backend that is available."""
    import ijson

    with path.open("rb") as file:
        return sum(1 for _ in ijson.items(file, "item" if key is None else f"{key}.item", use_float=True))


@libraries.command("arrays")
@click.option("--megabytes", default=500.0, show_default=True)
def stored_arrays(megabytes: float) -> None:
    """Measure time and private memory of loading arrays from one file."""
    from safetensors.numpy import save_file

    rows = []
    with tempfile.TemporaryDirectory() as folder:
        items = max(1, int(megabytes * 1e6 / 128 / 4))
        numbers = np.random.default_rng(1).random((items, 127), dtype=np.float32)
        state = {"vectors": numbers, "items": np.arange(items, dtype=np.int32), "flags": np.ones(7, np.int8)}
        own, library = Path(folder, "own"), Path(folder, "library")
        write_artifact(own, "key", state, {})
        save_file(state, library)
        for name, way, path in (("own", load_own, own), ("safetensors", load_safetensors, library)):
            (seconds, shared, private, aligned), *_ = _in_a_process(way, path)
            rows.append([name, f"{seconds:.2f}", f"{shared:.0f}", f"{private:.0f}", "yes" if aligned else "no"])
            with path.open("r+b") as file:  # simulates a corrupt bit on disk
                file.seek(-100, 2)
                byte = file.read(1)[0]
                file.seek(-100, 2)
                file.write(bytes([byte ^ 1]))
            try:
                way(path)
                rows[-1].append("no")
            except Exception:
                rows[-1].append("yes")
    print(_table(["way", "seconds", "MB mapped", "MB of its own", f"at multiples of {MAPPED}", "damage noticed"], rows))


def load_own(path: Path) -> tuple[float, float, float, bool]:
    """Load an artifact; return seconds, mapped MB, private MB, and True if all arrays are aligned."""
    return _loaded(lambda: read_artifact(path))


def load_safetensors(path: Path) -> tuple[float, float, float, bool]:
    """Load the same arrays from a safetensors file; return the same values as `load_own`."""
    from safetensors.numpy import load_file

    return _loaded(lambda: load_file(path))


def _loaded(load: Callable[[], dict[str, Any]]) -> tuple[float, float, float, bool]:
    before, begun = _memory(), time.perf_counter()
    arrays = load()
    seconds = time.perf_counter() - begun
    for array in arrays.values():
        array.sum()
    resident, private = (now - then for now, then in zip(_memory(), before, strict=True))
    return seconds, resident - private, private, all(array.ctypes.data % MAPPED == 0 for array in arrays.values())


def _memory() -> tuple[float, float]:
    """Return (resident, private): MB of memory of this process, with and without memory mapped from files."""
    lines = [line.split() for line in Path("/proc/self/smaps_rollup").read_text().splitlines()]
    sizes = {words[0]: int(words[1]) * 1024 / 1e6 for words in lines if words[0] in ("Rss:", "Anonymous:")}
    return sizes["Rss:"], sizes["Anonymous:"]


def _table(head: list[str], rows: list[list[str]]) -> str:
    return markdown([head, ["---"] * len(head), *rows])


def _in_a_process(work: Callable[..., Any], *arguments: object) -> tuple[Any, float, float]:
    """Return the result of `work` in a new process, its CPU seconds, and the growth of its peak memory in MB."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measured, (work, *arguments))


def _measured(work: Callable[..., Any], *arguments: object) -> tuple[Any, float, float]:
    before, begun = _peak(), time.process_time()
    result = work(*arguments)
    return result, time.process_time() - begun, _peak() - before


def _peak() -> float:
    """Return the peak of this process's resident memory in MB."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024 / 1e6


if __name__ == "__main__":
    libraries()
