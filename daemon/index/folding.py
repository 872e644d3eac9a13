"""A text as it is searched: the function `fold` of SQL statements, and of what is typed."""

import unicodedata


def fold(text: str) -> str:
    """Without case and accents, so that "muller" finds "Müller"."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(character for character in apart if not unicodedata.combining(character))
