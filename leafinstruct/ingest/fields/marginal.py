"""Recognize lines that are not part of a document's text: bylines, dates, breadcrumbs, share lines; and
sentences, in any script. Pure.

Word lists cover the languages of the large crawls. They are matched against whole lines, so such a word
inside a title or a sentence has no effect. A text longer than MAX_MARGINAL is never marginal.
"""

# ruff: noqa: RUF001, RUF002 - marks of other scripts

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from leafinstruct.ingest.fields.text import word_set
from leafinstruct.records.text.words import ends_clause, folded, sentences_of

MAX_MARGINAL = 120
"""Maximum characters of a marginal line; a longer line before the h1 is a paragraph."""

MAX_LOOKED_AT = 2_000
"""Maximum characters of a list that may be a path of pages: eight items of 60, with their markers."""

_LONG_END = re.compile(r"[^\W\d_]{3,}[.!?…]+\W*$|[^.!?…\w\s]$")
"""The end of a sentence within a line: after a word of three letters or more, to exclude `Mt. Fuji` and `No.
5`."""

_PATH = re.compile(r"\s*(?:(?<![-=])>|[›»→▸⟩❯])\s*|\s+/\s+|\s*::\s*|\s+[|·•]\s+")
STRICT_PATH = re.compile(r"\s+>\s+|\s*[›»⟩❯]\s*")

_HOME = word_set(
    """home homepage start startpage startseite accueil inicio início home-page hem hjem etusivu główna
    strona_główna domů главная головна 首页 主页 首頁 ホーム トップ 홈 الرئيسية בית मुख्यपृष्ठ หน้าแรก ana_sayfa
    anasayfa beranda trang_chủ αρχική pagina_inicial página_inicial main_page hauptseite portada"""
)
_GENERIC = _HOME | word_set(
    """untitled untitled_document untitled_page no_title document new_page new_document index index.html
    index.htm index.php default default.aspx welcome loading please_wait just_a_moment attention_required
    access_denied forbidden not_found page_not_found error server_error internal_server_error bad_gateway
    service_unavailable site_maintenance 404 403 500 404_not_found 403_forbidden 404_error error_404 blog
    news archive archives menu navigation main_menu main_navigation site_navigation search search_results
    login log_in sign_in register skip_to_content skip_to_main_content primary_navigation
    table_of_contents sidebar comments leave_a_reply leave_a_comment share unbenannt unbenanntes_dokument
    ohne_titel sans_titre document_sans_titre sin_título sin_titulo documento_sin_título sem_título
    senza_titolo seite_nicht_gefunden page_introuvable página_no_encontrada без_названия 无标题 无标题文档 無標題 無題
    제목_없음 بدون_عنوان null undefined none title page test react_app vite_app vite_react vite_react_ts
    vite_vue vue_app svelte_app sveltekit_app create_next_app next_app nuxt_app angular_app my_app web_app
    gatsby_default_starter"""  # noqa: E501
)
"""Titles that name no specific page, with `_` for a space."""
_SHARE = word_set(
    """share sharing this on tweet post pin it save print email e-mail mail copy link like follow us
    subscribe facebook twitter x pinterest whatsapp linkedin reddit telegram instagram youtube tumblr
    bluesky mastodon threads jump to recipe skip content and via with now a pdf comment comments teilen
    drucken merken partager imprimer compartir imprimir condividi stampa 分享 シェア ツイート поделиться"""
)
_SHARE_VERBS = word_set(
    """share sharing tweet pin save print email e-mail copy like follow subscribe jump skip facebook twitter
    pinterest teilen drucken merken partager imprimer compartir imprimir condividi stampa 分享 シェア ツイート
    поделиться"""
)
_MONTHS = word_set(
    """january february march april may june july august september october november december jan feb mar apr
    jun jul aug sep sept oct nov dec januar februar märz mai juni juli oktober dezember jän mrz okt dez
    janvier février mars avril juin juillet août septembre octobre novembre décembre janv févr avr juil
    enero febrero marzo abril mayo junio julio agosto septiembre setiembre octubre noviembre diciembre ene
    abr dic janeiro fevereiro março maio junho julho setembro outubro novembro dezembro fev gennaio
    febbraio aprile maggio giugno luglio settembre ottobre dicembre giu lug ott januari februari maart mei
    augustus января февраля марта апреля мая июня июля августа сентября октября ноября декабря stycznia
    lutego marca kwietnia maja czerwca lipca sierpnia września października listopada grudnia ocak şubat
    mart nisan mayıs haziran temmuz ağustos eylül ekim kasım aralık يناير فبراير مارس أبريل مايو يونيو
    يوليو أغسطس سبتمبر أكتوبر نوفمبر ديسمبر"""
)
_ALSO_WORDS = frozenset({"mars", "mart"})
"""Months that are also other words (`Mars 2020`): a date needs two numbers beside them."""
_DATE_WORDS = word_set(
    """monday tuesday wednesday thursday friday saturday sunday mon tue tues wed thu thur thurs fri sat sun
    montag dienstag mittwoch donnerstag freitag samstag sonntag lundi mardi mercredi jeudi vendredi samedi
    dimanche lunes martes miércoles jueves viernes sábado domingo of the on at in de del den der le am um
    vom el il en à date published updated posted created modified last edited first since reviewed
    veröffentlicht aktualisiert stand erstellt zuletzt publié mis jour modifié publicado actualizado fecha
    pubblicato aggiornato il опубликовано обновлено г года uhr st nd rd th pm utc gmt est edt pst pdt cet
    cest z t o clock bis h min read minutes minute reading time lesezeit"""
)
_NUMERIC_DATE = re.compile(
    r"\d{4}\s*[-/.年]\s*\d{1,2}\s*[-/.月]\s*\d{1,2}\s*日?|\d{1,2}\s*[-/.]\s*\d{1,2}\s*[-/.]\s*(?:\d{4}|"
    r"\d{2})\b|\d{4}\s*年\s*\d{1,2}\s*月|\d{4}\s*년"
)
_TOKEN = re.compile(r"\d+|[^\W\d_]+", re.UNICODE)
_READING = re.compile(
    r"(?:reading time:?\s*)?~?\d{1,3}\s*(?:[-–]\s*\d{1,3}\s*)?min(?:ute)?s?\.?(?:\s+(?:read|to read))?",
    re.IGNORECASE,
)
_BY = re.compile(
    r"(?:(?P<sure>(?:posted|written|published|created|submitted|shared|photographed|edited|reviewed|"
    r"updated|authored|story|words|text|photos?"
    r"(?: and text)?|article|recipe|words and photos)\s+by|author\s*:|authors\s*:|autore?\s*:|"
    r"auteur\s*:|autor(?:in)?\s*:|автор\s*:?|автор статьи"
    r"|作者\s*[:：]|文\s*[/／:：]|撰文\s*[:：]|著者\s*[:：]|執筆\s*[:：]|投稿者\s*[:：]|글쓴이\s*:|الكاتب\s*:?|بقلم\s*:?)|"
    r"(?P<word>by|von|par|por|di|af|av|door|przez))"
    r"\s*(?P<who>.*)",
    re.IGNORECASE | re.DOTALL,
)
WEB_OR_MAIL = re.compile(r"(?:https?://|www\.)\S+|\S+@\S+\.\S+", re.IGNORECASE)


def is_sentence(text: str) -> bool:
    """Whether a line is prose: it ends like a sentence or a part of one, or a sentence ends within it."""
    return ends_clause(text) or any(_LONG_END.search(sentence) for sentence in sentences_of(text)[:-1])


def is_generic(text: str) -> bool:
    """Whether a line is a title that names no specific page (Untitled, Home, Index of /x, 404, Menu), a URL,
    or has no word."""
    return _is_generic(text) if len(text) <= MAX_LOOKED_AT else _is_generic.__wrapped__(text)


@lru_cache(maxsize=4096)
def _is_generic(text: str) -> bool:
    plain = folded(text)
    if not plain or WEB_OR_MAIL.fullmatch(text.strip()):
        return True
    if plain.replace(" ", "_") in _GENERIC or text.strip().casefold() in _GENERIC:
        return True
    return (
        re.match(
            (
                r"index of\b|(?:error\s+)?(?:40[0-9]|50[0-9])\b\W*(?:error|page|not|forbidden|"
                r"unauthorized|bad|internal|service|gateway|$)"
            ),
            plain,
        )
        is not None
    )


def is_date(text: str) -> bool:
    """Whether a line is a date, with or without a word about it: `3 May 2024`, `Last updated: 2024-05-03
    10:15`, `2024年5月3日`; `5 min read`."""
    line = text.strip(" |·•,.–—-()[]/")
    if len(line) > MAX_MARGINAL or not any(map(str.isdigit, line)):
        return False
    if _READING.fullmatch(line):
        return True
    rest, numeric = _NUMERIC_DATE.subn(" ", line)
    tokens = [token.lower() for token in _TOKEN.findall(rest)]
    words = [token for token in tokens if not token.isdigit()]
    months = sum(word in _MONTHS for word in words)
    if any(word not in _MONTHS and word not in _DATE_WORDS for word in words):
        return False
    numbers = len(tokens) - len(words)
    return bool(numeric) or (months == 1 and numbers >= (1 if _ALSO_WORDS.isdisjoint(words) else 2))


def is_byline(text: str) -> bool:
    """Whether a line names the author, with or without the date: `By Jane Doe`, `Posted by Ann on 3 May
    2024`, `作者：王伟`.

    A bare `By` must be followed by names (capital letters, at most six words), so that `By the sea` is a
    title.
    """
    line = text.strip(" |·•–—-")
    if len(line) > MAX_MARGINAL or ends_clause(line.rstrip(".")):
        return False
    if _dated_byline(line):
        return True
    found = _BY.fullmatch(line)
    if (
        found is None
        or (found["word"] and not found["who"])
        or (found["word"] and line[len(found["word"])] not in " :")
    ):
        return False
    who = found["who"].strip(" :：")
    if found["sure"]:
        return len(who.split()) <= 14 and (
            not who[:1].islower() or folded(found["sure"]).split()[0] in ("posted", "written", "submitted")
        )
    names = re.split(r"\s*[,|·•]\s*|\s+[-–—/]\s+|\s+on\s+(?=\S*\d|[A-Z])|\s+in\s+(?=[A-Z])", who)
    first = names[0].split()
    return (
        1 <= len(first) <= 6
        and _are_names(first)
        and all(
            is_date(name) or is_date(" ".join(names[1:])) or _are_names(name.split()) for name in names[1:]
        )
    )


def _are_names(words: Sequence[str]) -> bool:
    if not words or len(words) > 6 or words[0].casefold() in ("the", "a", "an", "my", "your", "our"):
        return False
    small = {
        "de",
        "da",
        "del",
        "von",
        "van",
        "der",
        "den",
        "di",
        "la",
        "le",
        "bin",
        "al",
        "and",
        "und",
        "y",
        "et",
        "e",
        "&",
    }
    return words[0] not in small - {"de", "von", "van", "di", "la", "le", "al"} and all(
        word in small or (word[0].isalpha() and word[0] == word[0].upper()) for word in words
    )


def _dated_byline(line: str) -> bool:
    """`3 May 2024 by Ann`, `Posted on 3 May 2024 by Ann in Recipes`, `Ann Baker | 3 May 2024`."""
    if not any(map(str.isdigit, line)):
        return False
    found = re.match(r"(?P<date>.*\d.*?)[\s,|·•–—-]+(?:by|von|par|por)\s+(?P<who>.+)", line, re.IGNORECASE)
    if found is not None and is_date(found["date"]):
        return len(found["who"].split()) <= 8
    halves = re.split(r"\s*[|·•]\s*", line)
    dates = [half for half in halves if is_date(half)]
    rest = [half for half in halves if not is_date(half)]
    return 0 < len(dates) < len(halves) <= 4 and all(
        _are_names(half.split()) or is_byline(half) for half in rest
    )


def is_breadcrumb(text: str) -> bool:
    """Whether a line, or a list, is a path of pages: it begins with Home and has a separator, or has three
    short parts between `>`, `›` or `»`."""
    items = [re.sub(r"^\s*(?:[-*•]|\d+\.)\s+", "", line).strip() for line in text.split("\n") if line.strip()]
    if len(items) > 1:
        return (
            is_home(items[0].strip(" >›»/|"))
            and len(items) <= 8
            and all(len(item) <= 60 and not is_sentence(item) for item in items)
        )
    line = items[0].strip() if items else ""
    if len(line) > 2 * MAX_MARGINAL or ends_clause(line):
        return False
    line = re.sub(r"^you are here\s*:?\s*|^sie sind hier\s*:?\s*", "", line, flags=re.IGNORECASE)
    parts = [part for part in _PATH.split(line) if part]
    if len(parts) > 1 and is_home(parts[0]):
        return True
    strict = [part for part in STRICT_PATH.split(line) if part]
    return len(strict) > 2 and all(len(part.split()) <= 6 for part in strict)


def is_home(text: str) -> bool:
    return folded(text).replace(" ", "_") in _HOME


def is_share_line(text: str) -> bool:
    """Whether a line only offers to share, print or skip: `Share on Facebook`, `Tweet Pin it Print`, `Jump to
    recipe`."""
    words = re.findall(r"[\w-]+", text.casefold())
    return 0 < len(words) <= 12 and _SHARE.issuperset(words) and not _SHARE_VERBS.isdisjoint(words)


def is_marginal(text: str) -> bool:
    """Whether a line only states where, when or by whom: a breadcrumb, a date, a byline, a share line,
    `Home`."""
    return len(text) <= MAX_LOOKED_AT and _is_marginal(text)


@lru_cache(maxsize=4096)
def _is_marginal(text: str) -> bool:
    line = text.strip()
    return is_breadcrumb(line) or (
        len(line) <= MAX_MARGINAL
        and "\n" not in line
        and (is_date(line) or is_byline(line) or is_share_line(line) or is_home(line))
    )
