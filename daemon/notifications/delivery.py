"""Brings messages to one address: one at a time, of all that waits, until taken or too old."""

import logging
import time

from daemon.index.database import Database
from daemon.index.notices import (
    Message,
    MessageState,
    in_line,
    make_message,
    note_handed,
    note_try,
    notices_of,
    open_message,
)
from daemon.notifications.channels import Answer, Outcome, Way
from daemon.notifications.messages import written
from daemon.settings.notify import NotifySettings

log = logging.getLogger(__name__)

REFUSALS = 5  # of one message, before it is given up
HOUR = 3600.0
EVENTS = {
    MessageState.WAITING: "message_waits",
    MessageState.SENT: "message_sent",
    MessageState.GIVEN_UP: "message_given_up",
    MessageState.UNCLEAR: "message_unclear",
}
LEVELS = {MessageState.SENT: logging.INFO}


class Teller:
    """One address of one receiver. Not for two tasks at once."""

    def __init__(
        self, joined: Database, settings: NotifySettings, receiver: str, address: str, way: Way
    ) -> None:
        self._joined, self._settings, self._way = joined, settings, way
        self._receiver, self._address = receiver, address
        self._refusals = 0

    async def look(self) -> None:
        """Send what is due."""
        message = await open_message(self._joined, self._receiver, self._address)
        if message is None and await self._make():
            message = await open_message(self._joined, self._receiver, self._address)
        if message is not None and self._is_due(message.next_try - time.time()):
            await self._send(message)

    def _is_due(self, seconds: float) -> bool:
        """No pause is longer than the longest: else a clock was put back meanwhile."""
        settings = self._settings
        longest = max(settings.first_pause_seconds, settings.longest_pause_seconds)
        return not 0 < seconds <= longest

    async def _make(self) -> bool:
        """Whether it is time for a message: what can wait is grouped, nothing comes in a flood."""
        found = await in_line(self._joined, self._receiver, self._address)
        if found is None:
            return False
        pause = self._settings.prompt_seconds if found.at_once else self._settings.group_seconds
        begun = found.last_made if found.at_once else max(found.oldest, found.last_made)
        if abs(time.time() - begun) < pause:  # a clock that was put back holds up nothing
            return False
        await make_message(self._joined, self._receiver, self._address, found.last)
        self._refusals = 0
        return True

    async def _send(self, message: Message) -> None:
        notices = await notices_of(self._joined, message)
        told = written(message.message_id, notices, self._settings.link)

        async def handing() -> None:
            await note_handed(self._joined, message.message_id)

        answer = await self._way.send(told, self._address, handing)
        await self._note(message, answer)

    async def _note(self, message: Message, answer: Answer) -> None:
        tries, state = message.tries + 1, self._state_after(message, answer)
        refused = answer.outcome is Outcome.REFUSED
        longest = self._settings.longest_pause_seconds
        pause = longest if refused else self._settings.pause(tries)
        await note_try(
            self._joined,
            message.message_id,
            state=state,
            pause=pause,
            code=answer.code,
            reason=answer.reason,
        )
        if tries == 1 or state is not MessageState.WAITING:
            extra = {"receiver": self._receiver, "status": answer.code, "reason": answer.reason}
            log.log(LEVELS.get(state, logging.WARNING), EVENTS[state], extra=extra)

    def _state_after(self, message: Message, answer: Answer) -> MessageState:
        if answer.outcome in (Outcome.SENT, Outcome.UNCLEAR):
            return MessageState(answer.outcome)
        self._refusals += answer.outcome is Outcome.REFUSED
        too_old = time.time() - message.made > self._settings.keep_hours * HOUR
        if too_old or self._refusals >= REFUSALS:
            return MessageState.GIVEN_UP
        return MessageState.WAITING
