"""Small wrong edits of a text by rule: values, symbols, terms, units, words. And the checker that calls them wrong.

Every operator takes (text, rng) and gives the edited text, or None where it has nothing to edit. It never says that an
error was made. `sound` evaluates what equations a text holds, so that an edit that happens to stay true is seen.
"""

from __future__ import annotations

import ast
import random
import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from itertools import pairwise

__all__ = ["OPERATORS", "Operator", "change_symbol", "equalities", "sound", "trimmed"]

Operator = Callable[[str, random.Random], "str | None"]

NUMBER = re.compile(r"(?<![\w.,])\d+(?:,\d{3})*(?:\.\d+)?(?![\w]|[.,]\d)")
_SYMBOL = re.compile(r"(?<=[\d)\w])(\s*)([+\-*/×÷−])(\s*)(?=[\d(\w-])")
_TERM = re.compile(r"\s*[+\-*/×÷−]\s*\d+(?:\.\d+)?(?=[^=\n]*=)")
_SWAP = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)(\s*[+\-*/×÷−]\s*)(\d+(?:\.\d+)?)(?![\d.]*\d)")
_ARITHMETIC = "0123456789 \t.+-*/×÷−()"  # what a side of an equality may be written in
_SIGNS = str.maketrans("×÷−", "*/-")
_OTHERS = {"+": "-*", "-": "+*", "*": "+/", "/": "*-", "×": "+÷", "÷": "×-", "−": "+×"}

_UNITS = (
    ("km", "m", "cm", "mm"),
    ("kg", "g", "mg"),
    ("seconds", "minutes", "hours", "days", "weeks"),
    ("second", "minute", "hour", "day", "week"),
    ("l", "ml"),
    ("dollars", "cents"),
    ("meters", "kilometers"),
    ("metres", "kilometres"),
)
_WORDS = (
    ("more", "less"),
    ("before", "after"),
    ("all", "some"),
    ("each", "together"),
    ("first", "last"),
    ("increases", "decreases"),
    ("greater", "smaller"),
    ("above", "below"),
    ("left", "right"),
    ("always", "never"),
    ("at least", "at most"),
    ("is", "is not"),
    ("add", "subtract"),
    ("adds", "takes away"),
)


def change_value(text: str, rng: random.Random) -> str | None:
    """Another digit in one number."""
    found = list(NUMBER.finditer(text))
    if not found:
        return None
    chosen = rng.choice(found)
    return text[: chosen.start()] + _another(chosen[0], rng) + text[chosen.end() :]


def change_values(text: str, rng: random.Random) -> str | None:
    """Another digit in one number, the same wherever that number stands."""
    found = list(NUMBER.finditer(text))
    if not found:
        return None
    old = rng.choice(found)[0]
    new = _another(old, rng)
    return NUMBER.sub(lambda match: new if match[0] == old else match[0], text)


def wrong_substitution(text: str, rng: random.Random) -> str | None:
    """A number before an equals sign is replaced by another number of the text."""
    numbers = list(NUMBER.finditer(text))
    places = [match for match in numbers if "=" in text[match.end() :].split("\n")[0]]
    if not places:
        return None
    chosen = rng.choice(places)
    others = sorted({match[0] for match in numbers} - {chosen[0]})
    new = rng.choice(others) if others else _another(chosen[0], rng)
    return text[: chosen.start()] + new + text[chosen.end() :]


def delete_term(text: str, rng: random.Random) -> str | None:
    """One `operator number` before an equals sign goes."""
    found = list(_TERM.finditer(text))
    found = [match for match in found if text[: match.start()].rstrip()[-1:].isalnum()]
    if not found:
        return None
    chosen = rng.choice(found)
    return text[: chosen.start()] + text[chosen.end() :]


def change_symbol(text: str, rng: random.Random) -> str | None:
    """One of + − * / becomes another."""
    found = list(_SYMBOL.finditer(text))
    if not found:
        return None
    chosen = rng.choice(found)
    return text[: chosen.start(2)] + rng.choice(_OTHERS[chosen[2]]) + text[chosen.end(2) :]


def swap_terms(text: str, rng: random.Random) -> str | None:
    """The two terms about an operator change places."""
    found = [match for match in _SWAP.finditer(text) if match[1] != match[3]]
    if not found:
        return None
    chosen = rng.choice(found)
    return text[: chosen.start()] + chosen[3] + chosen[2] + chosen[1] + text[chosen.end() :]


def change_unit(text: str, rng: random.Random) -> str | None:
    """A unit after a number becomes another of its family."""
    places = [
        (match, family)
        for family in _UNITS
        for match in re.finditer(rf"(?<=\d)(\s*)({'|'.join(sorted(family, key=len, reverse=True))})\b", text)
    ]
    if not places:
        return None
    chosen, family = rng.choice(places)
    new = rng.choice([unit for unit in family if unit != chosen[2]])
    return text[: chosen.start(2)] + new + text[chosen.end(2) :]


def misread_words(text: str, rng: random.Random) -> str | None:
    """A word that carries the sense becomes its opposite (`more`, `before`, `each`, …)."""
    pairs = [*_WORDS, *((b, a) for a, b in _WORDS)]
    found = [(match, new) for old, new in pairs for match in re.finditer(rf"\b{old}\b", text, re.IGNORECASE)]
    if not found:
        return None
    chosen, new = rng.choice(found)
    new = new.capitalize() if chosen[0][0].isupper() else new
    return text[: chosen.start()] + new + text[chosen.end() :]


OPERATORS: Mapping[str, Operator] = {
    "change_value": change_value,
    "change_values": change_values,
    "wrong_substitution": wrong_substitution,
    "delete_term": delete_term,
    "change_symbol": change_symbol,
    "swap_terms": swap_terms,
    "change_unit": change_unit,
    "misread_words": misread_words,
}


def sound(text: str) -> bool | None:
    """True where all equalities of numbers in a text hold, False where one does not, None where it has none."""
    found = equalities(text)
    return all(found) if found else None


def equalities(text: str) -> list[bool]:
    """Whether each `a op b … = c` in a text holds, in order; of a chain `a = b = c`, each link.

    Sides that cannot be evaluated (names, units between, a lone operator) make no equality.
    """
    held = []
    for line in text.split("\n"):
        parts = line.split("=")
        for left, right in pairwise(parts):
            values = _value(_tail(left)), _value(_head(right))
            if None not in values:
                held.append(values[0] == values[1])
    return held


def _tail(text: str) -> str:
    """The arithmetic that a text ends with; '' where an operator at its beginning belongs to something unread."""
    before = text.rstrip(_ARITHMETIC)
    side = text[len(before) :].lstrip()
    unary = re.match(r"[+\-−*/×÷]\s", side)
    if unary is None:
        return side
    return "" if before.strip() else side[1:]  # at the beginning of a line it is a bullet


def _head(text: str) -> str:
    """The arithmetic that a text begins with."""
    return text[: len(text) - len(text.lstrip(_ARITHMETIC))].rstrip(" \t.")


def trimmed(before: str, after: str) -> tuple[int, str, str]:
    """(start, old, new): the smallest replacement that turns `before` into `after`."""
    start = 0
    while start < min(len(before), len(after)) and before[start] == after[start]:
        start += 1
    end = 0
    while end < min(len(before), len(after)) - start and before[-1 - end] == after[-1 - end]:
        end += 1
    return start, before[start : len(before) - end], after[start : len(after) - end]


def _another(number: str, rng: random.Random) -> str:
    """The number with one digit changed; no zero comes to lead."""
    places = [index for index, digit in enumerate(number) if digit.isdigit()]
    at = rng.choice(places)
    leads = at == places[0] and len(places) > 1
    digits = [digit for digit in "0123456789" if digit != number[at] and not (leads and digit == "0")]
    return number[:at] + rng.choice(digits) + number[at + 1 :]


def _value(side: str) -> Fraction | None:
    """The exact value of a sum of plain numbers, None where the text is none."""
    side = side.translate(_SIGNS).strip()
    if not side or len(side) > 200 or "**" in side or "//" in side:
        return None
    try:
        return _evaluate(ast.parse(side, mode="eval").body)
    except (SyntaxError, ValueError, ZeroDivisionError, RecursionError, MemoryError):
        return None


def _evaluate(node: ast.expr) -> Fraction:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return Fraction(str(node.value))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        value = _evaluate(node.operand)
        return -value if isinstance(node.op, ast.USub) else value
    if isinstance(node, ast.BinOp):
        left, right = _evaluate(node.left), _evaluate(node.right)
        if isinstance(node.op, ast.Add):
            return left + right
        if isinstance(node.op, ast.Sub):
            return left - right
        if isinstance(node.op, ast.Mult):
            return left * right
        if isinstance(node.op, ast.Div):
            return left / right
    raise ValueError("no plain arithmetic")
