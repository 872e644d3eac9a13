"""The sentences of reports and pages, in one catalogue with those of the model: `text(key, …)`."""

from pathlib import Path

from model.catalogue import SENTENCES, Words, text

SENTENCES.add(Path(__file__).parent / "sentences")


def words(table: str) -> Words:
    """A table of the catalogue, such as the words for each state."""
    return Words(SENTENCES, table)


__all__ = ["SENTENCES", "text", "words"]
