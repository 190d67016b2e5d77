"""Which language is a text in? The script where that tells, else the share of a language's commonest words. Rough.

Short texts, code, names and lists of numbers are `?`; so is a text in which two languages come out nearly alike.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from functools import cache

__all__ = ["UNKNOWN", "language_of"]

UNKNOWN = "?"
MOST = 1_000  # characters looked at
LEAST_WORDS, LEAST_HITS, LEAST_SHARE, LEAD = 5, 2, 0.12, 1.3

PROFILES = {
    "en": "the of and to a in is that it for was on are as with be at this have from or by you not they what can which"
    " your how i will there an if has but their my we do",
    "de": "der die das und ist in den von zu mit sich des auf für nicht ein eine dem es im auch als wie sie an"
    " werden aus"
    " er hat dass wird bei einer oder ich du kann zum einen was",
    "fr": "le la les de des et est en un une du que qui dans pour pas sur au avec ce il plus par je ne se sont"
    " vous cette"
    " comment mais nous ou elle son quel être",
    "es": "el la los las de que y en un una es por con para del se no al lo como más su o pero este son ser qué cómo"
    " muy está entre sin sobre me mi puede hay",
    "it": "il lo la gli le di che e è un una in per con del non della si come sono da alla al dei più nel anche"
    " ma questo"
    " delle cosa ho mi essere perché",
    "pt": "o a os as de que e em um uma é para com não do da por no na se mais como dos das ao mas foi são você seu ou"
    " quando muito está isso como",
    "nl": "de het een en van in is dat op te zijn voor met die niet aan er ook als maar om bij door naar wat hoe ik je"
    " wordt kan deze worden nog uit",
    "sv": "och att det i en som är på av för med den till inte om ett har de var jag man kan från eller vad hur"
    " så när du",
    "da": "og at det i en er på af for med den til ikke om et har de var jeg man kan fra eller hvad hvordan så"
    " når du som",
    "pl": "i w na z się nie to jest do że o jak po co dla od są przez czy ale lub być może oraz tym jego ja"
    " który tego za",
    "cs": "a v na je se to že s z do jak pro co nebo jsou ale by za od po jako tak který být já není mezi může",
    "ro": "și de la în a cu pe că nu este un o care din pentru mai se sau ce sunt ca prin cum al fi după fost",
    "tr": "ve bir bu için ile da de ne olarak daha çok nasıl olan gibi en var mı ben kadar sonra ama değil ya her",
    "id": "yang dan di dengan untuk dari ini itu adalah pada tidak ke dalam akan atau bisa juga saya apa"
    " bagaimana oleh ada",
    "fi": "ja on ei se että oli hän mutta ovat kun niin mitä miten tai myös kuin ole voi sen joka jos minä tämä",
    "vi": "là của và các có được cho không một trong những với người này để khi từ đã như về đến tôi bạn",
}
SCRIPTS = (
    ("HIRAGANA", "ja"), ("KATAKANA", "ja"), ("HANGUL", "ko"), ("CJK", "zh"), ("ARABIC", "ar"), ("HEBREW", "he"),
    ("DEVANAGARI", "hi"), ("BENGALI", "bn"), ("TAMIL", "ta"), ("TELUGU", "te"), ("THAI", "th"), ("GREEK", "el"),
    ("GEORGIAN", "ka"), ("ARMENIAN", "hy"), ("CYRILLIC", "ru"), ("LATIN", "latin"),
)  # fmt: skip
WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`|https?://\S+", re.DOTALL)
_WORDS = {name: frozenset(words.split()) for name, words in PROFILES.items()}


def language_of(text: str) -> str:
    """A two-letter code (`ru` for any Cyrillic, `ar` for any Arabic script), or `?`.

    Args:
        text: Its first 1,000 characters are looked at, without code and addresses.
    """
    plain = CODE.sub(" ", text[: 2 * MOST])[:MOST]
    scripts = Counter(_script(sign) for sign in plain if sign.isalpha())
    if sum(scripts.values()) < 2:
        return UNKNOWN
    if scripts["ja"] and scripts["ja"] + scripts["zh"] > scripts["latin"]:
        return "ja"
    script, count = scripts.most_common(1)[0]
    if count < 0.6 * sum(scripts.values()):
        return UNKNOWN
    return _latin(plain) if script == "latin" else script


def _latin(text: str) -> str:
    words = [word.lower() for word in WORD.findall(text)]
    if len(words) < LEAST_WORDS:
        return UNKNOWN
    shares = {name: sum(word in known for word in words) / len(words) for name, known in _WORDS.items()}
    first, second = sorted(shares, key=lambda name: -shares[name])[:2]
    hits = len(set(words) & _WORDS[first])
    sure = hits >= LEAST_HITS and shares[first] >= LEAST_SHARE and shares[first] >= LEAD * shares[second]
    return first if sure else UNKNOWN


@cache
def _script(sign: str) -> str:
    name = unicodedata.name(sign, "")
    return next((code for start, code in SCRIPTS if name.startswith(start)), "other")
