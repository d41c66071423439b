"""Apply robots.txt of a host: RFC 9309, and what it states about training.

4xx: everything is allowed. 5xx or no answer: nothing is allowed, which is temporary.

The groups that name this program count, merged, else those of `*`; a version after the name is ignored (RFC
9309 section 2.2.1). Files are decoded as they are found: UTF-8 or UTF-16, with any number of byte order
marks, lines that end in CR, LF or both. Statements about training (`Content-Signal: ai-train=no`, see
`optout`) belong to groups too, may begin with a path, and the longest path counts as for rules; of two about
one path the stricter one does. A statement before all groups is for everyone.

Chosen: protego, as Scrapy does: wildcards, the longest rule wins, Crawl-delay; urllib.robotparser knows no
wildcards and uses the first rule. protego finds groups by a part of their name and ends them at fields that
it does not know, so the lines of our groups are selected here. Cost: 0.1 ms to parse an ordinary file, once a
host.
"""

from __future__ import annotations

import re
from typing import Literal
from urllib.parse import quote

from protego import Protego
from yarl import URL

from leafinstruct.images.optout import SIGNALS, permits_training
from leafinstruct.images.web.answer import Outcome
from leafinstruct.images.web.ip import origin
from leafinstruct.images.web.store import Store
from leafinstruct.images.web.wellknown import Get, HostFile

AGENT = "leafinstruct"
_Named = Literal["us", "everyone", "before"]
"""Whom lines are for: groups that name this program, groups of `*`, lines before all groups."""
_AGENTS = frozenset({"user-agent", "useragent"})
_RULES = frozenset({"allow", "disallow", "crawl-delay", "request-rate", "visit-time"})
_MISSPELLED = frozenset({"dissallow", "dissalow", "disalow", "diasllow", "disallaw"})
_TRAINING = {"allowaitraining": True, "disallowaitraining": False}
_MARKS = re.compile(rb"\A(?:\xef\xbb\xbf)+")
_LINE = re.compile(r"[\r\n]+")
_PRODUCT = re.compile(r"[A-Za-z_-]+\*?")
_SCOPED = re.compile(r"([/*]\S*)\s+(.*)")
_BREAKS = re.compile(r"[\v\f\x1c-\x1e\x85\u2028\u2029]")
"""Ends of lines to Python, and to protego, which are none in a robots.txt."""


class Rules:
    """The rules of a host. body: its robots.txt, empty if there is none."""

    def __init__(self, body: bytes) -> None:
        access, training = _ours(_text(body))
        self._access = _parsed(access)
        self._statements = ", ".join(dict.fromkeys(training.values()))
        self._training = _parsed(
            [f"{'Allow' if text == '' else 'Disallow'}: {path}" for path, text in training.items()]
        )

    def allows(self, url: URL, opt_out: bool = True) -> bool:
        """Whether this program may request a URL. opt_out: whether a refusal of training counts."""
        if opt_out and self.opts_out(url):
            return False
        return self._access is None or bool(self._access.can_fetch(str(url), AGENT))

    def opts_out(self, url: URL) -> str:
        """Return the statements by which a URL opts out of training, empty if it does not."""
        if self._training is None or self._training.can_fetch(str(url), AGENT):
            return ""
        return self._statements.strip(", ")[:200]

    @property
    def delay(self) -> float:
        """Seconds that the host requires between two requests."""
        found = self._access.crawl_delay(AGENT) if self._access is not None else None
        return float(found or 0.0)


def _parsed(lines: list[str]) -> Protego | None:
    text = "\n".join([f"User-agent: {AGENT}", *(_BREAKS.sub(_quoted, line) for line in lines)])
    return Protego.parse(text) if lines else None


def _quoted(sign: re.Match[str]) -> str:
    return quote(sign[0])


def _text(body: bytes) -> str:
    """Decode a robots.txt by its byte order marks, or the zeros of UTF-16."""
    body = _MARKS.sub(b"", body)
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        codec = "utf-16"
    elif body[1:2] == b"\0" or body[:1] == b"\0":
        codec = "utf-16-le" if body[1:2] == b"\0" else "utf-16-be"
    else:
        codec = "utf-8"
    text = body.decode(codec, errors="replace").replace("\ufeff", "").replace("\0", "")
    return text.removeprefix("ï»¿")  # a mark that was encoded twice


def _ours(text: str) -> tuple[list[str], dict[str, str]]:
    """Return the rules for this program, as lines; and path -> the statement that refuses training there,
    empty if it is permitted."""
    groups: dict[_Named, list[tuple[str, str]]] = {"before": []}
    current: set[_Named] = {"before"}
    is_open = False
    for name, value in _fields(text):
        if name in _AGENTS:
            current = (current if is_open else set()) | _named(value)
            is_open = True
            for named in current:
                groups.setdefault(named, [])
        elif name in _RULES or name in SIGNALS or name in _TRAINING:
            is_open = False
            for named in current:
                groups[named].append((name, value))
    ours = groups.get("us", groups.get("everyone", []))
    training: dict[str, str] = {}
    for path, is_permitted, statement in _statements([*groups["before"], *ours]):
        if not is_permitted or path not in training:
            training[path] = "" if is_permitted else statement
    return [f"{name}: {value}" for name, value in ours if name in _RULES], training


def _fields(text: str) -> list[tuple[str, str]]:
    """The lines as names in lower case and values. Misspelled names and missing colons are understood as by
    protego."""
    found = []
    for line in _LINE.split(text):
        content = line.partition("#")[0].strip()
        name, colon, value = content.partition(":")
        if not colon:
            name, _, value = content.partition(" ")
        name = re.sub(r"[\s_]+", "-", name.strip().lower())
        found.append(("disallow" if name in _MISSPELLED else name, value.strip()))
    return found


def _named(agents: str) -> set[_Named]:
    """Whom a user agent line names, as far as it concerns this program."""
    found: set[_Named] = set()
    for agent in agents.split(","):
        first = agent.strip().partition(" ")[0]
        token = _PRODUCT.match(first.lstrip("*") or first)
        if first and not first.strip("*"):
            found.add("everyone")
        elif token is not None:
            name = token[0].lower()
            if name.removesuffix("*") == AGENT or (name.endswith("*") and AGENT.startswith(name[:-1])):
                found.add("us")
    return found


def _statements(lines: list[tuple[str, str]]) -> list[tuple[str, bool, str]]:
    """The statements about training: path, whether it is permitted, the line."""
    found = []
    for name, value in lines:
        if name in SIGNALS:
            scoped = _SCOPED.fullmatch(value)
            path, preferences = (scoped[1], scoped[2]) if scoped else ("/", value)
            is_permitted = permits_training(preferences)
        else:
            path, is_permitted = value, _TRAINING.get(name)
        if is_permitted is not None and path:
            found.append((path, is_permitted, f"{name}: {value}"[:80]))
    return found


class Robots:
    """The rules of all hosts of a run."""

    def __init__(self, store: Store, get: Get) -> None:
        self._files = HostFile("robots.txt", store, get)
        self._rules: dict[str, Rules] = {}

    async def rules(self, url: URL) -> Rules | Outcome:
        """Return the rules of a URL's host, or the temporary failure to read them."""
        body = await self._files.of(url)
        if isinstance(body, Outcome):
            return body
        key = f"{url.scheme}://{origin(url)}"
        if key not in self._rules:
            self._rules[key] = Rules(body)
        return self._rules[key]
