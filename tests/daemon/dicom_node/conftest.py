"""The senders of these tests are pynetdicom's, in this process."""

from tests.daemon.destinations.conftest import closed_senders

__all__ = ["closed_senders"]
