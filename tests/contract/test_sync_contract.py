"""The wire contract of Cloud Sync, as literal JSON."""

import json
from typing import Any

import pytest
from flask import Flask

from domain.store import Database
from tests.support.credits import give
from tests.support.issuer import Issuer
from tests.support.jobs import do, pending
from tests.support.plain_sql import rows
from tests.support.worker import worker

SUBSCRIPTION = """
INSERT INTO credits.sync_subscriptions (user_id, active, billing_interval, amount_charged, activated_at, anchor_at,
    next_charge_at, paused_at, is_gifted, gifted_by, gifted_at, created_at, updated_at)
VALUES ('anna', %s, 'quarterly', 90, '2026-01-31T10:00:00Z', '2026-01-31T10:00:00.123Z', %s, %s, false, NULL, NULL,
    '2026-01-31T10:00:00Z', '2026-01-31T10:00:00Z')
"""
ACTIVE = (True, "2999-04-30T10:00:00.123Z", None)
PAUSED = (False, None, "2026-04-30T10:00:00.456Z")

EXAMPLES = [
    (
        "GET", "/sync/status", None, None, 200,
        ('{"active": false, "interval": "monthly", "nextChargeAt": null, "pausedAt": null, "gifted": false,'
        ' "autoResume": false, "nextCharge": null}'),
    ),
    (
        "GET", "/sync/status", None, ACTIVE, 200,
        ('{"active": true, "interval": "quarterly", "nextChargeAt": "2999-04-30T10:00:00.123Z", "pausedAt": null,'
        ' "gifted": false, "autoResume": false,'
        ' "nextCharge": {"at": "2999-04-30T10:00:00.123Z", "amount": 90, "covered": false}}'),
    ),
    (
        "GET", "/sync/status", None, PAUSED, 200,
        ('{"active": false, "interval": "quarterly", "nextChargeAt": null, "pausedAt": "2026-04-30T10:00:00.456Z",'
        ' "gifted": false, "autoResume": false, "nextCharge": null}'),
    ),
    (
        "GET", "/internal/sync/status/anna", None, None, 200,
        '{"active": false, "interval": "monthly", "nextChargeAt": null, "pausedAt": null, "gifted": false}',
    ),
    (
        "GET", "/internal/sync/status/anna", None, ACTIVE, 200,
        ('{"active": true, "interval": "quarterly", "nextChargeAt": "2999-04-30T10:00:00.123Z", "pausedAt": null,'
        ' "gifted": false}'),
    ),
    ("POST", "/sync/deactivate", None, ACTIVE, 200, '{"success": true}'),
    (
        "POST", "/sync/deactivate", None, None, 400,
        ('{"type": "urn:mana-credits:problem:sync_not_active", "title": "Sync is not active", "status": 400,'
        ' "detail": "Sync is not active", "code": "sync_not_active", "statusCode": 400,'
        ' "message": "Sync is not active"}'),
    ),
    (
        "POST", "/sync/change-interval", '{"interval": "yearly"}', None, 400,
        ('{"type": "urn:mana-credits:problem:sync_not_active", "title": "Sync is not active", "status": 400,'
        ' "detail": "Sync is not active", "code": "sync_not_active", "statusCode": 400,'
        ' "message": "Sync is not active"}'),
    ),
    (
        "POST", "/sync/activate", '{"interval": "monthly"}', ACTIVE, 400,
        ('{"type": "urn:mana-credits:problem:sync_already_active", "title": "Sync is already active", "status": 400,'
        ' "detail": "Sync is already active", "code": "sync_already_active", "statusCode": 400,'
        ' "message": "Sync is already active"}'),
    ),
    (
        "POST", "/sync/change-interval", '{"interval": "yearly"}', ACTIVE, 200,
        '{"success": true, "interval": "yearly", "amountCharged": 360, "effectiveAt": "2999-04-30T10:00:00.123Z"}',
    ),
    (
        "POST", "/sync/auto-resume", '{"enabled": true}', PAUSED, 200, '{"success": true, "enabled": true}',
    ),
    (
        "POST", "/admin/sync/anna/gift", None, ACTIVE, 200,
        '{"success": true, "userId": "anna", "gifted": true, "active": true}',
    ),
    (
        "DELETE", "/admin/sync/anna/gift", None, ACTIVE, 200,
        '{"success": true, "userId": "anna", "gifted": false, "active": true}',
    ),
    (
        "GET", "/admin/sync/anna", None, ACTIVE, 200,
        ('{"active": true, "interval": "quarterly", "nextChargeAt": "2999-04-30T10:00:00.123Z", "pausedAt": null,'
        ' "gifted": false, "autoResume": false,'
        ' "nextCharge": {"at": "2999-04-30T10:00:00.123Z", "amount": 90, "covered": false},'
        ' "userId": "anna", "giftedBy": null, "giftedAt": null}'),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body", "subscription", "status", "expected"), EXAMPLES)
def test_a_call_is_answered_as_the_contract_says(
    app: Flask,
    issuer: Issuer,
    database_url: str,
    *,
    method: str,
    path: str,
    body: str | None,
    subscription: tuple[Any, ...] | None,
    status: int,
    expected: str,
) -> None:
    if subscription:
        rows(database_url, SUBSCRIPTION, *subscription)
    user = "admin" if "/admin/" in path else "anna"
    token = {"Authorization": f"Bearer {issuer.token(user, role=user)}", "X-Service-Key": "service-key"}

    kind = "application/json" if body else None
    answer = app.test_client().open(f"/api/v1{path}", method=method, data=body, content_type=kind, headers=token)

    assert answer.status_code == status
    assert answer.json == json.loads(expected)


def test_an_activation_that_is_done_is_answered_as_the_contract_says(
    app: Flask, issuer: Issuer, database: Database, database_url: str
) -> None:
    give(database, "anna", 400)
    headers = {"Authorization": f"Bearer {issuer.token('anna')}", "Idempotency-Key": "k"}
    client = app.test_client()
    client.post("/api/v1/sync/activate", json={"interval": "yearly"}, headers=headers)
    do(worker(database), pending(database_url, "activate"))

    answer = client.post("/api/v1/sync/activate", json={"interval": "yearly"}, headers=headers)

    next_charge_at = client.get("/api/v1/sync/status", headers=headers).json["nextChargeAt"]  # type: ignore[index]
    assert answer.json == {
        "success": True,
        "active": True,
        "interval": "yearly",
        "nextChargeAt": next_charge_at,
        "amountCharged": 360,
    }
