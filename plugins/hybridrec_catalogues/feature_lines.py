"""Reader `feature-lines`: interactions, and a line of features for each item and user, in the form of LightFM."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from hybridrec import DataError, Dataset, InputPath, Reader, Tables, WeightOptions, assemble, text_files

if TYPE_CHECKING:
    import polars as pl

PAIR = r"^(?<user>\S+)\s+(?<item>\S+)(?:\s+(?<weight>\d+(?:\.\d*)?))?(?:\s+(?<time>\d+(?:\.\d*)?))?\s*$"
FEATURES = r"^(?<owner>\S+)(?<features>(?:\s+\S+)*)\s*$"
WEIGHTED = r"^(?<feature>.+?)(?::(?<weight>-?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?))?$"


class FeatureLinesOptions(text_files.BadLineOptions):
    """Options of `feature-lines`: text files in UTF-8, with fields between blanks or tabs."""

    interactions: InputPath = Field(examples=["interactions.txt"])
    """File with a line for each interaction: user, item, and optionally weight, and time in seconds since 1970."""

    item_features: InputPath | None = None
    """File with a line for each item: its id, and its features, each as `name` or `name:weight`."""

    user_features: InputPath | None = None
    """File with a line for each user, in the same form."""

    weight: WeightOptions = WeightOptions()
    """Transformation of the weights in the file to the weights of interactions."""


class FeatureLinesReader(Reader):
    """Reader of the input of `lightfm.data.Dataset` as text: ids and features are words without blanks.

    An item with a line of features is known, and can be recommended, without any interaction. The weight of a
    feature follows its last colon: `genre:rock` is a feature, `genre:rock:0.5` is the same one with weight 0.5,
    `year:1999` is the feature `year` with weight 1999 (write `year=1999`).
    """

    name = "feature-lines"
    Config = FeatureLinesOptions
    config: FeatureLinesOptions

    def read(self) -> Dataset:
        """Read all files; raises DataError if a file is missing, or has no interaction."""
        self.bad_lines = text_files.BadLines(strict=self.config.strict)
        items, item_features = self._features(self.config.item_features, "item")
        users, user_features = self._features(self.config.user_features, "user")
        return assemble(
            Tables(
                interactions=self._interactions(self.config.interactions),
                entities={"items": items, "users": users},
                labels={"items": item_features, "users": user_features},
            ),
            self.config.weight,
        )

    def _interactions(self, path: Path) -> pl.DataFrame:
        """Read a frame with `user`, `item`, `weight`, and `time` if any line has one."""
        import polars as pl

        assert self.bad_lines is not None
        text_files.check_file(path, "Its lines are: user item weight time, the last two if known.")
        numbers, parts = {name: text_files.Numbering() for name in ("user", "item")}, []
        for block in text_files.parse_lines(
            path, PAIR, "user item weight time (the last two if known)", self.bad_lines
        ):
            coded = [numbering.codes(block[name]).alias(name) for name, numbering in numbers.items()]
            rest = block.select(
                pl.col("weight").cast(pl.Float32).fill_null(1.0),
                pl.col("time").cast(pl.Float64).fill_null(float("nan")),
            )
            parts.append(pl.DataFrame([*coded, *rest]))
        rows = pl.concat(parts).filter(pl.col("weight") > 0) if parts else pl.DataFrame()
        if not len(rows):
            raise DataError(f"{path} has no interactions: it has no lines, or none with a weight above 0")
        rows = rows.with_columns(numbering.texts(rows[name]).alias(name) for name, numbering in numbers.items())
        return rows.drop("time") if rows["time"].is_nan().all() else rows

    def _features(self, path: Path | None, owner: str) -> tuple[pl.DataFrame | None, pl.DataFrame | None]:
        """Return (ids, features): a frame with `id` of each line, and a frame with `id`, `feature` and `weight`.

        Without a file both are None.
        """
        import polars as pl

        if path is None:
            return None, None
        assert self.bad_lines is not None
        text_files.check_file(path, f"Its lines are: {owner} feature feature:weight ...")
        rows = text_files.parse_whole(path, FEATURES, f"{owner} feature feature:weight ...", self.bad_lines)
        rows = text_files.first_of_each(rows, "owner", path, self.bad_lines, owner)
        words = rows.select(id="owner", word=pl.col("features").str.extract_all(r"\S+")).explode("word")
        named = words.drop_nulls().select("id", fields=pl.col("word").str.extract_groups(WEIGHTED)).unnest("fields")
        weighted = named.with_columns(pl.col("weight").cast(pl.Float32).fill_null(1.0))
        return rows.select(id="owner"), weighted
