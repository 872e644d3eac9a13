"""Failed logins, in the records: how long who fails again and again has to wait."""

import time

from daemon.index.database import Database

REMEMBERED_SECONDS = 15 * 60.0
FREE_FAILURES = 5  # within that time, without any wait
LONGEST_WAIT = 60.0  # seconds after the last failure; more would let anybody lock others out


async def seconds_to_wait(records: Database, subjects: tuple[str, ...]) -> float:
    """How long until the next login is looked at; 0 if at once. subjects: account and address."""
    moment = time.time()
    marks = ", ".join("?" * len(subjects))
    rows = await records.rows(
        "SELECT count(*) AS failures, max(at) AS latest FROM login_failures"
        f" WHERE subject IN ({marks}) AND at > ? GROUP BY subject",
        (*subjects, moment - REMEMBERED_SECONDS),
    )
    return max((row["latest"] + _wait(row["failures"]) - moment for row in rows), default=0.0)


async def note_failure(records: Database, subjects: tuple[str, ...]) -> None:
    """Count a failed login against each subject, and forget the old ones of all."""
    moment = time.time()
    async with records.transaction():
        await records.change(
            "DELETE FROM login_failures WHERE at <= ?", (moment - REMEMBERED_SECONDS,)
        )
        await records.change_many(
            "INSERT INTO login_failures (subject, at) VALUES (?, ?)",
            [(subject, moment) for subject in subjects],
        )


async def forget_failures(records: Database, subject: str) -> None:
    """A login succeeded."""
    async with records.transaction():
        await records.change("DELETE FROM login_failures WHERE subject = ?", (subject,))


def _wait(failures: int) -> float:
    """1, 2, 4 … seconds from the failure after the free ones on."""
    return min(2.0 ** (failures - FREE_FAILURES), LONGEST_WAIT) if failures >= FREE_FAILURES else 0
