"""What tables about other machines share: how often they are tried again, and their files."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


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
