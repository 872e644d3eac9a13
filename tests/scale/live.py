"""What 50 open worklists cost while one row changes each second."""

import asyncio
import re
import sqlite3
from contextlib import closing

from aiohttp import ClientSession

from daemon.settings import Settings
from tests.scale.site import Visitor, cpu_seconds
from viewer.live_updates import MOST_OF_SESSION

OPEN_LISTS = 50


async def live_share(
    session: ClientSession, settings: Settings, base: str, who: list[Visitor], pid: int, secs: int
) -> float:
    """The share of one core that the viewer takes, in per cent, over so many seconds."""
    pages = [
        asyncio.create_task(_open_list(session, base, who[number // MOST_OF_SESSION]))
        for number in range(OPEN_LISTS)
    ]
    await asyncio.sleep(5)
    began = cpu_seconds(pid)
    for number in range(secs):
        await asyncio.to_thread(_change_a_row, settings, number)
        await asyncio.sleep(1)
    used = cpu_seconds(pid) - began
    broken = [page for page in pages if page.done()]
    for page in pages:
        page.cancel()
    await asyncio.gather(*pages, return_exceptions=True)
    assert not broken, "a stream ended"
    return round(100 * used / secs, 1)


async def _open_list(session: ClientSession, base: str, who: Visitor) -> None:
    """What a browser does with the worklist open: the page, the stream, the rows at each word."""
    async with session.get(base, headers=who.headers) as answer:
        page = await answer.text()
    ids, mark = ",".join(re.findall(r'id="row-(\d+)"', page)), re.search(r'data-mark="(\d+)"', page)
    assert mark is not None
    rows = f"{base}/worklist/rows?ids={ids}&since={mark[1]}"
    async with session.get(f"{base}/live", headers=who.headers) as stream:
        async for line in stream.content:
            if line.startswith(b"event: changed"):
                async with session.get(rows, headers=who.headers) as answer:
                    await answer.read()
                    assert answer.status == 200


def _change_a_row(settings: Settings, number: int) -> None:
    """The triggers take this for a change of one of the newest rows."""
    with closing(sqlite3.connect(settings.daemon.index, timeout=30)) as index, index:
        index.execute(
            "UPDATE worklist SET arrived_at = arrived_at WHERE row_id = (SELECT row_id FROM"
            " worklist ORDER BY arrived_at DESC LIMIT 1 OFFSET ?)",
            (number % 40,),
        )
