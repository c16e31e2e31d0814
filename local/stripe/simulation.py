"""A running local Stripe: its parts, and how they answer an API request."""

import time
from dataclasses import dataclass, field

from local.stripe import checkout, errors, expand
from local.stripe.call import Call
from local.stripe.delivery_plan import DeliveryPlan
from local.stripe.documents import Document
from local.stripe.idempotency import Answer, KeyedRequest, Keys
from local.stripe.misbehaviour import Fault, Misbehaviour, Misbehaviours
from local.stripe.parameters import Parameters
from local.stripe.routes import Endpoint
from local.stripe.state import State

_EXPANDABLE = frozenset({"expand"})


@dataclass(frozen=True)
class ApiRequest:
    """An API request.

    Attributes:
        path: The path with its ids, without the query.
        values: Its parameters.
        path_ids: The ids in the path, by name.
        key: The `Idempotency-Key` of a POST.
    """

    endpoint: Endpoint
    path: str
    values: Document
    path_ids: dict[str, str]
    request_id: str
    key: str | None


@dataclass
class Simulation:
    """The state, webhooks, keys and faults of a local Stripe."""

    state: State
    plan: DeliveryPlan
    base_url: str
    misbehaviours: Misbehaviours = field(default_factory=Misbehaviours)

    def __post_init__(self) -> None:
        self.keys = Keys(self.state)

    def call(self, api_request: ApiRequest | None = None) -> Call:
        """Return the context of a call; `api_request` is its cause, if it has one."""
        now = int(time.time())
        if api_request is None:
            return Call(self.state, self.plan, now, self.base_url)
        return Call(self.state, self.plan, now, self.base_url, api_request.request_id, api_request.key)

    def tick(self) -> None:
        """Do what is due by the clock: expire Checkout Sessions."""
        with self.state.transaction():
            checkout.expire_due(self.call())

    def answer(self, api_request: ApiRequest, misbehaviour: Misbehaviour | None) -> tuple[Answer, bool]:
        """Answer an API request; its work is done at most once per key.

        Returns:
            The answer, and whether it is a replay.

        Raises:
            ApiError: the request was refused before any work.
        """
        if api_request.key is None:
            _wait(misbehaviour)
            return self._execute(api_request, None, misbehaviour), False
        endpoint = f"{api_request.endpoint.method} {api_request.path}"
        request = KeyedRequest(api_request.key, endpoint, api_request.values)
        with self.keys.hold(api_request.key):
            with self.state.transaction():
                kept = self.keys.kept_answer(request, now=int(time.time()))
            if kept is not None:
                return kept, True
            _wait(misbehaviour)
            return self._execute(api_request, request, misbehaviour), False

    def _execute(
        self, api_request: ApiRequest, request: KeyedRequest | None, misbehaviour: Misbehaviour | None
    ) -> Answer:
        """Do the work and keep its answer, in one transaction."""
        fault = misbehaviour.fault if misbehaviour else None
        with self.state.transaction():
            call = self.call(api_request)
            try:
                if fault is Fault.BROKEN_STORED:
                    raise errors.broken(executed=True)
                answer = Answer(200, _run_handler(call, api_request), api_request.request_id)
            except errors.ApiError as error:
                if not error.executed:
                    raise
                answer = Answer(error.status, {"error": error.body}, api_request.request_id)
            if fault is Fault.BROKEN_AFTER:
                answer = Answer(500, {"error": errors.broken(executed=True).body}, api_request.request_id)
            if request is not None:
                self.keys.keep(request, answer, now=call.now)
        return answer


def _run_handler(call: Call, api_request: ApiRequest) -> Document:
    endpoint = api_request.endpoint
    parameters = Parameters(api_request.values)
    parameters.check_names(known=endpoint.known | _EXPANDABLE, simulated=endpoint.simulated | _EXPANDABLE)
    answer = endpoint.handler(call, parameters, *api_request.path_ids.values())
    return expand.expand(call, answer, parameters.texts("expand"))


def _wait(misbehaviour: Misbehaviour | None) -> None:
    if misbehaviour is not None and misbehaviour.fault is Fault.HANG:
        time.sleep(misbehaviour.seconds)
