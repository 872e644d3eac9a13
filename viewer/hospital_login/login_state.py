"""The way to a provider and back: what the browser that began it carries, and nobody else has.

It stands in a cookie that ends with the trip, sealed with a key of this process. The cookie is Lax,
since the way back begins at another site; the session's own cookie stays Strict.
"""

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections import OrderedDict
from dataclasses import asdict, dataclass

from viewer.hospital_login.errors import NotProven
from viewer.sessions import same_secret

SECONDS = 600  # that a person may take at the provider
MOST_ENDED = 10_000


@dataclass(frozen=True)
class RoundTrip:
    """One way there and back. way: the provider's name; wanted: the page to come to.

    state: comes back in the address; nonce: in the ID token; verifier: without it the code is worth
    nothing (PKCE, RFC 7636). ends_at: Unix seconds.
    """

    way: str
    state: str
    nonce: str
    verifier: str
    wanted: str
    ends_at: float

    @property
    def challenge(self) -> str:
        """What the provider is told of the verifier: its SHA-256."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


class RoundTrips:
    """Begins and ends them; each ends once."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._ended: OrderedDict[str, None] = OrderedDict()

    def begin(self, way: str, wanted: str) -> RoundTrip:
        """A new one, of secrets that nobody can guess."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        return RoundTrip(way, state, nonce, verifier, wanted, time.time() + SECONDS)

    def sealed(self, trip: RoundTrip) -> str:
        """As the cookie holds it."""
        content = base64.urlsafe_b64encode(json.dumps(asdict(trip)).encode()).decode()
        return f"{content}.{self._seal(content)}"

    def end(self, cookie: str, way: str, state: str) -> RoundTrip:
        """That of the browser which came back by this way, with this state. Raises NotProven."""
        content, _, seal = cookie.rpartition(".")
        if not content or not same_secret(seal, self._seal(content)):
            raise NotProven("cookie")
        trip = RoundTrip(**json.loads(base64.urlsafe_b64decode(content)))
        if trip.way != way or not same_secret(state, trip.state):
            raise NotProven("state")
        if trip.state in self._ended or time.time() > trip.ends_at:
            raise NotProven("ended_trip")
        self._ended[trip.state] = None
        if len(self._ended) > MOST_ENDED:
            self._ended.popitem(last=False)
        return trip

    def _seal(self, content: str) -> str:
        return hmac.new(self._key, content.encode(), "sha256").hexdigest()
