"""Crontabs: users' and the system's, with everything that stands around the five columns."""

from __future__ import annotations

import pytest

from beatline_schedules.importing.naming import name_of_command
from tests.importing.conftest import Import, RoundTrip, by_name, only


def test_crontab_when_a_line_is_plain_then_the_command_is_an_argument(bring: Import) -> None:
    entry = only(bring("crontab", "15 2 * * 1-5  /usr/local/bin/backup.sh --full\n"))

    assert "backup" == entry.name
    assert {
        "task": "shell.run",
        "cron": "15 2 * * 1-5",
        "args": ["/usr/local/bin/backup.sh --full"],
    } == entry.fields
    assert "line 1: 15 2 * * 1-5  /usr/local/bin/backup.sh --full" == entry.origin
    assert () == entry.remarks


def test_crontab_when_imported_then_overlap_and_misses_are_as_with_cron(
    bring: Import, round_trip: RoundTrip
) -> None:
    imported = bring("crontab", "@daily a\n", timezone="Europe/Berlin")

    schedule = round_trip(imported)["a"]
    assert ("allow", "none", "Europe/Berlin") == (
        schedule.overlap,
        schedule.catch_up,
        schedule.timetable.timezone,
    )


def test_crontab_when_no_zone_is_named_then_a_remark_says_utc(bring: Import) -> None:
    unsaid = bring("crontab", "@daily a\n")
    said = bring("crontab", "@daily a\n", timezone="UTC")

    assert any("zone of its machine" in remark for remark in unsaid.remarks)
    assert not any("zone of its machine" in remark for remark in said.remarks)


@pytest.mark.parametrize(
    ("command", "argument", "stdin"),
    [
        ("date +\\%F", "date +%F", None),
        ("mail joe%Hello", "mail joe", "Hello\n"),
        ("mail joe%Joe,%%bye%", "mail joe", "Joe,\n\nbye\n"),
        ("mail joe%100\\% sure", "mail joe", "100% sure\n"),
        ("cat%", "cat", ""),
    ],
)
def test_crontab_when_a_percent_sign_stands_bare_then_it_begins_the_input(
    bring: Import, command: str, argument: str, stdin: str | None
) -> None:
    entry = only(bring("crontab", f"@daily {command}\n"))

    assert [argument] == entry.fields["args"]
    assert stdin == entry.fields.get("kwargs", {}).get("stdin")
    assert (stdin is not None) == any("%" in remark for remark in entry.remarks)


def test_crontab_when_variables_are_set_then_those_below_get_them(bring: Import) -> None:
    text = """@daily first
PATH = /usr/bin:/bin
"GREETING"='hello world'
@daily second
"""
    entries = by_name(bring("crontab", text))

    assert "kwargs" not in entries["first"].fields
    expected = {"env": {"PATH": "/usr/bin:/bin", "GREETING": "hello world"}}
    assert expected == entries["second"].fields["kwargs"]
    assert ("cron set PATH, GREETING for the command: env",) == entries["second"].remarks


def test_crontab_when_mailto_is_set_then_a_remark_names_the_address_once(bring: Import) -> None:
    imported = bring("crontab", "MAILTO=ops@example.com\n@daily a\nMAILTO=ops@example.com\n")

    remarks = [remark for remark in imported.remarks if "mailed" in remark]
    assert [
        "cron mailed output to ops@example.com; here it goes where the task sends it"
    ] == remarks
    assert "kwargs" not in only(imported).fields


def test_crontab_when_cron_tz_is_set_then_it_is_the_zone_of_those_below(bring: Import) -> None:
    text = "@daily a\nCRON_TZ=Asia/Tokyo\n@daily b\nCRON_TZ=Mars/Olympus\n@daily c\n"

    entries = by_name(bring("crontab", text))

    zones = {name: entry.fields.get("timezone") for name, entry in entries.items()}
    assert {"a": None, "b": "Asia/Tokyo", "c": None} == zones
    assert "Debian's own cron" in entries["b"].remarks[0]
    assert "is no zone of the IANA database" in entries["c"].remarks[0]


def test_crontab_when_it_has_a_user_column_then_a_remark_names_the_user(bring: Import) -> None:
    entry = only(
        bring("crontab", "17 * * * * root cd / && run-parts hourly\n", has_user_column=True)
    )

    assert ["cd / && run-parts hourly"] == entry.fields["args"]
    assert ("ran as user root; here it runs as the worker's user",) == entry.remarks


def test_crontab_when_the_user_column_is_missing_then_the_line_is_left_out(bring: Import) -> None:
    imported = bring("crontab", "@daily reindex\n", has_user_column=True)

    assert () == imported.entries
    assert "no command behind the user" in imported.left_out[0].reason


def test_crontab_when_a_line_has_no_counterpart_then_it_is_left_out_with_a_reason(
    bring: Import,
) -> None:
    text = """@reboot start-it
61 * * * * late
0 0 30 2 * never
not a line
@fortnightly x
"""
    imported = bring("crontab", text)

    assert () == imported.entries
    reasons = {one.name.partition(":")[0]: one.reason for one in imported.left_out}
    assert "names no instant" in reasons["line 1"]
    assert "minute 61" in reasons["line 2"]
    assert "never fires" in reasons["line 3"]
    assert "it is no line of a crontab" == reasons["line 4"]
    assert "unknown cron alias" in reasons["line 5"]


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("@Midnight", {"cron": "@midnight"}),
        ("@every_minute", {"cron": "* * * * *"}),
        ("@every_second", {"every": "1s"}),
        ("@90", {"every": "90s"}),
        ("0~30 ~ * * *", {"cron": "H(0-30) H(0-23) * * *"}),
        ("-*/5 * * * *", {"cron": "*/5 * * * *"}),
    ],
)
def test_crontab_when_other_crons_are_spoken_then_their_forms_are_translated(
    bring: Import, when: str, expected: dict[str, str]
) -> None:
    fields = only(bring("crontab", f"{when} job\n")).fields

    assert expected == {key: fields[key] for key in ("cron", "every") if key in fields}


def test_crontab_when_comments_stand_above_a_line_then_they_are_its_note(bring: Import) -> None:
    text = """# m h  dom mon dow   command
0 1 * * * first

# Rotates the logs,
# for the whole shop
0 2 * * * second
# 0 3 * * * disabled
0 4 * * * third
# far away

0 5 * * * fourth
"""
    entries = by_name(bring("crontab", text))

    notes = {name: entry.fields.get("note") for name, entry in entries.items()}
    expected = {
        "first": None,
        "second": "Rotates the logs, for the whole shop",
        "third": None,
        "fourth": None,
    }
    assert expected == notes


def test_crontab_when_commands_are_alike_then_their_names_are_numbered(bring: Import) -> None:
    imported = bring("crontab", "@daily run\n@weekly /usr/bin/run -x\n@yearly ./run\n")

    assert ["run", "run-2", "run-3"] == [entry.name for entry in imported.entries]


def test_crontab_when_a_command_has_braces_and_quotes_then_it_arrives_as_written(
    bring: Import, round_trip: RoundTrip
) -> None:
    command = r"""echo "${HOME}" '$${x}' \\ "tab	" #: {a: [b]} é – 🚂"""

    imported = bring("crontab", f"@daily {command}\n")

    assert (command,) == round_trip(imported)[imported.entries[0].name].args


def test_crontab_when_imported_twice_then_the_text_is_the_same(bring: Import) -> None:
    text = "A=1\n*/5 * * * * a\n0 0 * * * b%c\n@reboot d\n"

    assert bring("crontab", text) == bring("crontab", text)


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("/usr/local/bin/backup.sh --full", "backup"),
        ("cd /srv/app && ./manage.py sync", "manage"),
        ("cd '/srv/my app' ; sudo -u www nice -n 19 /opt/x/reindex", "reindex"),
        ("[ -x /usr/sbin/anacron ] || run-parts /etc/cron.daily", "anacron"),
        ("DJANGO=1 python3 /srv/report.py", "report"),
        ("bash", "bash"),
        ("'", "command"),
        ("timeout 300 curl -s https://example.com/ping", "curl"),
    ],
)
def test_name_of_command_when_asked_then_it_is_the_program(command: str, name: str) -> None:
    assert name == name_of_command(command)
