"""The runbook: a page for each alert, metrics that exist, and commands that run."""

import json
import re
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.support.operating import failed_payments
from tests.support.paths import ROOT
from tests.support.service import PATIENCE_S, Service

OPS: Final = ROOT / "docs" / "operating"
PAGES: Final = sorted((OPS / "runbook").glob("*.md"))
FENCED: Final = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
METRIC: Final = re.compile(r"\bmana_[a-z_]+\b")
SOURCES: Final = ("telemetry/metrics.py",)


def rules() -> list[dict[str, str]]:
    """Read the alerts: the file is ours, and plain enough to be read by lines."""
    alerts = (OPS / "alerts.yml").read_text(encoding="utf-8")
    matches = re.findall(r"- alert: (\w+)\n +expr: (.+?)\n +(?:for|labels):.*?runbook: (\S+)", alerts, re.DOTALL)
    assert len(matches) == alerts.count("alert:") > 0
    return [{"alert": alert, "expr": expr, "runbook": runbook} for alert, expr, runbook in matches]


def known_metrics() -> set[str]:
    """Find the metrics' names in the code, a histogram with its series."""
    code = "\n".join((ROOT / source).read_text(encoding="utf-8") for source in SOURCES)
    names = set(re.findall(r'"(mana_[a-z_]+)"', code))
    return names | {f"{name}_{series}" for name in names for series in ("bucket", "sum", "count")}


def slug(alert: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "-", alert).lower()


def test_there_are_pages_to_run() -> None:
    """A folder without pages would leave the other tests nothing to look at."""
    assert len(PAGES) == len(rules()) + 1 > 10


def test_every_alert_has_a_page_and_every_page_an_alert() -> None:
    named = {rule["runbook"] for rule in rules()}

    assert named == {f"docs/operating/runbook/{slug(rule['alert'])}.md" for rule in rules()}
    assert named == {page.relative_to(ROOT).as_posix() for page in PAGES if page.name != "README.md"}
    index = (OPS / "runbook" / "README.md").read_text(encoding="utf-8")
    for rule in rules():
        assert f"| {rule['alert']} | [{slug(rule['alert'])}]({slug(rule['alert'])}.md) |" in index


def test_alerts_and_dashboard_look_at_metrics_that_exist() -> None:
    known = known_metrics()
    dashboard = json.loads((OPS / "dashboard.json").read_text(encoding="utf-8"))
    expressions = [rule["expr"] for rule in rules()]
    expressions += [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    commands = [command for page in PAGES for command in FENCED.findall(page.read_text(encoding="utf-8"))]

    assert len(known) >= 11
    for expression in expressions:
        named = set(METRIC.findall(expression))
        assert named <= known, expression
        assert named or "up{" in expression
    for command in commands:
        for name in METRIC.findall(command):
            assert any(metric.startswith(name) for metric in known), command


def test_alerts_look_at_ages_not_at_sizes() -> None:
    for rule in rules():
        assert not re.search(r"\bmana_jobs\b", rule["expr"]), rule["alert"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_commands_of_the_runbook_run(service: Service, user: str, page: Path) -> None:
    failed_payments(service, user, "RetryableError", "Stripe: down", count=2)
    failed_payments(service, user, "FinalError", "Stripe: No such customer", count=1)
    (job,) = service.sql("SELECT job_id::text FROM jobs.attempts WHERE error_class = 'RetryableError' LIMIT 1")[0]
    (hopeless,) = service.sql(
        "SELECT job_id::text FROM jobs.attempts a JOIN jobs.jobs j ON j.id = a.job_id "
        "WHERE error_class = 'FinalError' AND state = 'failed' LIMIT 1"
    )[0]
    blocks = FENCED.findall(page.read_text(encoding="utf-8"))
    port = (service.stack.directory / "worker-metrics-port").read_text(encoding="utf-8").strip()
    environment = service.environment(
        PYTHONPATH=str(ROOT), WORKER_METRICS_PORT=port, USER_ID=user, JOB=job, ERROR="RetryableError", HOPELESS=hopeless
    )

    assert blocks
    for block in blocks:
        ran = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )
        assert ran.returncode == 0, f"{block}\n{ran.stdout}\n{ran.stderr}"
    service.sql("UPDATE jobs.jobs SET state = 'discarded' WHERE state = 'failed'")
