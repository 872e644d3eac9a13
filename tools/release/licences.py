"""`python -m tools.release.licences`: the parts of other people, each with its licence."""

import sys
from pathlib import Path

from tools.release.third_party import packages, vendored

LICENCES = Path("LICENSES.md")


def licence_list(licences: Path = LICENCES) -> str:
    """A line for each package and each file, for people to read. Raises MissingPart."""
    always, optional = (
        [
            f"{each.name} {each.version}: {each.licence}"
            for each in packages()
            if each.is_optional is own
        ]
        for own in (False, True)
    )
    files = [f"{', '.join(row.paths)}: {row.licence}; {row.origin}" for row in vendored(licences)]
    parts = (
        ("Packages that gliowatch needs", always),
        ("Packages of extras, which only some sites install", optional),
        ("Files of others in the wheel", files),
    )
    return "\n".join(f"{title}\n\n" + "\n".join(lines) + "\n" for title, lines in parts)


if __name__ == "__main__":
    sys.stdout.write(licence_list())
