"""What tables about other machines share: names, files, secrets, and pauses between tries."""

import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

NAME = r"^[A-Za-z0-9_-]{1,32}$"  # it names a file, a label of a metric and a row of pages


class Retries(BaseModel):
    """Pauses that double. Units and meanings stand in settings.toml."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    first_pause_seconds: float = Field(default=30.0, gt=0)
    longest_pause_seconds: float = Field(default=900.0, gt=0)
    answer_seconds: float = Field(default=60.0, gt=0)

    def pause(self, failures: int) -> float:
        """Seconds to wait after so many failures in a row, at least one of them."""
        doubled = self.first_pause_seconds * 2.0 ** min(failures - 1, 30)
        return min(doubled, max(self.longest_pause_seconds, self.first_pause_seconds))


def absolute_paths(table: BaseModel, folder: Path, *names: str) -> dict[str, str]:
    """These keys of a table made absolute from `folder`; "" stays, as it means no file."""
    named = {name: getattr(table, name) for name in names}
    return {name: str(folder / path) if path else "" for name, path in named.items()}


def secret_of(file: str, variable: str) -> str:
    """What a file holds, without the end of its last line, or a variable; '' for none.

    Raises OSError, UnicodeError.
    """
    if file:
        return Path(file).read_text("utf-8").strip("\r\n")
    return os.environ.get(variable, "") if variable else ""
