"""A text as it is searched: the function `fold` of SQL statements, and of what is typed."""

import unicodedata

LAST_LETTER = "\U0010ffff"  # what follows all that begins with a text


def fold(text: str) -> str:
    """Without case and accents, so that "muller" finds "Müller"."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(character for character in apart if not unicodedata.combining(character))
