"""The API keeps what its OpenAPI document promises, whatever is sent to it. P1, 3.4.4."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.serializers.json import DjangoJSONEncoder
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, given, settings

from haitang.accounts.actors import SYSTEM
from haitang.accounts.roles import Role
from haitang.accounts.services import mint_token
from haitang.config.api import api
from haitang.config.wsgi import application
from haitang.spaces.models import Space
from tests import world

pytestmark = [pytest.mark.xdist_group("api contract"), pytest.mark.django_db]

RIGHTS = ["read", "readings:write", "cap:write", "registers:write"]
CHECKS = [
    schemathesis.checks.not_a_server_error,
    schemathesis.checks.response_schema_conformance,
    schemathesis.checks.content_type_conformance,
]
DOCUMENT = json.loads(json.dumps(api.get_openapi_schema(), cls=DjangoJSONEncoder))
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
SCHEMA.app = application
OPERATIONS = {operation.label: operation for operation in (result.ok() for result in SCHEMA.get_all_operations())}


@pytest.fixture(scope="module")
def secret(django_db_setup: None, django_db_blocker: Any) -> Iterator[str]:
    """A token with every right in the tiny district; the district is gone after the file."""
    # A server closes its connection after a request; here the transaction of the test must stay open.
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    with django_db_blocker.unblock():
        atomic = transaction.atomic()
        atomic.__enter__()
        try:
            world.load_sanzhou()
            duty = world.first_of(Role.DUTY_OFFICER)
            yield mint_token(name="contract", user=duty, space=Space.live(), rights=RIGHTS, by=SYSTEM)[1]
        finally:
            transaction.set_rollback(True)
            atomic.__exit__(None, None, None)
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.mark.parametrize("label", OPERATIONS)
def test_every_answer_is_one_that_the_document_describes(label: str, secret: str) -> None:
    @given(case=OPERATIONS[label].as_strategy())
    @settings(max_examples=10, suppress_health_check=list(HealthCheck), deadline=None)
    def ask(case: schemathesis.Case) -> None:
        case.call_and_validate(headers={"Authorization": f"Bearer {secret}"}, checks=CHECKS)

    ask()


def test_the_document_names_every_slice_that_has_an_api() -> None:
    """A slice's router is mounted by its file name; nobody forgets it."""
    from importlib.util import find_spec

    from django.conf import settings as platform

    slices = {name for name in platform.INSTALLED_SLICES if find_spec(f"haitang.{name}.api")}
    assert slices == {label.split("/api/v1/")[1].split("/")[0] for label in OPERATIONS}
