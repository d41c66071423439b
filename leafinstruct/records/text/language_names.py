"""Languages of documents: their codes, English names, and other spellings that people write. Data only.

A code is of ISO 639-1 if it exists, else of ISO 639-3. Written variants count as their language: Traditional
and Simplified Chinese are `zh`, both written forms of Norwegian are `no`. `language.py` only returns
languages in NAMES.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

_NAMES = """
    aa Afar, ab Abkhazian, af Afrikaans, ak Akan, am Amharic, ar Arabic, as Assamese, ay Aymara,
    az Azerbaijani, ba Bashkir, be Belarusian, bg Bulgarian, bho Bhojpuri, bi Bislama, bn Bengali,
    bo Tibetan, br Breton, bs Bosnian, bug Buginese, ca Catalan, ceb Cebuano, chr Cherokee, co Corsican,
    crs Seychellois Creole, cs Czech, cy Welsh, da Danish, de German, dv Dhivehi, dz Dzongkha, el Greek,
    en English, eo Esperanto, es Spanish, et Estonian, eu Basque, fa Persian, fi Finnish, fj Fijian,
    fo Faroese, fr French, fy Western Frisian, ga Irish, gd Scottish Gaelic, gl Galician, gn Guarani,
    got Gothic, gu Gujarati, gv Manx, ha Hausa, haw Hawaiian, he Hebrew, hi Hindi, hmn Hmong, hr Croatian,
    ht Haitian Creole, hu Hungarian, hy Armenian, ia Interlingua, id Indonesian, ie Interlingue, ig Igbo,
    ik Inupiaq, is Icelandic, it Italian, iu Inuktitut, ja Japanese, jv Javanese, ka Georgian, kha Khasi,
    kk Kazakh, kl Greenlandic, km Khmer, kn Kannada, ko Korean, ks Kashmiri, ku Kurdish, ky Kyrgyz,
    la Latin, lb Luxembourgish, lg Ganda, lif Limbu, ln Lingala, lo Lao, lt Lithuanian, lv Latvian,
    mfe Mauritian Creole, mg Malagasy, mi Maori, mk Macedonian, ml Malayalam, mn Mongolian, mr Marathi,
    ms Malay, mt Maltese, my Burmese, na Nauru, ne Nepali, nl Dutch, no Norwegian, nr South Ndebele,
    nso Northern Sotho, ny Nyanja, oc Occitan, om Oromo, or Odia, pa Punjabi, pl Polish, ps Pashto,
    pt Portuguese, qu Quechua, rm Romansh, rn Rundi, ro Romanian, ru Russian, rw Kinyarwanda, sa Sanskrit,
    sco Scots, sd Sindhi, sg Sango, si Sinhala, sk Slovak, sl Slovenian, sm Samoan, sn Shona, so Somali,
    sq Albanian, sr Serbian, ss Swati, st Southern Sotho, su Sundanese, sv Swedish, sw Swahili,
    syr Syriac, ta Tamil, te Telugu, tg Tajik, th Thai, ti Tigrinya, tk Turkmen, tl Tagalog, tn Tswana,
    to Tongan, tr Turkish, ts Tsonga, tt Tatar, ug Uyghur, uk Ukrainian, ur Urdu, uz Uzbek, ve Venda,
    vi Vietnamese, vo Volapük, war Waray, wo Wolof, xh Xhosa, yi Yiddish, yo Yoruba, za Zhuang,
    zh Chinese, zu Zulu
"""

NAMES: Mapping[str, str] = dict(entry.split(maxsplit=1) for entry in _NAMES.strip().split(","))
"""Code -> English name."""

_LONG_CODES = """
    ara ar, ben bn, ces cs, chi zh, cze cs, dan da, deu de, dut nl, ell el, eng en, fas fa, fin fi,
    fra fr, fre fr, ger de, gre el, heb he, hin hi, hun hu, ind id, ita it, jpn ja, kor ko, msa ms,
    nld nl, nor no, per fa, pol pl, por pt, ron ro, rum ro, rus ru, spa es, swe sv, tha th, tur tr,
    ukr uk, urd ur, vie vi, zho zh
"""
"""ISO 639-2 codes of languages that have a shorter one."""

VARIANTS: Mapping[str, str] = {
    **{
        "zh-hant": "zh",
        "zh-hans": "zh",
        "cmn": "zh",
        "nn": "no",
        "nb": "no",
        "sr-me": "sr",
        "iw": "he",
        "jw": "jv",
        "in": "id",
        "ji": "yi",
    },
    **{"bh": "bho", "fil": "tl", "mo": "ro", "xx-goth": "got", "xx-bugi": "bug"},
    **{
        "farsi": "fa",
        "mandarin": "zh",
        "castilian": "es",
        "flemish": "nl",
        "filipino": "tl",
        "myanmar": "my",
        "oriya": "or",
    },
    **{"deutsch": "de", "español": "es", "français": "fr"},
    **dict(entry.split(maxsplit=1) for entry in _LONG_CODES.strip().split(",")),
    **{"cn": "zh", "cz": "cs", "dk": "da", "gr": "el", "jp": "ja", "kr": "ko", "ua": "uk"},
}
"""Other spellings in lower case -> code: old codes, codes of written variants, second names, codes of three
letters, and codes of countries that are not codes of a language."""


def language_code(written: str) -> str | None:
    """The code of a language that somebody wrote in another way (`DE`, `de-AT`, `pt_BR`, `nn`, `German`),
    None for an unknown one."""
    whole = written.strip().lower().replace("_", "-")
    by_name = {name.lower(): code for code, name in NAMES.items()}
    return next(
        (
            code
            for part in (whole, whole.partition("-")[0])
            if (code := VARIANTS.get(part, by_name.get(part, part))) in NAMES
        ),
        None,
    )


UNDETERMINED = "undetermined"
"""Name of an undetermined language in reports and cards."""


def named(code: str | None) -> str:
    """A language for people: `German (de)`, `undetermined`."""
    return UNDETERMINED if code in (None, UNDETERMINED) else f"{NAMES.get(code, 'unknown')} ({code})"


def hint(written: str) -> str:
    """What to write instead of an unknown code."""
    if code := language_code(written):
        return "write 'no', in quotes" if code == "no" else f"write {code}"
    near = get_close_matches(
        written.strip().lower(), [name.lower() for name in NAMES.values()], n=1, cutoff=0.8
    )
    found = language_code(near[0]) if near else None
    return f"did you mean {found} ({NAMES[found]})?" if found else "write a code of ISO 639, such as en or de"
