"""
Reads values of a schedule file by what is wanted there, and reports what does not fit.

Each method returns None where there was a problem, which is then in the report; None is no value
that any of them could mean.
"""

from __future__ import annotations

from collections.abc import Mapping as AbstractMapping
from enum import StrEnum
from math import isfinite
from typing import Any, Final, NoReturn, TypeVar

from beatline.errors import InvalidSetting
from beatline.units import duration_ms
from beatline_schedules.document import Mapping, Node, Scalar, Sequence
from beatline_schedules.problem import Report, did_you_mean, shown
from beatline_schedules.scalars import Atom, DateLike, Surprise, read_plain
from beatline_schedules.variables import BadVariable, fill_in

#: Longest duration that is read, ms: a hundred years.
_MAX_DURATION_MS: Final = 36_525 * 86_400_000
#: Integers that every reader of JSON and msgpack keeps.
_INT_MIN: Final = -(2**63)
_INT_MAX: Final = 2**63 - 1

Choice = TypeVar("Choice", bound=StrEnum)


class _Unreadable(Exception):  # noqa: N818 - the problem is in the report
    """A value was not what was wanted; the problem is in the report."""


class Reader:
    """
    Reads the values of one file.

    Args:
        report: Gets the problems.
        environ: What ``${NAME}`` is looked up in.
    """

    def __init__(self, report: Report, environ: AbstractMapping[str, str]) -> None:
        self.report = report
        self._environ = environ

    def text(self, node: Node, what: str, *, dates: bool = False) -> str | None:
        """
        Text.

        Args:
            node: The value.
            what: What it is, for messages.
            dates: Whether a date may stand there without quotes.
        """
        try:
            value = self._given(node, what)
            if isinstance(value, DateLike):
                if dates:
                    return value.text
                self._surprised(node, what, value.surprise())
            if not isinstance(value, str):
                quoted = f'put it in quotes: "{_source(node)}"'
                self._refuse(node, f"{what} is {told(value)}, not text", quoted)
            if not value.strip():
                self._refuse(node, f"{what} is empty text", "give it a value, or remove the key")
        except _Unreadable:
            return None
        return value

    def integer(self, node: Node, what: str, low: int, high: int) -> int | None:
        """A whole number from ``low`` to ``high``."""
        remedy = f"write a whole number from {low:,} to {high:,}"
        value: int | None = self._typed(node, what, int, "a whole number", remedy)
        if value is not None and not low <= value <= high:
            self.report.problem(node, f"{what} {value} is out of range", remedy)
            return None
        return value

    def boolean(self, node: Node, what: str) -> bool | None:
        """``true`` or ``false``."""
        if isinstance(self._plain(node), Surprise):
            self.report.problem(
                node, f"{what} {shown(_source(node))} is not true or false", "write true or false"
            )
            return None
        truth: bool | None = self._typed(node, what, bool, "true or false", "write true or false")
        return truth

    def duration_ms(self, node: Node, what: str, *, low_ms: int = 0) -> int | None:
        """
        A duration such as ``90s`` or ``1h30m``, or a number of seconds, in milliseconds.

        Args:
            node: The value.
            what: What it is, for messages.
            low_ms: The shortest that makes sense.
        """
        try:
            value = self._given(node, what)
            if isinstance(value, DateLike):
                value = value.text
            if isinstance(value, bool):
                raise InvalidSetting(f"{what} is {told(value)}, not a duration")
            ms = duration_ms(value, what)
        except _Unreadable:
            return None
        except (ValueError, OverflowError) as error:
            message = error.message if isinstance(error, InvalidSetting) else f"{what} is too long"
            self.report.problem(node, message, 'write it like "90s", "5m" or "1h30m"')
            return None
        if not low_ms <= ms <= _MAX_DURATION_MS:
            self.report.problem(
                node,
                f"{what} {shown(_source(node))} is too {'short' if ms < low_ms else 'long'}",
                f"write {low_ms} ms or more" if ms < low_ms else "write a hundred years or less",
            )
            return None
        return ms

    def choice(self, node: Node, what: str, choices: type[Choice]) -> Choice | None:
        """One member of an enum of words."""
        word = self.text(node, what)
        if word is None:
            return None
        known = [str(choice) for choice in choices]
        if word in known:
            return choices(word)
        remedy = did_you_mean(word, known) or f"write one of {', '.join(known)}"
        self.report.problem(node, f"{what} {shown(word)} is unknown", remedy)
        return None

    def mapping(self, node: Node, what: str, example: str) -> Mapping | None:
        """Keys and values."""
        if isinstance(node, Mapping):
            return node
        self.report.problem(
            node, f"{what} is {self.told_node(node)}, not a mapping", f"write {example}"
        )
        return None

    def sequence(self, node: Node, what: str, example: str) -> Sequence | None:
        """A list."""
        if isinstance(node, Sequence):
            return node
        self.report.problem(
            node, f"{what} is {self.told_node(node)}, not a list", f"write {example}"
        )
        return None

    def key(self, key: Scalar, what: str) -> str | None:
        """A key that is a name of the user's own: bare words that are no text are problems."""
        if key.is_plain:
            value = read_plain(key.text)
            if isinstance(value, DateLike):
                value = value.surprise()
            if isinstance(value, Surprise):
                remedy = f"quote it: {shown(key.text)}"
                self.report.problem(key, f"{what}: {value.message}", remedy)
                return None
            if not isinstance(value, str):
                remedy = f"quote it: {shown(key.text)}"
                self.report.problem(key, f"{what} is {told(value)}, not text", remedy)
                return None
        if not key.text.strip():
            self.report.problem(key, f"{what} is empty text", "write a name")
            return None
        return key.text

    def json(self, node: Node, what: str) -> tuple[Any] | None:
        """
        A value of plain JSON types: what a definition in Redis can hold.

        Returns:
            The value in a tuple of one, as None is a value here.
        """
        if isinstance(node, Sequence):
            items = [self.json(item, f"{what}[{i}]") for i, item in enumerate(node.items)]
            return ([item[0] for item in items if item],) if all(items) else None
        if isinstance(node, Mapping):
            return self._json_mapping(node, what)
        try:
            value = self._atom(node, what)
            if isinstance(value, DateLike):
                self._surprised(node, what, value.surprise())
            if isinstance(value, float) and not isfinite(value):
                self._refuse(node, f"{what} is {told(value)}, which JSON cannot hold", "quote it")
            if isinstance(value, int) and not _INT_MIN <= value <= _INT_MAX:
                self._refuse(node, f"{what} is an integer of more than 64 bits", "quote it")
        except _Unreadable:
            return None
        return (value,)

    def arguments(self, node: Node, what: str) -> tuple[Any, ...] | None:
        """A list of plain JSON values."""
        if self.sequence(node, what, f"{what}: [first, second]") is None:
            return None
        values = self.json(node, what)
        return tuple(values[0]) if values else None

    def named_arguments(self, node: Node, what: str) -> dict[str, Any] | None:
        """A mapping of names to plain JSON values."""
        if self.mapping(node, what, f"{what}: {{name: value}}") is None:
            return None
        values = self.json(node, what)
        return dict(values[0]) if values else None

    def is_number(self, node: Node) -> bool:
        """Whether a bare number stands there."""
        value = self._plain(node)
        return isinstance(value, (int, float)) and not isinstance(value, bool)

    def is_empty(self, node: Node) -> bool:
        """Whether nothing stands there."""
        return isinstance(node, Scalar) and node.is_plain and self._plain(node) is None

    def is_word(self, node: Node, word: str) -> bool:
        """Whether that word stands there."""
        return self._filled(node) == word

    def span(self, node: Node) -> tuple[Scalar, Scalar] | None:
        """The two ends of ``first..last``, each with its place; None where it is no span."""
        text = self._filled(node)
        first, dots, last = (text or "").partition("..")
        if not isinstance(node, Scalar) or not dots:
            return None
        begin, end = node.spot(0), node.spot(len(first) + 2)
        return (
            Scalar(begin.line, begin.column, first.rstrip(), node.style),
            Scalar(end.line, end.column, last.lstrip(), node.style),
        )

    def told_node(self, node: Node) -> str:
        """What a value is, for messages."""
        if isinstance(node, Mapping):
            return "a mapping"
        if isinstance(node, Sequence):
            return "a list"
        if isinstance(node, Scalar) and node.is_plain:
            return told(read_plain(node.text))
        return f"the text {shown(_source(node))}"

    def _filled(self, node: Node) -> str | None:
        if not isinstance(node, Scalar):
            return None
        try:
            return fill_in(node.text, self._environ)
        except BadVariable:
            return None

    def _plain(self, node: Node) -> Atom | Surprise | DateLike:
        text = self._filled(node)
        is_plain = text is not None and isinstance(node, Scalar) and node.is_plain
        return read_plain(text) if text is not None and is_plain else None

    def _json_mapping(self, mapping: Mapping, what: str) -> tuple[dict[str, Any]] | None:
        values: dict[str, Any] = {}
        for name, (key, node) in mapping.entries.items():
            value = self.json(node, f"{what}.{name}")
            if self.key(key, f"a key of {what}") is not None and value:
                values[name] = value[0]
        return (values,) if len(values) == len(mapping.entries) else None

    def _typed(self, node: Node, what: str, kind: type[Any], wanted: str, remedy: str) -> Any:
        try:
            value = self._given(node, what)
        except _Unreadable:
            return None
        if type(value) is kind:
            return value
        if isinstance(node, Scalar) and isinstance(value, str) and not node.is_plain:
            remedy += ", without quotes"
        self.report.problem(node, f"{what} is {told(value)}, not {wanted}", remedy)
        return None

    def _given(self, node: Node, what: str) -> bool | int | float | str | DateLike:
        value = self._atom(node, what)
        if value is None:
            self._refuse(node, f"{what} has no value", "give it one, or remove the key")
        return value

    def _atom(self, node: Node, what: str) -> Atom | DateLike:
        if not isinstance(node, Scalar):
            self._refuse(
                node, f"{what} is {self.told_node(node)}, where one value is wanted", "write one"
            )
        try:
            text = fill_in(node.text, self._environ)
        except BadVariable as bad:
            self._refuse(node, f"{what}: {bad.message}", bad.remedy)
        if not node.is_plain:
            return text
        value = read_plain(text)
        if isinstance(value, Surprise):
            self._surprised(node, what, value)
        return value

    def _surprised(self, node: Node, what: str, surprise: Surprise) -> NoReturn:
        self._refuse(node, f"{what}: {surprise.message}", surprise.remedy)

    def _refuse(self, node: Node, message: str, remedy: str) -> NoReturn:
        self.report.problem(node, message, remedy)
        raise _Unreadable


def told(value: Atom | DateLike | Surprise) -> str:
    """A scalar as messages name it."""
    if value is None:
        return "left empty"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        is_short = isinstance(value, float) or _INT_MIN <= value <= _INT_MAX
        return f"the number {value}" if is_short else "a long number"
    if isinstance(value, str):
        return f"the text {shown(value)}"
    return f"the date {value.text}" if isinstance(value, DateLike) else "an ambiguous word"


def _source(node: Node) -> str:
    return node.text if isinstance(node, Scalar) else ""
