"""Whether arguments fit a task's function: found out where the call is made, not in a worker."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any


class ArgumentCheck:
    """
    The signature of one task's body.

    Most calls are positional and have as many arguments as the function takes; those are told
    by their number alone.

    Args:
        name: Name of the task, for errors.
        body: What is called.
        skips_first: The first parameter is the task itself.
    """

    __slots__ = ("_fewest", "_most", "_name", "_signature")

    def __init__(self, name: str, body: Callable[..., Any], *, skips_first: bool) -> None:
        self._name = name
        self._fewest, self._most = 1, 0
        try:
            signature = inspect.signature(body)
        except (TypeError, ValueError):
            # Some callables of C tell nothing of their parameters: any call is let through.
            self._signature: inspect.Signature | None = None
            return
        parameters = list(signature.parameters.values())
        if skips_first:
            parameters = _without_first(parameters, name)
        self._signature = signature.replace(parameters=parameters)
        kinds = {parameter.kind for parameter in parameters}
        needs_names = any(
            parameter.kind is parameter.KEYWORD_ONLY and parameter.default is parameter.empty
            for parameter in parameters
        )
        if needs_names:
            return
        positional = [
            one
            for one in parameters
            if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)
        ]
        self._fewest = sum(1 for one in positional if one.default is one.empty)
        self._most = len(positional)
        if inspect.Parameter.VAR_POSITIONAL in kinds:
            self._most = 1 << 30

    def call(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """
        Refuse a call that the function would refuse.

        Raises:
            TypeError: As Python would, with the task's name.
        """
        if not kwargs and self._fewest <= len(args) <= self._most:
            return
        if self._signature is None:
            return
        try:
            self._signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"task {self._name}{self._signature}: {error}") from None


def _without_first(parameters: list[inspect.Parameter], name: str) -> list[inspect.Parameter]:
    if parameters and parameters[0].kind is inspect.Parameter.VAR_POSITIONAL:
        return parameters
    if not parameters or parameters[0].kind is inspect.Parameter.KEYWORD_ONLY:
        raise TypeError(f"task {name}: with bind=True its first parameter is the task: add `self`")
    return parameters[1:]
