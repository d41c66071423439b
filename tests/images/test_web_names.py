"""Names: how far a resolver's failure is trusted, and that connections go to the checked IP addresses. Only
the resolver is a fake."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from leafinstruct.images.config import FetchConfig
from leafinstruct.images.web import client
from leafinstruct.images.web.client import Web
from leafinstruct.images.web.names import WITNESSES, Names
from leafinstruct.images.web.store import Fetched, Store

PUBLIC = "93.184.215.14"


class World:
    """A resolver: name -> addresses, or the error number that it gives; every other name does not exist.
    `asked`: lookups by name."""

    def __init__(self, **known: list[str] | int) -> None:
        self.known: dict[str, list[str] | int] = {
            name.replace("_", "."): found for name, found in known.items()
        }
        self.asked: Counter[str] = Counter()

    def __call__(self, host: str) -> list[str]:
        self.asked[host] += 1
        found = self.known.get(host, socket.EAI_NONAME)
        if isinstance(found, int):
            raise socket.gaierror(found, "so it says")
        return found


def fetch(folder: Path, ask: Callable[[str], list[str]], urls: list[str], **settings: Any) -> list[Fetched]:
    async def run() -> list[Fetched]:
        web = Web(
            FetchConfig(**{"contact": "crew@example.org", "retries": 0, **settings}), Store(folder), ask
        )
        try:
            return list(await asyncio.gather(*(web.fetch(url) for url in urls)))
        finally:
            await web.close()

    return asyncio.run(run())


def outcome(found: Fetched) -> tuple[str, str]:
    return found.state, found.reason


def test_a_name_that_is_denied_while_others_are_found_does_not_exist(tmp_path):
    world = World(iana_org=[PUBLIC])
    found = fetch(tmp_path, world, [f"http://dead.test/{index}.png" for index in range(500)], retries=2)
    assert {outcome(item) for item in found} == {("ok", "no_such_host")}
    assert world.asked == {"dead.test": 3, "iana.org": 1}
    # kept: it is final
    assert {outcome(item) for item in fetch(tmp_path, World(), ["http://dead.test/1.png"])} == {
        ("ok", "no_such_host")
    }


@pytest.mark.parametrize(
    "world",
    [
        World(),
        World(iana_org=["10.0.0.1"], example_org=["10.0.0.1"], wikipedia_org=["10.0.0.1"]),
        World(**dict.fromkeys(("iana_org", "example_org", "wikipedia_org"), socket.EAI_AGAIN)),
    ],
    ids=["no network", "a portal", "no name server"],
)
def test_a_resolver_that_denies_everything_gives_no_verdict(tmp_path, world):
    assert [
        outcome(item) for item in fetch(tmp_path, world, ["http://a.test/a.png", "http://b.test/b.png"])
    ] == [("failed", "name_not_resolved")] * 2
    world.known["iana.org"] = [PUBLIC]
    # asked again, and then final
    assert outcome(*fetch(tmp_path, world, ["http://a.test/a.png"])) == ("ok", "no_such_host")


def test_a_portal_that_answers_for_every_name_makes_nothing_a_private_address(tmp_path):
    everywhere = World(a_test=["10.0.0.1"], **{name.replace(".", "_"): ["10.0.0.1"] for name in WITNESSES})
    assert outcome(*fetch(tmp_path, everywhere, ["http://a.test/a.png"])) == ("failed", "name_not_resolved")
    world = World(a_test=["10.0.0.1"], example_org=[PUBLIC])
    assert outcome(*fetch(tmp_path, world, ["http://a.test/a.png"])) == ("ok", "private_address")


def test_a_name_server_in_trouble_may_be_better_tomorrow(tmp_path):
    world = World(a_test=socket.EAI_AGAIN, iana_org=[PUBLIC])
    (found,) = fetch(tmp_path, world, ["http://a.test/a.png"], retries=1)
    # the name was tried twice, the image once
    assert (*outcome(found), found.attempts) == ("failed", "name_not_resolved", 1)
    assert world.asked == {"a.test": 2}


def test_a_name_that_is_found_at_the_second_try_is_found(server, tmp_path):
    world = World(mirror_test=socket.EAI_AGAIN)

    def ask(host: str) -> list[str]:
        try:
            return world(host)
        finally:
            world.known["mirror.test"] = ["127.0.0.1"]

    (found,) = fetch(
        tmp_path, ask, [server.url("/a.png", "mirror.test")], allow_hosts=["mirror.test"], retries=1
    )
    assert found.sha256 is not None
    assert world.asked == {"mirror.test": 2}


def test_the_connection_goes_where_the_name_was_found_and_the_name_is_asked_once(server, tmp_path):
    world = World(mirror_test=["127.0.0.1"])
    urls = [server.url(f"/{index}.png", "mirror.test") for index in range(20)]
    found = fetch(tmp_path, world, urls, allow_hosts=["mirror.test"])
    assert all(item.sha256 for item in found)
    assert world.asked == {"mirror.test": 1}


def test_a_name_at_private_addresses_is_not_asked(server, tmp_path):
    world = World(evil_test=["127.0.0.1", "::1", "::ffff:127.0.0.1"], iana_org=[PUBLIC])
    (found,) = fetch(tmp_path, world, [server.url("/a.png", "evil.test")], allow_hosts=["other.test"])
    assert (found.reason, found.sha256) == ("private_address", None)
    assert not server.asked


def test_a_redirect_to_a_name_at_a_private_address_is_not_followed(server, tmp_path):
    from images.web_server import redirect

    server.scripts = {"/x": [redirect(server.url("/a.png", "evil.test"))]}
    world = World(mirror_test=["127.0.0.1"], evil_test=["127.0.0.1"], iana_org=[PUBLIC])
    (found,) = fetch(tmp_path, world, [server.url("/x", "mirror.test")], allow_hosts=["mirror.test"])
    assert found.reason == "private_address"
    assert server.images == {"/x": 1}


def test_a_name_server_that_changes_its_mind_changes_no_connection(server, tmp_path):
    """DNS rebinding: a public address while it is checked, a private one afterwards; and both at once."""
    answers = iter([["198.51.100.7", "127.0.0.1", PUBLIC], ["127.0.0.1"], ["127.0.0.1"]])

    async def run() -> list[str]:
        names = Names((), 0, lambda _: next(answers))
        try:
            return [found["host"] for _ in range(3) for found in await names.resolve("evil.test", 80)]
        finally:
            await names.close()

    assert asyncio.run(run()) == [PUBLIC] * 3


def test_slow_names_cost_other_hosts_nothing(server, tmp_path, monkeypatch):
    """Forty names whose server hangs, and one that is found: its image has all of its time."""
    free, passed = threading.Event(), [0.0]
    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + passed[0])
    monkeypatch.setattr(client, "time", clock)

    world = World(mirror_test=["127.0.0.1"])

    def ask(host: str) -> list[str]:
        world.asked[host] += 1
        if host.startswith("slow"):
            free.wait(60)
            raise socket.gaierror(socket.EAI_AGAIN, "timed out")
        return ["127.0.0.1"]

    async def run() -> tuple[Fetched, list[Fetched]]:
        web = Web(
            FetchConfig(
                contact="a@b.org", retries=0, timeout=60.0, in_flight=4, allow_hosts=("mirror.test",)
            ),
            Store(tmp_path),
            ask,
        )
        slow = [asyncio.ensure_future(web.fetch(f"http://slow{index}.test/a.png")) for index in range(40)]
        good = asyncio.ensure_future(web.fetch(server.url("/a.png", "mirror.test")))
        while not world.asked:  # noqa: ASYNC110 - a thread asks
            await asyncio.sleep(0.001)
        asyncio.get_running_loop().time = clock.monotonic  # type: ignore[method-assign]
        passed[0] = 70.0  # more than an image has; its name waits for a thread as long
        await asyncio.sleep(0)
        free.set()
        try:
            return await good, list(await asyncio.gather(*slow))
        finally:
            await web.close()

    good, slow = asyncio.run(run())
    assert good.sha256 is not None
    assert {outcome(item) for item in slow} == {("failed", "name_not_resolved")}
