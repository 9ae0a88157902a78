"""Kubernetes CronJobs: their times and policies, and what becomes of their containers."""

from __future__ import annotations

from typing import Any

import pytest

from beatline.errors import WrongUse
from tests.importing.conftest import Import, by_name, only


def manifest(spec: str = "", job: str = "", container: str = "") -> str:
    return f"""apiVersion: batch/v1
kind: CronJob
metadata:
  name: report
  namespace: shop
spec:
  schedule: "30 2 * * *"
  {spec}
  jobTemplate:
    spec:
      {job}
      template:
        spec:
          containers:
            - name: report
              image: example/report:7
              {container or "command: [report, --full]"}
          restartPolicy: OnFailure
"""


def test_cronjob_when_it_is_plain_then_what_kubernetes_does_by_itself_is_written_out(
    bring: Import,
) -> None:
    entry = only(bring("k8s", manifest()))

    assert {
        "task": "shell.run",
        "cron": "30 2 * * *",
        "args": ["report --full"],
        "overlap": "allow",
        "retry": {"max": 6, "backoff": "10s..6m"},
    } == entry.fields
    assert ("report", "shop/report") == (entry.name, entry.origin)
    assert (
        "ran in the image example/report:7; here the command runs where the worker does",
        "Kubernetes tries 6 times more where backoffLimit is not said",
    ) == entry.remarks


@pytest.mark.parametrize(
    ("spec", "fields"),
    [
        ("concurrencyPolicy: Forbid", {"overlap": "skip"}),
        ("concurrencyPolicy: Replace", {"overlap": "cancel_running"}),
        ("startingDeadlineSeconds: 200", {"catch_up_window": "200s"}),
        ("timeZone: Asia/Tokyo", {"timezone": "Asia/Tokyo"}),
        ("suspend: true", {"paused": True}),
        ("suspend: yes", {"paused": True}),
    ],
)
def test_cronjob_when_it_has_policies_then_they_are_ours(
    bring: Import, spec: str, fields: dict[str, Any]
) -> None:
    entry = only(bring("k8s", manifest(spec)))

    assert fields == {key: entry.fields.get(key) for key in fields}


@pytest.mark.parametrize(
    ("job", "fields", "remark"),
    [
        ("backoffLimit: 0", {"retry": None}, ""),
        ("backoffLimit: 2", {"retry": {"max": 2, "backoff": "10s..6m"}}, ""),
        ("activeDeadlineSeconds: 600", {"time_limit": "600s"}, "for all attempts together"),
        ("parallelism: 3", {}, "parallelism: 3 has no counterpart"),
        ("completions: 1", {}, ""),
    ],
)
def test_cronjob_when_its_job_has_limits_then_they_are_brought_or_told(
    bring: Import, job: str, fields: dict[str, Any], remark: str
) -> None:
    entry = only(bring("k8s", manifest(job=job)))

    assert fields == {key: entry.fields.get(key) for key in fields}
    assert remark in " ".join(entry.remarks)


def test_cronjob_when_it_has_history_limits_then_a_remark_tells_of_the_ledger(
    bring: Import,
) -> None:
    entry = only(bring("k8s", manifest("successfulJobsHistoryLimit: 3")))

    assert (
        "successfulJobsHistoryLimit: 3: the ledger here keeps the last 200 occurrences"
        in entry.remarks
    )


@pytest.mark.parametrize(
    ("container", "argument"),
    [
        ('command: ["/bin/sh", "-c", "date; echo ${HOME}"]', "date; echo ${HOME}"),
        ("command: [bash, -c, 'a | b', extra]", "bash -c 'a | b' extra"),
        ("command: [report]\n              args: ['two words', 7]", "report 'two words' 7"),
    ],
)
def test_cronjob_when_it_has_a_command_then_that_line_is_the_argument(
    bring: Import, container: str, argument: str
) -> None:
    assert [argument] == only(bring("k8s", manifest(container=container))).fields["args"]


def test_cronjob_when_the_command_is_the_images_then_it_is_paused(bring: Import) -> None:
    entry = only(bring("k8s", manifest(container="args: [--full]")))

    assert entry.fields["paused"] is True
    assert "its command is the image's own: say what is to run; paused until then" in entry.remarks


def test_cronjob_when_its_container_has_variables_then_known_ones_are_brought(
    bring: Import,
) -> None:
    container = """command: [report]
              env:
                - {name: MODE, value: "1"}
                - {name: TOKEN, valueFrom: {secretKeyRef: {name: s, key: k}}}
              envFrom: [{configMapRef: {name: shop}}]"""

    entry = only(bring("k8s", manifest(container=container)))

    assert {"env": {"MODE": "1"}} == entry.fields["kwargs"]
    assert "set in the container's environment: TOKEN, all of configMapRef shop" in entry.remarks


def test_cronjob_when_its_command_names_variables_then_told_what_a_shell_makes_of_it(
    bring: Import,
) -> None:
    container = """command: [sh, -c, "send $(MODE) $$(TEXT) $(date)"]
              env: [{name: MODE, value: "1"}, {name: TEXT, value: "2"}]"""

    entry = only(bring("k8s", manifest(container=container)))

    told = [remark for remark in entry.remarks if "in a shell" in remark]
    assert ["$(MODE) stood for the value of a variable; in a shell that is $MODE"] == told


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("@every 1h30m", {"every": "1h30m"}),
        ("CRON_TZ=Asia/Tokyo 0 9 * * *", {"cron": "0 9 * * *", "timezone": "Asia/Tokyo"}),
        ("@hourly", {"cron": "@hourly"}),
        # Its parser takes a stepped star as a restriction, so that either field suffices.
        ("0 0 */2 * mon", {"cron": "0 0 1-31/2 * mon"}),
        ("0 0 13 * */2", {"cron": "0 0 13 * 0-6/2"}),
        ("0 0 */2 * *", {"cron": "0 0 */2 * *"}),
        ("0 0 ? * fri", {"cron": "0 0 ? * fri"}),
    ],
)
def test_cronjob_when_its_schedule_has_kubernetes_forms_then_the_meaning_stays(
    bring: Import, schedule: str, expected: dict[str, str]
) -> None:
    text = manifest().replace("30 2 * * *", schedule)

    fields = only(bring("k8s", text)).fields

    assert expected == {key: fields.get(key) for key in expected}


def test_manifest_when_it_has_documents_and_lists_then_each_cronjob_is_found(
    bring: Import,
) -> None:
    second = manifest().replace("name: report\n  n", "name: second\n  n")
    listed = "\n".join(f"    {line}" for line in second.splitlines())
    text = f"""--- # first
{manifest()}---
kind: Service
...
---
apiVersion: v1
kind: List
items:
  -
{listed}
"""
    imported = bring("k8s", text)

    assert ["report", "second"] == list(by_name(imported))
    assert ["it is of kind Service, no CronJob"] == [one.reason for one in imported.left_out]


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ('"30 2 * * *"', "7", "it has no schedule"),
        ("30 2 * * *", "99 2 * * *", "minute 99"),
        (
            "spec:\n  schedule",
            "spec:\n  concurrencyPolicy: Maybe\n  schedule",
            "'Maybe' is unknown",
        ),
        ("spec:\n  schedule", "spec:\n  timeZone: Mars/Olympus\n  schedule", "Mars/Olympus"),
        (
            "spec:\n  schedule",
            "spec:\n  startingDeadlineSeconds: -1\n  schedule",
            "no whole number",
        ),
    ],
)
def test_cronjob_when_it_has_no_counterpart_then_it_is_left_out_with_a_reason(
    bring: Import, before: str, after: str, reason: str
) -> None:
    imported = bring("k8s", manifest().replace(before, after, 1))

    assert () == imported.entries
    assert reason in imported.left_out[0].reason


def test_manifest_when_it_is_no_yaml_then_the_error_has_the_right_line(bring: Import) -> None:
    with pytest.raises(WrongUse, match="Kubernetes CronJobs:5:1: "):
        bring("k8s", "kind: Service\n---\nkind: CronJob\nx: [\n")
