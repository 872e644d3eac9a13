"""Mails by SMTP, each to one address, so that none sees another and none is told twice.

A mail is handed over with the command DATA. Up to there it was not sent for sure; if the connection
breaks after that, it may have been, and is not sent again.
"""

import asyncio
import smtplib
import socket
import ssl
from collections.abc import Callable
from contextlib import closing, suppress
from email import policy
from email.message import EmailMessage
from email.utils import formatdate

from daemon.background import in_thread
from daemon.notifications.channels import Answer, Handing, Outcome, later
from daemon.notifications.messages import Written
from daemon.settings.notify import NotifySettings

PERMANENT = 500  # codes from here on
LINES = policy.SMTP  # they end with CRLF


class Refused(Exception):
    """The server has answered, and has not taken it."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Mail:
    """One mail server."""

    def __init__(self, settings: NotifySettings) -> None:
        self._settings = settings

    async def send(self, message: Written, address: str, handing: Handing) -> Answer:
        """Send one mail to one address."""
        loop, is_handed, is_over = asyncio.get_running_loop(), False, False

        async def hand() -> None:
            nonlocal is_handed
            if is_over:  # too late: the next try sends it
                raise TimeoutError
            is_handed = True
            await handing()

        def hand_over() -> None:
            asyncio.run_coroutine_threadsafe(hand(), loop).result()

        mail = self._mail(message, address)
        try:
            seconds = 2 * self._settings.answer_seconds  # each answer has its own time as well
            await in_thread(lambda: self._deliver(mail, address, hand_over), seconds)
        except Refused as refusal:
            return _of_code(refusal.code)
        except (OSError, UnicodeError, smtplib.SMTPException) as error:
            if is_handed:
                return Answer(Outcome.UNCLEAR, "", "broken_off")
            return _of_error(error)
        finally:
            is_over = True
        return Answer(Outcome.SENT, "250", "sent")

    def _mail(self, message: Written, address: str) -> EmailMessage:
        mail = EmailMessage()
        sender = self._settings.mail_from
        mail["From"], mail["To"], mail["Subject"] = sender, address, message.subject
        mail["Date"] = formatdate(localtime=True)
        mail["Message-ID"] = f"<{message.message_id}@{sender.partition('@')[2]}>"
        mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's absence answers it
        mail.set_content(message.text)
        return mail

    def _deliver(self, mail: EmailMessage, address: str, hand_over: Callable[[], None]) -> None:
        """In a thread. Raises Refused, OSError or SMTPException."""
        settings, smtp = self._settings, self._connected()
        with closing(smtp):
            smtp.ehlo_or_helo_if_needed()
            if settings.mail_user:
                smtp.login(settings.mail_user, settings.mail_password())
            _check(*smtp.mail(settings.mail_from))
            _check(*smtp.rcpt(address))
            hand_over()
            try:
                _check(*smtp.data(mail.as_bytes(policy=LINES)))
            except smtplib.SMTPDataError as error:
                raise Refused(error.smtp_code) from None
            with suppress(OSError, smtplib.SMTPException):
                smtp.putcmd("QUIT")  # whatever it says to that, it has the mail

    def _connected(self) -> smtplib.SMTP:
        """A server that has shown that it is the right one, unless it is on this machine."""
        settings = self._settings
        context = ssl.create_default_context(cafile=settings.mail_ca or None)
        place = (settings.mail_host, settings.mail_port)
        seconds = settings.answer_seconds
        if settings.mail_tls == "tls":
            return smtplib.SMTP_SSL(*place, timeout=seconds, context=context)
        smtp = smtplib.SMTP(*place, timeout=seconds)
        if settings.mail_tls == "starttls":
            try:
                smtp.starttls(context=context)
            except BaseException:
                smtp.close()
                raise
        return smtp


def _check(code: int, _said: bytes) -> None:
    """What a server says is not kept, since it may quote what it was told. Raises Refused."""
    if not 200 <= code < 300:
        raise Refused(code)


def _of_code(code: int) -> Answer:
    if code >= PERMANENT:
        return Answer(Outcome.REFUSED, str(code), "refused")
    return later("server", str(code))


def _of_error(error: OSError | UnicodeError | smtplib.SMTPException) -> Answer:
    """What kept a mail from being handed over."""
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return later("not_authorized", str(error.smtp_code))
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return later("no_tls")
    if isinstance(error, smtplib.SMTPResponseException):
        return _of_code(error.smtp_code)
    if isinstance(error, smtplib.SMTPServerDisconnected | TimeoutError):
        return later("no_answer")
    if isinstance(error, ssl.SSLCertVerificationError):
        return later("certificate")
    if isinstance(error, ssl.SSLError):
        return later("no_tls")
    if isinstance(error, socket.gaierror):
        return later("address")
    if isinstance(error, FileNotFoundError | PermissionError):  # of a certificate or a secret
        return later("secret")
    return later("no_connection")
