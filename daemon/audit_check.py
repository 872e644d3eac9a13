"""Whether the audit is whole: each entry follows from the last, and no copy knows of more."""

from daemon.copying import copies_in
from daemon.index.audit import first_wrong, hash_of_entry
from daemon.index.copies import newest_entry_of
from daemon.index.database import Database
from daemon.settings import DaemonSettings


async def faults_of_audit(records: Database, settings: DaemonSettings) -> list[str]:
    """What is wrong, in sentences; none if all is well.

    The nightly copies are compared too: entries that were cut off at the end stand in them.
    """
    wrong = await first_wrong(records)
    if wrong is not None:
        return [f"Entry {wrong} of the audit does not follow from those before it."]
    for copy in copies_in(settings.copies):
        newest = newest_entry_of(copy.path)
        if newest is None:
            continue
        number, its_hash = newest
        if await hash_of_entry(records, number) != its_hash:
            return [f"Entry {number} of the audit is another one in a copy of the records."]
    return []
