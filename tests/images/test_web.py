"""Fetching from a real server that misbehaves: every answer is an outcome, nothing raises, nothing hangs, no
private IP address is requested."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from images.web_server import IMAGE, Wild, answer, redirect, wild
from pydantic import ValidationError

from leafinstruct.images.config import FetchConfig
from leafinstruct.images.web import hosts
from leafinstruct.images.web.answer import retry_after
from leafinstruct.images.web.client import Web
from leafinstruct.images.web.ip import parsed, public
from leafinstruct.images.web.store import Fetched, Store, stored, verify


def fetch(folder: Path, urls: list[str], **settings: Any) -> list[Fetched]:
    """The outcomes of the URLs, fetched together."""

    async def run() -> list[Fetched]:
        web = Web(FetchConfig(**{"contact": "crew@example.org", "retries": 0, **settings}), Store(folder))
        try:
            return list(await asyncio.gather(*(web.fetch(url) for url in urls)))
        finally:
            await web.close()

    return asyncio.run(run())


def one(server: Wild, folder: Path, path: str, **settings: Any) -> Fetched:
    return fetch(folder, [server.url(path)], allow_hosts=[server.name], **settings)[0]


def test_an_image_is_fetched_and_kept_as_it_came(server, tmp_path):
    found = one(server, tmp_path, "/a.png")
    assert (found.state, found.reason, found.status, found.media, found.size) == (
        "ok",
        "",
        200,
        "image/png",
        len(IMAGE),
    )
    assert stored(tmp_path, found.segment, found.offset, found.size, found.sha256) == IMAGE
    assert server.agents == {f"leafinstruct/{__import__('leafinstruct').__version__} (+crew@example.org)"}
    assert server.asked == {"/robots.txt": 1, "/.well-known/tdmrep.json": 1, "/a.png": 1}


@pytest.mark.parametrize(
    ("path", "state", "reason"),
    [
        ("/nothing", "ok", "http_404"),
        ("/gone", "ok", "http_410"),
        ("/forbidden", "ok", "http_403"),
        ("/page", "ok", "not_an_image"),
        ("/loop", "ok", "too_many_redirects"),
        ("/to-metadata", "ok", "private_address"),
        ("/to-private", "ok", "private_address"),
        ("/to-file", "ok", "bad_url"),
        ("/to-nowhere", "ok", "bad_url"),
        ("/noai", "ok", "opt_out"),
        ("/noimageai", "ok", "opt_out"),
        ("/reserved", "ok", "opt_out"),
        ("/declared-huge", "ok", "too_large"),
        ("/bomb", "ok", "too_large"),
        ("/endless", "ok", "too_large"),
        ("/broken-zip", "ok", "broken_encoding"),
        ("/compress", "ok", "unknown_encoding"),
        ("/cut-zip", "ok", "broken_encoding"),
        ("/to-no-address", "ok", "bad_url"),
        ("/to-no-port", "ok", "bad_url"),
        ("/to-odd-bytes", "ok", "bad_url"),
        ("/odd-type", "ok", "not_an_image"),
        ("/huge-header", "ok", "bad_answer"),
        ("/garbage", "ok", "bad_answer"),
        ("/drip", "failed", "timeout"),
        ("/silent", "failed", "timeout"),
        ("/cut", "failed", "connection"),
        ("/slammed", "failed", "connection"),
    ],
)
def test_every_misbehavior_is_an_outcome(server, tmp_path, path, state, reason):
    # without files about the host, so that the time limit is that of this answer alone
    limits = {"timeout": 0.3, "robots": False, "opt_out": False} if reason == "timeout" else {"timeout": 30.0}
    found = one(server, tmp_path, path, **limits)
    assert (found.state, found.reason, found.sha256) == (state, reason, None)
    json.dumps(found.media, ensure_ascii=False).encode()  # no lone surrogates: no table would hold them


@pytest.mark.parametrize("path", ["/zipped", "/plain-bytes", "/to-image", "/brotli"])
def test_what_is_odd_but_honest_is_an_image(server, tmp_path, path):
    found = one(server, tmp_path, path)
    assert stored(tmp_path, found.segment, found.offset, found.size, found.sha256) == IMAGE


def test_the_url_of_the_bytes_is_reported(server, tmp_path):
    found = one(server, tmp_path, "/to-image")
    assert (found.url, found.final_url) == (server.url("/to-image"), server.url("/a.png"))


def test_nothing_private_is_requested_by_default(server, tmp_path):
    private = [
        "127.0.0.1",
        "localhost",
        "LOCALHOST.",
        "a.localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "0.0.0.0",
        "①②⑦.⓪.⓪.①",
    ]
    odd = [
        "2130706433",
        "017700000001",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "0",
        "127.0.0.1.",
        "%31%32%37.0.0.1",
        "a@127.0.0.1",
    ]
    found = fetch(tmp_path, [server.url("/a.png", name) for name in private + odd])
    assert [(item.state, item.reason) for item in found] == [("ok", "private_address")] * len(private) + [
        ("ok", "bad_url")
    ] * len(odd)
    assert not server.asked


def test_an_allowed_name_allows_only_itself(server, tmp_path):
    server.scripts = {"/x": [redirect(server.url("/a.png", "localhost"))]}
    found = fetch(tmp_path, [server.url("/x")], allow_hosts=["127.0.0.1"])[0]
    assert found.reason == "private_address"
    assert (
        fetch(tmp_path / "b", [server.url("/a.png", "localhost")], allow_hosts=["localhost"])[0].sha256
        is not None
    )


@given(
    st.one_of(
        st.ip_addresses(network=net)
        for net in (
            "127.0.0.0/8",
            "10.0.0.0/8",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "169.254.0.0/16",
            "100.64.0.0/10",
            "0.0.0.0/8",
            "224.0.0.0/4",
            "240.0.0.0/4",
        )
    )
)
def test_no_spelling_of_a_private_address_is_public(address):
    number = int(address)
    assert not public(str(address))
    for wrapped in (
        f"::ffff:{address}",
        f"64:ff9b::{address}",
        f"::{address}",
        f"2002:{number >> 16:x}:{number & 0xFFFF:x}::",
    ):
        assert not public(wrapped), wrapped


@pytest.mark.parametrize(
    "address",
    ["168.63.129.16", "64:ff9b:1:a00:1:0:808:808", "fd00:ec2::254", "100.100.100.200", "192.0.0.192"],
)
def test_where_clouds_keep_their_secrets_is_not_public(address):
    assert not public(address)


@given(st.ip_addresses(network="8.0.0.0/8"))
def test_public_addresses_are_public(address):
    assert public(str(address))
    assert public(f"::ffff:{address}")


@pytest.mark.parametrize(
    "address",
    [
        "ftp://a/b",
        "file:///etc/passwd",
        "http://u:p@a.org/x",
        "http:///x",
        "http://a:25/",
        "javascript:1",
        "",
        "//a/b",
        "http://" + "a" * 5000,
        "data:image/png;base64,AA",
    ],
)
def test_urls_that_are_not_requested(address):
    assert isinstance(parsed(address), str)


def test_robots_txt_is_obeyed_and_read_once(server, tmp_path):
    server.robots = (200, "User-agent: *\nDisallow: /private/\nAllow: /private/open\n")
    found = fetch(
        tmp_path,
        [server.url(path) for path in ("/private/a.png", "/b.png", "/private/open.png")],
        allow_hosts=[server.name],
    )
    assert [item.reason for item in found] == ["robots", "", ""]
    assert server.asked["/robots.txt"] == 1
    assert server.images == {"/b.png": 1, "/private/open.png": 1}
    fetch(tmp_path, [server.url("/c.png")], allow_hosts=[server.name])
    assert server.asked["/robots.txt"] == 1  # kept for a day, also for another run


def test_robots_txt_may_name_this_agent_alone(server, tmp_path):
    server.robots = (200, "User-agent: leafinstruct\nDisallow: /\n\nUser-agent: *\nAllow: /\n")
    assert one(server, tmp_path, "/a.png").reason == "robots"
    assert one(server, tmp_path, "/a.png", robots=False).sha256 is not None


def test_a_robots_txt_that_fails_forbids_for_now_and_costs_few_requests(server, tmp_path):
    server.robots = (500, "")
    found = fetch(
        tmp_path, [server.url(f"/{index}.png") for index in range(50)], allow_hosts=[server.name], retries=1
    )
    assert {(item.state, item.reason) for item in found} == {("failed", "robots_unknown")}
    assert server.asked == {"/robots.txt": 2}


def test_a_robots_txt_that_cannot_be_unpacked_forbids_for_now(server, tmp_path):
    server.scripts = {"/robots.txt": [answer(b"User-agent: *", 200, "text/plain", "Content-Encoding: br")]}
    assert [
        (item.state, item.reason)
        for item in fetch(tmp_path, [server.url("/a.png")], allow_hosts=[server.name])
    ] == [("failed", "robots_unknown")]
    assert one(server, tmp_path, "/a.png").sha256 is not None


def test_a_crawl_delay_is_obeyed(server, tmp_path):
    server.robots = (200, "User-agent: *\nCrawl-delay: 0.3\n")
    fetch(
        tmp_path, [server.url(f"/{index}.png") for index in range(4)], allow_hosts=[server.name], per_host=4
    )
    images = sorted(server.times)[2:]  # after robots.txt and tdmrep.json
    assert len(images) == 4
    assert all(later - earlier >= 0.25 for earlier, later in itertools.pairwise(images))


def test_an_endless_crawl_delay_is_a_refusal(server, tmp_path):
    server.robots = (200, "User-agent: *\nCrawl-delay: 86400\n")
    assert one(server, tmp_path, "/a.png").reason == "robots"


def test_at_most_so_many_requests_to_one_host_at_a_time(server, tmp_path):
    server.hold = 0.02
    fetch(
        tmp_path,
        [server.url(f"/{index}.png") for index in range(40)],
        allow_hosts=[server.name],
        per_host=3,
        in_flight=100,
    )
    assert server.at_once == 3


def test_the_same_url_a_hundred_times_is_one_request(server, tmp_path):
    found = fetch(tmp_path, [server.url("/a.png")] * 100, allow_hosts=[server.name])
    assert len(found) == 100
    assert server.asked["/a.png"] == 1


def test_a_temporary_failure_is_tried_again_and_reported(server, tmp_path):
    server.scripts = {"/a.png": [answer(b"", 500), answer(b"", 503)]}
    found = one(server, tmp_path, "/a.png", retries=3)
    assert (found.state, found.attempts, found.sha256 is not None) == ("ok", 3, True)


def test_429_makes_the_whole_host_wait(server, tmp_path):
    server.scripts = {"/a.png": [answer(b"", 429, "text/plain", "Retry-After: 1")]}
    began = time.monotonic()
    found = one(server, tmp_path, "/a.png", retries=1)
    assert found.sha256 is not None
    assert time.monotonic() - began >= 1


def test_a_host_that_asks_for_an_hour_waits_for_another_run(server, tmp_path):
    server.scripts = {"/a.png": [answer(b"", 429, "text/plain", "Retry-After: 3600")]}
    found = one(server, tmp_path, "/a.png", retries=3)
    assert (found.state, found.reason, found.attempts) == ("failed", "asks_to_wait", 1)


def test_a_host_that_asks_for_an_hour_gets_no_other_requests(server, tmp_path):
    server.scripts = {"/a.png": [answer(b"", 429, "text/plain", "Retry-After: 3600")]}
    found = fetch(
        tmp_path, [server.url(f"/{name}.png") for name in "abcdefgh"], allow_hosts=[server.name], per_host=1
    )
    assert {(item.state, item.reason) for item in found} == {("failed", "asks_to_wait")}
    assert server.images == {"/a.png": 1}


def test_429_without_a_time_makes_the_host_wait_twice_as_long_each_time(server, tmp_path, monkeypatch):
    monkeypatch.setattr(hosts, "FIRST_PAUSE", 0.1)
    server.scripts = {"/a.png": [answer(b"", 429), answer(b"", 429)]}
    assert one(server, tmp_path, "/a.png", retries=2).sha256 is not None
    first, second, third = sorted(server.times)[-3:]
    assert second - first >= 0.1
    assert third - second >= 0.2


def test_a_host_that_always_asks_for_a_pause_is_given_up(server, tmp_path):
    server.scripts = {
        f"/{index}.png": [answer(b"", 503, "text/plain", "Retry-After: 0")] * 2 for index in range(50)
    }
    found = fetch(
        tmp_path, [server.url(f"/{index}.png") for index in range(50)], allow_hosts=[server.name], per_host=1
    )
    assert [item.reason for item in found] == ["http_503"] * 8 + ["asks_to_wait"] * 42
    assert server.images.total() == 8


def test_a_slow_host_is_given_up(server, tmp_path):
    urls = [server.url(f"/drip{index}") for index in range(200)]
    found = fetch(
        tmp_path, urls, allow_hosts=[server.name], per_host=8, timeout=0.5, robots=False, opt_out=False
    )
    assert {item.reason for item in found} == {"timeout", "host_down"}
    assert server.images.total() <= 16


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        (" 0 ", 0.0),
        ("soon", None),
        ("", None),
        ("-3", None),
        ("1e9", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
    ],
)
def test_retry_after(value, seconds):
    assert retry_after(value) == seconds


def test_a_dead_host_is_given_up_after_a_few_requests(tmp_path):
    with wild() as server:
        name = server.name
    quiet = {"robots": False, "opt_out": False}
    found = fetch(
        tmp_path,
        [f"http://{name}/{index}.png" for index in range(2_000)],
        allow_hosts=[name],
        per_host=2,
        **quiet,
    )
    assert {item.state for item in found} == {"failed"}
    assert {item.reason for item in found} == {"connection", "host_down"}
    assert sum(item.reason == "connection" for item in found) < 20


def test_a_fetched_image_is_not_requested_again(server, tmp_path):
    paths = ["/a.png", "/nothing", "/page", "/noai"]
    for _ in range(3):
        fetch(tmp_path, [server.url(path) for path in paths], allow_hosts=[server.name])
    assert server.asked == {"/robots.txt": 1, "/.well-known/tdmrep.json": 1, **dict.fromkeys(paths, 1)}


def test_a_failed_fetch_is_repeated_and_then_kept(server, tmp_path):
    server.scripts = {"/a.png": [answer(b"", 500)]}
    assert [one(server, tmp_path, "/a.png").state for _ in range(3)] == ["failed", "ok", "ok"]
    assert server.asked["/a.png"] == 2


def test_a_refusal_by_settings_is_valid_only_under_those_settings(server, tmp_path):
    assert one(server, tmp_path, "/a.png", max_bytes=10).reason == "too_large"
    assert one(server, tmp_path, "/a.png", max_bytes=10).reason == "too_large"
    assert server.asked["/a.png"] == 1
    assert one(server, tmp_path, "/a.png").sha256 is not None


def test_an_image_fetched_despite_robots_txt_is_not_reused_by_a_run_that_obeys_it(server, tmp_path):
    server.robots = (200, "User-agent: *\nDisallow: /private/\n")
    assert one(server, tmp_path, "/noai", opt_out=False).sha256 is not None
    assert one(server, tmp_path, "/private/a.png", robots=False).sha256 is not None
    assert one(server, tmp_path, "/noai").reason == "opt_out"
    assert one(server, tmp_path, "/private/a.png").reason == "robots"
    assert server.images == {"/noai": 2, "/private/a.png": 1}


def test_an_image_fetched_under_a_larger_limit_is_too_large_under_a_smaller_one(server, tmp_path):
    kept = one(server, tmp_path, "/a.png")
    found = one(server, tmp_path, "/a.png", max_bytes=10)
    assert (found.state, found.reason, found.sha256) == ("ok", "too_large", None)
    assert one(server, tmp_path, "/a.png") == kept
    assert server.images == {"/a.png": 1}


def test_thousands_in_flight_are_no_thousands_of_threads(server, tmp_path):
    server.together = 64
    most = 0

    async def run() -> None:
        nonlocal most
        web = Web(
            FetchConfig(
                contact="a@b.org", in_flight=2_000, per_host=64, robots=False, allow_hosts=(server.name,)
            ),
            Store(tmp_path),
        )
        fetches = [asyncio.ensure_future(web.fetch(server.url(f"/{index}.png"))) for index in range(2_000)]
        while not all(item.done() for item in fetches):
            most = max(most, threading.active_count())
            await asyncio.sleep(0.05)
        assert all(item.result().sha256 for item in fetches)
        await web.close()

    asyncio.run(run())
    assert most < 20
    assert server.at_once == 64


LARGE = """
import asyncio, resource, sys
from pathlib import Path
from leafinstruct.images.config import FetchConfig
from leafinstruct.images.web.client import Web
from leafinstruct.images.web.store import Store
async def run():
    asked = {"per_host": 64, "retries": 0, "robots": False, "opt_out": False, "max_bytes": 10_000_000, "timeout": 300}
    web = Web(FetchConfig(contact="a@b.org", allow_hosts=(sys.argv[2],), **asked), Store(Path(sys.argv[1])))
    await web.fetch(f"http://{sys.argv[2]}/a.png")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = await asyncio.gather(*(web.fetch(f"http://{sys.argv[2]}/endless{index}") for index in range(64)))
    assert {item.reason for item in found} == {"too_large"}, found
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
    await web.close()
asyncio.run(run())
"""  # noqa: E501


def test_few_large_bodies_are_read_at_a_time(server, tmp_path):
    """64 bodies without an end, at 10 MB each, would be 640 MB."""
    found = subprocess.run(
        [sys.executable, "-c", LARGE, str(tmp_path), server.name], capture_output=True, text=True, check=True
    )
    assert int(found.stdout) < 400


KILLED = """
import asyncio, sys
from pathlib import Path
from leafinstruct.images.config import FetchConfig
from leafinstruct.images.web.client import Web
from leafinstruct.images.web.store import Store
async def run():
    web = Web(FetchConfig(contact="a@b.org", per_host=4, allow_hosts=(sys.argv[2],)), Store(Path(sys.argv[1])))
    await asyncio.gather(*(web.fetch(f"http://{sys.argv[2]}/{index}.png") for index in range(400)))
asyncio.run(run())
"""  # noqa: E501


def test_after_a_kill_nothing_is_fetched_twice(server, tmp_path):
    server.hold = 0.01
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path), server.name])
    while sum(server.asked.values()) < 150:
        time.sleep(0.01)
    process.kill()
    process.wait()
    server.hold = 0.0
    kept = sum(len(path.read_bytes().splitlines()) for path in tmp_path.glob("*.jsonl"))
    found = fetch(tmp_path, [server.url(f"/{index}.png") for index in range(400)], allow_hosts=[server.name])
    assert all(item.sha256 for item in found)
    assert kept > 100
    assert sum(server.asked.values()) - 402 <= 4 + 1  # what was in flight when it was killed, and no more


def test_torn_and_foreign_lines_of_a_log_are_ignored(tmp_path):
    store = Store(tmp_path)
    kept = store.put(Fetched("http://a/", "ok"), b"bytes")
    store.close()
    (log,) = tmp_path.glob("*.jsonl")
    whole = log.read_bytes()
    beyond = json.dumps(
        {"url": "http://b/", "state": "ok", "segment": kept.segment, "offset": 3, "size": 99, "sha256": "0"}
    ).encode()
    log.write_bytes(b"nonsense\n[]\n{}\n" + whole + beyond + b"\n" + whole[:20])
    again = Store(tmp_path)
    assert again.get("http://a/") == kept
    assert again.get("http://b/") is None


def test_two_writers_beside_each_other_see_all_when_opened_again(tmp_path):
    first, second = Store(tmp_path), Store(tmp_path)
    first.put(Fetched("http://a/", "ok"), b"one")
    second.put(Fetched("http://b/", "ok"), b"two")
    second.put(Fetched("http://a/", "failed", "timeout"), None)
    first.close(), second.close()
    again = Store(tmp_path)
    assert again.get("http://a/").sha256 is not None
    assert (
        stored(
            tmp_path,
            *(getattr(again.get("http://b/"), name) for name in ("segment", "offset", "size", "sha256")),
        )
        == b"two"
    )


def test_bytes_that_were_changed_on_disk_are_not_returned(tmp_path):
    store = Store(tmp_path)
    kept = store.put(Fetched("http://a/", "ok"), b"bytes")
    store.close()
    (tmp_path / kept.segment).write_bytes(b"BYTES")
    with pytest.raises(OSError, match="does not hold"):
        stored(tmp_path, kept.segment, kept.offset, kept.size, kept.sha256)


def test_a_line_under_another_url_is_dropped_and_bytes_that_changed_count_as_not_fetched(tmp_path):
    store = Store(tmp_path)
    for name in "abc":
        store.put(Fetched(f"http://{name}/", "ok", at="2026-01-01"), f"bytes of {name}".encode())
    store.close()
    (log,), (blob,) = tmp_path.glob("*.jsonl"), tmp_path.glob("*.bin")
    log.write_bytes(log.read_bytes().replace(b"http://a/", b"http://z/"))
    blob.write_bytes(blob.read_bytes().replace(b"bytes of b", b"bytes of B"))
    damaged = log.read_bytes()
    faults = list(verify(tmp_path))
    assert [damage.file for damage in faults] == [log, log]
    assert faults[1].fault.endswith(
        f"leads to 10 bytes in {blob.name} that are not what was fetched from http://b/"
    )
    assert list(verify(tmp_path)) == []
    assert [Store(tmp_path).get(f"http://{name}/") is None for name in "abc"] == [True, True, False]
    log.write_bytes(damaged)
    again = Store(tmp_path)
    assert [again.get(f"http://{name}/") is None for name in "az"] == [True, True]
    assert again.intact("http://b/") is None
    assert again.intact("http://c/") is not None
    assert again.repaired == 2
    again.put(Fetched("http://b/", "ok", at="2026-01-02"), b"bytes of b")
    again.close()
    # as whoever copies a folder leaves it: the latest log holds an earlier outcome
    os.utime(log, ns=(2**62, 2**62))
    assert Store(tmp_path).intact("http://b/") is not None
    assert list(verify(tmp_path)) == [], (
        "nobody reads the earlier outcome any more, although its bytes are damaged"
    )
    assert Store(tmp_path).intact("http://b/") is not None


def test_logs_of_the_time_before_digests_are_read_once_and_checked_from_then_on(tmp_path):
    store = Store(tmp_path)
    kept = store.put(Fetched("http://a/", "ok"), b"bytes")
    store.close()
    (log,) = tmp_path.glob("*.jsonl")
    entry = json.loads(log.read_bytes())
    del entry["digest"]
    log.write_text(json.dumps(entry) + "\n")
    assert Store(tmp_path).intact("http://a/") == kept
    log.write_bytes(log.read_bytes().replace(b"http://a/", b"http://b/"))
    changed = Store(tmp_path)
    assert (changed.get("http://a/"), changed.get("http://b/"), changed.repaired) == (None, None, 1)


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"contact": "nobody"},
        {"contact": "a@b.org) Mozilla"},
        {"contact": "a@b.org", "allow_hosts": ["*.example.org"]},
        {"contact": "a@b.org", "allow_hosts": ["http://a"]},
        {"contact": "a@b.org", "in_flight": 0},
    ],
)
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(ValidationError):
        FetchConfig(**wrong)
