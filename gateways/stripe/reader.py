"""Reading from Stripe: lists, single objects, and ending what nobody will pay."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import stripe

from domain.rules.purchases import Purchase
from gateways.errors import RetryableError
from gateways.stripe.client import translated
from gateways.stripe.facts import EVENT_TYPES, Document

PAGE_SIZE: Final = 100
"""Stripe's most."""


class Stream(StrEnum):
    """A list of Stripe's, newest first; the names are those of its objects."""

    EVENTS = "event"
    INTENTS = "payment_intent"
    SESSIONS = "checkout.session"
    REFUNDS = "refund"
    DISPUTES = "dispute"


@dataclass(frozen=True, kw_only=True)
class StripePage:
    """A part of a list.

    Attributes:
        following: The id behind which the list goes on; `None` at its end.
    """

    documents: list[Document]
    following: str | None


class StripeReader:
    """Reads Stripe's objects.

    Args:
        client: See `gateways.stripe.client.connect`.
    """

    def __init__(self, client: stripe.StripeClient) -> None:
        v1 = client.v1
        self._v1 = v1
        self._lists: Mapping[Stream, Callable[[Any], Any]] = {
            Stream.EVENTS: v1.events.list,
            Stream.INTENTS: v1.payment_intents.list,
            Stream.SESSIONS: v1.checkout.sessions.list,
            Stream.REFUNDS: v1.refunds.list,
            Stream.DISPUTES: v1.disputes.list,
        }
        self._objects: Mapping[Stream, Callable[[str], Any]] = {
            Stream.EVENTS: v1.events.retrieve,
            Stream.INTENTS: v1.payment_intents.retrieve,
            Stream.SESSIONS: v1.checkout.sessions.retrieve,
            Stream.REFUNDS: v1.refunds.retrieve,
            Stream.DISPUTES: v1.disputes.retrieve,
        }

    def page(self, stream: Stream, *, since: datetime, after: str | None) -> StripePage:
        """Read a page of what was created since a moment; of events only those that change something here."""
        params: dict[str, Any] = {"created": {"gte": int(since.timestamp())}, "limit": PAGE_SIZE}
        if stream is Stream.EVENTS:
            params["types"] = list(EVENT_TYPES)
        if after is not None:
            params["starting_after"] = after
        with translated():
            listed = self._lists[stream](params)
        documents = [listed_object.to_dict() for listed_object in listed.data]
        return StripePage(documents=documents, following=documents[-1]["id"] if listed.has_more and documents else None)

    def fetch(self, stream: Stream, object_id: str) -> Document:
        """Read an object as it is now."""
        with translated():
            document: Document = self._objects[stream](object_id).to_dict()
        return document

    def refunds_of(self, payment_intent_id: str) -> list[Document]:
        """Read all refunds of a PaymentIntent."""
        with translated():
            refunds = self._v1.refunds.list({"payment_intent": payment_intent_id, "limit": PAGE_SIZE})
            return [refund.to_dict() for refund in refunds.auto_paging_iter()]

    def end_unpaid(self, purchase: Purchase) -> Document | None:
        """End what a purchase waits for at Stripe, if nobody is paying; returns it as it is then.

        An open Checkout Session expires, a PaymentIntent that still requires something is cancelled. One that is
        processing, paid or ended is left as it is.
        """
        if purchase.stripe_checkout_session_id is not None:
            return self._end(
                Stream.SESSIONS, purchase.stripe_checkout_session_id, _is_open, self._v1.checkout.sessions.expire
            )
        if purchase.stripe_payment_intent_id is not None:
            return self._end(
                Stream.INTENTS, purchase.stripe_payment_intent_id, _requires_something, self._v1.payment_intents.cancel
            )
        return None

    def _end(
        self, stream: Stream, object_id: str, may_end: Callable[[Document], bool], end: Callable[[str], Any]
    ) -> Document:
        document = self.fetch(stream, object_id)
        if not may_end(document):
            return document
        with translated():
            try:
                ended: Document = end(object_id).to_dict()
            except stripe.InvalidRequestError as error:
                # Most likely it was paid at this moment: the next attempt reads that.
                raise RetryableError(f"Stripe refused to end {object_id}: {error.user_message}") from error
        return ended


def _is_open(session: Document) -> bool:
    return bool(session["status"] == "open")


def _requires_something(intent: Document) -> bool:
    return str(intent["status"]).startswith("requires_")
