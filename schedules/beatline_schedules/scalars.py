"""
What a plain scalar means: YAML 1.2's core rules, and no surprises.

YAML 1.1 and 1.2 read some plain scalars differently, and so do libraries: ``on`` is true for one
and text for the other, ``1:30`` is 90 or text, ``010`` is 8 or 10, ``2026-12-01`` a date or text.
Whatever both agree on is taken; every other is a problem that says how to write what is meant.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from beatline_schedules.problem import shown

#: The types that a plain scalar can have.
Atom = None | bool | int | float | str

_NULL: Final = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL: Final = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)", re.ASCII)
_HEX = re.compile(r"0x[0-9a-fA-F]+", re.ASCII)
_FLOAT = re.compile(r"(?:[-+]?[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+][0-9]+)?", re.ASCII)
_SPECIAL_FLOAT = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)", re.ASCII)
_BEGINNINGS: Final = frozenset("0123456789+-.~nNtTfFyYoO")
#: Characters of a number that is read; a longer one is no number anybody meant.
_MAX_NUMBER: Final = 400
_NUMBER_CHARACTERS: Final = frozenset("0123456789+-._:eExobABCDEFabcdef")

_WORDS = re.compile(r"yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF", re.ASCII)
_SEXAGESIMAL = re.compile(
    r"[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*", re.ASCII
)
_LEADING_ZERO = re.compile(r"[-+]?0[0-9_]+", re.ASCII)
_UNDERSCORES = re.compile(r"(?=.*_)(?:[-+]?[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)", re.ASCII)
_BARE_POINT = re.compile(r"[-+]\.[0-9]+(?:[eE][-+][0-9]+)?", re.ASCII)
_BASES = re.compile(
    r"[-+]?0[bo][0-9_]+|[-+]0x[0-9a-fA-F_]+|0x[0-9a-fA-F_]*_[0-9a-fA-F_]*", re.ASCII
)
_EXPONENT = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)[eE][-+]?[0-9]+", re.ASCII)
_DATE = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]*)?"
    r"(?:[ \t]*(?:Z|[-+][0-9]{1,2}(?::?[0-9]{2})?))?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Surprise:
    """
    A plain scalar that YAML 1.1 and 1.2 do not read alike.

    Attributes:
        message: How they read it.
        remedy: How to write what is meant.
    """

    message: str
    remedy: str


@dataclass(frozen=True, slots=True)
class DateLike:
    """
    A plain scalar that YAML 1.1 reads as a date or time and YAML 1.2 as text.

    Where an instant or date is wanted, both mean the same; everywhere else it is a surprise.

    Attributes:
        text: As written.
    """

    text: str

    def surprise(self) -> Surprise:
        """The surprise that it is where no date is wanted."""
        return Surprise(
            f"{self.text} is a date in YAML 1.1 and text in YAML 1.2", f'quote it: "{self.text}"'
        )


_TOO_LONG: Final = Surprise(f"a number has more than {_MAX_NUMBER} digits", "quote it")


def read_plain(text: str) -> Atom | Surprise | DateLike:
    """
    What a plain scalar means.

    Args:
        text: The scalar as written, without quotes.
    """
    if text in _NULL:
        return None
    if text[0] not in _BEGINNINGS:
        return text
    if len(text) > _MAX_NUMBER:
        return text if set(text) - _NUMBER_CHARACTERS else _TOO_LONG
    if text in _BOOL:
        return _BOOL[text]
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text) or _SPECIAL_FLOAT.fullmatch(text):
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    if _HEX.fullmatch(text):
        return int(text, 16)
    if _DATE.fullmatch(text):
        return DateLike(text)
    return _surprise(text) or text


def _surprise(text: str) -> Surprise | None:
    quoted = f"quote it: {shown(text)}"
    if _WORDS.fullmatch(text):
        truth = "true" if text.lower() in ("yes", "on") else "false"
        return Surprise(
            f"{text} is {truth} in YAML 1.1 and text in YAML 1.2", f"write {truth}, or {quoted}"
        )
    if _SEXAGESIMAL.fullmatch(text):
        return Surprise(f"{text} is a number to base 60 in YAML 1.1 and text in 1.2", quoted)
    if _LEADING_ZERO.fullmatch(text):
        return Surprise(
            f"{text} has a leading zero: octal in YAML 1.1, decimal in 1.2",
            f"write {text.lstrip('+-0_') or '0'}, or {quoted}",
        )
    if _BASES.fullmatch(text) or _UNDERSCORES.fullmatch(text):
        return Surprise(
            f"{text} is a number in one version of YAML and text in the other",
            f"write it in plain digits, or {quoted}",
        )
    if _BARE_POINT.fullmatch(text):
        return Surprise(
            f"{text} is a number in YAML 1.2 and text to many readers of YAML 1.1",
            f"write {text[0]}0{text[1:]}, or {quoted}",
        )
    if _EXPONENT.fullmatch(text):
        return Surprise(
            f"{text} is text in YAML 1.1 and a number in YAML 1.2",
            f"write it with a point and a signed exponent, such as 1.0e+3, or {quoted}",
        )
    return None
