"""What pynetdicom, as a sender in this process, leaves of its connections."""

import gc
import warnings
from collections.abc import Iterator

import pytest

from tests.daemon.dicom_node.senders import close_for_sure


@pytest.fixture(autouse=True)
def closed_senders(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A sender whose TLS handshake fails keeps its socket until it is collected: that is the
    library's, and no later test is to be told of it."""
    close_for_sure(monkeypatch)
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
