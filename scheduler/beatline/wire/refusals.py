"""
What the server's refusals mean: try again, ask for the primary, or tell the caller.

An error reply proves that the request had no effect. Which word it begins with decides what to
do (R26); redis-py strips the word from some errors and names a class instead.
"""

from __future__ import annotations

import re
from typing import Final

from redis import exceptions

#: Refusals that pass by themselves, or on another connection: reconnect and repeat.
PASSING: Final = frozenset(
    {
        "LOADING",
        "READONLY",
        "MASTERDOWN",
        "CLUSTERDOWN",
        "MOVED",
        "ASK",
        "TRYAGAIN",
        "BUSY",
        "NOREPLICAS",
        "UNBLOCKED",
        "MAXCLIENTS",
    }
)
#: Refusals that need a person, with the remedy.
REMEDIES: Final = {
    "OOM": "raise maxmemory, or remove results and dead letters; nothing was dropped",
    "MISCONF": "free disk space or repair the server's persistence; nothing was dropped",
    "NOAUTH": "give user and password in the URL: redis://user:password@host/0",
    "WRONGPASS": "correct user and password in the URL",
    "NOPERM": "allow this user the commands and keys of Beatline",
    "READONLY": "point the URL at the primary",
    "LOADING": "wait until the server has loaded its data",
}

_IN_SCRIPT: Final = re.compile(r"^Error running script .*@user_script: ?\d+: -([A-Z]+) ")

_CLASSES: Final = {
    exceptions.BusyLoadingError: "LOADING",
    exceptions.ReadOnlyError: "READONLY",
    exceptions.OutOfMemoryError: "OOM",
    exceptions.NoPermissionError: "NOPERM",
    exceptions.MasterDownError: "MASTERDOWN",
    exceptions.ClusterDownError: "CLUSTERDOWN",
    exceptions.TryAgainError: "TRYAGAIN",
    exceptions.MovedError: "MOVED",
    exceptions.AskError: "ASK",
    exceptions.NoScriptError: "NOSCRIPT",
    exceptions.AuthenticationWrongNumberOfArgsError: "WRONGPASS",
    exceptions.AuthenticationError: "NOAUTH",
}


def refusal_code(error: BaseException) -> str | None:
    """
    The word that a server's refusal begins with, or None where it is not the server's answer.

    A lost connection is no answer: redis-py derives some refusals from its ConnectionError.
    """
    for kind, code in _CLASSES.items():
        if isinstance(error, kind):
            return code
    # redis-py makes this refusal a bare ConnectionError.
    if isinstance(error, exceptions.RedisError) and "max number of clients" in str(error):
        return "MAXCLIENTS"
    if isinstance(error, exceptions.ResponseError):
        # Redis 6.2 wraps what a command inside a script was refused with.
        wrapped = _IN_SCRIPT.search(str(error))
        if wrapped:
            return wrapped[1]
        first = str(error).partition(" ")[0]
        return first if first.isupper() else "ERR"
    return None


def is_passing(error: BaseException) -> bool:
    """Whether the same request may succeed on a fresh connection a moment later."""
    return refusal_code(error) in PASSING
