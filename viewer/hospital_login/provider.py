"""A provider of OpenID Connect as the viewer asks it: what it says of itself, its keys, a login.

It is asked over TLS alone, never led elsewhere, and waited for a bounded time; what it says of
itself is asked once an hour, and its keys anew when a token names one that we do not know.
"""

import asyncio
import base64
import json
import logging
import ssl
import time
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import quote, urlencode, urlsplit

import aiohttp
from pydantic import BaseModel, ValidationError

from daemon.settings.login import OidcProvider
from daemon.settings.workers import is_loopback
from viewer.hospital_login.errors import NotProven, ProviderAway, UnknownKey

LOG = logging.getLogger(__name__)
LARGEST = 2**20  # bytes of an answer
KEPT_SECONDS = 3600.0  # of what it says of itself, and of its keys
PAUSE_SECONDS = 5.0  # after it was away: who clicks meanwhile is told so at once
Json = dict[str, object]


class Metadata(BaseModel):
    """What a provider says of itself (OpenID Connect Discovery 1.0), as far as it is used."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str = ""
    end_session_endpoint: str = ""
    id_token_signing_alg_values_supported: tuple[str, ...] = ("RS256",)
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    authorization_response_iss_parameter_supported: bool = False

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where a browser is sent, and what is asked."""
        always = (self.authorization_endpoint, self.token_endpoint, self.jwks_uri)
        perhaps = (self.userinfo_endpoint, self.end_session_endpoint)
        return (*always, *(each for each in perhaps if each))


@dataclass(frozen=True)
class Proof:
    """What a code was worth. claims: of the ID token, those of the user info beside them."""

    id_token: str
    claims: Json


class Provider:
    """One provider, asked by this process. Its questions raise ProviderAway."""

    def __init__(self, settings: OidcProvider) -> None:
        self.settings = settings
        self._asking = asyncio.Lock()
        self._metadata: tuple[float, Metadata] | None = None
        self._keys: tuple[float, Json] | None = None
        self._away_until = 0.0

    async def metadata(self) -> Metadata:
        """What it says of itself; who asks at once waits for one answer."""
        async with self._asking:
            if self._metadata is None or _is_old(self._metadata[0]):
                self._metadata = (time.monotonic(), await self._ask_metadata())
            return self._metadata[1]

    async def _ask_metadata(self) -> Metadata:
        if time.monotonic() < self._away_until:
            raise ProviderAway(self.settings.shown)
        issuer = self.settings.issuer
        address = issuer.rstrip("/") + "/.well-known/openid-configuration"
        try:
            told = Metadata.model_validate(await self._json("GET", address))
        except (ProviderAway, ValidationError):
            self._away_until = time.monotonic() + PAUSE_SECONDS
            raise self._away("configuration") from None
        if told.issuer != issuer:
            raise self._away("issuer")
        if not all(_is_safe(each) for each in told.addresses):
            raise self._away("plain_http")
        return told

    async def proof(self, code: str, verifier: str, redirect: str, nonce: str) -> Proof:
        """Who came with this code, which was given for `verifier` alone. Raises NotProven."""
        told = await self._json(
            "POST",
            (await self.metadata()).token_endpoint,
            {
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": redirect,
                "code_verifier": verifier,
            },
        )
        id_token, access_token = str(told.get("id_token", "")), str(told.get("access_token", ""))
        claims = await self._claims(id_token, access_token, nonce)
        return Proof(id_token, await self._with_user_info(claims, access_token))

    async def _claims(self, id_token: str, access_token: str, nonce: str) -> Json:
        from viewer.hospital_login.id_tokens import Expected, proven  # authlib, where it is wanted

        metadata = await self.metadata()
        expected = Expected(
            metadata.issuer,
            self.settings.client_id,
            nonce,
            metadata.id_token_signing_alg_values_supported,
        )
        try:
            return proven(id_token, access_token, await self._key_set(False), expected)
        except UnknownKey:  # the provider has a new key, perhaps: look once
            return proven(id_token, access_token, await self._key_set(True), expected)

    async def _key_set(self, anew: bool) -> Json:
        address = (await self.metadata()).jwks_uri
        async with self._asking:
            if anew or self._keys is None or _is_old(self._keys[0]):
                self._keys = (time.monotonic(), await self._json("GET", address))
            return self._keys[1]

    async def _with_user_info(self, claims: Json, access_token: str) -> Json:
        """Many providers tell groups and names there alone. What the ID token says goes before."""
        address = (await self.metadata()).userinfo_endpoint
        wanted = (self.settings.groups_claim, self.settings.name_claim)
        if not address or all(claim(claims, each) is not None for each in wanted):
            return claims
        told = await self._json("GET", address, bearer=access_token)
        if told.get("sub") != claims["sub"]:
            raise NotProven("userinfo_sub")
        return told | claims

    async def _json(
        self, method: str, address: str, form: dict[str, str] | None = None, bearer: str = ""
    ) -> Json:
        """An answer. Raises NotProven for a code, or a token, that it refuses."""
        headers = {"Accept": "application/json"}
        if bearer:
            headers["Authorization"] = f"Bearer {bearer}"
        limit = aiohttp.ClientTimeout(total=self.settings.answer_seconds)
        try:
            if form is not None:
                headers |= self._identify(form)
            async with (
                aiohttp.ClientSession(timeout=limit) as session,
                session.request(
                    method,
                    address,
                    data=form,
                    headers=headers,
                    ssl=self._tls,
                    allow_redirects=False,
                ) as answer,
            ):
                body = await _bounded(answer.content)
                return _object(answer.status, body, is_asked_as_somebody=bool(form or bearer))
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise self._away(type(error).__name__) from None

    def _identify(self, form: dict[str, str]) -> dict[str, str]:
        """As which client we ask: in the form, or in a header. Raises OSError, UnicodeError."""
        name, secret = self.settings.client_id, self.settings.secret()
        methods = self._metadata[1].token_endpoint_auth_methods_supported if self._metadata else ()
        if not secret or "client_secret_basic" not in methods:
            form |= {"client_id": name, "client_secret": secret} if secret else {"client_id": name}
            return {}
        # RFC 6749, 2.3.1: both are encoded as in a form before they are put together.
        both = f"{quote(name, '')}:{quote(secret, '')}"
        return {"Authorization": "Basic " + base64.b64encode(both.encode()).decode()}

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.settings.ca or None)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context

    def _away(self, why: str) -> ProviderAway:
        LOG.warning("The login %s does not answer as it should: %s", self.settings.name, why)
        return ProviderAway(self.settings.shown)


def with_query(address: str, **values: str) -> str:
    """An address of the provider with these parameters behind those that it may have."""
    between = "&" if urlsplit(address).query else "?"
    return address + between + urlencode(values)


def claim(claims: Json, name: str) -> object:
    """A claim by its name; dots lead inside, where no claim has the whole name. None = none."""
    if name in claims:
        return claims[name]
    found: object = claims
    for part in name.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


async def _bounded(content: aiohttp.StreamReader) -> bytes:
    """A whole answer. Raises ValueError for one that is too large."""
    body = b""
    async for piece in content.iter_any():
        body += piece
        if len(body) > LARGEST:
            raise ValueError("too_large")
    return body


def _object(status: int, body: bytes, is_asked_as_somebody: bool) -> Json:
    """The object in an answer. Raises ValueError for anything else, NotProven for a refusal."""
    told = json.loads(body)
    if not isinstance(told, dict):
        raise ValueError("no_object")
    if is_asked_as_somebody and status in (400, 401, 403):
        raise NotProven(str(told.get("error", status))[:40])
    if status != 200:
        raise ValueError(f"status {status}")
    return told


def _is_old(since: float) -> bool:
    return time.monotonic() - since > KEPT_SECONDS


def _is_safe(address: str) -> bool:
    place = urlsplit(address)
    is_near = place.scheme == "http" and is_loopback(place.hostname or "")
    return bool(place.hostname) and (place.scheme == "https" or is_near)
