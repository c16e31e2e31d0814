"""Start the local Stripe: `python -m local.stripe --port N --state FILE`; `--help` lists all options."""

import argparse
import logging
import signal
import threading
from pathlib import Path
from types import FrameType

from werkzeug.serving import BaseWSGIServer, make_server

from local.stripe.app import create_app
from local.stripe.delivery import Deliverer
from local.stripe.delivery_plan import DeliveryPlan
from local.stripe.simulation import Simulation
from local.stripe.state import State

_HOST = "127.0.0.1"
_TICK_S = 1.0


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    arguments = _arguments()
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    state = State(arguments.state)
    plan = DeliveryPlan(has_endpoint=bool(arguments.webhook_url))
    simulation = Simulation(state, plan, base_url=f"http://{_HOST}:{arguments.port}")
    server = make_server(_HOST, arguments.port, create_app(simulation), threaded=True)
    deliverer = Deliverer(state, plan, url=arguments.webhook_url, secret=arguments.webhook_secret)
    stopped = threading.Event()
    if arguments.webhook_url:
        deliverer.start()
    threading.Thread(target=_tick, args=(simulation, stopped), name="clock", daemon=True).start()
    _stop_on_signals(server)
    print(f"local Stripe: {simulation.base_url}", flush=True)
    server.serve_forever()
    stopped.set()
    if arguments.webhook_url:
        deliverer.stop()
    state.close()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.stripe", description="A local Stripe for development.")
    parser.add_argument("--port", type=int, required=True, help="TCP port on 127.0.0.1")
    parser.add_argument("--webhook-url", default="", help="where events are sent; empty sends none")
    parser.add_argument("--webhook-secret", default="", help="whsec_…, which signs them")
    parser.add_argument("--state", type=Path, required=True, help="SQLite file that keeps everything")
    arguments = parser.parse_args()
    if arguments.webhook_url and not arguments.webhook_secret.startswith("whsec_"):
        parser.error("--webhook-secret must begin with whsec_")
    return arguments


def _stop_on_signals(server: BaseWSGIServer) -> None:
    def stop(_number: int, _frame: FrameType | None) -> None:
        # In another thread: shutdown() waits for the loop that this handler interrupts.
        threading.Thread(target=server.shutdown).start()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)


def _tick(simulation: Simulation, stopped: threading.Event) -> None:
    while not stopped.wait(_TICK_S):
        simulation.tick()


if __name__ == "__main__":
    main()
