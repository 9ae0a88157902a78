"""
YAML text as a tree with positions. The one module that knows a YAML library.

Files are read event by event and never by a recursive loader: PyYAML's C loader overflows the
stack at 100,000 nested brackets. Size, nesting, aliases and the size of the tree with all aliases
followed are bounded before anything is built from them. Scalars keep their text; what a plain
scalar means is decided in `beatline_schedules.scalars`, not by the YAML library.

Beyond YAML's own syntax, a file holds one document, keys are text and stand once, and tags
(``!!python/object``) are not understood.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from beatline_schedules.problem import Place, Report, shown

#: Bytes of one file.
MAX_BYTES: Final = 1 << 20
#: Mappings and lists inside each other; a schedule needs five.
MAX_DEPTH: Final = 64
#: Aliases (``*name``) in one file.
MAX_ALIASES: Final = 10_000
#: Values in one file, with each alias counted as all that it stands for.
MAX_NODES: Final = 1_000_000

#: What YAML allows in a file at all (YAML 1.2, production c-printable).
_UNPRINTABLE = re.compile(
    "[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\ufeff\u2028\u2029]"
)
#: Characters that end a line in YAML 1.1, and neither in 1.2 nor in editors, which count lines.
_BREAKS: Final = "\x85\u2028\u2029"
_LOADER = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader


@dataclass(slots=True, eq=False)
class Node:
    """
    A value in a file.

    Attributes:
        line, column: Where it begins, both counted from 1.
        size: Values in it, itself and all that its aliases stand for included.
    """

    line: int
    column: int
    size: int = field(default=1, init=False)


@dataclass(slots=True, eq=False)
class Scalar(Node):
    """
    A single value.

    Attributes:
        text: As written, without quotes and escapes.
        style: The quote or the sign of a block (``|``, ``>``) that it begins with; empty for
            a plain one.
    """

    text: str
    style: str = ""

    @property
    def is_plain(self) -> bool:
        """Whether it stands without quotes."""
        return not self.style

    def spot(self, offset: int) -> Place:
        """The place of a character inside it, as near as can be told."""
        if self.style in ("|", ">"):
            return self
        return _Place(self.line, self.column + len(self.style) + offset)


@dataclass(slots=True, eq=False)
class Sequence(Node):
    """A list."""

    items: list[Node] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Mapping(Node):
    """
    Keys and values.

    Attributes:
        entries: Key text -> key and value, in the order of the file.
    """

    entries: dict[str, tuple[Scalar, Node]] = field(default_factory=dict)

    def value(self, key: str) -> Node | None:
        """The value of a key, or None."""
        entry = self.entries.get(key)
        return entry[1] if entry else None


@dataclass(frozen=True, slots=True)
class _Place:
    line: int
    column: int


class _Stop(Exception):  # noqa: N818 - not an error: the problem is in the report
    """Reading the file has ended; the problem is in the report."""


def read_document(content: bytes, report: Report) -> Node | None:
    """
    The tree of a file.

    Args:
        content: The bytes of the file; more than `MAX_BYTES` are refused.
        report: Gets the problems.

    Returns:
        The root; None where the file cannot be read as YAML, or is empty.
    """
    try:
        text = _text(content, report)
        return _Reading(text, report).root()
    except _Stop:
        return None


def _text(content: bytes, report: Report) -> str:
    if len(content) > MAX_BYTES:
        report.problem(_Place(1, 1), "the file is larger than 1 MiB", "split it into several files")
        raise _Stop
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        column = len(before.rpartition(b"\n")[2].decode("utf-8", "replace")) + 1
        place = _Place(before.count(b"\n") + 1, column)
        what = f"byte 0x{content[error.start]:02x} is not UTF-8"
        report.problem(place, what, "save the file as UTF-8")
        raise _Stop from None
    unprintable = _UNPRINTABLE.search(text)
    if unprintable:
        before_text = text[: unprintable.start()]
        place = _Place(before_text.count("\n") + 1, len(before_text.rpartition("\n")[2]) + 1)
        code = f"U+{ord(unprintable[0]):04X}"
        remedy = f'remove it, or write it as "\\u{ord(unprintable[0]):04x}" in double quotes'
        what = "ends a line in YAML 1.1 and not in 1.2"
        if unprintable[0] not in _BREAKS:
            what = "is not allowed in YAML"
        report.problem(place, f"character {code} {what}", remedy)
        raise _Stop
    return text


class _Reading:
    """Builds the tree of one file from the events of the YAML parser."""

    def __init__(self, text: str, report: Report) -> None:
        self._text = text
        self._report = report
        self._open: list[tuple[Node, str | None, list[Node]]] = []
        self._anchors: dict[str, Node | None] = {}
        self._aliases = 0
        self._nodes = 0
        self._root: Node | None = None
        self._documents = 0

    def root(self) -> Node | None:
        try:
            for event in self._events():
                self._take(event)
        except yaml.MarkedYAMLError as error:
            self._explain(error)
            raise _Stop from None
        except yaml.YAMLError as error:
            self._report.problem(_Place(1, 1), f"this is not YAML: {error}"[:300])
            raise _Stop from None
        return self._root

    def _events(self) -> Iterator[yaml.Event]:
        return yaml.parse(self._text, Loader=_LOADER)

    def _take(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.ScalarEvent):
            place = _place(event)
            node = Scalar(place.line, place.column, event.value, event.style or "")
            self._check_tag(event.tag, place)
            self._name(event.anchor, node)
            self._put(node, 1)
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            self._begin(event)
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            self._end()
        elif isinstance(event, yaml.AliasEvent):
            node_again = self._alias(event)
            self._put(node_again, node_again.size)
        elif isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                self._report.problem(
                    _place(event),
                    "a second document begins here",
                    "put it into a file of its own, or remove the ---",
                )
                raise _Stop

    def _check_tag(self, tag: str | None, place: _Place) -> None:
        if tag not in (None, "!"):
            self._report.problem(
                place, f"tag {shown(str(tag))} is not understood", "remove it, or quote the value"
            )

    def _name(self, anchor: str | None, node: Node | None) -> None:
        if anchor is not None:
            self._anchors[anchor] = node

    def _begin(self, event: yaml.MappingStartEvent | yaml.SequenceStartEvent) -> None:
        place = _place(event)
        self._check_tag(event.tag, place)
        if len(self._open) >= MAX_DEPTH:
            self._report.problem(
                place, f"values are nested more than {MAX_DEPTH} deep", "write it flatter"
            )
            raise _Stop
        node: Node
        if isinstance(event, yaml.MappingStartEvent):
            node = Mapping(place.line, place.column)
        else:
            node = Sequence(place.line, place.column)
        # None while it is open: an alias inside would make it contain itself.
        self._name(event.anchor, None)
        self._open.append((node, event.anchor, []))

    def _end(self) -> None:
        node, anchor, parts = self._open.pop()
        if isinstance(node, Sequence):
            node.items = parts
        elif isinstance(node, Mapping):
            self._fill(node, parts)
        node.size = 1 + sum(part.size for part in parts)
        self._name(anchor, node)
        self._put(node, 1)

    def _alias(self, event: yaml.AliasEvent) -> Node:
        place, name = _place(event), str(event.anchor)
        node = self._anchors.get(name)
        self._aliases += 1
        if self._aliases > MAX_ALIASES:
            self._report.problem(
                place, f"more than {MAX_ALIASES:,} aliases", "write a default instead"
            )
            raise _Stop
        if node is not None:
            return node
        if name in self._anchors:
            self._report.problem(place, f"alias *{name} stands for a value that contains it")
        else:
            self._report.problem(
                place,
                f"alias *{name} has no anchor &{name} above it",
                f'put "*{name}" in quotes if it is not meant as an alias',
            )
        raise _Stop

    def _put(self, node: Node, more: int) -> None:
        self._nodes += more
        if self._nodes > MAX_NODES:
            self._report.problem(
                node,
                f"the file stands for more than {MAX_NODES:,} values, with its aliases followed",
                "use fewer aliases of aliases",
            )
            raise _Stop
        if self._open:
            self._open[-1][2].append(node)
        else:
            self._root = node

    def _fill(self, mapping: Mapping, parts: list[Node]) -> None:
        merged: list[tuple[Scalar, Node]] = []
        for key, value in zip(parts[::2], parts[1::2], strict=True):
            if not isinstance(key, Scalar):
                self._report.problem(key, "a key is a list or a mapping", "use text as keys")
            elif key.is_plain and key.text == "<<":
                merged.append((key, value))
            elif key.text in mapping.entries:
                first = mapping.entries[key.text][0].line
                self._report.problem(
                    key,
                    f"key {shown(key.text)} stands twice, first on line {first}",
                    "remove one of them",
                )
            else:
                mapping.entries[key.text] = (key, value)
        for key, value in merged:
            self._merge(mapping, key, value)

    def _merge(self, mapping: Mapping, key: Scalar, value: Node) -> None:
        for source in value.items if isinstance(value, Sequence) else [value]:
            if not isinstance(source, Mapping):
                self._report.problem(key, "<< merges something that is not a mapping", "remove it")
                continue
            for name, entry in source.entries.items():
                mapping.entries.setdefault(name, entry)

    def _explain(self, error: yaml.MarkedYAMLError) -> None:
        said = " ".join(part for part in (error.context, error.problem) if part)
        mark = error.problem_mark or error.context_mark
        # Where the value begins tells more than where the parser gave up on it.
        is_value = "scanning a" in said or "parsing a quoted" in said
        if error.context_mark and is_value and "found a tab" not in said:
            mark = error.context_mark
        place = _Place(mark.line + 1, mark.column + 1) if mark else _Place(1, 1)
        lines = self._text.split("\n")
        line = lines[place.line - 1] if place.line <= len(lines) else ""
        self._report.problem(place, *_explanation(said, line, place.column))


def _place(event: yaml.Event) -> _Place:
    mark: Any = event.start_mark
    return _Place(mark.line + 1, mark.column + 1)


#: (words of the YAML parser, what is wrong, what to do); the first that fits is told.
_EXPLANATIONS: Final = (
    ("scanning an alias", "a value begins with *, which makes it an alias in YAML",
     'put it in quotes, as in cron: "*/5 * * * *"'),
    ("scanning an anchor", "a value begins with &, which makes it an anchor in YAML",
     "put it in quotes"),
    ("mapping values are not allowed", "a colon makes a key of this, where no key may stand",
     "put a value that contains ': ' in quotes, or mend the indentation"),
    ("unknown escape", "a backslash in double quotes begins an escape that YAML does not know",
     "use single quotes, or write the backslash twice"),
    ("invalid Unicode character", "a backslash in double quotes names no character",
     "use single quotes, or write the backslash twice"),
    ("hexdecimal number", "a backslash in double quotes names no character",
     "use single quotes, or write the backslash twice"),
    ("quoted scalar", "a quote is opened and not closed", "close it"),
    ("block sequence entries", "a list begins on the line of its key",
     "begin it on the line below, or write it as [a, b]"),
    ("tag", "a value begins with !, which makes it a tag in YAML", "put it in quotes"),
    ("incompatible YAML", "the file asks for a version of YAML other than 1.1 or 1.2",
     "remove the line that begins with %YAML"),
    ("expected key", "this line is not indented like the ones around it, or a key has no colon",
     "use the same indentation for all keys of a mapping, and 'key: value'"),
    ("expected '-'", "this line is not indented like the items of the list above it",
     "begin each item with '- ', all at the same indentation"),
    ("document start", "this does not belong to what stands above it",
     "use one mapping for the whole file: 'key: value'"),
    ("scanning a directive", "a line begins with %, which makes it a directive in YAML",
     "put it in quotes"),
    ("expected ':'", "a key has no colon", "write 'key: value'"),
)  # fmt: skip


def _explanation(said: str, line: str, column: int) -> tuple[str, str]:
    """What a message of the YAML parser means to people, and what to do."""
    char, before = line[column - 1 : column], line[: column - 1]
    if "found a tab" in said or ("cannot start any token" in said and char == "\t"):
        return "a tab stands where YAML wants spaces", "indent with spaces"
    if "cannot start any token" in said:
        return f"a value begins with {shown(char)}, which YAML keeps for itself", "put it in quotes"
    if before.endswith("$") and char == "{":
        return "${…} stands bare inside { } or [ ]", 'put it in quotes: "${…}"'
    if char and char in "]}":
        return f"{shown(char)} closes nothing", "remove it, or put the value in quotes"
    if "did not find expected ',' or" in said:
        where = f"before {shown(char)}" if char else "at the end of the file"
        return f"a comma or a closing bracket is missing {where}", "add it"
    for words, message, remedy in _EXPLANATIONS:
        if words in said:
            return message, remedy
    return f"this is not YAML: {said}", "mend it here or on the line above"
