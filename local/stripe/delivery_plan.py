"""Plans when each event is sent: at once, or late, twice or never, as the control API has set."""

import secrets
import threading
import time
from dataclasses import asdict, dataclass, replace
from typing import Any

from local.stripe.state import State

_FINE_STEPS = 1_000


@dataclass(frozen=True)
class WebhookBehaviour:
    """How webhooks are delivered.

    Attributes:
        duplicate: How often each event is sent; normal is 1.
        shuffle_s: Each delivery waits a random time of at most this many seconds, so that the order changes.
        delay_s: Each delivery waits this many seconds.
        drop: How many of the next events are never sent; -1 is all events until this is changed.
        suppress: How many of the next events are not created at all; -1 is all events until this is changed.
        paused: Whether sending is paused; planned events are sent when it is resumed.
    """

    duplicate: int = 1
    shuffle_s: float = 0.0
    delay_s: float = 0.0
    drop: int = 0
    suppress: int = 0
    paused: bool = False


class DeliveryPlan:
    """The rows of the table `deliveries`: one for each time that an event is to be sent."""

    def __init__(self, *, has_endpoint: bool) -> None:
        self.has_endpoint = has_endpoint
        self.behaviour = WebhookBehaviour()
        self.wake = threading.Event()

    def change(self, **settings: Any) -> dict[str, Any]:
        """Change some settings and return all.

        Raises:
            TypeError: a setting does not exist.
        """
        self.behaviour = replace(self.behaviour, **settings)
        self.wake.set()
        return asdict(self.behaviour)

    def reset(self) -> None:
        """Restore the normal behaviour."""
        self.behaviour = WebhookBehaviour()
        self.wake.set()

    def suppresses(self) -> bool:
        """Return whether the next event is suppressed, and count it."""
        behaviour = self.behaviour
        if behaviour.suppress > 0:
            self.behaviour = replace(behaviour, suppress=behaviour.suppress - 1)
        return behaviour.suppress != 0

    def add(self, state: State, *, event_id: str) -> None:
        """Plan the deliveries of a new event."""
        if not self.has_endpoint:
            return
        behaviour = self.behaviour
        if behaviour.drop:
            if behaviour.drop > 0:
                self.behaviour = replace(behaviour, drop=behaviour.drop - 1)
            self._plan(state, event_id=event_id, wait_s=0, delivery_state="dropped")
            return
        for _ in range(behaviour.duplicate):
            shuffle = secrets.randbelow(_FINE_STEPS) / _FINE_STEPS * behaviour.shuffle_s
            self._plan(state, event_id=event_id, wait_s=behaviour.delay_s + shuffle, delivery_state="pending")

    def repeat(self, state: State, *, event_id: str) -> None:
        """Plan one more delivery of an event, now."""
        self._plan(state, event_id=event_id, wait_s=0, delivery_state="pending")

    def _plan(self, state: State, *, event_id: str, wait_s: float, delivery_state: str) -> None:
        values = (event_id, time.time() + wait_s, delivery_state)
        state.rows("INSERT INTO deliveries (event_id, next_at, state) VALUES (?, ?, ?)", values)
        self.wake.set()
