"""One's own second factor: set up with a picture for the phone, turned on by a code, turned off."""

import asyncio
from dataclasses import dataclass

from aiohttp import web

from daemon.index.people.second_factors import offer_factor, turn_off
from daemon.outputs.catalogue import text
from daemon.records.accounts import LoginRefused
from daemon.records.second_factor import (
    NotOffered,
    address_for_phone,
    confirm,
    new_secret,
    prove_code,
)
from viewer.admin.accounts import own_account, own_page, prove_password
from viewer.login import peer_of
from viewer.request_forms import read_form
from viewer.sessions import RECORDS
from viewer.templating import render

QUIET_ZONE = 4  # modules around a QR code, by ISO/IEC 18004


async def offer(request: web.Request) -> web.StreamResponse:
    """`POST /account/factor`: a secret, for who knows the password; it counts for nothing yet."""
    form = await read_form(request)
    account, secret = await own_account(request), new_secret()
    if not account.password_hash:
        return await own_page(request, 403, text("account.no_password"))
    try:
        await prove_password(request, account, form)
    except LoginRefused as error:
        return await own_page(request, 403, str(error))
    if not await offer_factor(request.app[RECORDS], account.account_id, secret):
        return await own_page(request, 409, text("second_factor.already"))
    return await _set_up_page(request, secret, account.name)


async def turn_factor_on(request: web.Request) -> web.StreamResponse:
    """`POST /account/factor/on`: a code proves that the phone has the secret.

    The secret comes back with it: it is shown to nobody who has only the session.
    """
    form = await read_form(request)
    account, records = await own_account(request), request.app[RECORDS]
    secret = "".join(form.get("secret", "").split())
    try:
        codes = await confirm(records, account.account_id, secret, form.get("code", ""))
    except NotOffered as error:
        return await own_page(request, 403, str(error))
    except LoginRefused as error:
        return await _set_up_page(request, secret, account.name, 403, str(error))
    return await own_page(request, codes=codes)


async def turn_factor_off(request: web.Request) -> web.StreamResponse:
    """`POST /account/factor/off`: for who knows the password and has the phone."""
    form = await read_form(request)
    account, records = await own_account(request), request.app[RECORDS]
    try:
        await prove_password(request, account, form)
        await prove_code(records, account, form.get("code", ""), peer_of(request))
    except LoginRefused as error:
        return await own_page(request, 403, str(error))
    await turn_off(records, account.account_id)
    raise web.HTTPSeeOther("/account")


async def _set_up_page(
    request: web.Request, secret: str, name: str, status: int = 200, wrong: str = ""
) -> web.Response:
    values = {
        "title": text("second_factor.title"),
        "section": "account",
        "secret": " ".join(secret[at : at + 4] for at in range(0, len(secret), 4)),
        "picture": await asyncio.to_thread(qr_code, address_for_phone(secret, name)),
        "wrong": wrong,
    }
    return render(request, "second_factor.html", values, status)


@dataclass(frozen=True)
class QrCode:
    """A QR code to draw. side: modules, with the quiet zone; dark: an SVG path of the dark ones."""

    side: int
    dark: str


def qr_code(content: str) -> QrCode:
    """Made on this machine: the secret goes nowhere."""
    from reportlab.graphics.barcode.qrencoder import QRCode, QRErrorCorrectLevel

    code = QRCode(None, QRErrorCorrectLevel.M)
    code.addData(content)
    code.make()
    count = code.getModuleCount()
    dark = "".join(
        f"M{column + QUIET_ZONE} {row + QUIET_ZONE}h1v1h-1z"
        for row in range(count)
        for column in range(count)
        if code.isDark(row, column)
    )
    return QrCode(count + 2 * QUIET_ZONE, dark)
