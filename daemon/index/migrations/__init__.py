"""The frozen steps that bring the two databases to their newest shape: `index/` and `records/`.

A database runs each step once, so a step that was released is never edited: only new databases
would follow, and a test refuses it. A change of the shape is a new file with the next number;
`schema.sql`, beside this package, shows what comes of them all. Nothing else uses a step's text.
"""

from pathlib import Path


def _steps(database: str) -> tuple[str, ...]:
    files = sorted((Path(__file__).parent / database).glob("*.sql"))
    return tuple(file.read_text("utf-8") for file in files)


INDEX, RECORDS = _steps("index"), _steps("records")
