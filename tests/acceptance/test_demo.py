"""The demonstration of a subscription, and where it refuses to run."""

from pathlib import Path

from tests.support.service import Service


def test_the_demo_shows_a_subscription_from_activation_to_reactivation(service: Service) -> None:
    shown = service.command("demo", "--directory", str(service.stack.directory))

    assert shown.returncode == 0, shown.stderr
    lines = shown.stdout.splitlines()
    steps = [line.partition("✓ ")[2][:12].rstrip() for line in lines]
    assert steps == ["topped up", "activated", "renewed", "renewed", "paused", "topped up", "reactivated"]
    balances = [int(line.partition("balance")[2].partition(",")[0]) for line in lines]
    assert balances == [100, 70, 40, 10, 10, 110, 80]
    coming = [line.rpartition(", ")[2].rpartition(" ")[0] for line in lines]
    assert coming == ["no next", *["next charge"] * 3, "no next", "no next", "next charge"]


def test_the_demo_refuses_to_run_where_there_is_no_local_stack(service: Service, tmp_path: Path) -> None:
    refused = service.command("demo", "--directory", str(tmp_path))

    assert refused.returncode == 1
    assert "works on the local stack only" in refused.stderr
    assert refused.stdout == ""
