"""Moments of the past, as the databases keep them."""

from datetime import UTC, datetime, timedelta

NOW = datetime.now(UTC)


def moment_before(seconds: float) -> str:
    """So long before this program began: UTC, ISO 8601 with milliseconds."""
    return (NOW - timedelta(seconds=seconds)).isoformat(timespec="milliseconds")
