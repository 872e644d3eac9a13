"""`python -m tools.report_schema`: write the JSON Schema of a report as its types are now."""

import json
from pathlib import Path

from daemon import report

FILE = Path(report.__file__).with_name("report.schema.json")


def schema_text() -> str:
    """The schema as the file holds it."""
    return json.dumps(report.report_schema(), indent=1) + "\n"


if __name__ == "__main__":
    FILE.write_text(schema_text(), "utf-8")
