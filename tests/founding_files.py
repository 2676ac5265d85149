"""Small files in the formats of the five systems that the project was founded on: made up, with kinds to be found."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

KINDS = {
    "발라드": ("슬픔", "이별", "새벽", "비", "겨울", "감성"),
    "인디": ("카페", "산책", "여행", "주말", "햇살", "커피"),
}
"""Kinds of Melon's playlists, each with the tags that stand beside it; songs 75 k to 75 k + 74 are of kind k."""
TITLES = ("비 오는 새벽 발라드", "카페에서 듣는 인디")
SONGS = 400
"""Songs of Melon, of which those from 150 on are on no playlist."""


def write_melon(folder: Path, lists: int = 90, audio: bool = False) -> Path:
    """Write playlists of two kinds over 150 of 400 songs; every third song came out in 2019.

    Playlists have the ids from 1000 on, the questions of val.json the ids 5, 3, 4 and 2; one line is
    malformed. Spectrograms are of 48 bands and 40 to 60 moments, one file for each song.
    """
    rng = np.random.default_rng(0)
    playlists = [_melon_playlist(number, rng) for number in range(lists)]
    questions = [
        {**playlists[0], "id": 5, "songs": [*playlists[0]["songs"][:3], 9999], "tags": playlists[0]["tags"][:1]},
        {**playlists[1], "id": 3, "plylst_title": "", "tags": []},
        {**playlists[2], "id": 4, "songs": [], "tags": [], "updt_date": "2018-12-01 00:00:00.000"},
        {**playlists[7], "id": 2, "songs": [], "plylst_title": ""},
    ]
    songs = [
        {
            "id": song,
            "song_name": f"song {song}",
            "artist_id_basket": [song % 20],
            "artist_name_basket": [f"artist {song % 20}"],
            "album_id": song % 40,
            "album_name": f"album {song % 40}",
            "song_gn_gnr_basket": ["GN0100"],
            "song_gn_dtl_gnr_basket": [f"GN010{1 + song // 75 % 2}"],
            "issue_date": "20100101" if song % 3 else "20190101",
        }
        for song in range(SONGS)
    ]
    genres = {"GN0100": "pop", "GN0101": "ballad", "GN0102": "indie"}
    files = {
        "train": [*playlists, {"id": 1, "songs": [7]}],
        "val": questions,
        "song_meta": songs,
        "genre_gn_all": genres,
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    if audio:
        write_spectrograms(folder, rng)
    return folder


def _melon_playlist(number: int, rng: np.random.Generator) -> dict[str, Any]:
    kind, year = number % 2, 2012 + number % 8
    chosen = rng.choice(75, rng.integers(6, 25), replace=False) + 75 * kind
    name, beside = list(KINDS.items())[kind]
    return {
        "id": 1000 + number,
        "plylst_title": TITLES[kind],
        "songs": [int(song) for song in chosen if song % 3 or year == 2019],
        "tags": [name, *(str(tag) for tag in rng.choice(beside, rng.integers(1, 4), replace=False))],
        "like_cnt": int(rng.integers(50)),
        "updt_date": f"{year}-06-01 00:00:00.000",
    }


def write_spectrograms(folder: Path, rng: np.random.Generator) -> None:
    """Write `arena_mel_K/ID.npy` of each song, float32 [48, 40 to 60]: the pattern of its kind and noise."""
    patterns = rng.normal(size=(6, 48, 60))
    for song in range(SONGS):
        moments = int(rng.integers(40, 61))
        heard = patterns[song // 75, :, :moments] + rng.normal(size=(48, moments))
        place = folder / f"arena_mel_{song // 200}"
        place.mkdir(exist_ok=True)
        np.save(place / f"{song}.npy", (10 * heard - 40).astype(np.float32))


GENRES = ("rock", "country", "soul", "80s, and more")


def write_yes(folder: Path, lists: int = 400) -> Path:
    """Write lists of four genres over 220 songs, of which ten have no title or artist and some no tag.

    Every list runs through its genre from a random song on; some consist of one song, and every fifth of the others
    ends with its first song.
    """
    rng = np.random.default_rng(0)
    songs = 220
    named = [(f"Song {song}", f"Artist {song % 30}") for song in range(songs)]
    for song in range(210, songs):
        named[song] = ("-", "Artist") if song % 2 else (f"Song {song}", "-")
    folder.mkdir(parents=True, exist_ok=True)
    rows = [f"{song}\t{title}\t{artist}" for song, (title, artist) in enumerate(named)]
    (folder / "song_hash.txt").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (folder / "tag_hash.txt").write_text("".join(f"{tag}, {name}\n" for tag, name in enumerate(GENRES)))
    tags = ["#" if song % 17 == 0 else str(song % 4) for song in range(songs)]
    (folder / "tags.txt").write_text("\n".join(tags) + "\n")
    for name, number in (("train", lists), ("test", lists // 7)):
        played = []
        for place in range(number):
            genre, start, length = rng.integers(4), rng.integers(songs // 4), int(rng.choice([1, 6, 9, 14]))
            heard = (genre + 4 * ((start + np.cumsum(rng.integers(1, 3, length))) % (songs // 4))).tolist()
            played.append([*heard, heard[0]] if length > 1 and place % 5 == 0 else heard)
        counts = np.bincount(np.concatenate(played), minlength=songs)
        lines = [range(songs), counts, *played]
        text = "".join(" ".join(map(str, line)) + "\n" for line in lines)
        (folder / f"{name}.txt").write_text(text)
    return folder


def write_spotify(path: Path, lists: int = 60, capitals: bool = False) -> Path:
    """Write playlists of two kinds of 30 tracks each, all in quotes, twelve rows each; the last line is broken.

    With `capitals` every third user of the first kind writes it so.
    """
    rng = np.random.default_rng(0)
    rows = ['"user_id", "artistname", "trackname", "playlistname"']
    for user in range(lists):
        for track in rng.choice(30, 12, replace=False):
            kind = ("NIGHT" if capitals and user % 6 == 0 else "Night", "Day")[user % 2]
            rows.append(f'"u{user}","The {kind}s","{kind} Song {track}, Pt. 1","{kind} drive"')
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*rows, '"broken', ""]), encoding="utf-8")
    return path


THEMES = {"rain": ("Rainy", "umbrella puddle cloud"), "road": ("Highway", "engine mile motel")}


def write_million_song(folder: Path, users: int = 200) -> Path:
    """Write triplets.txt, `user<TAB>song<TAB>plays` without a header, and songs.csv with 20 songs more.

    Songs are of two themes, in their titles and lyrics; users play songs of one. Ids look like those published.
    """
    rng = np.random.default_rng(0)
    songs = 150
    ids = [f"SO{hashlib.md5(str(song).encode()).hexdigest()[:16].upper()}" for song in range(songs)]
    folder.mkdir(parents=True, exist_ok=True)
    rows = ["song_id,title,artist,lyrics,year"]
    for song, name in enumerate(ids):
        word, lyrics = list(THEMES.values())[song % 2]
        some = " ".join(rng.permutation(lyrics.split())[:2])
        rows.append(f'{name},"{word} Song {song}",Artist {song % 25},{some},{1980 + song % 30}')
    (folder / "songs.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    lines = []
    for user in range(users):
        name = hashlib.sha1(str(user).encode()).hexdigest()
        played = rng.choice((songs - 20) // 2, rng.integers(5, 20), replace=False) * 2 + user % 2
        lines += [f"{name}\t{ids[song]}\t{rng.geometric(0.4)}" for song in played]
    (folder / "triplets.txt").write_text("\n".join(lines) + "\n")
    return folder


def write_later_plays(folder: Path, path: Path) -> None:
    """Write the triplets of `folder`, and of 40 users one more each: of a song of their theme that nobody had."""
    catalogue = (folder / "songs.csv").read_text(encoding="utf-8").splitlines()[1:]
    ids = [line.partition(",")[0] for line in catalogue]
    later = [f"{hashlib.sha1(str(user).encode()).hexdigest()}\t{ids[136 - user % 2]}\t1" for user in range(40)]
    path.write_text((folder / "triplets.txt").read_text(encoding="utf-8") + "\n".join(later) + "\n")
