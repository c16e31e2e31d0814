"""The context of one call of the local Stripe: its state, its time, and the request that its events name."""

from dataclasses import dataclass

import stripe

from local.stripe import errors
from local.stripe.delivery_plan import DeliveryPlan
from local.stripe.documents import Document, changed_members, new_id
from local.stripe.state import State


@dataclass(frozen=True)
class Call:
    """What an endpoint needs to handle one call, inside one transaction.

    Attributes:
        now: Unix time in seconds.
        base_url: This server's address, for links to its pages.
        request_id: `req_…`; `None` if no API request is the cause.
    """

    state: State
    plan: DeliveryPlan
    now: int
    base_url: str
    request_id: str | None = None
    idempotency_key: str | None = None

    def fetch(self, kind: str, object_id: str, *, param: str, status: int = 404) -> Document:
        """Return an object that must exist.

        Raises:
            ApiError: `resource_missing`; `status` is 404 for an id in the path, 400 for an id in a parameter.
        """
        document = self.state.get(kind, object_id)
        if document is None:
            raise errors.missing_resource(kind, object_id, param=param, status=status)
        return document

    def change(self, document: Document, **members: object) -> Document:
        """Write an object with some members changed, and return it."""
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
            before: The object as it was, for `previous_attributes`.
            livemode: The event's member `livemode`.

        Returns:
            The event; if the control API suppresses it, it is neither stored nor sent.
        """
        data: Document = {"object": document}
        if before is not None:
            data["previous_attributes"] = changed_members(before, document)
        event_id = new_id("evt")
        event = {
            "id": event_id,
            "object": "event",
            "api_version": stripe.api_version,
            "created": self.now,
            "data": data,
            "livemode": livemode,
            "pending_webhooks": 1 if self.plan.has_endpoint else 0,
            "request": {"id": self.request_id, "idempotency_key": self.idempotency_key},
            "type": kind,
        }
        if not self.plan.suppresses():
            self.state.put(event)
            self.plan.add(self.state, event_id=event_id)
        return event
