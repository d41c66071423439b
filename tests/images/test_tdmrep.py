"""tdmrep.json: images that a host reserves from text and data mining are not requested, and the file is
requested once."""

from __future__ import annotations

import json

import pytest
from images.test_web import fetch, one
from images.web_server import answer
from yarl import URL

from leafinstruct.images.web.tdmrep import reserves, rules

FILE = "/.well-known/tdmrep.json"
ALL = [{"location": "/", "tdm-reservation": 1}]


def test_reserved_images_are_not_requested_and_the_file_is_read_once(server, tmp_path):
    server.tdmrep = (200, json.dumps([{"location": "/free/*.png", "tdm-reservation": 0}, *ALL]))
    found = fetch(
        tmp_path, [server.url(path) for path in ("/a.png", "/free/b.png")], allow_hosts=[server.name]
    )
    assert [(item.state, item.reason) for item in found] == [("ok", "opt_out"), ("ok", "")]
    assert server.asked == {"/robots.txt": 1, FILE: 1, "/free/b.png": 1}
    fetch(tmp_path, [server.url("/free/c.png")], allow_hosts=[server.name])
    assert server.asked[FILE] == 1  # kept for a day, also for another run


def test_the_file_is_not_read_when_opt_outs_are_ignored(server, tmp_path):
    server.tdmrep = (200, json.dumps(ALL))
    assert one(server, tmp_path, "/a.png", opt_out=False).sha256 is not None
    assert FILE not in server.asked


def test_a_header_reserves_what_the_file_does_not(server, tmp_path):
    server.tdmrep = (200, json.dumps([{"location": "/", "tdm-reservation": 0}]))
    assert one(server, tmp_path, "/reserved").reason == "opt_out"


def test_the_file_of_a_host_closed_by_robots_txt_is_not_requested(server, tmp_path):
    server.robots = (200, "User-agent: *\nDisallow: /\n")
    assert one(server, tmp_path, "/a.png").reason == "robots"
    assert server.asked == {"/robots.txt": 1}


@pytest.mark.parametrize(
    ("status", "body"),
    [(404, ""), (403, ""), (500, ""), (200, "<html>"), (200, "{}"), (200, "[" * 100_000), (200, "")],
)
def test_a_missing_or_malformed_file_reserves_nothing(server, tmp_path, status, body):
    server.tdmrep = (status, body)
    assert one(server, tmp_path, "/a.png").sha256 is not None


def test_no_answer_is_not_a_permission(server, tmp_path):
    server.scripts = {FILE: [answer(b"", 429)]}
    found = one(server, tmp_path, "/a.png")
    assert (found.state, found.reason) == ("failed", "opt_out_unknown")
    assert server.images == {}
    assert one(server, tmp_path, "/a.png").sha256 is not None


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("/", "/a.png", True),
        ("/a", "/abc", True),
        ("/a/", "/abc", False),
        ("a/", "/a/b", True),
        ("*.jpg", "/x/y.jpg?z", True),
        ("*.jpg$", "/x/y.jpg?z", False),
        ("*.jpg$", "/x/y.jpg", True),
        ("/x/*/z", "/x/y/z", True),
        ("/x/*/z", "/x/z", False),
        ("/a*a$", "/a", False),
        ("/exact$", "/exact", True),
        ("/exact$", "/exact/", False),
        ("/x-%24", "/x-$", True),
        ("/x-%2A", "/x-abc", False),
        ("/é", "/%C3%A9/a", True),
        ("/" + "*a" * 200 + "*b", "/" + "a" * 4000, False),
        ("/A", "/a", False),
    ],
)
def test_patterns_are_those_of_robots_txt(pattern, path, matches):
    assert reserves([(pattern, True)], URL(f"http://h{path}")) is matches


def test_the_first_matching_rule_counts_and_invalid_rules_are_ignored():
    found = rules(
        json.dumps(
            [
                1,
                {"location": "/"},
                {"location": "/", "tdm-reservation": 2},
                {"location": "/a", "tdm-reservation": "0"},
                *ALL,
            ]
        ).encode()
    )
    assert found == [("/a", False), ("/", True)]
    assert not reserves(found, URL("http://h/a/b"))
    assert reserves(found, URL("http://h/b"))
