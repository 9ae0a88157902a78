"""
Plain values as YAML text that YAML 1.1, YAML 1.2 and our own strict reader read alike.

Written by hand because only one module may know a YAML library, and because what matters here is
the look: keys of a schedule below each other, lists and small mappings on one line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from beatline_schedules.scalars import read_plain

#: What may stand without quotes: words that begin no number, no date and nothing else.
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:[./-][A-Za-z0-9_]+)*")
#: Durations, which read best without quotes: 90s, 1h30m, and ranges of them.
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|[smhdw]))+(?:\.\.(?:\d+(?:ms|[smhdw]))+)?")
#: Characters that a YAML file may not hold, and some that editors do not show.
_ESCAPED = re.compile("[\x7f-\xa0\xad\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")
#: Longest mapping that stands on one line, characters.
_WIDTH: Final = 80


def text_of(value: Any, *, is_key: bool = False) -> str:
    """
    A value on one line.

    Args:
        value: Plain JSON types.
        is_key: Whether it stands before a colon; environment variables are not filled in there.
    """
    if isinstance(value, Mapping):
        pairs = (f"{text_of(str(key), is_key=True)}: {text_of(one)}" for key, one in value.items())
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(text_of(one) for one in value)}]"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _float_text(value)
    if isinstance(value, int):
        return str(value)
    return _quoted(str(value), is_key=is_key)


def lines_of(key: str, value: Any, indent: str) -> list[str]:
    """A key and its value: on one line, or, for a long mapping, each pair on its own."""
    line = f"{indent}{text_of(key, is_key=True)}: {text_of(value)}"
    if not isinstance(value, Mapping) or len(line) <= _WIDTH or not value:
        return [line]
    deeper = f"{indent}  "
    return [
        f"{indent}{text_of(key, is_key=True)}:",
        *(line for name, one in value.items() for line in lines_of(str(name), one, deeper)),
    ]


def _quoted(text: str, *, is_key: bool) -> str:
    is_word = _PLAIN.fullmatch(text) and read_plain(text) == text and text.lower() not in "yn"
    if is_word or (not is_key and _DURATION.fullmatch(text) and read_plain(text) == text):
        return text
    if not is_key:
        # A dollar and a brace would begin a variable of the environment.
        text = text.replace("${", "$${")
    escaped = json.dumps(text, ensure_ascii=False)
    return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", escaped)


def _float_text(value: float) -> str:
    text = repr(value)
    mantissa, letter, exponent = text.partition("e")
    if not letter:
        return text
    # YAML 1.1 wants a point, and both want the sign of the exponent.
    mantissa = mantissa if "." in mantissa else f"{mantissa}.0"
    return f"{mantissa}e{exponent if exponent[0] in '+-' else f'+{exponent}'}"
