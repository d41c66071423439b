r"""Find personal data in a text: e-mail addresses, phone numbers, payment cards, IBANs, IP addresses, keys.

    personal.emails   name@domain with a suffix of the Public Suffix List, also `name (at) domain (dot) com`
    personal.phones   +49 30 901820, valid by the national plans of phonenumbers; (202) 456-1111 and the like
                      with a valid area code; any number of 7 to 15 digits after a word for telephone
    personal.cards    13 to 19 digits with a range of an issuer and a Luhn checksum (ISO/IEC 7812)
    personal.ibans    country, its length, and the checksum modulo 97 (ISO 13616)
    personal.ips      IPv4 and IPv6 addresses of the public internet
    personal.keys     tokens with a published prefix, JSON Web Tokens (RFC 7519), PEM blocks of private keys

Left, since they belong to nobody: addresses at example.com and other reserved names (RFC 2606), `git@host`,
telephone numbers 555-0100 to 555-0199, private, loopback and documentation addresses (RFC 1918, 5737, 3849),
public resolvers (8.8.8.8), four small numbers with dots (1.2.3.4) and those after a word for a version.
Names of people are not searched: without a model, a name cannot be told from another capitalized word.

Chosen: phonenumbers 9.0 (Apache-2.0), which knows the plans of all countries, for numbers with `+` and of
North America only. Its own search took 0.5 ms for a page of 4,000 characters and each assumed country, and
with one it found numbers in tables of measurements. Cost here: 0.5 ms for such a page. Every pattern is
bounded, so the time is linear in the text.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from operator import itemgetter

from leafinstruct.records.url import is_public

LIBRARIES = ("phonenumbers", "publicsuffixlist")
"""Distributions whose version can change what is found."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of personal data. score: name in the catalog, and the reason of its edits. mask: what is written
    instead. noun: for people, in singular and plural."""

    score: str
    mask: str
    noun: tuple[str, str]


KINDS = (
    Kind("personal.keys", "[key]", ("key", "keys")),
    Kind("personal.emails", "[email]", ("e-mail address", "e-mail addresses")),
    Kind("personal.ibans", "[iban]", ("IBAN", "IBANs")),
    Kind("personal.cards", "[card]", ("payment card", "payment cards")),
    Kind("personal.ips", "[ip]", ("IP address", "IP addresses")),
    Kind("personal.phones", "[phone]", ("phone number", "phone numbers")),
)
"""In the order in which they are searched: of two that overlap, the first is found."""

Span = tuple[int, int]


def find(text: str) -> list[tuple[Kind, int, int]]:
    """Each piece of personal data in a text: its kind, start and end, in the order of the text. Pieces do not
    overlap."""
    found: list[tuple[Kind, int, int]] = []
    for kind, search in zip(KINDS, _SEARCHES, strict=True):
        fresh = [
            (kind, start, end)
            for start, end in search(text)
            if all(end <= before or after <= start for _, before, after in _near(found, start))
        ]
        found = sorted([*found, *fresh], key=lambda item: item[1]) if fresh else found
    return found


def _near(found: list[tuple[Kind, int, int]], start: int) -> list[tuple[Kind, int, int]]:
    """The pieces on both sides of a place; `found` is sorted and without overlaps."""
    at = bisect_left(found, start, key=itemgetter(1))
    return found[max(0, at - 1) : at + 1]


# Keys
# ----------------------------------------------------------------------------------------------------

_TOKEN = re.compile(
    r"(?<![A-Za-z0-9_-])(?:"
    r"A(?:KIA|SIA)[A-Z0-9]{16}(?![A-Za-z0-9])"  # Amazon
    r"|gh[opsur]_[A-Za-z0-9]{36,255}+|github_pat_[A-Za-z0-9_]{22,255}+|glpat-[\w-]{20,255}+"
    r"|xox[abeoprs]-[A-Za-z0-9-]{10,255}+|xapp-[A-Za-z0-9-]{10,255}+"  # Slack
    r"|AIza[\w-]{35}(?![\w-])"  # Google
    r"|sk-[\w-]{20,255}+|hf_[A-Za-z0-9]{30,64}+|npm_[A-Za-z0-9]{36}(?![A-Za-z0-9])"
    r"|[rs]k_live_[A-Za-z0-9]{16,255}+|SG\.[\w-]{16,64}\.[\w-]{16,64}"  # Stripe, SendGrid
    r"|eyJ[\w-]{8,4000}+\.eyJ[\w-]{8,8000}+\.[\w-]{16,4000}+"  # JSON Web Token
    r")"
)
_PREFIXES = (
    "AKIA",
    "ASIA",
    "gh",
    "glpat-",
    "xox",
    "xapp-",
    "AIza",
    "sk-",
    "hf_",
    "npm_",
    "k_live_",
    "SG.",
    "eyJ",
)
_PEM = re.compile(r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY-----")
_PEM_END = re.compile(r"-----END [A-Z0-9 ]{0,30}PRIVATE KEY-----")
_LONGEST_PEM = 20_000
"""Characters of a block. A key of 16,384 bits has 12,500."""


def _keys(text: str) -> Iterator[Span]:
    if any(prefix in text for prefix in _PREFIXES):
        yield from (found.span() for found in _TOKEN.finditer(text) if _is_random(found[0]))
    end = 0
    for begin in _PEM.finditer(text):
        if begin.start() >= end:
            closed = _PEM_END.search(text, begin.end(), begin.end() + _LONGEST_PEM)
            end = closed.end() if closed else min(len(text), begin.end() + _LONGEST_PEM)
            yield begin.start(), end


def _is_random(token: str) -> bool:
    """Whether a token has digits and capitals, which `sk-fading-circle-animation` has not, and does not call
    itself an example."""
    return any(map(str.isdigit, token)) and any(map(str.isupper, token)) and "EXAMPLE" not in token.upper()


# E-mail addresses
# ----------------------------------------------------------------------------------------------------

_LABEL = r"[^\W_](?:[\w-]{0,61}[^\W_])?"
_EMAIL = re.compile(
    rf"(?<![\w.+%'-])(?P<local>[\w.+%'-]{{1,64}}+)@(?P<domain>(?:{_LABEL}\.){{1,8}}[^\W\d_]{{2,24}})(?![\w@])"
)
_AT = r"[ \t]?[\[({][ \t]?(?:at|@|ät|arroba)[ \t]?[\])}][ \t]?"
_SPELLED_DOT = r"(?:\.|[ \t]?[\[({][ \t]?(?:dot|punkt|punto|point|\.)[ \t]?[\])}][ \t]?)"
_SPELLED = re.compile(
    rf"(?<![\w.+-])(?P<local>[\w.+-]{{1,64}}+){_AT}(?P<domain>{_LABEL}(?:{_SPELLED_DOT}{_LABEL}){{1,8}})",
    re.IGNORECASE,
)
_DOT = re.compile(_SPELLED_DOT, re.IGNORECASE)
_BRACKET = re.compile(_AT, re.IGNORECASE)
_RESERVED = re.compile(r"(?:^|\.)(?:example(?:\.(?:com|net|org|edu))?|test|invalid|localhost|local)$")
"""Names that are nobody's: RFC 2606, RFC 6762."""


def _emails(text: str) -> Iterator[Span]:
    if "@" in text:
        yield from (found.span() for found in _EMAIL.finditer(text) if _is_address(found))
    if ("(" in text or "[" in text or "{" in text) and _BRACKET.search(text) is not None:
        yield from (found.span() for found in _SPELLED.finditer(text) if _is_address(found))


def _is_address(found: re.Match[str]) -> bool:
    domain = _DOT.sub(".", found["domain"]).lower()
    after = found.string[found.end() : found.end() + 1]
    if found["local"].lower() == "git" and after in (":", "/"):
        return False  # a repository
    return not _RESERVED.search(domain) and is_public(domain)


# IBANs and payment cards
# ----------------------------------------------------------------------------------------------------

_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d\d(?=[ \u00a0]?[A-Z0-9]{4})")
_IBAN_LENGTHS = {
    name: int(size)
    for size, names in {
        "15": "NO", "16": "BE", "18": "DK FI FO GL NL", "19": "MK SI", "20": "AT BA EE KZ LT LU XK",
        "21": "CH CR HR LI LV", "22": "BG BH DE GB GE IE ME RS VA", "23": "AE GI IL IQ TL",
        "24": "AD CZ DZ ES MD PK RO SA SE SK TN VG", "25": "LY PT ST", "26": "IS TR",
        "27": "FR GR IT MC MR SM", "28": "AL AZ BY CY DO GT HU LB LC NI PL SV", "29": "BR EG PS QA UA",
        "30": "JO KW MU", "31": "MT SC",
    }.items()
    for name in names.split()
}  # fmt: skip
"""Country -> characters, from the registry of ISO 13616."""


def _ibans(text: str) -> Iterator[Span]:
    for found in _IBAN.finditer(text):
        size = _IBAN_LENGTHS.get(found[0][:2])
        if size is None:
            continue
        piece, end = found[0], found.end()
        while len(piece) < size and end < len(text):
            if text[end] in " \u00a0" and text[end - 1] not in " \u00a0":
                end += 1
            elif text[end].isascii() and text[end].isalnum():
                piece, end = piece + text[end].upper(), end + 1
            else:
                break
        if len(piece) == size and not text[end : end + 1].isalnum():
            number = "".join(str(int(sign, 36)) for sign in piece[4:] + piece[:4])
            if int(number) % 97 == 1:
                yield found.start(), end


_CARD = re.compile(
    r"(?<![\w.,-])(?:\d{4}(?P<a>[ -]?)\d{4}(?P=a)\d{4}(?P=a)\d{4}(?:(?P=a)\d{3})?"
    r"|3\d{3}(?P<b>[ -]?)\d{6}(?P=b)\d{4,5})(?![\w-]|[.,]\d)",
    re.ASCII,
)
_ISSUERS = {
    14: re.compile("30[0-5]|3[689]"),  # Diners Club
    15: re.compile("3[47]"),  # American Express
    16: re.compile("4|5[1-5]|2(?:22[1-9]|2[3-9]|[3-6]|7[01]|720)|6011|65|64[4-9]|62|35(?:2[89]|[3-8])"),
    19: re.compile("4|62"),
}
"""Number of digits -> ranges of Visa, Mastercard, Discover, UnionPay and JCB, unless noted."""


def _cards(text: str) -> Iterator[Span]:
    for found in _CARD.finditer(text):
        digits = found[0].replace(" ", "").replace("-", "")
        if _ISSUERS[len(digits)].match(digits) and _luhn(digits):
            yield found.span()


def _luhn(digits: str) -> bool:
    total = sum(map(int, digits[-1::-2]))
    return (total + sum(sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])) % 10 == 0


# IP addresses
# ----------------------------------------------------------------------------------------------------

_OCTET = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_IPV4 = re.compile(rf"(?<![\w.-])(?:{_OCTET}\.){{3}}{_OCTET}(?![\w-]|\.\d)", re.ASCII)
_IPV6 = re.compile(r"(?<![\w:.])(?:[0-9a-f]{1,4}:){1,7}(?::|[0-9a-f])[0-9a-f:]{0,38}(?![\w:])", re.IGNORECASE)
_VERSION = re.compile(
    r"(?:\bv|versi[oó]n\w*|\bver|firmware|release|build|driver|revision|rev|version\w*|версия|版本|バージョン|버전)"
    r"[ :#.=\u00a0-]{0,3}$",
    re.IGNORECASE,
)
_RESOLVERS = frozenset(
    ip_address(address)
    for address in (
        *("1.0.0.1", "1.1.1.1", "8.8.4.4", "8.8.8.8", "9.9.9.9", "149.112.112.112", "208.67.220.220"),
        *("208.67.222.222", "2001:4860:4860::8844", "2001:4860:4860::8888", "2606:4700:4700::1001"),
        *("2606:4700:4700::1111", "2620:fe::fe"),
    )
)
_UNICAST = IPv6Network("2000::/3")
"""Addresses that are given to networks (RFC 4291). Outside it, `std::a` of a program would be one."""


def _ips(text: str) -> Iterator[Span]:
    for found in _IPV4.finditer(text):
        address = IPv4Address(found[0])
        before = text[max(0, found.start() - 24) : found.start()]
        is_version = max(address.packed) < 20 or _VERSION.search(before) is not None
        if address.is_global and not address.is_multicast and address not in _RESOLVERS and not is_version:
            yield found.span()
    if "::" in text or text.count(":") >= 7:
        for found in _IPV6.finditer(text):
            try:
                ipv6 = IPv6Address(found[0])
            except ValueError:
                continue
            if ipv6 in _UNICAST and ipv6.is_global and ipv6 not in _RESOLVERS:
                yield found.span()


# Phone numbers
# ----------------------------------------------------------------------------------------------------

_SEPARATOR = r"[ \u00a0.\-/()‐‑–]{0,3}"  # noqa: RUF001 - hyphens of other widths are intended
_INTERNATIONAL = re.compile(rf"(?<![\w+])(?:\+|00(?=[1-9])|＋)[ (]?[1-9](?:{_SEPARATOR}\d){{6,14}}+(?!\w)")  # noqa: RUF001 - a full-width plus
_AMERICAN = re.compile(
    r"(?<![\w.+/=$€£#-])(?<!\d )(?:1[-. ])?"
    r"(?:\([2-9]\d\d\)[ \u00a0]?[2-9]\d\d[-. ]\d{4}|[2-9]\d\d(?P<dot>[-.])[2-9]\d\d(?P=dot)\d{4})"
    r"(?![\w-]|[.,]\d| ?\d)"
)
_FICTIONAL = re.compile(r"55501\d\d$")
_WORD = (
    r"tel|telephone|phone|fax|facsimile|whatsapp|hotline|helpline|call us(?: at| on)?|"
    r"telefon|telefax|fon|mobil(?:telefon)?|handy|rufnummer|"
    r"t[ée]l[ée]phone|t[ée]l|t[ée]l[ée]copie|"
    r"tel[ée]fono|m[óo]vil|celular|telefone|telem[óo]vel|cellulare|fisso|"
    r"telefoon|gsm|telefoonnummer|telefonnummer|telefonu?|komórka|numara|puh|puhelin|"
    r"тел|телефон|факс|моб|мобильный|"
    r"电话|電話|电话号码|電話番号|手机|手機|传真|傳真|ファックス|携帯|"
    r"전화|전화번호|휴대폰|팩스|핸드폰|"
    r"هاتف|الهاتف|جوال|الجوال|تليفون|فاكس|टेलीफोन|फ़ोन|फोन|โทร|โทรศัพท์"
)
_LETTER = r"mobile|cell|cell phone|mob|m|t|p|f|portable"
"""Words that need a colon, and a number with separators: `T: 020 7946 0018`, not `t: 1699999999`."""
_CUED = re.compile(
    rf"(?<![^\W\d_])(?:(?:{_WORD})(?:[ -]?(?:no|nr|number|nummer|num|#))?[ \u00a0]?[.:\uff1a)\-]{{0,2}}"
    rf"|(?P<letter>{_LETTER})[.]?:)"
    rf"[ \u00a0]{{0,2}}(?P<number>[(]?\d(?:{_SEPARATOR}\d){{6,14}}+)(?!\w|[.,]\d)",
    re.IGNORECASE,
)
_DATE = re.compile(r"(?:19|20)\d\d[./-]\d{1,2}[./-]\d{1,2}|\d{1,2}[./-]\d{1,2}[./-](?:19|20)\d\d")


_DIGITS = re.compile(rf"\d(?:{_SEPARATOR}\d){{6}}")
"""What every number has and most texts have not."""


def _phones(text: str) -> Iterator[Span]:
    """Numbers of the three patterns, each place once."""
    spans: list[Span] = []
    if _DIGITS.search(text) is None:
        return
    if "+" in text or "00" in text or "＋" in text:  # noqa: RUF001 - a full-width plus
        spans += (found.span() for found in _INTERNATIONAL.finditer(text) if _is_international(found[0]))
    spans += (found.span() for found in _AMERICAN.finditer(text) if _is_american(found[0]))
    spans += (
        found.span("number")
        for found in _CUED.finditer(text)
        if not _DATE.match(found["number"].strip("("))
        and not (found["letter"] and found["number"].isdecimal())
    )
    end = 0
    for span in sorted(spans, key=lambda span: (span[0], -span[1])):
        if span[0] >= end:
            yield span
            end = span[1]


def _is_valid(number: str, country: str | None) -> bool:
    import phonenumbers  # 20 ms, and most pages have no number

    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(number, country))
    except phonenumbers.NumberParseException:
        return False


def _is_international(number: str) -> bool:
    if number.startswith("00"):
        number = "+" + number[2:]
    digits = re.sub(r"\D", "", number)
    return not (digits.startswith("1") and _FICTIONAL.search(digits)) and _is_valid(number, None)


def _is_american(number: str) -> bool:
    return not _FICTIONAL.search(re.sub(r"\D", "", number)) and _is_valid(number, "US")


_SEARCHES: tuple[Callable[[str], Iterator[Span]], ...] = (_keys, _emails, _ibans, _cards, _ips, _phones)
"""In the order of KINDS."""


def counts_of(found: dict[str, int]) -> str:
    """Counts by score as a phrase: `2 e-mail addresses, 1 phone number`."""
    return ", ".join(
        f"{found[kind.score]:,} {kind.noun[found[kind.score] != 1]}"
        for kind in KINDS
        if found.get(kind.score)
    )
