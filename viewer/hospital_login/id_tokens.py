"""What an ID token proves: signature, issuer, audience, nonce (OpenID Connect Core 1.0, 3.1.3.7).

Signatures count by keys of two halves alone: `none` proves nothing, and with HS256 whoever knows
the provider's public key could sign. Loaded only where a provider is set: authlib is an extra.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from authlib.oidc.core import CodeIDToken
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, KeySet, OKPKey, RSAKey

from viewer.hospital_login.errors import NotProven, UnknownKey

KINDS = {"rs": RSAKey, "ps": RSAKey, "es": ECKey, "ed": OKPKey}
ALGORITHMS = frozenset(
    {f"{kind}{size}" for kind in ("RS", "PS", "ES") for size in (256, 384, 512)} | {"EdDSA"}
)
LEEWAY = 60  # seconds by which two clocks may differ
LONGEST_SUBJECT = 255  # characters, by the standard


@dataclass(frozen=True)
class Expected:
    """What must stand in the token. algorithms: those that the provider says to sign with."""

    issuer: str
    client_id: str
    nonce: str
    algorithms: tuple[str, ...]


def proven(
    token: str, access_token: str, keys: Mapping[str, object], expected: Expected
) -> dict[str, object]:
    """The claims of a token that proves who came. Raises NotProven, UnknownKey.

    keys: the provider's, as its jwks_uri tells them.
    """
    try:
        return _proven(token, access_token, keys, expected)
    except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise NotProven(getattr(error, "error", "") or type(error).__name__) from None


def _proven(
    token: str, access_token: str, keys: Mapping[str, object], expected: Expected
) -> dict[str, object]:
    header = jws.extract_compact(token.encode()).headers()
    algorithm = header.get("alg")
    if algorithm not in ALGORITHMS or algorithm not in expected.algorithms:
        raise NotProven("algorithm")
    key = _key(keys, algorithm, header.get("kid"))
    told = jwt.decode(token, key, algorithms=[algorithm])
    claims = CodeIDToken(
        told.claims,
        told.header,
        options={
            "iss": {"essential": True, "value": expected.issuer},
            "aud": {"essential": True, "value": expected.client_id},
        },
        params={
            "client_id": expected.client_id,
            "nonce": expected.nonce,
            "access_token": access_token,
        },
    )
    claims.validate(now=int(time.time()), leeway=LEEWAY)
    subject = claims["sub"]
    if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_SUBJECT:
        raise NotProven("sub")
    return dict(claims)


def _key(keys: Mapping[str, object], algorithm: str, kid: object) -> Key:
    """The one key by which this token was signed, if it says the truth. Raises UnknownKey."""
    kind = KINDS[algorithm[:2].lower()]
    told = keys.get("keys")
    fitting = [
        each
        for each in KeySet.import_key_set({"keys": told if isinstance(told, list) else []})
        if isinstance(each, kind)
        and each.get("use", "sig") == "sig"
        and each.get("alg", algorithm) == algorithm
        and (kid is None or each.get("kid") == kid)
    ]
    if len(fitting) != 1:
        raise UnknownKey
    return fitting[0]
