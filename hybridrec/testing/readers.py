"""The contract suite of readers: the checks that they must pass."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from hybridrec.data.dataset import Dataset
from hybridrec.data.readers.base import Reader
from hybridrec.errors import DataError
from hybridrec.testing._helpers import through_a_file
from hybridrec.testing.contract import PluginContract


class ReaderContract(PluginContract):
    """The contract suite of readers, with a named check for each requirement.

    reader: the class under test
    configs: the options to test it with, with paths of files that it can read
    """

    role = "reader"
    reader: ClassVar[type[Reader]]

    def read(self, options: Mapping[str, Any]) -> Dataset:
        """Read the data with a new reader."""
        return self.reader(self.options(options)).read()

    def test_reads_a_dataset(self, options: Mapping[str, Any]) -> None:
        """Require interactions with item codes inside the vocabulary, and a text for each user and each item.

        The matrices of the other kinds must have a row for each user or item, and a column for each entity.
        """
        data = self.read(options)
        assert isinstance(data, Dataset), f"`read` returned {type(data).__name__}, not a Dataset"
        users, items = len(data.users), len(data.items)
        history = data.interactions
        assert len(history.ids), "the data has no interactions"
        assert (len(history), history.width) == (users, items), "interactions do not fit the users and items"
        assert history.ids.min() >= 0, "an item code below 0"
        assert history.ids.max() < items, "an item code beyond the vocabulary"
        assert (len(data.users.text), len(data.items.text)) == (users, items), (
            "the numbers of titles or texts differ from those of ids"
        )
        for kind in data.kinds:
            n = data.size(kind)
            assert data.user_matrix(kind).shape == (users, n), f"{kind} of users do not fit the users and the {kind}"
            assert data.item_matrix(kind).shape == (items, n), f"{kind} of items do not fit the items and the {kind}"

    def test_numbers_are_sound(self, options: Mapping[str, Any]) -> None:
        """Require finite weights, and times that are finite or, where unknown, NaN."""
        history = self.read(options).interactions
        if history.weights is not None:
            assert np.isfinite(history.weights).all(), "a weight is NaN or infinite"
        if history.times is not None:
            assert not np.isinf(history.times).any(), "a time is infinite"

    def test_reads_the_same_twice(self, options: Mapping[str, Any]) -> None:
        """Require identical data from the same files, so that fits on it can be reused."""
        assert self.read(options).fingerprint == self.read(options).fingerprint, "other data when read again"

    def test_data_survives_a_file(self, options: Mapping[str, Any]) -> None:
        """Require the data to be identical after its state was written to a file and read again, as in the store."""
        data = self.read(options)
        assert Dataset.restore(through_a_file(data.state())).fingerprint == data.fingerprint, "other data from a file"

    def test_recognises_what_it_reads(self, options: Mapping[str, Any]) -> None:
        """Require `recognises` to return None if there are no files.

        For the files of the checks it must return options with which they can be read, or None.
        """
        assert self.reader.recognises([]) is None, "it recognises files though there are none"
        paths = [path for _, path in self.options(options) if isinstance(path, Path)]
        files = [file for path in paths for file in (sorted(path.iterdir()) if path.is_dir() else [path])]
        recognised = self.reader.recognises(files)
        assert recognised is None or len(self.read(recognised).interactions.ids), f"{recognised} read nothing"

    def test_missing_files_are_named(self, options: Mapping[str, Any]) -> None:
        """Require a DataError that names the file if a file is missing."""
        made = self.options(options)
        for key in [key for key in type(made).model_fields if isinstance(getattr(made, key), Path)]:
            gone = getattr(made, key).with_name("no-such-file")
            try:
                self.reader(made.model_copy(update={key: gone})).read()
            except DataError as error:
                message = str(error)
            else:
                message = "nothing"
            assert gone.name in message, f"`{key}` is a missing file, which the error does not name: {message}"
