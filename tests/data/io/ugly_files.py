"""Files as people have them, each with a defect, and what `init` makes of it: a mapping or a message."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from hybridrec.data.io.interaction_columns import SchemaHints

RNG = np.random.default_rng(7)
ROWS = [(f"u{RNG.integers(30)}", f"s{RNG.integers(40)}", int(RNG.integers(1, 6))) for _ in range(400)]


@dataclass(frozen=True)
class UglyFile:
    """A defect: the files that have it, what is said of them, and the mapping or the message it must lead to.

    interactions: the keys that the mapping must have there
    items: the keys that the mapping of items must have
    read: interactions that must be read; None if all rows
    notes: texts that must stand in the notes
    """

    files: dict[str, bytes]
    interactions: dict[str, Any] = field(default_factory=dict)
    items: dict[str, Any] = field(default_factory=dict)
    message: str = ""
    hints: SchemaHints = field(default_factory=SchemaHints)
    read: int | None = 400
    users: int | None = None
    split: str = ""
    notes: tuple[str, ...] = ()


def table(*columns: str, separator: str = ",", end: str = "\n", rows: Any = ROWS) -> bytes:
    """Return a text table with a header, if any names are given."""
    lines = [separator.join(columns)] if columns else []
    lines += [separator.join(map(str, row)) for row in rows]
    return (end.join(lines) + end).encode()


def dated(form: str) -> list[tuple[Any, ...]]:
    """Return the rows with a date each, in order."""
    start = np.datetime64("2016-01-05T08:26:11")
    days = np.sort(RNG.integers(0, 700 * 24 * 60, len(ROWS)))
    stamps = pl.Series((start + days.astype("timedelta64[m]")).astype("datetime64[ms]")).dt.strftime(form)
    return [(user, song, stamp) for (user, song, _), stamp in zip(ROWS, stamps, strict=True)]


def parquet(frame: pl.DataFrame) -> bytes:
    """Return a frame as the bytes of a Parquet file."""
    import io

    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()


PLAIN = {"user": "user", "item": "song"}
SONGS = [(f"s{song}", f"Café número {song}", ("rock", "pop", "folk")[song % 3]) for song in range(40)]
FOODS = ["tea", "bread", "cake", "jam", "milk"]
BASKETS = [
    (f"2016-{1 + basket % 12:02d}-03", f"{8 + basket % 9:02d}:15:11", basket, food)
    for basket in range(150)
    for food in RNG.choice(FOODS, 3, replace=False)
]
CUSTOMERS = [(f"{17850 + int(user[1:])}.0", song, stars) for user, song, stars in ROWS]

UGLY: dict[str, UglyFile] = {
    "no header": UglyFile(
        {"plays.csv": table()},
        {"columns": ["column1", "column2", "column3"], "user": "column1", "item": "column2", "weight": "column3"},
        hints=SchemaHints(user="column1", item="column2"),
    ),
    "no header, two columns of words": UglyFile(
        {"plays.csv": table(rows=[(u, f"blue {s}") for u, s, _ in ROWS])},
        {"columns": ["column1", "column2"], "user": "column1", "item": "column2"},
        notes=("the first of two columns of ids is taken for users",),
    ),
    "semicolons": UglyFile(
        {"plays.csv": table("user", "song", "rating", separator=";")}, {**PLAIN, "separator": ";", "weight": "rating"}
    ),
    "pipes": UglyFile({"plays.txt": table("user", "song", "rating", separator="|")}, {**PLAIN, "separator": "|"}),
    "no header in any file": UglyFile(
        {
            "plays.csv": table(rows=[(u, 1000 + int(s[1:]), n) for u, s, n in ROWS]),
            "songs.csv": table(rows=[(1000 + k, f"Song {k} of many", ("a|b", "b|c", "a")[k % 3]) for k in range(40)]),
        },
        {"user": "column1", "item": "column2", "weight": "column3"},
        {"id": "column1", "text": ["column2"], "tags": ["column3"]},
    ),
    "two colons": UglyFile(
        {"plays.dat": table("user", "song", "rating", separator="::")}, {**PLAIN, "separator": "::", "format": "csv"}
    ),
    "tabs in a file called csv": UglyFile(
        {"plays.csv": table("user", "song", "rating", separator="\t")}, {**PLAIN, "separator": "\t"}
    ),
    "carriage returns alone": UglyFile({"plays.csv": table("user", "song", "rating", end="\r")}, PLAIN),
    "a byte order mark": UglyFile({"plays.csv": b"\xef\xbb\xbf" + table("user", "song", "rating")}, PLAIN),
    "UTF-16": UglyFile(
        {"plays.csv": table("user", "song", "rating").decode().encode("utf-16")}, {**PLAIN, "encoding": "utf-16"}
    ),
    "Mac Roman": UglyFile(
        {
            "plays.csv": table("user", "song", "rating"),
            "songs.csv": table("song", "title", "genre", rows=SONGS).decode().encode("mac_roman"),
        },
        PLAIN,
        {"encoding": "mac_roman", "id": "song", "text": ["title"], "tags": ["genre"]},
    ),
    "Windows 1252": UglyFile(
        {
            "plays.csv": table("user", "song", "rating"),
            "songs.csv": table("song", "title", "genre", rows=SONGS).decode().encode("cp1252"),
        },
        PLAIN,
        {"encoding": "cp1252", "text": ["title"]},
    ),
    "quoted newlines": UglyFile(
        {
            "plays.csv": table("user", "song", "rating"),
            "songs.csv": table("song", "title", rows=[(s, f'"{t}\nlive, 1977"') for s, t, _ in SONGS]),
        },
        PLAIN,
        {"id": "song", "text": ["title"]},
    ),
    "quotes that mean nothing": UglyFile(
        {
            "plays.csv": table("user", "song", "rating"),
            "songs.tsv": table("song", "title", separator="\t", rows=[(s, f'"Weird" {t}') for s, t, _ in SONGS]),
        },
        PLAIN,
        {"quote": None, "text": ["title"]},
    ),
    "a trailing space behind a time": UglyFile(
        {
            "plays.csv": table(
                "user",
                "song",
                "time",
                rows=[(u, s, f"{t} " if k == 5 else t) for k, (u, s, t) in enumerate(dated("%Y-%m-%d"))],
            )
        },
        {**PLAIN, "time": "time"},
    ),
    "day first": UglyFile(
        {"plays.csv": table("user", "song", "date", rows=dated("%d-%m-%Y %H:%M"))},
        {**PLAIN, "time": "date", "time_format": "%d-%m-%Y %H:%M"},
    ),
    "month first": UglyFile(
        {"plays.csv": table("user", "song", "date", rows=dated("%m/%d/%Y"))},
        {**PLAIN, "time": "date", "time_format": "%m/%d/%Y"},
    ),
    "day and month below 13": UglyFile(
        {
            "plays.csv": table(
                "user",
                "song",
                "date",
                rows=[(u, s, ("07/02/2012", "03/04/2012", "05/01/2012")[k % 3]) for k, (u, s, _) in enumerate(ROWS)],
            )
        },
        message=r"day and month cannot be told apart: say --day-first or --month-first",
    ),
    "day and month below 13, said": UglyFile(
        {
            "plays.csv": table(
                "user",
                "song",
                "date",
                rows=[(u, s, ("07/02/2012", "03/04/2012", "05/01/2012")[k % 3]) for k, (u, s, _) in enumerate(ROWS)],
            )
        },
        {**PLAIN, "time": "date", "time_format": "%m/%d/%Y"},
        hints=SchemaHints(day_first=False),
    ),
    "days as eight digits": UglyFile(
        {"plays.csv": table("user", "song", "day", rows=dated("%Y%m%d"))},
        {**PLAIN, "time": "day", "time_format": "%Y%m%d"},
    ),
    "nanoseconds": UglyFile(
        {
            "plays.csv": table(
                "user",
                "song",
                "ts",
                rows=[(u, s, 1_477_818_000_000_000_000 + k * 10**13) for k, (u, s, _) in enumerate(ROWS)],
            )
        },
        {**PLAIN, "time": "ts", "time_unit": "ns"},
    ),
    "a date and a time of day beside baskets": UglyFile(
        {"bakery.csv": table("Date", "Time", "Transaction", "Item", rows=BASKETS)},
        {"user": "Transaction", "item": "Item", "time": "Date"},
        read=450,
        split="masked",
        notes=("'Time' is not used: it is a time of day",),
    ),
    "a customer beside a basket": UglyFile(
        {
            "lines.csv": table(
                "InvoiceNo",
                "StockCode",
                "CustomerID",
                "InvoiceDate",
                rows=[(f"{u}{t[:7]}", s, u, t) for u, s, t in dated("%Y-%m-%d")],
            )
        },
        {"user": "CustomerID", "item": "StockCode", "time": "InvoiceDate"},
        split="temporal",
        notes=("each of its values belongs to one 'CustomerID'",),
    ),
    "ids that went through floats": UglyFile(
        {
            "plays.csv": table("customer", "song", "stars", rows=CUSTOMERS),
            "customers.csv": table("customer", "gender", rows=[(17850 + k, "fm"[k % 2]) for k in range(30)]),
        },
        {"user": "customer", "item": "song", "weight": "stars"},
        users=30,
    ),
    "thousands separators": UglyFile(
        {"plays.csv": table("user", "song", "plays", rows=[(u, s, f'"{1000 * n:,}"') for u, s, n in ROWS])},
        {**PLAIN, "weight": "plays", "thousands": ","},
    ),
    "decimal commas": UglyFile(
        {"plays.csv": table("user", "song", "rating", separator=";", rows=[(u, s, f"{n},5") for u, s, n in ROWS])},
        {**PLAIN, "weight": "rating", "decimal": ","},
    ),
    "five ways to say nothing": UglyFile(
        {
            "plays.csv": table(
                "user",
                "song",
                "rating",
                rows=[(("NULL", "?", "nan", "NaN", "")[k] if k < 5 else u, s, n) for k, (u, s, n) in enumerate(ROWS)],
            )
        },
        {**PLAIN, "missing": ["?", "NULL", "NaN", "nan"]},
        read=395,
        notes=("5 malformed lines were skipped",),
    ),
    "negative quantities": UglyFile(
        {
            "plays.csv": table(
                "user", "song", "quantity", rows=[(u, s, -1 if k % 50 == 0 else n) for k, (u, s, n) in enumerate(ROWS)]
            )
        },
        {**PLAIN, "weight": "quantity"},
        read=392,
        notes=("8 malformed lines were skipped; the first: lines 2, 52 and 102",),
    ),
    "a broken line": UglyFile(
        {
            "plays.csv": table(
                "user", "song", "rating", rows=[*ROWS[:200], ("u1", "s1", 3, "what", "is", "this"), *ROWS[200:]]
            )
        },
        PLAIN,
        notes=("1 malformed line was skipped; line 202: 6 fields, where the first line has 3",),
    ),
    "gzip": UglyFile({"plays.csv.gz": gzip.compress(table("user", "song", "rating"))}, PLAIN),
    "another key that matches in part": UglyFile(
        {
            "ratings.csv": table(
                "book_id", "user_id", "rating", rows=[(int(s[1:]) + 1, int(u[1:]) + 1, n) for u, s, n in ROWS]
            ),
            "books.csv": table(
                "id",
                "book_id",
                "best_book_id",
                "title",
                rows=[(k + 500, k + 1, (k * 37) % 41, f"Book {k}") for k in range(40)],
            ),
        },
        {"user": "user_id", "item": "book_id", "weight": "rating"},
        {"id": "book_id", "text": ["title"]},
    ),
    "a catalogue longer than the plays": UglyFile(
        {
            "plays.csv": table("user", "song", rows=[row[:2] for row in ROWS]),
            "songs.csv": table("song", "artist", "title", rows=[(f"s{k}", f"a{k % 50}", f"T {k}") for k in range(900)]),
        },
        {**PLAIN, "path": "plays.csv"},
        {"id": "song"},
    ),
    "a list in each row": UglyFile(
        {"baskets.csv": b"citrus,bread\nmilk\nmilk,bread,butter,eggs\ntea\njam,tea,milk\nx,y,z,a,b,c\n"},
        message=r"different numbers of fields .* write one line for each of its items",
    ),
    "columns that say nothing": UglyFile(
        {"x.csv": table("a", "b", "c", rows=[(u, s, f"t{n}") for u, s, n in ROWS])},
        message=r"no file has a user and an item .* Seen: x.csv: a \(text, 30 distinct of 400\).*--user COLUMN",
    ),
    "columns that say nothing, said": UglyFile(
        {"x.csv": table("a", "b", "c", rows=[(u, s, f"t{n}") for u, s, n in ROWS])},
        {"user": "b", "item": "a"},
        hints=SchemaHints(user="b", item="a"),
        notes=("'c' is not used: nothing shows what it is (text, 5 distinct values)",),
    ),
    "floats for ids in Parquet": UglyFile(
        {
            "plays.parquet": parquet(
                pl.DataFrame(
                    {
                        "CustomerID": [None if k < 4 else float(u[1:]) for k, (u, *_) in enumerate(ROWS)],
                        "StockCode": [s for _, s, _ in ROWS],
                    }
                )
            )
        },
        {"user": "CustomerID", "item": "StockCode"},
        read=396,
    ),
    "names without capitals and underscores": UglyFile(
        {
            "events.csv": table(
                "timestamp",
                "visitorid",
                "event",
                "itemid",
                "transactionid",
                rows=[
                    (1_433_221_332_117 + 10**8 * k, u[1:], ("view", "cart", "buy")[n % 3], s[1:], k if n == 5 else "")
                    for k, (u, s, n) in enumerate(ROWS)
                ],
            )
        },
        {"user": "visitorid", "item": "itemid", "time": "timestamp", "time_unit": "ms"},
        split="temporal",
    ),
    "JSON lines in a file called json": UglyFile(
        {
            "reviews.json": "".join(
                json.dumps({"reviewerID": u, "asin": s, "overall": float(n), "helpful": [0, n]}) + "\n"
                for u, s, n in ROWS
            ).encode()
        },
        {"format": "jsonl", "user": "reviewerID", "item": "asin", "weight": "overall"},
    ),
    "no header, and what follows from the item": UglyFile(
        {
            "check-ins.txt": table(
                separator="\t",
                rows=[
                    (u[1:], f"4ad{s}", f"kind {int(s[1:]) % 5}", f"{40 + int(s[1:]) / 7:.4f}", t)
                    for u, s, t in dated("%a %b %d %H:%M:%S +0000 %Y")
                ],
            )
        },
        {
            "user": "column1",
            "item": "column2",
            "time": "column5",
            "time_format": "%a %b %d %H:%M:%S %z %Y",
            "weight": None,
        },
        notes=("the first of two columns of ids is taken for users",),
    ),
    "no header, and kinds of events": UglyFile(
        {
            "log.csv": table(
                rows=[
                    (u[1:], 900 + int(s[1:]), 70 + int(s[1:]) % 6, ("pv", "cart", "buy")[n % 3], 1_511_544_070 + 99 * k)
                    for k, (u, s, n) in enumerate(ROWS)
                ]
            )
        },
        {"user": "column1", "item": "column2", "time": "column5", "weight": None},
    ),
    "names in another language": UglyFile(
        {"x.csv": table("Benutzer", "Artikel", "Bewertung", separator=";")},
        {"user": "Benutzer", "item": "Artikel", "weight": "Bewertung"},
    ),
    "ratings of 0 for no rating": UglyFile(
        {"ratings.csv": table("User-ID", "ISBN", "Book-Rating", rows=[(u, s, 0 if n < 5 else n) for u, s, n in ROWS])},
        {"user": "User-ID", "item": "ISBN", "weight": None},
        notes=("'Book-Rating' is not used: only ", "with `--weight Book-Rating` only these rows count"),
    ),
    "a user in few rows beside a session in all": UglyFile(
        {
            "views.csv": table(
                "sessionId",
                "userId",
                "itemId",
                rows=[(k // 4, u if n == 5 else "NA", s) for k, (u, s, n) in enumerate(ROWS)],
            )
        },
        {"user": "sessionId", "item": "itemId"},
        split="masked",
        notes=("'userId' is not used: only ", "of the rows have a value in it"),
    ),
    "a time in few rows beside one in all": UglyFile(
        {
            "plays.csv": table(
                "user",
                "song",
                "date_added",
                "read_at",
                rows=[(*r, r[2] if k % 3 else "") for k, r in enumerate(dated("%Y-%m-%d"))],
            )
        },
        {**PLAIN, "time": "date_added"},
        notes=("'read_at' is not used: only 66% of the rows have a time in it",),
    ),
    "an order id beside the order's place": UglyFile(
        {
            "lines.csv": table(
                "order_id",
                "user_id",
                "order_number",
                "product_id",
                rows=[(k // 4, u, k // 40, s) for k, (u, s, _) in enumerate(ROWS)],
            )
        },
        {"user": "user_id", "item": "product_id", "position": "order_number"},
    ),
    "a category of each household": UglyFile(
        {
            "lines.csv": table(
                "household_key", "PRODUCT_ID", "DAY", rows=[(u, s, 1 + k) for k, (u, s, _) in enumerate(ROWS)]
            ),
            "people.csv": table("household_key", "KID_CATEGORY", rows=[(f"u{k}", "abc"[k % 3]) for k in range(30)]),
        },
        {"user": "household_key", "item": "PRODUCT_ID", "time": "DAY"},
        split="temporal",
    ),
    "the name of the maker beside that of the item": UglyFile(
        {
            "reviews.csv": table(
                "brewery_name",
                "review_profilename",
                "beer_name",
                "beer_beerid",
                rows=[(f"Brewery {int(s[1:]) // 4}", u, f"Beer of {s}", s[1:]) for u, s, _ in ROWS],
            )
        },
        {"user": "review_profilename", "item": "beer_beerid"},
        {"id": "beer_beerid", "text": ["beer_name"]},
    ),
    "lists in brackets, and lists of lists": UglyFile(
        {
            "plays.csv": table("user", "song", rows=[row[:2] for row in ROWS]),
            "songs.jsonl": "".join(
                json.dumps({"song": s, "title": t, "categories": [["Music", g]], "tags": f"['{g}', 'x']"}) + "\n"
                for s, t, g in SONGS
            ).encode(),
        },
        PLAIN,
        {"id": "song", "text": ["title"], "tags": None},
        notes=("songs.jsonl: not used are the columns categories, tags",),
    ),
    "a backslash before quotes": UglyFile(
        {
            "ratings.csv": table(
                '"User-ID";"ISBN"',
                rows=[(f'"{u}";"{s}"',) for u, s, _ in ROWS],
            ),
            "books.csv": table(
                '"ISBN";"Title"',
                rows=[
                    (f'"{s}";"{t} \\"live\\"{"; part 2" if k % 9 == 0 else ""}"',) for k, (s, t, _) in enumerate(SONGS)
                ],
            ),
        },
        {"user": "User-ID", "item": "ISBN", "separator": ";"},
        {"id": "ISBN", "text": ["Title"], "escape": "\\"},
    ),
    "a backslash before quotes far below": UglyFile(
        {
            "ratings.csv": b'"User-ID";"ISBN"\n'
            + b"".join(
                f'"{u}";"{chr(92) + chr(34) if k in (5000, 9000) else ""}{s}"\n'.encode()
                for k, (u, s, _) in enumerate(ROWS * 25)
            )
        },
        {"user": "User-ID", "item": "ISBN", "separator": ";", "escape": "\\"},
        read=10_000,
    ),
    "a strange letter among digits": UglyFile(
        {
            "ratings.csv": table(
                "user", "isbn", rows=[(u, f"{s}\xdf" if k < 3 else s) for k, (u, s, _) in enumerate(ROWS)]
            )
            .decode()
            .encode("cp1252")
        },
        {"user": "user", "item": "isbn", "encoding": "cp1252"},
    ),
    "lists of one moment": UglyFile(
        {
            "orders.csv": table(
                "order_id",
                "product",
                "ordered_at",
                rows=[(f"o{b}", f"p{RNG.integers(20)}", f"2024-0{1 + b % 9}-11") for b in range(100) for _ in range(4)],
            )
        },
        {"user": "order_id", "item": "product", "time": "ordered_at"},
        split="masked",
    ),
}
