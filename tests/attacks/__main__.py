"""Run the attacks, one after the other, against a stack of their own; print the table; exit 1 if one did harm."""

import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from local.stack import LocalStack
from tests.attacks import connections, neighbours, odd_requests
from tests.attacks.honest import USERS, HonestUsers
from tests.support.service import Service

P99_MAX_S: Final = 1.0
HONEST_S: Final = 5.0
"""How long honest users are watched at least, however short the attack is."""

BALANCE: Final = 100_000
CONSOLE: Final = Console(width=160)


@dataclass(frozen=True, kw_only=True)
class Attack:
    """An attack, and what honest users may notice of it.

    Attributes:
        run: Attacks; returns how often each status was answered to the attacker.
        may_refuse: Honest users may be answered 503 with `Retry-After` meanwhile, and later than `P99_MAX_S`.
    """

    run: Callable[[LocalStack], Counter[int]]
    may_refuse: bool = False

    @property
    def name(self) -> str:
        """What it does, in a few words."""
        return self.run.__name__.replace("_", " ")


ATTACKS: Final = (
    Attack(run=connections.slow_bodies),
    Attack(run=connections.silent_bodies),
    Attack(run=connections.senders_that_leave),
    Attack(run=connections.http2_streams),
    Attack(run=connections.bodies_nobody_reads),
    Attack(run=odd_requests.repeated_headers),
    Attack(run=odd_requests.paths),
    Attack(run=odd_requests.text),
    Attack(run=odd_requests.ends_of_time),
    Attack(run=odd_requests.tokens),
    Attack(run=odd_requests.addresses),
    Attack(run=neighbours.server_defaults, may_refuse=True),
    Attack(run=neighbours.read_only_for_a_while, may_refuse=True),
    Attack(run=neighbours.messages_of_another_application),
)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of an attack."""

    attack: Attack
    attacker: Counter[int]
    honest: HonestUsers

    def harm(self) -> Iterator[str]:
        """Say what should not have been."""
        statuses = self.attacker + self.honest.statuses
        failures = {status: count for status, count in statuses.items() if status >= 500 and status != 503}
        if failures:
            yield f"5xx: {failures}"
        if self.honest.bare_503:
            yield f"503 without Retry-After: {self.honest.bare_503}"
        if self.honest.statuses[0]:
            yield f"connections of honest users broke: {self.honest.statuses[0]}"
        if not self.attack.may_refuse and self.honest.p99_s > P99_MAX_S:
            yield "honest users waited"
        if not self.attack.may_refuse and self.honest.statuses[503]:
            yield "honest users were refused"
        if not self.honest.statuses[200]:
            yield "no honest user was served"


def main(names: list[str]) -> None:
    """Run the named attacks, or all."""
    chosen = [attack for attack in ATTACKS if not names or attack.run.__name__ in names]
    with tempfile.TemporaryDirectory(prefix="mana-attack-") as directory, LocalStack(Path(directory)) as stack:
        service = Service(stack)
        for number in range(USERS):
            service.grant(f"honest-{number}", BALANCE)
        outcomes = [outcome_of(attack, stack) for attack in chosen]
        audit = service.command("audit")
    print_table(outcomes)
    CONSOLE.print(f"audit: {audit.stdout.strip().splitlines()[-1]}")
    sys.exit(1 if audit.returncode or any(list(outcome.harm()) for outcome in outcomes) else 0)


def outcome_of(attack: Attack, stack: LocalStack) -> Outcome:
    """Run an attack while honest users go on."""
    with HonestUsers(stack) as honest:
        began = time.monotonic()
        attacker = attack.run(stack)
        time.sleep(max(0.0, HONEST_S - (time.monotonic() - began)))
    CONSOLE.print(f"{attack.name}: p99 {honest.p99_s:.2f} s")
    return Outcome(attack=attack, attacker=attacker, honest=honest)


def print_table(outcomes: list[Outcome]) -> None:
    """Print a line per attack."""
    table = Table("attack", "attacker's answers", "honest answers", "honest p99 s", "harm")
    for outcome in outcomes:
        table.add_row(
            outcome.attack.name,
            _counts(outcome.attacker),
            _counts(outcome.honest.statuses),
            f"{outcome.honest.p99_s:.2f}",
            "; ".join(outcome.harm()) or "none",
        )
    CONSOLE.print(table)


def _counts(statuses: Counter[int]) -> str:
    return ", ".join(f"{count} of {status or 'closed'}" for status, count in sorted(statuses.items())) or "—"


if __name__ == "__main__":
    main(sys.argv[1:])
