"""Messages to a FHIR server: each one transaction, which it does whole or not at all."""

from daemon.dicom_node.peer_answers import Answer
from daemon.dicom_node.stow_client import Service
from daemon.outputs.fhir.standing import CONTENT_TYPE
from daemon.settings.archives import FhirServer


class FhirPeer(Service):
    """One server."""

    def __init__(self, to: FhirServer) -> None:
        super().__init__(to)
        self._base = to.url.rstrip("/")

    async def send(self, content: bytes) -> Answer:
        """Send one message. Raises PeerAway."""
        headers = {"Content-Type": CONTENT_TYPE, "Accept": CONTENT_TYPE}
        return await self.post(self._base, content, headers)
