"""Who may do what: four roles and the rights of each; whatever is not listed here is refused."""

from enum import StrEnum


class Right(StrEnum):
    """Something that a page, an address of the API or a button needs."""

    VIEW = "view"  # every page, picture and file
    UPLOAD = "upload"  # bring scans in, with a patient, a date or a spacing
    REVIEW = "review"  # say whether a mask is right, and correct it
    RECORD = "record"  # change what people enter about patients, delete and undo
    QUEUE = "queue"  # pause, hurry, cancel, retry, analyze again
    EXPORT = "export"  # findings and the audit as tables
    ADMIN = "admin"  # accounts, tokens of others, the audit


class Role(StrEnum):
    """What an account is for."""

    READER = "reader"
    UPLOADER = "uploader"
    REVIEWER = "reviewer"
    ADMIN = "admin"


RIGHTS: dict[Role, frozenset[Right]] = {
    Role.READER: frozenset({Right.VIEW}),
    Role.UPLOADER: frozenset({Right.VIEW, Right.UPLOAD}),
    Role.REVIEWER: frozenset({Right.VIEW, Right.UPLOAD, Right.REVIEW, Right.RECORD, Right.QUEUE}),
    Role.ADMIN: frozenset(Right),
}


def roles_up_to(role: Role) -> list[Role]:
    """The roles whose rights an account of this role has too."""
    return [each for each in Role if RIGHTS[each] <= RIGHTS[role]]


def may(role: Role, right: Right) -> bool:
    """Whether an account of this role has the right."""
    return right in RIGHTS[role]
