"""Languages as names of files state them: BCP 47 tags (`en-US`, `en_GB`), codes of ISO 639-2 (`eng`, `ger`),
English names.

The codes of ISO 639-1 and their equals in ISO 639-2 are complete; names are those of languages that players
list. Sources: Library of Congress, ISO 639-2 code list; RFC 5646 (tags), RFC 4647 (matching).
"""

from __future__ import annotations

import re

_CODES = """
aa aar, ab abk, ae ave, af afr, ak aka, am amh, an arg, ar ara, as asm, av ava, ay aym, az aze, ba bak, be
bel, bg bul, bi bis, bm bam, bn ben, bo bod tib, br bre, bs bos, ca cat, ce che, ch cha, co cos, cr cre, cs
ces cze, cu chu, cv chv, cy cym wel, da dan, de deu ger, dv div, dz dzo, ee ewe, el ell gre, en eng, eo epo,
es spa, et est, eu eus baq, fa fas per, ff ful, fi fin, fj fij, fo fao, fr fra fre, fy fry, ga gle, gd gla,
gl glg, gn grn, gu guj, gv glv, ha hau, he heb iw, hi hin, ho hmo, hr hrv, ht hat, hu hun, hy hye arm, hz
her, ia ina, id ind in, ie ile, ig ibo, ii iii, ik ipk, io ido, is isl ice, it ita, iu iku, ja jpn, jv jav,
ka kat geo, kg kon, ki kik, kj kua, kk kaz, kl kal, km khm, kn kan, ko kor, kr kau, ks kas, ku kur, kv kom,
kw cor, ky kir, la lat, lb ltz, lg lug, li lim, ln lin, lo lao, lt lit, lu lub, lv lav, mg mlg, mh mah, mi
mri mao, mk mkd mac, ml mal, mn mon, mr mar, ms msa may, mt mlt, my mya bur, na nau, nb nob, nd nde, ne nep,
ng ndo, nl nld dut, nn nno, no nor, nr nbl, nv nav, ny nya, oc oci, oj oji, om orm, or ori, os oss, pa pan,
pi pli, pl pol, ps pus, pt por, qu que, rm roh, rn run, ro ron rum, ru rus, rw kin, sa san, sc srd, sd snd,
se sme, sg sag, si sin, sk slk slo, sl slv, sm smo, sn sna, so som, sq sqi alb, sr srp, ss ssw, st sot, su
sun, sv swe, sw swa, ta tam, te tel, tg tgk, th tha, ti tir, tk tuk, tl tgl, tn tsn, to ton, tr tur, ts tso,
tt tat, tw twi, ty tah, ug uig, uk ukr, ur urd, uz uzb, ve ven, vi vie, vo vol, wa wln, wo wol, xh xho, yi
yid ji, yo yor, za zha, zh zho chi cmn, zu zul
"""
_NAMES = """
af afrikaans, am amharic, ar arabic, az azerbaijani, be belarusian, bg bulgarian, bn bengali, bs bosnian, ca
catalan, cs czech, cy welsh, da danish, de german, el greek, en english, es spanish, et estonian, eu basque,
fa persian, fi finnish, fr french, ga irish, gl galician, gu gujarati, he hebrew, hi hindi, hr croatian, hu
hungarian, hy armenian, id indonesian, is icelandic, it italian, ja japanese, ka georgian, kk kazakh, km
khmer, kn kannada, ko korean, lt lithuanian, lv latvian, mk macedonian, ml malayalam, mn mongolian, mr
marathi, ms malay, my burmese, nb bokmal, ne nepali, nl dutch, nn nynorsk, no norwegian, pa punjabi, pl
polish, pt portuguese, ro romanian, ru russian, si sinhala, sk slovak, sl slovenian, sq albanian, sr
serbian, sv swedish, sw swahili, ta tamil, te telugu, th thai, tl tagalog, tr turkish, uk ukrainian, ur
urdu, uz uzbek, vi vietnamese, zh chinese, zu zulu
"""
_SAME = {
    name: entry.split()[0]
    for table in (_CODES, _NAMES)
    for entry in table.split(",")
    for name in entry.split()
}
"""Code or name -> code of ISO 639-1."""
_TAG = re.compile(r"([a-z]{2,3})(?:-[a-z0-9-]*)?")


def language_of(written: str) -> str | None:
    """Return a language as a tag in lower case with a code of two letters if it has one; None if it is none.

    >>> language_of("eng"), language_of("pt_BR"), language_of("French"), language_of("part2")
    ('en', 'pt-br', 'fr', None)
    """
    lower = written.lower().replace("_", "-")
    if lower in _SAME:
        return _SAME[lower]
    match = _TAG.fullmatch(lower)
    if match is None or (len(match[1]) == 2 and match[1] not in _SAME):
        return None
    return _SAME.get(match[1], match[1]) + lower[match.end(1) :]


def distance(wanted: str, found: str) -> int | None:
    """Return how far a language is from the wanted one: 0 for the same, 1 for a narrower one (`en-us` for
    `en`), 2 for a broader one (`en` for `en-us`); None for another language.

    Both as `language_of` returns them.
    """
    if wanted == found:
        return 0
    if found.startswith(f"{wanted}-"):
        return 1
    return 2 if found and wanted.startswith(f"{found}-") else None
