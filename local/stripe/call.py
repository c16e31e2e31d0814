"""One act on the local Stripe: its state, its time, and the request its events name."""

from dataclasses import dataclass

import stripe

from local.stripe import errors
from local.stripe.delivery_plan import DeliveryPlan
from local.stripe.documents import Document, changed_members, new_id
from local.stripe.state import State


@dataclass(frozen=True)
class Call:
    """What an endpoint works with, inside one transaction.

    Attributes:
        now: Unix time in seconds.
        base_url: This server's own address, for pages it links to.
        request_id: `req_…`; `None` where no API request caused the act.
    """

    state: State
    plan: DeliveryPlan
    now: int
    base_url: str
    request_id: str | None = None
    idempotency_key: str | None = None

    def fetch(self, kind: str, identity: str, *, param: str, status: int = 404) -> Document:
        """Read an object that must exist.

        Raises:
            ApiError: `resource_missing`, 404 for an id in the path, 400 for one in a parameter.
        """
        document = self.state.get(kind, identity)
        if document is None:
            raise errors.missing_resource(kind, identity, param=param, status=status)
        return document

    def change(self, document: Document, **members: object) -> Document:
        """Write an object with some members changed, and give it."""
        changed = document | members
        self.state.put(changed)
        return changed

    def emit(
        self, kind: str, document: Document, *, before: Document | None = None, livemode: bool = False
    ) -> Document:
        """Record an event about an object and plan its delivery.

        Args:
            kind: The event's type, such as `charge.succeeded`.
            document: The object as it is now; the event keeps this snapshot.
            before: The object as it was, to tell `previous_attributes`.
            livemode: What the event says of itself.

        Returns:
            The event; where the control API suppresses events, one that nobody will see.
        """
        facts: Document = {"object": document}
        if before is not None:
            facts["previous_attributes"] = changed_members(before, document)
        event_id = new_id("evt")
        event = {
            "id": event_id,
            "object": "event",
            "api_version": stripe.api_version,
            "created": self.now,
            "data": facts,
            "livemode": livemode,
            "pending_webhooks": 1 if self.plan.has_endpoint else 0,
            "request": {"id": self.request_id, "idempotency_key": self.idempotency_key},
            "type": kind,
        }
        if not self.plan.suppresses():
            self.state.put(event)
            self.plan.add(self.state, event_id=event_id)
        return event
