"""The sentences that people read, by key: data, so that another language is one more file.

Each room keeps its own in `sentences/<language>/`, a table for each area; together they are one
catalogue. A sentence that counts has the forms `one` and `other`; `{names}` in it are filled in.
"""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any


class Catalogue:
    """Sentences by dotted key, read from the files of all its folders when the first is wanted."""

    def __init__(self, *folders: Path, language: str = "en") -> None:
        self._folders = list(folders)
        self._language = language
        self._sentences: dict[str, str] = {}

    def add(self, folder: Path) -> None:
        """Join the sentences of another room."""
        if folder not in self._folders:
            self._folders.append(folder)
            self._sentences = {}

    @property
    def sentences(self) -> Mapping[str, str]:
        """Every sentence as it stands in its file, by key."""
        if not self._sentences:
            for folder in self._folders:
                for file in sorted((folder / self._language).glob("*.toml")):
                    self._sentences |= _flat(tomllib.loads(file.read_text(encoding="utf-8")))
        return self._sentences

    def use(self, sentences: Mapping[str, str]) -> None:
        """Say these from now on: another language with the same keys."""
        self._sentences = dict(sentences)

    def text(self, key: str, /, **values: object) -> str:
        """The sentence of a key with these values in it; `count` chooses between one and other.

        Raises KeyError for a key that there is not, or a value that is missing.
        """
        found = self.sentences
        if key not in found and "count" in values:
            key = f"{key}.{'one' if values['count'] == 1 else 'other'}"
        return found[key].format(**values)


class Words(Mapping[str, str]):
    """One table as a mapping, looked up when asked: a module may keep it as a constant."""

    def __init__(self, catalogue: Catalogue, table: str) -> None:
        self._catalogue, self._begin = catalogue, f"{table}."

    def __getitem__(self, name: str) -> str:
        """The words for this name."""
        return self._catalogue.sentences[self._begin + name]

    def __iter__(self) -> Iterator[str]:
        """Its names, in the file's order."""
        keys = (key for key in self._catalogue.sentences if key.startswith(self._begin))
        return (key.removeprefix(self._begin) for key in keys)

    def __len__(self) -> int:
        """How many names it has."""
        return sum(1 for _ in self)


SENTENCES = Catalogue(Path(__file__).parent / "sentences")
text = SENTENCES.text


def _flat(table: dict[str, Any], above: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in table.items():
        found |= (
            {above + name: value} if isinstance(value, str) else _flat(value, f"{above}{name}.")
        )
    return found
