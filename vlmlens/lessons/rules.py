"""Which prediction is right, decided by the numbers of a run: conditions and rules, read from text, without eval.

    rule = Rule.read("largest of image, text by 0.05")
    rule = Rule.read("much when drop > 0.5; little when drop_high < 0.1; otherwise some")
    rule = Rule.read("share within 0.1")            # for a number on a slider
    rule.decide({"image": .6, "text": .3})           # "image"; None where the run decides for none

A number that a run could not tell is NaN: no comparison with it holds, so that nothing is decided by it.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from vlmlens.errors import UserError

Numbers = Mapping[str, float | str]

NAME = re.compile(r"[a-z][a-z0-9_]*")
_LITERAL = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)")
_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<=": lambda a, b: a <= b,
    ">=": lambda a, b: a >= b,
    "<": lambda a, b: a < b,
    ">": lambda a, b: a > b,
}
_COMPARISON = re.compile(r"(\S+)\s*(<=|>=|<|>)\s*(\S+)")


class RuleError(UserError):
    """A condition or a rule cannot be read; the message says what it may look like."""


@dataclass(frozen=True)
class Comparison:
    """`left operator right`; each side the name of a number or a literal."""

    left: str
    operator: str
    right: str

    def holds(self, numbers: Numbers) -> bool:
        return _OPERATORS[self.operator](_value(self.left, numbers), _value(self.right, numbers))


@dataclass(frozen=True)
class Condition:
    """Comparisons that must all hold."""

    parts: tuple[Comparison, ...]

    @classmethod
    def read(cls, text: str) -> "Condition":
        """Raises RuleError."""
        parts = []
        for part in re.split(r"\s+and\s+", text.strip()):
            found = _COMPARISON.fullmatch(part.strip())
            if found is None or not all(_is_term(found[side]) for side in (1, 3)):
                raise RuleError(f"“{part.strip()}” is no comparison; write for instance: drop > 0.1 and low > high.")
            parts.append(Comparison(found[1], found[2], found[3]))
        return cls(tuple(parts))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(side for part in self.parts for side in (part.left, part.right) if NAME.fullmatch(side))

    def holds(self, numbers: Numbers) -> bool:
        return all(part.holds(numbers) for part in self.parts)


@dataclass(frozen=True)
class Rule:
    """One of three kinds: the largest of several numbers, the first case that holds, or nearness to a number."""

    largest: tuple[tuple[str, str], ...] = ()  # option, number
    margin: float = 0.0  # by which the largest must lead; for nearness, how near is right
    cases: tuple[tuple[str, Condition], ...] = ()  # option, when
    otherwise: str | None = None
    near: str = ""  # number

    @classmethod
    def read(cls, text: str) -> "Rule":
        """Raises RuleError."""
        text = text.strip()
        if found := re.fullmatch(r"largest of (.+?)(?:\s+by\s+(\S+))?", text):
            return cls(largest=tuple(map(_named, found[1].split(","))), margin=_number(found[2] or "0"))
        if found := re.fullmatch(r"(\S+)\s+within\s+(\S+)", text):
            if not NAME.fullmatch(found[1]):
                raise RuleError(f"“{found[1]}” is no name of a number; write for instance: share within 0.1.")
            return cls(near=found[1], margin=_number(found[2]))
        cases, otherwise = [], None
        for part in map(str.strip, text.split(";")):
            if found := re.fullmatch(r"otherwise\s+(\S+)", part):
                otherwise = found[1]
            elif (found := re.fullmatch(r"(\S+)\s+when\s+(.+)", part)) and otherwise is None:
                cases.append((found[1], Condition.read(found[2])))
            else:
                raise RuleError(
                    f"“{part}” is no rule; write “largest of a, b by 0.02”, “a when x > 0.1; otherwise b”, or for a "
                    "slider “x within 0.1”."
                )
        if not cases:
            raise RuleError("A rule that only says “otherwise” is decided by the lesson, not by the run.")
        return cls(cases=tuple(cases), otherwise=otherwise)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the numbers that it reads."""
        within = tuple(name for _, condition in self.cases for name in condition.names)
        return (*(number for _, number in self.largest), *within, *((self.near,) if self.near else ()))

    @property
    def options(self) -> tuple[str, ...]:
        """Those that it can decide for."""
        last = (self.otherwise,) if self.otherwise is not None else ()
        return tuple(dict.fromkeys((*(o for o, _ in self.largest), *(o for o, _ in self.cases), *last)))

    def decide(self, numbers: Numbers) -> str | None:
        """The option that the run decides for; None where it decides for none."""
        if self.largest:
            ranked = sorted(((_value(n, numbers), o) for o, n in self.largest), key=lambda pair: -pair[0])
            known = all(value == value for value, _ in ranked)
            lead = ranked[0][0] - ranked[1][0] if len(ranked) > 1 else float("inf")
            return ranked[0][1] if known and lead > self.margin else None
        return next((option for option, when in self.cases if when.holds(numbers)), self.otherwise)

    def target(self, numbers: Numbers) -> float:
        """What a number on a slider is held against."""
        return _value(self.near, numbers)


def _is_term(text: str) -> bool:
    return bool(NAME.fullmatch(text) or _LITERAL.fullmatch(text))


def _named(text: str) -> tuple[str, str]:
    """`option=number`, or one name for both."""
    option, _, number = (part.strip() for part in text.partition("="))
    number = number or option
    if not option or not NAME.fullmatch(number):
        raise RuleError(f"“{text.strip()}” names no number; write “largest of a, b” or “largest of option=number, …”.")
    return option, number


def _number(text: str) -> float:
    if not _LITERAL.fullmatch(text):
        raise RuleError(f"“{text}” is no number.")
    return float(text)


def _value(term: str, numbers: Numbers) -> float:
    if not NAME.fullmatch(term):
        return float(term)
    value = numbers[term]
    return float("nan") if isinstance(value, str) else float(value)
