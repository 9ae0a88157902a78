"""``sched call``: send one job."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from beatline.cli.arguments import PERIOD
from beatline.cli.groups import unknown
from beatline.cli.output import one_line, print_json
from beatline.cli.place_options import json_option, place_options
from beatline.cli.wanted import Wanted
from beatline.errors import UnknownTask, WrongUse

if TYPE_CHECKING:
    from beatline.result import AsyncResult


@click.command(
    context_settings={"ignore_unknown_options": False},
    epilog="""\b
Examples:
  sched call -A shop.py:app add 2 3 --wait           prints 5
  sched call -A shop.py:app mail.send '"a@b.c"'      each word is JSON
  sched call -A shop.py:app report -k '{"full": true}' --countdown 10m
  sched call -A shop.py:app launch --eta 2026-12-01T09:00:00+01:00
  sched call mail.send -a '[42]' --queue mail        no app: the name is not checked

\b
Without --wait it prints the id. With --wait it prints the result as JSON; exit code 1
where the job failed or did not end within --timeout.""",
)
@click.argument("task", metavar="TASK")
@click.argument("words", nargs=-1, metavar="[ARG...]")
@click.option("-a", "--args", "args_json", metavar="JSON", help="Positional arguments as a list.")
@click.option("-k", "--kwargs", "kwargs_json", metavar="JSON", help="Keyword arguments.")
@click.option(
    "--countdown",
    type=PERIOD,
    default=None,
    metavar="DURATION",
    help="Start so long from now, such as 90s or 10m.",
)
@click.option(
    "--eta",
    metavar="INSTANT",
    default=None,
    help="Start at an ISO instant; without an offset, in the app's time zone.",
)
@click.option(
    "--expires",
    type=PERIOD,
    default=None,
    metavar="DURATION",
    help="Do not start later than so long from now.",
)
@click.option("--queue", metavar="NAME", default=None, help="Instead of the task's.")
@click.option("--priority", type=click.IntRange(0, 9), default=None, help="0 lowest, 9 highest.")
@click.option(
    "--id",
    "task_id",
    metavar="ID",
    default=None,
    help="An id of your own: the same id makes at most one job.",
)
@click.option("--wait", is_flag=True, help="Wait for the end, and print the result.")
@click.option(
    "--timeout", type=PERIOD, default=None, metavar="DURATION", help="With --wait: wait no longer."
)
@json_option
@place_options
@click.pass_obj
def command(
    wanted: Wanted,
    /,
    *,
    task: str,
    words: tuple[str, ...],
    args_json: str | None,
    kwargs_json: str | None,
    wait: bool,
    timeout: int | None,
    as_json: bool,
    **options: Any,
) -> int:
    """Send one job of a task; arguments are JSON, and options those of apply_async."""
    from beatline.cli.reach import open_app

    args = _args(words, args_json)
    kwargs = _kwargs(kwargs_json)
    app = open_app(wanted)
    if wanted.app and task not in app.tasks:
        message, _, remedy = unknown("task", task, sorted(app.tasks)).partition(" – ")
        raise UnknownTask(f"{message} in {wanted.app}", remedy=remedy)
    try:
        known = app.tasks.get(task)
        sent = _options(options)
        if known is not None:
            result: AsyncResult[Any] = known.apply_async(args, kwargs, **sent)
        else:
            result = app.send_task(task, args, kwargs, **sent)
    except TypeError as error:
        if isinstance(error, WrongUse):
            raise
        raise WrongUse(str(error), remedy="correct the arguments") from error
    if wait:
        return _wait(result, timeout, as_json=as_json)
    if as_json:
        print_json({"id": result.id, "is_duplicate": result.is_duplicate})
    else:
        click.echo(result.id)
        if result.is_duplicate:
            click.echo("this id is taken: no second job was made", err=True)
    return 0


def _wait(result: AsyncResult[Any], timeout_ms: int | None, *, as_json: bool) -> int:
    from datetime import timedelta

    from beatline.cli.exits import tell
    from beatline.cli.job_views import job_json
    from beatline.errors import ResultTimeout

    limit = None if timeout_ms is None else timedelta(milliseconds=timeout_ms)
    try:
        answer = result.get(limit, propagate=False)
    except ResultTimeout as error:
        tell(f"{error.message}; its id is {result.id}", f"sched jobs show {result.id}")
        return 1
    if as_json:
        print_json(job_json(result.view()))
    elif isinstance(answer, BaseException):
        tell(
            f"job {result.id} ended as {result.state}:"
            f" {one_line(f'{type(answer).__name__}: {answer}', 500)}",
            f"sched jobs show {result.id} has the traceback",
        )
    else:
        click.echo(json.dumps(answer, ensure_ascii=False, default=str))
    return 1 if isinstance(answer, BaseException) else 0


def _args(words: tuple[str, ...], args_json: str | None) -> list[Any]:
    if args_json is None:
        return [_json(word, "argument") for word in words]
    if words:
        raise WrongUse("arguments are given both as words and by -a", remedy="use one of them")
    args = _json(args_json, "-a")
    if not isinstance(args, list):
        raise WrongUse(f"-a {args_json} is not a list", remedy="write it like -a '[1, \"b\"]'")
    return args


def _kwargs(text: str | None) -> dict[str, Any]:
    kwargs = {} if text is None else _json(text, "-k")
    if not isinstance(kwargs, dict):
        raise WrongUse(f"-k {text} is not an object", remedy="write it like -k '{\"full\": true}'")
    return kwargs


def _json(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise WrongUse(
            f"{where} {one_line(text, 80)} is not JSON: {error}",
            remedy=f"text goes in double quotes inside single ones: '\"{one_line(text, 40)}\"'",
        ) from None


def _options(given: dict[str, Any]) -> dict[str, Any]:
    from datetime import timedelta

    options = {name: value for name, value in given.items() if value is not None}
    for name in ("countdown", "expires"):
        if name in options:
            options[name] = timedelta(milliseconds=options[name])
    if "eta" in options:
        try:
            options["eta"] = datetime.fromisoformat(options["eta"])
        except ValueError:
            raise WrongUse(
                f"--eta {options['eta']} is not an ISO instant",
                remedy="write it like 2026-12-01T09:00:00+01:00",
            ) from None
    return options
