"""When each event goes out: at once, or as the control API makes it misbehave."""

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
        duplicate: How many times each event is sent; 1 is good behaviour.
        shuffle_s: Each delivery waits a random time up to this, in seconds, so that events overtake each other.
        delay_s: Each delivery waits this long, in seconds.
        drop: The next so many events are never sent; -1 drops all until changed.
        suppress: The next so many events are never made, not even for the list; -1 makes none until changed.
        paused: Nothing is sent until resumed; what happened meanwhile goes out then.
    """

    duplicate: int = 1
    shuffle_s: float = 0.0
    delay_s: float = 0.0
    drop: int = 0
    suppress: int = 0
    paused: bool = False


class DeliveryPlan:
    """The rows of `deliveries`: one for each time an event shall go out."""

    def __init__(self, *, has_endpoint: bool) -> None:
        self.has_endpoint = has_endpoint
        self.behaviour = WebhookBehaviour()
        self.wake = threading.Event()

    def behave(self, **settings: Any) -> dict[str, Any]:
        """Change some settings and give all.

        Raises:
            TypeError: a setting does not exist.
        """
        self.behaviour = replace(self.behaviour, **settings)
        self.wake.set()
        return asdict(self.behaviour)

    def good(self) -> None:
        """Forget all misbehaviour."""
        self.behaviour = WebhookBehaviour()
        self.wake.set()

    def suppresses(self) -> bool:
        """Tell whether the event that is due shall not be made, and count it."""
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
            self._plan(state, event_id=event_id, wait_s=0, word="dropped")
            return
        for _ in range(behaviour.duplicate):
            shuffle = secrets.randbelow(_FINE_STEPS) / _FINE_STEPS * behaviour.shuffle_s
            self._plan(state, event_id=event_id, wait_s=behaviour.delay_s + shuffle, word="pending")

    def again(self, state: State, *, event_id: str) -> None:
        """Plan one more delivery of an event, now."""
        self._plan(state, event_id=event_id, wait_s=0, word="pending")

    def _plan(self, state: State, *, event_id: str, wait_s: float, word: str) -> None:
        values = (event_id, time.time() + wait_s, word)
        state.rows("INSERT INTO deliveries (event_id, next_at, state) VALUES (?, ?, ?)", values)
        self.wake.set()
