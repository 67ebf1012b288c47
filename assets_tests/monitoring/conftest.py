"""Samples of gold.daily_demand with a known drift, and real receivers of alerts."""

import email.policy
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage

import numpy as np
import pandas as pd
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope

DAYS = 120
FIRST_DAY = "2026-01-01"


def daily_demand(*, price_factor: float, products: int = 60, seed: int = 7) -> pd.DataFrame:
    """Make dense demand of 120 days whose prices rise by a factor in the last 28, and nothing else changes."""
    rng = np.random.default_rng(seed)
    keys = [
        (f"P-{number:03d}", "webshop", day)
        for number in range(products)
        for day in pd.date_range(FIRST_DAY, periods=DAYS)
    ]
    frame = pd.DataFrame(keys, columns=["product_id", "channel", "date"])
    rows = len(frame)
    is_recent = frame["date"] > frame["date"].max() - pd.Timedelta(days=28)
    frame["unit_price"] = rng.gamma(9.0, 2.0, rows) * np.where(is_recent, price_factor, 1.0)
    frame["is_on_promotion"] = rng.random(rows) < 0.1
    frame["discount_share"] = np.where(frame["is_on_promotion"], 0.2, 0.0)
    frame["is_in_stock"] = rng.random(rows) < 0.95
    frame["is_recorded"] = True
    frame["has_event"] = rng.random(rows) < 0.03
    frame["units"] = rng.poisson(3.0, rows).astype(float)
    return frame


@pytest.fixture(scope="session")
def risen_prices() -> pd.DataFrame:
    """Demand whose prices rose by a third in the recent window."""
    return daily_demand(price_factor=1.33)


@dataclass
class Webhook:
    """A receiver of the world outside: what it was sent, and what it answers."""

    port: int
    messages: list[dict[str, str]] = field(default_factory=list)
    status: int = 200
    on_message: Callable[[], None] = lambda: None

    def address(self, token: str = "token") -> str:
        return f"json://127.0.0.1:{self.port}/{token}"

    @property
    def titles(self) -> list[str]:
        return [message["title"] for message in self.messages]


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    """A real webhook on the loopback, ended after the test."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if receiver.status == 200:
                receiver.messages.append(json.loads(body))
            receiver.on_message()
            self.send_response(receiver.status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver = Webhook(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield receiver
        server.shutdown()
        thread.join()


@pytest.fixture
def mailbox(free_ports: dict[str, int]) -> Iterator[tuple[str, list[EmailMessage]]]:
    """A real mail server on the loopback: the address that leads to it, and the mails it took."""
    mails: list[EmailMessage] = []

    class Handler:
        async def handle_DATA(self, server: object, session: object, envelope: Envelope) -> str:  # noqa: N802
            mails.append(email.message_from_bytes(envelope.original_content, policy=email.policy.default))
            return "250 taken"

    port = free_ports["reports_port"]
    controller = Controller(Handler(), hostname="127.0.0.1", port=port)
    controller.start()
    yield f"mailto://127.0.0.1:{port}?from=storecast@example.org&to=shop@example.org&mode=insecure", mails
    controller.stop()
