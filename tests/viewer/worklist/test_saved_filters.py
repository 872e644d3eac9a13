"""Filters under a name: whose they are, who sees and removes them, and what they hold."""

import re
from pathlib import Path

from daemon.permissions import Role
from tests.viewer.test_house import House, open_house

FILTERS = "/worklist/filters"


def saved_on(page: str) -> list[str]:
    """The names above the list."""
    found = re.search(r'<div class="saved">(.*?)</div>', page, re.S)
    return re.findall(r'<a href="[^"]+" dir="auto"[^>]*>([^<]+)</a>', found[1]) if found else []


async def save(house: House, name: str, query: str = "state=review", **more: str) -> int:
    """The status of the answer."""
    return (await house.post(FILTERS, {"name": name, "query": query, **more}))[0]


async def test_ones_own_and_shared_filters_are_shown(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await house.add_scan("P", "s")
        assert await save(house, "Mine <b>") == 303
        assert await save(house, "Everybody's", "finding=tumor&arrived=all", shared="on") == 303
        page = await house.page("/?state=review")
        assert saved_on(page) == ["Everybody&#39;s", "Mine &lt;b&gt;"]
        assert page.count("/remove") == 1  # of the one that is on
        assert await save(house, "Mine <b>", "state=failed") == 303  # in the place of the first
        assert saved_on(await house.page("/")) == ["Everybody&#39;s", "Mine &lt;b&gt;"]
        assert "/?state=failed" in await house.page("/")
        await house.come_in("Someone", Role.READER)
        assert saved_on(await house.page("/")) == ["Everybody&#39;s"]
        assert "/remove" not in await house.page("/?finding=tumor&arrived=all")
        for number in ("1", "2", "3", "x"):
            assert (await house.post(f"{FILTERS}/{number}/remove", {}))[0] == 404
        await house.come_in("Another Admin", Role.ADMIN)
        assert (await house.post(f"{FILTERS}/2/remove", {}))[0] == 303
        assert saved_on(await house.page("/")) == []


async def test_what_cannot_be_saved_is_said(tmp_path: Path) -> None:
    async with open_house(tmp_path, role=Role.READER) as house:
        assert await save(house, "Mine") == 303
        assert await save(house, "Shared", shared="on") == 403
        assert await save(house, " ") == 400
        assert await save(house, "x" * 61) == 400
        assert await save(house, "None", "") == 400
        assert await save(house, "Odd", "state=nonsense") == 404
        for number in range(49):
            assert await save(house, f"F{number}") == 303
        assert await save(house, "One too many") == 400


async def test_no_words_of_a_search_are_saved(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await house.add_scan("P", "s")
        _, there = await house.post("/searches", {"text": "Ada", "back": "/?state=done"})
        assert await save(house, "Search", there.partition("?")[2]) == 303
        assert 'href="/?state=done" dir="auto"' in await house.page("/")
