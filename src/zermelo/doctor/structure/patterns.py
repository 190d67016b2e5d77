"""What a single text should not hold, as patterns. All of them are looked for at once, each one only where any is seen.

A pass of RE2 costs the same whatever it looks for, so one pass over every text finds the few that any pattern
touches, and only those are looked at again.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from zermelo.doctor.scan import TextCheck

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["BOS", "EOS", "PATTERNS", "Pattern", "around", "check_of", "iban_valid", "luhn_valid"]

WIDTH = 80  # characters each side of an excerpt
BOS = r"<s>|<\|begin_of_text\|>|<bos>|<\|startoftext\|>|<\|bos\|>|<｜begin▁of▁sentence｜>"
EOS = r"</s>|<\|end_of_text\|>|<eos>|<\|endoftext\|>|<\|im_end\|>|<\|eot_id\|>|<end_of_turn>"
EOS += r"|<｜end▁of▁sentence｜>|<\|eos\|>"
MARKS = "|".join(
    [
        r"<\|(?:im_start|im_end|im_sep|endoftext|startoftext|begin_of_text|end_of_text|start_header_id|end_header_id)\|>",
        r"<\|(?:eot_id|eom_id|python_tag|user|assistant|system|end|observation|return|channel|message|start|call)\|>",
        r"<\|(?:START|END)_OF_TURN_TOKEN\|>|<\|(?:USER|CHATBOT|SYSTEM)_TOKEN\|>|<｜(?:User|Assistant|begin▁of|end▁of)",
        r"\[/?INST\]|<</?SYS>>|<(?:start|end)_of_turn>|\[/?(?:AVAILABLE_TOOLS|TOOL_CALLS|SYSTEM_PROMPT)\]",
        r"<\|(?:prompter|bos|eos|pad|human|bot|tool)\|>|<\|assistant_(?:start|end)\|>|\[gMASK\]|<(?:unk|pad|bos|eos)>",
        r"</s>|<s>(?:\s*\[INST\]|$)|(?:^|\n)<s>",
    ]
)
ROLE = (
    r"(?:^|\n)[ \t]*(?:###? ?)?(?:\*\*)?"
    r"(?:Human|Assistant|User|AI|Bot|Chatbot|USER|ASSISTANT|SYSTEM|HUMAN|### ?(?:Instruction|Response|Input))(?:\*\*)?:"
)
# UTF-8 read as Latin-1 or Windows-1252: a lead byte as a letter, then a continuation byte as a sign
MOJIBAKE = (
    r"â€[\x{99}\x{9c}\x{9d}\x{93}\x{94}\x{a6}\x{a2}™œ“”¦¢˜]|Ã[\x{80}-\x{bf}©¨ªº±¼¤¶‰Ÿœ–“‡]|Â[\x{a0}-\x{bf}]|ï¿½|ï»¿|ðŸ"
)
CONTROL = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"
IDENTITY = (
    r"(?i)as an ai(?: language)? model|as an? (?:large )?language model|as an artificial intelligence"
    r"|(?:i was|i am|i'm|i’m|i have been|i've been|model|assistant) (?:trained|developed|created|made|built) by"
    r" (?:openai|anthropic|google|meta ai|mistral|alibaba|deepseek|lmsys)"
    r"|\bi(?:'m|’m| am) (?:chatgpt|claude|gpt-?[345]|bard|gemini|llama|vicuna|alpaca|qwen|mistral|deepseek|koala|tulu"
    r"|open ?assistant|an? (?:ai|language model))\b"
)
EMAIL = r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}"
PHONE = (
    r"(?:^|[^\w])\+\d{1,3}[ .-]\(?\d{1,4}\)?(?:[ .-]?\d{2,4}){2,4}\b|(?:^|[^\w])\+\d{10,14}\b"
    r"|\(\d{3}\) ?\d{3}[-. ]\d{4}\b|\b\d{3}[-.]\d{3}[-.]\d{4}\b"
)
IBAN = r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?\b"
CARD = r"\b[3-6]\d{3}[ -]?\d{4}[ -]?\d{4}[ -]?\d{1,4}(?:[ -]?\d{1,3})?\b|\b3\d{3}[ -]?\d{6}[ -]?\d{5}\b"
IP = r"\b(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)\b"
KEY = (
    r"\bsk-[A-Za-z0-9_-]{20,}|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{30,}|\bxox[abprs]-[A-Za-z0-9-]{10,}"
    r"|\bAIza[0-9A-Za-z_-]{30,}|\bhf_[A-Za-z0-9]{30,}|-----BEGIN (?:RSA |EC |OPENSSH )?PRIVATE KEY-----"
)
DUMMY = re.compile(r"555|456\D?7890|1234|0000")
PRIVATE = re.compile(r"(?:10|127|0|255|22[4-9]|23\d|192\.168|169\.254|172\.(?:1[6-9]|2\d|3[01])|192\.0\.2|8\.8)\.")
MADE_UP = re.compile(r"@(?:[\w-]+\.)*(?:example|test|domain|email|company|website|mysite|your\w+)\.", re.IGNORECASE)


def luhn_valid(digits: str) -> bool:
    """Whether a card number's last digit is right: doubling every second digit from the right, the sum ends in 0.

    Args:
        digits: With or without spaces and hyphens; 13 to 19 digits.
    """
    numbers = [int(sign) for sign in digits if sign.isdigit()]
    if not 13 <= len(numbers) <= 19 or len(set(numbers)) == 1:
        return False
    doubled = [2 * n - 9 * (2 * n > 9) if place % 2 else n for place, n in enumerate(reversed(numbers))]
    return sum(doubled) % 10 == 0


def iban_valid(text: str) -> bool:
    """Whether an IBAN's check digits are right: moved to the end, letters as 10…35, it is 1 modulo 97."""
    plain = text.replace(" ", "")
    if not 15 <= len(plain) <= 34:
        return False
    return int("".join(str(int(sign, 36)) for sign in plain[4:] + plain[:4])) % 97 == 1


def _public(address: str) -> bool:
    """An address on the internet, no section number and no private or documentation range."""
    return not PRIVATE.match(address) and sum(len(part) > 1 for part in address.split(".")) > 1


@dataclass(frozen=True)
class Pattern:
    """One thing to look for.

    Args:
        name: Of the check.
        regex: In the syntax that RE2 and Python share (`\\x{…}` excepted).
        where: As in `TextCheck`.
        valid: Match → whether it is really one; None where every match is.
    """

    name: str
    regex: str
    where: str = "all"
    valid: Callable[[str], bool] | None = None


PATTERNS = (
    Pattern("template", MARKS),
    Pattern("role-mark", ROLE, "responses"),
    Pattern("replacement", "\ufffd"),
    Pattern("mojibake", MOJIBAKE),
    Pattern("control", CONTROL),
    Pattern("identity", IDENTITY, "responses"),
    Pattern("email", EMAIL, valid=lambda found: not MADE_UP.search(found)),
    Pattern("phone", PHONE, valid=lambda found: not DUMMY.search(found)),
    Pattern("iban", IBAN, valid=iban_valid),
    Pattern("card", CARD, valid=luhn_valid),
    Pattern("ip", IP, valid=lambda found: _public(found)),
    Pattern("key", KEY),
)
_ANY = "|".join(f"(?:{pattern.regex})" for pattern in PATTERNS)
_last = threading.local()


def python_regex(regex: str) -> re.Pattern[str]:
    """A pattern for Python's engine."""
    flags = re.IGNORECASE if regex.startswith("(?i)") else re.NOFLAG
    plain = re.sub(r"\\x\{([0-9a-f]+)\}", lambda found: f"\\x{found.group(1)}", regex.removeprefix("(?i)"))
    return re.compile(plain, flags)


def check_of(pattern: Pattern) -> TextCheck:
    """The check that sees one pattern."""
    regex = python_regex(pattern.regex)

    def test(text: pa.Array) -> NDArray[np.bool_]:
        import pyarrow.compute as pc

        seen = np.zeros(len(text), bool)
        places, some = _touched(text)
        if not len(places):
            return seen
        matched = pc.match_substring_regex(some, pattern.regex).to_numpy(zero_copy_only=False).astype(bool)
        if pattern.valid is not None:
            for at in np.flatnonzero(matched):
                found = (hit.group() for hit in regex.finditer(some[int(at)].as_py()))
                matched[at] = any(pattern.valid(hit) for hit in found)
        seen[places[matched]] = True
        return seen

    where = "responses" if pattern.where == "responses" else "all"
    return TextCheck(pattern.name, test, where)  # type: ignore[arg-type]


def _touched(text: pa.Array) -> tuple[NDArray[np.int64], pa.Array]:
    """The texts that any pattern touches: places and texts; kept for the next check of this thread."""
    import pyarrow.compute as pc

    if getattr(_last, "text", None) is not text:
        mask = pc.match_substring_regex(text, _ANY)
        places = np.flatnonzero(mask.to_numpy(zero_copy_only=False).astype(bool))
        _last.text, _last.found = text, (places, text.take(places))
    found: tuple[NDArray[np.int64], pa.Array] = _last.found
    return found


def around(names: tuple[str, ...], *, masked: bool = False) -> Callable[[str], str]:
    """Text → the surroundings of the first match of any of some patterns, '' where there is none.

    Args:
        names: Names of patterns.
        masked: Show letters and digits of the match itself as dots.
    """
    wanted = [(python_regex(item.regex), item.valid) for item in PATTERNS if item.name in names]

    def show(text: str) -> str:
        for regex, valid in wanted:
            for hit in regex.finditer(text):
                if valid is None or valid(hit.group()):
                    start, end = hit.span()
                    excerpt = text[max(0, start - WIDTH) : end + WIDTH]
                    for other, _ in wanted if masked else ():
                        excerpt = other.sub(lambda found: re.sub(r"\w", "•", found.group()), excerpt)
                    return excerpt
        return ""

    return show
