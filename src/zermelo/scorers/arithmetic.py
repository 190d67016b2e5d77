"""The value of an arithmetic expression, plain or LaTeX, without variables. Exact where it is rational."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import TypeAlias

__all__ = ["Value", "evaluate"]

Value: TypeAlias = Fraction | float

TOKEN = re.compile(r"\s*(\d+\.?\d*(?:e[-+]?\d+)?|\.\d+|\\frac|\\sqrt|sqrt|\\pi|π|pi|√|[-+*/^(){}\[\]])", re.IGNORECASE)
MIXED = re.compile(r"([-+]?)(\d+)\s+(\d+)/(\d+)")


def evaluate(text: str) -> Value | None:
    """Numbers, π, + − · / ^, brackets, fractions, roots, mixed numbers; None for anything else or too large."""
    mixed = MIXED.fullmatch(text.strip())
    if mixed is not None and int(mixed[4]):
        whole = int(mixed[2]) + Fraction(int(mixed[3]), int(mixed[4]))
        return -whole if mixed[1] == "-" else whole
    tokens, at = [], 0
    while at < len(text.rstrip()):
        found = TOKEN.match(text, at)
        if found is None:
            return None
        tokens.append(found[1].lower())
        at = found.end()
    if not tokens:
        return None
    try:
        parser = _Parser(tokens)
        value = parser.sum()
        return value if parser.at == len(tokens) and math.isfinite(value) else None
    except (ArithmeticError, ValueError, IndexError, RecursionError):
        return None


class _Parser:
    """Sums, products (also by standing side by side), powers, fractions and roots of numbers and π."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens
        self.at = 0

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, expected: str | None = None) -> str:
        token = self.tokens[self.at]
        if expected is not None and token != expected:
            raise ValueError(token)
        self.at += 1
        return token

    def sum(self) -> Value:
        value = self.product()
        while self.peek() in ("+", "-"):
            value = value + self.product() if self.take() == "+" else value - self.product()
        return value

    def product(self) -> Value:
        value = self.signed()
        while (token := self.peek()) and (
            token in "*/({" or token in ("\\frac", "\\sqrt", "sqrt", "√", "\\pi", "π", "pi")
        ):
            if token in ("*", "/"):
                value = value * self.signed() if self.take() == "*" else value / self.signed()
            elif token == "\\frac" and isinstance(value, Fraction) and value.denominator == 1 and self._mixed():
                value = value + self.power() if value >= 0 else value - self.power()
            else:
                value = value * self.power()
        return value

    def _mixed(self) -> bool:
        """Whether a whole number directly in front of a fraction of digits is a mixed number: 1\\frac{1}{2}."""
        shape = self.tokens[self.at - 1 : self.at + 7]
        return len(shape) == 8 and all(shape[k].isdigit() for k in (0, 3, 6))

    def signed(self) -> Value:
        if self.peek() in ("+", "-"):
            return self.signed() if self.take() == "+" else -self.signed()
        return self.power()

    def power(self) -> Value:
        base = self.atom()
        if self.peek() != "^":
            return base
        self.take()
        exponent = self.signed()
        if abs(float(exponent)) > 300 or abs(float(base)) > 1e9:
            raise ValueError("too large")
        if isinstance(exponent, Fraction) and exponent.denominator == 1:
            power: Value = base ** int(exponent)
            return power
        if base < 0:
            raise ValueError("a root of a negative number")
        return math.pow(float(base), float(exponent))

    def atom(self) -> Value:
        token = self.take()
        if token in ("(", "{"):
            value = self.sum()
            self.take(")" if token == "(" else "}")
            return value
        if token == "\\frac":
            top = self.group()
            return top / self.group()
        if token in ("\\sqrt", "sqrt", "√"):
            degree: Value = Fraction(2)
            if self.peek() == "[":
                self.take()
                degree = self.sum()
                self.take("]")
            return self.root(self.group(), degree)
        if token in ("\\pi", "π", "pi"):
            return math.pi
        if token[0].isdigit() or token[0] == ".":
            return Fraction(token)
        raise ValueError(token)

    def group(self) -> Value:
        return self.atom()

    @staticmethod
    def root(value: Value, degree: Value) -> Value:
        if value < 0:
            raise ValueError("a root of a negative number")
        found = math.pow(float(value), 1 / float(degree))
        whole = Fraction(round(found))
        return whole if isinstance(value, Fraction) and whole**2 == value and degree == 2 else found
