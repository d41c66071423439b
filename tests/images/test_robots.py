"""robots.txt as hosts write it: who is named, which rule counts, how it is encoded, what it states about
training."""

from __future__ import annotations

import gzip

import pytest
from images.test_web import fetch, one
from images.web_server import answer
from yarl import URL

from leafinstruct.images.optout import permits_training, withheld
from leafinstruct.images.web.robots import Rules


def allows(text: str | bytes, path: str = "/x.jpg", **settings: bool) -> bool:
    body = text.encode() if isinstance(text, str) else text
    return Rules(body).allows(URL(f"http://e.org{path}"), **settings)


@pytest.mark.parametrize(
    "agent",
    [
        *("leafinstruct", "LeafInstruct", "leafinstruct/1.0", "leafinstruct/0.1.0 (+mail)", "leafinstruct 2"),
        *(
            "leafinstruct # us",
            "leafinstruct*",
            "*leafinstruct*",
            "leaf*",
            "GPTBot, leafinstruct",
            "leafinstruct;x",
        ),
        *("*", "* # all", "**"),
    ],
)
def test_names_of_this_program(agent):
    assert not allows(f"User-agent: {agent}\nDisallow: /\n")


@pytest.mark.parametrize(
    "agent",
    [
        *(
            "leafinstruct-news",
            "leafinstructor",
            "leaf",
            "myleafinstruct",
            "instruct",
            "GPTBot",
            "",
            "leafinstruct_2",
        ),
        *("bot/leafinstruct", "leaf/1.0*"),
    ],
)
def test_names_of_others(agent):
    assert allows(f"User-agent: {agent}\nDisallow: /\n")


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        # the group that names us counts, wherever it is, and that of everyone then does not
        ("User-agent: *\nDisallow: /\nUser-agent: leafinstruct/1.0\nAllow: /", True),
        ("User-agent: leafinstruct/1.0\nDisallow:\n\nUser-agent: *\nDisallow: /", True),
        ("User-agent: leafinstruct\n\nUser-agent: *\nDisallow: /", False),  # no rule between: one group
        ("User-agent: *\nAllow: /\n\nUser-agent: leafinstruct\nDisallow: /", False),
        # groups of one name are merged, also over versions
        (
            "User-agent: leafinstruct\nAllow: /a\n\nUser-agent: b\nAllow: /\n"
            "User-agent: leafinstruct/2\nDisallow: /x",
            False,
        ),
        ("User-agent: *\nDisallow: /b\nUser-agent: c\nDisallow: /\nUser-agent: *\nDisallow: /x", False),
        # several names of one group; empty lines and unknown fields end none
        ("User-agent: a\nUser-agent: leafinstruct\nDisallow: /", False),
        ("User-agent: leafinstruct\n\n\nDisallow: /", False),
        ("User-agent: leafinstruct\nSitemap: http://e.org/s.xml\nUser-agent: b\nDisallow: /", False),
        ("User-agent: leafinstruct\nNoarchive: /\nUser-agent: b\nDisallow: /", False),
        ("User-agent: *\nCrawl-delay: 1\n\nUser-agent: b\nDisallow: /", True),
        # the longest rule counts, of equal ones the allowing one
        ("User-agent: *\nDisallow: /\nAllow: /x", True),
        ("User-agent: *\nAllow: /x\nDisallow: /x.j", False),
        ("User-agent: *\nDisallow: /x.jpg\nAllow: /x.jpg", True),
        ("User-agent: *\nDisallow: /*.jpg$", False),
        ("User-agent: *\nDisallow: /*.jp$", True),
        ("User-agent: *\nDisallow: /*.png$\nDisallow: *x", False),
        ("User-agent: *\nDisallow: /%78.jpg", False),
        ("User-agent: *\nDisallow: /X", True),
        # as owners write it
        ("USER-AGENT : *\nDISALLOW : /", False),
        ("user agent: *\nDisalow: /", False),
        ("User-agent *\nDisallow /", False),
        ("Disallow: /\nUser-agent: a\nAllow: /", True),
        ("User-agent: *\nDisallow:", True),
        ("<html><body>not found</body></html>", True),
        ("", True),
    ],
)
def test_groups_and_rules(text, allowed):
    assert allows(text) == allowed


TEXT = "User-agent: *\nDisallow: /x\n"
CLOSED = "User-agent: leafinstruct\nDisallow: /x\n"


@pytest.mark.parametrize(
    "body",
    [
        CLOSED.encode("utf-16"),
        CLOSED.encode("utf-16-le"),
        CLOSED.encode("utf-16-be"),
        b"\xfe\xff" + CLOSED.encode("utf-16-be"),
        b"\xff\xfe\xff\xfe" + CLOSED.encode("utf-16-le"),
        b"\xef\xbb\xbf" + CLOSED.encode(),
        b"\xef\xbb\xbf" * 2 + CLOSED.encode(),
        b"\xef\xbb\xbf" + CLOSED.encode("utf-16"),
        "\ufeff".encode().decode("latin-1").encode() + CLOSED.encode(),
        b"# a\n\xef\xbb\xbf" + CLOSED.encode(),
        CLOSED.replace("\n", "\r").encode(),
        CLOSED.replace("\n", "\r\r\n").encode(),
        b"\xff bad \xfe\n" + CLOSED.encode(),
        CLOSED.replace("\n", "\0\n").encode(),
    ],
)
def test_encodings_and_line_ends(body):
    assert not allows(body)
    assert allows(body, "/y.jpg")


def test_an_odd_character_in_a_path_ends_no_line():
    assert not allows("User-agent: *\nDisallow: /a\u2028b\n", "/a\u2028b.jpg")
    assert allows("User-agent: *\nDisallow: /a\u2028b\n", "/a.jpg")


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("User-agent: *\nContent-Signal: search=yes, ai-train=no\nAllow: /", False),
        ("User-Agent: *\nContent-signal: search=yes,ai-train=no", False),
        ("User-agent: *\nAllow: /\nCONTENT-SIGNAL:AI-Train = NO , search=yes", False),
        ("User-agent: *\nContent-Signal: ai-input=no, search=no", True),
        ("User-agent: *\nContent-Signal: ai-train=yes", True),
        ("User-agent: *\nContent-Signal: ai-train=maybe", True),
        ("User-agent: *\nContent-Signal: ai-train=yes\nContent-Signal: ai-train=no", False),
        ("User-agent: *\nContent-Signal: ai-train=no\nContent-Signal: ai-train=yes", False),
        # scope: the group of our name, else that of everyone; before all groups: everyone
        ("User-agent: GPTBot\nContent-Signal: ai-train=no\n\nUser-agent: *\nAllow: /", True),
        ("User-agent: GPTBot\nUser-agent: *\nContent-Signal: ai-train=no", False),
        ("User-agent: *\nContent-Signal: ai-train=no\n\nUser-agent: leafinstruct\nAllow: /", True),
        ("User-agent: leafinstruct/3\nContent-Signal: ai-train=no\n\nUser-agent: *\nAllow: /", False),
        ("Content-Signal: ai-train=no\nUser-agent: *\nAllow: /", False),
        ("# Content-Signal: ai-train=no\nUser-agent: *\nAllow: /", True),
        ("User-agent: *\nContent-Signal: ai-train=no\nUser-agent: b\nDisallow: /", False),
        # paths
        ("User-agent: *\nContent-Signal: /x ai-train=no", False),
        ("User-agent: *\nContent-Signal: /y ai-train=no", True),
        ("User-agent: *\nContent-Usage: train-ai=n\nContent-Usage: /x train-ai=y", True),
        ("User-agent: *\nContent-Usage: train-ai=y\nContent-Usage: /*.jpg$ ai=n", False),
        # the other proposals
        ("User-agent: *\nContent-Usage: train-ai=n", False),
        ("User-agent: *\nContent-Usage: search=n", True),
        ("User-agent: *\nDisallowAITraining: /", False),
        ("User-agent: *\nDisallowAITraining: /y", True),
        ("User-agent: *\nDisallowAITraining:", True),
        ("User-agent: *\nDisallowAITraining: /\nAllowAITraining: /x", True),
    ],
)
def test_what_is_said_of_training(text, allowed):
    assert allows(text) == allowed
    assert allows(text, opt_out=False)
    assert allows(text.replace("\n", "\r").encode("utf-16")) == allowed


def test_a_refusal_of_training_is_an_opt_out_that_names_it(server, tmp_path):
    server.robots = (200, "User-agent: *\nContent-Signal: search=yes, ai-train=no\nAllow: /\n")
    found = one(server, tmp_path, "/a.png")
    assert (found.state, found.reason, found.sha256) == ("ok", "opt_out", None)
    assert "content-signal: search=yes, ai-train=no" in found.detail
    assert server.images == {}
    assert one(server, tmp_path, "/a.png", opt_out=False).sha256 is not None


def test_where_a_redirect_leads_the_robots_txt_there_counts(server, tmp_path):
    server.robots = (200, "User-agent: *\nContent-Signal: /a.png ai-train=no\n")
    assert one(server, tmp_path, "/to-image").reason == "opt_out"
    assert server.images == {"/to-image": 1}


@pytest.mark.parametrize("body", [CLOSED.encode("utf-16"), b"\xef\xbb\xbf" * 2 + CLOSED.encode()])
@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("none", bytes), ("utf-8", bytes)])
def test_a_file_in_any_of_these_forms_is_obeyed(server, tmp_path, body, encoding, pack):
    packed = answer(pack(body), 200, "text/plain", f"Content-Encoding: {encoding}")
    server.scripts = {"/robots.txt": [packed]}
    urls = [server.url("/x.png"), server.url("/y.png")]
    assert [item.reason for item in fetch(tmp_path, urls, allow_hosts=[server.name])] == ["robots", ""]


def test_a_long_file_is_read_up_to_a_limit_in_little_time():
    import time

    body = (
        "".join(f"User-agent: a{n}\nDisallow: /{n}\n" for n in range(15_000)) + "User-agent: *,\nDisallow: /x"
    )
    began = time.process_time()
    assert not allows(body)
    assert not allows(TEXT + "User-agent: " + "," * 400_000)
    assert not allows("User-agent: *\n" * 30_000 + "Disallow: /x")
    assert not allows(b"\xef\xbb\xbf" * 160_000 + CLOSED.encode())
    assert not allows("User-agent: *\n" + "Disallow: /x\n" * 30_000)
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("X-Robots-Tag", "noindex; NoAI", "noai"),
        ("X-Robots-Tag", "somebot: noimageai, nofollow", "noimageai"),
        ("X-Robots-Tag", "DisallowAITraining", "disallowaitraining"),
        ("X-Robots-Tag", "noaiplease", ""),
        ("tdm-reservation", " 1 ", "tdm-reservation: 1"),
        ("tdm-reservation", "1, 1", "tdm-reservation: 1"),
        ("tdm-reservation", "0", ""),
        ("tdm-reservation", "10", ""),
        ("Content-Signal", "search=yes, ai-train=no", "content-signal: search=yes, ai-train=no"),
        ("Content-Usage", "train-ai=n", "content-usage: train-ai=n"),
        ("Content-Signal", "ai-train=yes", ""),
    ],
)
def test_opt_outs_in_headers(name, value, found):
    assert withheld([(name, value)]) == found


@pytest.mark.parametrize(
    ("text", "permitted"),
    [
        *(("ai-train=no", False), ("ai_train = NO", False), ("train-ai=n;exp=1", False), ("ai=n", False)),
        *(
            ("ai-train=yes", True),
            ("train-ai=y", True),
            ("", None),
            ("ai-train", None),
            ("ai-training=no", None),
        ),
    ],
)
def test_preferences(text, permitted):
    assert permits_training(text) is permitted
