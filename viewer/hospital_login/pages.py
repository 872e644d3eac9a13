"""`/login/oidc/{way}`: to the provider, and back from it into a session of ours."""

import logging

from aiohttp import web
from yarl import URL

from daemon.index.people.audit import Action, note
from daemon.index.people.hospital_accounts import Person
from daemon.index.people.logins import forget_attempt, note_failure, session_id_of
from daemon.outputs.catalogue import text
from daemon.records.accounts import NOBODY, LoginRefused, counted
from daemon.records.hospital_accounts import come_in, plain_name
from viewer.hospital_login.errors import NotProven, ProviderAway
from viewer.hospital_login.login_state import SECONDS, RoundTrip
from viewer.hospital_login.provider import Json, Proof, Provider, claim, with_query
from viewer.hospital_login.providers import PROVIDERS
from viewer.login import (
    address_of,
    end_earlier,
    is_local,
    is_secure,
    login_page,
    peer_of,
    set_cookie,
)
from viewer.sessions import RECORDS
from viewer.templating import render

LOG = logging.getLogger(__name__)
COOKIE = "gliowatch_round_trip"
LONGEST_WANTED = 1000  # characters of an address


async def start(request: web.Request) -> web.StreamResponse:
    """`GET /login/oidc/{way}?next=…`: the browser is sent to the provider."""
    providers, way = request.app[PROVIDERS], request.match_info["way"]
    provider, wanted = providers[way], request.query.get("next", "/")
    if len(wanted) > LONGEST_WANTED or not is_local(wanted):
        wanted = "/"
    try:
        metadata = await provider.metadata()
    except ProviderAway as error:
        return login_page(request, 503, str(error), wanted=wanted)
    trip = providers.trips.begin(way, wanted)
    asked = {
        "response_type": "code",
        "client_id": provider.settings.client_id,
        "redirect_uri": _back(request, way),
        "scope": " ".join(provider.settings.scopes),
        "state": trip.state,
        "nonce": trip.nonce,
        "code_challenge": trip.challenge,
        "code_challenge_method": "S256",
    }
    answer = web.HTTPSeeOther(
        URL(with_query(metadata.authorization_endpoint, **asked), encoded=True)
    )
    answer.set_cookie(
        _cookie_name(request),
        providers.trips.sealed(trip),
        path="/",
        max_age=SECONDS,
        httponly=True,
        samesite="Lax",
        secure=is_secure(request),
    )
    raise answer


async def come_back(request: web.Request) -> web.StreamResponse:
    """`GET /login/oidc/{way}/back?code=…&state=…`: a session, or the login page with a sentence.

    Without a trip of this browser nothing is counted or noted: any site can lead a browser here.
    """
    providers, way = request.app[PROVIDERS], request.match_info["way"]
    provider, cookie = providers[way], request.cookies.get(_cookie_name(request), "")
    try:
        trip = providers.trips.end(cookie, way, request.query.get("state", ""))
    except NotProven as error:
        return _refused(request, 403, str(error))
    try:
        proof, key = await _come_in(request, provider, trip)
    except LoginRefused as error:
        return _refused(request, 403, str(error))
    except ProviderAway as error:
        return _refused(request, 503, str(error))
    providers.keep(session_id_of(key), way, proof.id_token)
    return await _let_in(request, key, trip.wanted)


async def _come_in(request: web.Request, provider: Provider, trip: RoundTrip) -> tuple[Proof, str]:
    """What came back, and the key of a new session. Raises LoginRefused, ProviderAway."""
    records = request.app[RECORDS]
    attempt = await counted(records, (f"hospital_login address {peer_of(request)}",))
    try:
        proof = await _proof(request, provider, trip)
    except NotProven as error:
        LOG.warning("A login by %s was refused: %s", trip.way, error.why)
        await note_failure(records, attempt)
        await note(records, NOBODY, Action.LOGIN_REFUSED, detail=trip.way)
        raise LoginRefused(str(error)) from None
    except ProviderAway:
        await forget_attempt(records, attempt, right=False)
        raise
    key = await _session(request, provider, proof)
    await forget_attempt(records, attempt, right=True)
    return proof, key


async def _proof(request: web.Request, provider: Provider, trip: RoundTrip) -> Proof:
    """What the answer in the address is worth. Raises NotProven, LoginRefused, ProviderAway."""
    told = request.query
    if "error" in told:
        LOG.warning("The login %s answered: %s", trip.way, plain_name(told["error"]))
        raise LoginRefused(text("hospital_login.declined", way=provider.settings.shown))
    metadata = await provider.metadata()
    is_told = metadata.authorization_response_iss_parameter_supported or "iss" in told
    if is_told and told.get("iss") != metadata.issuer:
        raise NotProven("issuer")
    back = _back(request, trip.way)
    return await provider.proof(told.get("code", ""), trip.verifier, back, trip.nonce)


async def _session(request: web.Request, provider: Provider, proof: Proof) -> str:
    settings, claims = provider.settings, proof.claims
    subject = str(claims["sub"])
    name = plain_name(claim(claims, settings.name_claim)) or plain_name(subject)
    person = Person(
        issuer=settings.issuer,
        subject=subject,
        name=name,
        full_name=plain_name(claims.get("name")) or name,
        way=settings.name,
    )
    role = settings.role_of(_groups(claims, settings.groups_claim))
    return await come_in(request.app[RECORDS], person, role, settings.shown)


def _groups(claims: Json, name: str) -> frozenset[str]:
    told = claim(claims, name)
    listed = told if isinstance(told, list) else [told]
    return frozenset(each for each in listed if isinstance(each, str))


async def _let_in(request: web.Request, key: str, wanted: str) -> web.StreamResponse:
    """A page that goes on by itself: after a redirect from another site a Strict cookie is left
    out, so that the person would meet the login page again."""
    await end_earlier(request)
    values = {"title": text("login.title"), "next": wanted if is_local(wanted) else "/"}
    answer = render(request, "came_in.html", values)
    set_cookie(request, answer, key)
    return _without_trip(request, answer)


def _refused(request: web.Request, status: int, why: str) -> web.StreamResponse:
    return _without_trip(request, login_page(request, status, why, wanted="/"))


def _without_trip(request: web.Request, answer: web.StreamResponse) -> web.StreamResponse:
    answer.del_cookie(_cookie_name(request), path="/", secure=is_secure(request))
    return answer


def _cookie_name(request: web.Request) -> str:
    return f"__Host-{COOKIE}" if is_secure(request) else COOKIE


def _back(request: web.Request, way: str) -> str:
    return address_of(request, f"/login/oidc/{way}/back")
