r"""Final answers: taken out of a worked solution, read as numbers, compared by value. No model, no network.

Rational numbers are read exactly: 1/2, \frac{1}{2}, 0.5, 50 %, 1,000, 1\,000, 1 1/2, ½, 2·10^3; those with √ or π as
floats. What is no number (matrices, intervals, names, formulas) is compared as normalised text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, TypeAlias

from zermelo.scorers.arithmetic import Value, evaluate

__all__ = ["Extract", "Number", "final_answer", "normalised", "parse_number", "same_answer"]

Extract: TypeAlias = Literal["auto", "boxed", "last_number", "whole"]

LONGEST = 200  # characters of something that can still be an answer
MARKED = re.compile(
    r"(?:^|\n)\s*####\s*(?P<hashes>[^\n]+)"
    r"|(?:^|\n)\s*A:\s*(?P<letter>[^\n]+)"
    r"|(?:final answer|answer)\s*(?:is|=|:)+\s*(?P<said>[^\n]+)",
    re.IGNORECASE,
)
NUMBER = re.compile(
    r"(?<![\w.,])[-−+]?\s?[$€£]?\d[\d,]*(?:\.\d+)?(?:\s?/\s?\d[\d,]*(?:\.\d+)?)?(?:[eE][-+]?\d+)?\s?(?:\\?%)?|(?<!\d)\.\d+"
)
UNITS = {"$": "dollar", "€": "euro", "£": "pound", "°": "degree"}
VULGAR = {"½": "1/2", "⅓": "1/3", "⅔": "2/3", "¼": "1/4", "¾": "3/4", "⅕": "1/5", "⅛": "1/8"}


@dataclass(frozen=True)
class Number:
    """A number with what stood beside it.

    Args:
        value: As written; 50 % has the value 50.
        percent: Whether a percent sign followed.
        unit: Word or sign beside it, singular and in small letters; '' = none.
    """

    value: Value
    percent: bool = False
    unit: str = ""


def final_answer(text: str, *, extract: Extract = "auto") -> str | None:
    r"""The final answer of a worked solution, or None.

    `auto`: the last `\boxed{…}`; else what follows the last `####`, `A:` or “answer is”; else the last number.
    """
    if extract == "whole":
        return text.strip() or None
    boxed = _boxed(text)
    if extract == "boxed":
        return boxed
    if extract == "auto":
        if boxed is not None:
            return boxed
        marks = list(MARKED.finditer(text))
        if marks:
            marked = marks[-1]
            said = next(part for part in marked.groupdict().values() if part is not None).strip().rstrip(".")
            if marked.lastgroup == "said" and parse_number(said) is None:
                found = NUMBER.findall(said)
                said = found[0].strip() if found else said
            return said or None
    numbers = NUMBER.findall(text)
    return str(numbers[-1]).strip().rstrip(",") if numbers else None


def same_answer(given: str, gold: str, *, tolerance: float = 1e-6) -> bool:
    """Whether two answers say the same.

    Numbers: equal values; beyond rationals, and between a decimal and another number, to a relative `tolerance`. A
    percentage equals the number with or without its sign (50 % = 50 = 0.5). Units must agree where both have one.
    Lists and tuples (`(1, 2)`, `1, 2`): member by member; a bare list in any order. Else equal normalised texts.
    """
    a, b = parse_number(given), parse_number(gold)
    if a is not None and b is not None:
        return _same_number(a, b, tolerance)
    first, second = normalised(given), normalised(gold)
    if first == second:
        return bool(first)
    parts, others = _members(first), _members(second)
    if parts is None or others is None or parts[0] != others[0] or len(parts[1]) != len(others[1]):
        return False
    left = list(others[1])
    for part in parts[1]:
        pool = left if parts[0] == "" else left[:1]
        match = next((other for other in pool if same_answer(part, other, tolerance=tolerance)), None)
        if match is None:
            return False
        left.remove(match)
    return True


def parse_number(text: str) -> Number | None:
    """A text as a number, or None where it is none (a name, a formula with variables, several numbers)."""
    if len(text) > LONGEST:
        return None
    body = normalised(text)
    percent = body.endswith("%")
    body = body.rstrip("%").strip()
    unit = ""
    if body[:1] in UNITS or (body[:1] == "-" and body[1:2] in UNITS):
        sign = body[0] if body[0] == "-" else ""
        unit, body = UNITS[body[len(sign)]], sign + body[len(sign) + 1 :]
    value = evaluate(body)
    if value is None:
        split = re.fullmatch(r"(.*?[\d)}])\s*([a-z°][a-z°²³/^.*\s]*?(?:\^\(?-?\d\)?)?)", body, re.IGNORECASE)
        if split is None or re.fullmatch(r"[a-z]", split[2]):  # 3x is a formula, 3 cm a length
            return None
        value = evaluate(split[1])
        unit = unit or _singular(split[2])
    return None if value is None else Number(value, percent, unit)


def normalised(text: str) -> str:
    """An answer without LaTeX dressing and what does not count: spaces, signs of mathematics mode, final dots."""
    out = text.strip()
    boxed = _boxed(out)
    out = out if boxed is None else boxed
    out = re.sub(r"^\\\((.*)\\\)$|^\\\[(.*)\\\]$", lambda m: m[1] or m[2] or "", out, flags=re.DOTALL)
    out = re.sub(r"^\$([^$]*)\$$", r"\1", out)
    out = out.replace("\\$", "$").replace("\\%", "%").replace("−", "-").replace("–", "-").replace("\u00a0", " ")
    for sign, plain in VULGAR.items():
        out = re.sub(rf"(\d){sign}", rf"(\1+{plain})", out).replace(sign, f"({plain})")
    out = re.sub(r"\\(?:text|mathrm|textbf|mathbf|textit|mbox|operatorname)\s*\{([^{}]*)\}", r" \1", out)
    out = re.sub(r"\\(?:left|right|displaystyle|,|!|;|:|quad|qquad| )(?![a-zA-Z])", "", out)
    out = re.sub(r"\\(?:left|right|displaystyle)", "", out)
    out = re.sub(r"\^\s*\{?\\circ\}?", "°", out)
    out = out.replace("{,}", ",").replace("~", " ")
    out = re.sub(r"\\[dt]?frac", r"\\frac", out).replace("\\cdot", "*").replace("\\times", "*").replace("×", "*")
    out = re.sub(r"\\frac\s*(\d)\s*(\d)", r"\\frac{\1}{\2}", out)
    out = re.sub(r"_\{(\w)\}", r"_\1", out)
    if not re.search(r"[(\[]", out):  # (12,102) is a pair
        out = re.sub(r"(?<=\d),\s?(?=\d{3}(?!\d))" if "\\!" in text else r"(?<=\d),(?=\d{3}(?!\d))", "", out)
    out = re.sub(r"^\s*[a-zA-Z]\s*\\in\s+", "", out)
    out = re.sub(r"^\s*\(([a-zA-Z])\)\s*$", r"\1", out)
    single = re.fullmatch(
        r"\s*\\?[a-zA-Z]{1,5}(?:_\{?\w\}?)?\s*=\s*([^=]+)", out
    )  # x = 5, but no equation of two sides
    out = single[1] if single else out
    out = out.strip().rstrip(".").strip()
    if _parts_of_numbers(out):
        return out
    return re.sub(r"\s+", "", out).lower() if re.search(r"[\\\d(\[{^=]", out) else " ".join(out.split()).lower()


def _parts_of_numbers(text: str) -> bool:
    """Whether spaces mean something: a number with a unit, a mixed number."""
    return re.fullmatch(r"[-+$€£]?[\d.,/]+(?:\s+[\w/%°²³^]+)*", text) is not None


def _boxed(text: str) -> str | None:
    """The content of the last \\boxed{…}, braces matched."""
    at = max(text.rfind("\\boxed{"), text.rfind("\\fbox{"))
    if at < 0:
        plain = re.findall(r"\\boxed\s+([^\s$]+)", text)
        return plain[-1] if plain else None
    start = text.index("{", at) + 1
    depth = 1
    for end in range(start, len(text)):
        depth += (text[end] == "{") - (text[end] == "}")
        if depth == 0:
            return text[start:end].strip()
    return None


def _same_number(a: Number, b: Number, tolerance: float) -> bool:
    if a.unit and b.unit and a.unit != b.unit:
        return False
    scales = (1,) if a.percent == b.percent else (1, 100)
    for scale in scales:
        x, y = (a.value * scale, b.value) if b.percent else (a.value, b.value * scale)
        if x == y or (isinstance(x, Fraction) and isinstance(y, Fraction) and _close(x, y, tolerance)):
            return True
        if (isinstance(x, float) or isinstance(y, float)) and _close(x, y, max(tolerance, 1e-9)):
            return True
    return False


def _close(x: Value, y: Value, tolerance: float) -> bool:
    try:
        return abs(float(x - y)) <= tolerance * max(abs(float(x)), abs(float(y)))
    except OverflowError:
        return False


def _singular(unit: str) -> str:
    word = " ".join(unit.lower().replace(".", "").split())
    word = {"$": "dollar", "dollars": "dollar", "°": "degree"}.get(word, word)
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def _members(text: str) -> tuple[str, list[str]] | None:
    """(brackets, members) of a tuple, interval or bare list; None where there is one member."""
    ends = text[:1] + text[-1:]
    brackets = ends if ends in ("()", "[]", "(]", "[)") or (ends == "{}" and len(text) > 1) else ""
    body = text[1:-1] if brackets else text
    if text.startswith("\\{") and text.endswith("\\}"):
        brackets, body = "", text[2:-2]
    members, depth, last = [], 0, 0
    for at, char in enumerate(body):
        depth += (char in "([{") - (char in ")]}")
        if depth < 0:
            return None
        if char == "," and depth == 0:
            members.append(body[last:at])
            last = at + 1
    members.append(body[last:])
    return None if len(members) < 2 or not all(members) else (brackets, members)
