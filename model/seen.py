"""What a picture looks like to the gate."""

from enum import StrEnum


class Seen(StrEnum):
    """An axial FLAIR of a head, or why it is none."""

    FLAIR = "flair"
    CONTRAST = "contrast"
    VIEW = "view"
    NO_HEAD = "no_head"
