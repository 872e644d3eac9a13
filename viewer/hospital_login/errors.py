"""Why a login by the hospital's accounts does not go on: each with its one sentence."""

from daemon.outputs.catalogue import text
from model.errors import GliowatchError


class ProviderAway(GliowatchError):
    """The hospital's login does not answer, or not as it should."""

    def __init__(self, way: str) -> None:
        super().__init__(text("hospital_login.away", way=way))


class NotProven(GliowatchError):
    """What came back proves nobody. why: a word for the log, never for the page."""

    def __init__(self, why: str) -> None:
        super().__init__(text("hospital_login.not_proven"))
        self.why = why


class UnknownKey(NotProven):
    """The token was signed by a key that the provider has not told us."""

    def __init__(self) -> None:
        super().__init__("key")
