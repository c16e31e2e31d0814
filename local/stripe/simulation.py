"""The parts of one running local Stripe, and the way of an API call through them."""

import time
from dataclasses import dataclass, field

from local.stripe import checkout, errors, expand
from local.stripe.call import Call
from local.stripe.delivery_plan import DeliveryPlan
from local.stripe.documents import Document
from local.stripe.idempotency import Answer, Keys, Request
from local.stripe.misbehaviour import Fault, Misbehaviour, Misbehaviours
from local.stripe.parameters import Parameters
from local.stripe.routes import Endpoint
from local.stripe.state import State

_EXPANDABLE = frozenset({"expand"})


@dataclass(frozen=True)
class Work:
    """What one API call asks for.

    Attributes:
        path: The path with its ids, without the query.
        identities: The ids in the path.
        key: The `Idempotency-Key` of a POST.
    """

    endpoint: Endpoint
    path: str
    values: Document
    identities: dict[str, str]
    request_id: str
    key: str | None


@dataclass
class Simulation:
    """State, webhooks, keys and faults of one local Stripe."""

    state: State
    plan: DeliveryPlan
    base_url: str
    misbehaviours: Misbehaviours = field(default_factory=Misbehaviours)

    def __post_init__(self) -> None:
        self.keys = Keys(self.state)

    def call(self, work: Work | None = None) -> Call:
        """Begin an act; `work` is the API call behind it, if one is."""
        now = int(time.time())
        if work is None:
            return Call(self.state, self.plan, now, self.base_url)
        return Call(self.state, self.plan, now, self.base_url, work.request_id, work.key)

    def tick(self) -> None:
        """Do what time does: expire Checkout Sessions."""
        with self.state.transaction():
            checkout.expire_due(self.call())

    def answer(self, work: Work, misbehaviour: Misbehaviour | None) -> tuple[Answer, bool]:
        """Answer an API call, at most once per key.

        Returns:
            The answer, and whether it is a replay.

        Raises:
            ApiError: refused before any work.
        """
        if work.key is None:
            _wait(misbehaviour)
            return self._execute(work, None, misbehaviour), False
        request = Request(work.key, f"{work.endpoint.method} {work.path}", work.values)
        with self.keys.turn(work.key):
            with self.state.transaction():
                kept = self.keys.answered(request, now=int(time.time()))
            if kept is not None:
                return kept, True
            _wait(misbehaviour)
            return self._execute(work, request, misbehaviour), False

    def _execute(self, work: Work, request: Request | None, misbehaviour: Misbehaviour | None) -> Answer:
        """Do the work and keep its answer, both in one transaction."""
        fault = misbehaviour.fault if misbehaviour else None
        with self.state.transaction():
            call = self.call(work)
            try:
                if fault is Fault.BROKEN_STORED:
                    raise errors.broken(executed=True)
                answer = Answer(200, _act(call, work), work.request_id)
            except errors.ApiError as error:
                if not error.executed:
                    raise
                answer = Answer(error.status, {"error": error.body}, work.request_id)
            if fault is Fault.BROKEN_AFTER:
                answer = Answer(500, {"error": errors.broken(executed=True).body}, work.request_id)
            if request is not None:
                self.keys.keep(request, answer, now=call.now)
        return answer


def _act(call: Call, work: Work) -> Document:
    endpoint = work.endpoint
    parameters = Parameters(work.values)
    parameters.check_names(known=endpoint.known | _EXPANDABLE, simulated=endpoint.simulated | _EXPANDABLE)
    answer = endpoint.act(call, parameters, *work.identities.values())
    return expand.expand(call, answer, parameters.texts("expand"))


def _wait(misbehaviour: Misbehaviour | None) -> None:
    if misbehaviour is not None and misbehaviour.fault is Fault.HANG:
        time.sleep(misbehaviour.seconds)
