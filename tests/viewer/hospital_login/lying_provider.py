"""A provider of OpenID Connect for the tests: it does as it should, or lies in one thing.

It checks what the standards make it check: the client, the redirect address, the verifier, and
that a code comes once. What it signs is changed by the test.
"""

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

CLIENT, SECRET = "gliowatch", "a secret of tests"


@dataclass
class LyingProvider:
    """claims: of whoever logs in; lie: changes the claims of the token; sign: signs them.

    asked: how often each address was asked.
    """

    issuer: str = ""
    claims: dict[str, Any] = field(default_factory=lambda: {"sub": "248289", "groups": ["mri"]})
    lie: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    user_info: dict[str, Any] | None = None
    algorithm: str = "ES256"
    token: str = ""
    asked: list[str] = field(default_factory=list)
    given: dict[str, dict[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.new_key()

    def new_key(self, kid: str = "one") -> None:
        """Sign with another key from now on; the old one is not told any more."""
        made = ECKey.generate_key("P-256", {"kid": kid, "use": "sig"})
        self.key: ECKey | RSAKey = made

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/.well-known/openid-configuration", self._configuration)
        app.router.add_get("/keys", self._keys)
        app.router.add_post("/token", self._token)
        app.router.add_get("/me", self._me)
        return app

    async def _configuration(self, request: web.Request) -> web.Response:
        self.asked.append("configuration")
        told = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "end_session_endpoint": f"{self.issuer}/end",
            "id_token_signing_alg_values_supported": ["ES256", "RS256"],
        }
        if self.user_info is not None:
            told["userinfo_endpoint"] = f"{self.issuer}/me"
        return web.json_response(told | self.metadata)

    async def _keys(self, request: web.Request) -> web.Response:
        self.asked.append("keys")
        return web.json_response({"keys": [self.key.as_dict(private=False)]})

    async def _me(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == "Bearer an access token"
        return web.json_response(self.user_info)

    def code_for(self, asked: dict[str, str]) -> str:
        """What the person's consent at /authorize is worth."""
        assert asked["client_id"] == CLIENT
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(8)
        self.given[code] = asked
        return code

    async def _token(self, request: web.Request) -> web.Response:
        form = await request.post()
        asked = self.given.pop(str(form.get("code")), None)
        digest = hashlib.sha256(str(form.get("code_verifier")).encode()).digest()
        challenge = _packed(digest)
        is_client = request.headers.get("Authorization") == (
            "Basic " + base64.b64encode(f"{CLIENT}:a%20secret%20of%20tests".encode()).decode()
        )
        if not is_client:
            return web.json_response({"error": "invalid_client"}, status=401)
        if (
            asked is None
            or asked["code_challenge"] != challenge
            or asked["redirect_uri"] != form.get("redirect_uri")
        ):
            return web.json_response({"error": "invalid_grant"}, status=400)
        told = {"access_token": "an access token", "token_type": "Bearer", "expires_in": 60}
        return web.json_response(told | {"id_token": self.token or self._signed(asked["nonce"])})

    def _signed(self, nonce: str) -> str:
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT, "nonce": nonce, "iat": now, "exp": now + 300}
        claims |= self.claims | self.lie
        claims = {name: value for name, value in claims.items() if value is not None}
        header = {"alg": self.algorithm, "kid": self.key.kid}
        if self.algorithm in ("none", "HS256"):
            parts = ".".join(_packed(json.dumps(part).encode()) for part in (header, claims))
            if self.algorithm == "none":
                return f"{parts}."
            public = self.key.as_pem(private=False)  # what everybody knows as the secret
            return f"{parts}.{_packed(hmac.digest(public, parts.encode(), 'sha256'))}"
        return jwt.encode(header, claims, self.key, [self.algorithm])


def _packed(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


@asynccontextmanager
async def lying_provider() -> AsyncIterator[LyingProvider]:
    """One that listens on a port of this machine, and tells the truth as yet."""
    provider = LyingProvider()
    async with TestServer(provider.app(), host="127.0.0.1") as server:
        provider.issuer = str(server.make_url("/")).rstrip("/")
        yield provider
