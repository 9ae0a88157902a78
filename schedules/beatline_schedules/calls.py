"""Whether a schedule's task exists, and takes the arguments that the schedule gives it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from inspect import Parameter, Signature

from beatline.errors import InvalidSetting
from beatline.naming import check_name
from beatline_schedules.document import Mapping as MappingNode
from beatline_schedules.document import Scalar, Sequence
from beatline_schedules.given import Given
from beatline_schedules.problem import Place, Report, did_you_mean, shown

_BY_PLACE = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
_BY_NAME = (Parameter.KEYWORD_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


def check_task(report: Report, task: Given, task_names: Collection[str] | None) -> None:
    """Report a task that the app does not know; without an app, a name that no task can have."""
    if task.value is None or (task_names is not None and task.value in task_names):
        return
    if task_names is None:
        try:
            check_name(task.value)
        except InvalidSetting as error:
            told = f"{shown(task.value)} is not the name of a task"
            report.problem(task.node, told, error.remedy)
        return
    remedy = did_you_mean(task.value, task_names)
    if not remedy:
        remedy = "register it with the app, or import its module there"
    report.problem(task.node, f"unknown task {shown(task.value)}", remedy)


def check_queue_name(report: Report, queue: Given, queue_names: Collection[str] | None) -> None:
    """Remark on a queue that is not in use, where one with nearly its name is: a slip, perhaps."""
    if queue_names is None or queue.value is None or queue.value in queue_names:
        return
    remedy = did_you_mean(queue.value, queue_names)
    if remedy:
        report.remark(queue.node, f"queue {shown(queue.value)} is not in use so far", remedy)


def check_arguments(
    report: Report,
    task: Given,
    args: Given | None,
    kwargs: Given | None,
    signatures: Mapping[str, Signature] | None,
) -> None:
    """
    Report arguments that the task's function does not take, and those that it misses.

    Args:
        report: Gets the problems.
        task, args, kwargs: What the schedule says; ones with problems of their own are passed by.
        signatures: The functions' signatures by task name, without a bound first argument.
    """
    signature = (signatures or {}).get(task.value)
    if signature is None or (args and args.value is None) or (kwargs and kwargs.value is None):
        return
    parameters = list(signature.parameters.values())
    by_place = [parameter for parameter in parameters if parameter.kind in _BY_PLACE]
    count = len(args.value) if args else 0
    _check_count(report, task, args, parameters, len(by_place))
    filled = {parameter.name for parameter in by_place[:count]}
    filled |= _check_names(report, task, kwargs, parameters, filled)
    for parameter in parameters:
        is_wanted = parameter.kind in (*_BY_PLACE, Parameter.KEYWORD_ONLY)
        if is_wanted and parameter.default is Parameter.empty and parameter.name not in filled:
            report.problem(
                task.node,
                f"task {shown(task.value)} needs the argument {shown(parameter.name)}",
                f"add it to {'args' if parameter.kind is Parameter.POSITIONAL_ONLY else 'kwargs'}",
            )


def _check_count(
    report: Report, task: Given, args: Given | None, parameters: list[Parameter], most: int
) -> None:
    takes_more = any(parameter.kind is Parameter.VAR_POSITIONAL for parameter in parameters)
    if args is None or takes_more or len(args.value) <= most:
        return
    place: Place = args.node
    if isinstance(args.node, Sequence):
        place = args.node.items[most]
    plural = "argument" if most == 1 else "arguments"
    taken = f"at most {most} positional {plural}" if most else "no positional arguments"
    report.problem(
        place,
        f"task {shown(task.value)} takes {taken}, and args has {len(args.value)}",
        "remove the surplus ones",
    )


def _check_names(
    report: Report,
    task: Given,
    kwargs: Given | None,
    parameters: list[Parameter],
    filled: set[str],
) -> set[str]:
    """Report named arguments that don't fit; returns the names of those that do."""
    names = [parameter.name for parameter in parameters if parameter.kind in _BY_NAME]
    takes_more = any(parameter.kind is Parameter.VAR_KEYWORD for parameter in parameters)
    fitting: set[str] = set()
    for name in kwargs.value if kwargs else ():
        if name in names and name not in filled:
            fitting.add(name)
        elif name in names:
            report.problem(
                _key_of(kwargs, name),
                f"argument {shown(name)} of task {shown(task.value)} is given by args already",
                "remove one of them",
            )
        elif not takes_more:
            remedy = did_you_mean(name, names) or _known(names)
            report.problem(
                _key_of(kwargs, name),
                f"task {shown(task.value)} takes no argument {shown(name)}",
                remedy,
            )
    return fitting


def _known(names: list[str]) -> str:
    return f"it takes {', '.join(names)}" if names else "it takes none by name"


def _key_of(kwargs: Given | None, name: str) -> Scalar:
    assert kwargs is not None
    assert isinstance(kwargs.node, MappingNode)
    return kwargs.node.entries[name][0]
