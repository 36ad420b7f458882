"""A keeper's token in the live world, and a client that speaks SensorThings with it."""

from __future__ import annotations

import json

import pytest

from haitang.accounts.roles import Role
from haitang.monitoring.sensorthings import intake
from haitang.monitoring.tests import factories as make
from haitang.monitoring.tests.conftest import _nothing_remembered  # noqa: F401
from haitang.spaces.models import Space

RIGHTS = ("read", "readings:write", "network:write")


@pytest.fixture(autouse=True)
def _no_streams_remembered():
    intake._known = intake._Known()


@pytest.fixture
def keeper(db):
    district = make.place()
    return make.user(Role.DEPARTMENT, make.organisation(district))


@pytest.fixture
def token(keeper):
    return make.token(Space.live(), rights=RIGHTS, user=keeper, name="sta")


class Sta:
    """Speaks to /sta/v1.1 through Django's test client."""

    root = "/sta/v1.1"

    def __init__(self, client, header):
        self.client, self.header = client, header

    def get(self, path, status=200, **query):
        options = {f"${name}" if name != "resultFormat" else "$resultFormat": value for name, value in query.items()}
        answer = self.client.get(f"{self.root}/{path}", options, headers=self.header)
        assert answer.status_code == status, (path, query, answer.content[:600])
        return json.loads(answer.content) if answer.content else None

    def ask(self, method, path, body=None, status=200, content_type="application/json"):
        data = body if isinstance(body, bytes) else json.dumps(body)
        answer = getattr(self.client, method)(
            f"{self.root}/{path}", data, content_type=content_type, headers=self.header
        )
        assert answer.status_code == status, (method, path, answer.content[:600])
        return answer

    def post(self, path, body, status=201):
        """Create; the number from the Location header."""
        answer = self.ask("post", path, body, status)
        if status != 201 or "Location" not in answer:
            return json.loads(answer.content)
        return int(answer["Location"].rpartition("(")[2].rstrip(")"))


@pytest.fixture
def sta(client, token):
    return Sta(client, token[1])


def thing(name="Roof", **more):
    return {"name": name, "description": f"{name} of the town hall", **more}


def location(lon=121.4, lat=31.6):
    return {
        "name": "West",
        "description": "West side",
        "encodingType": "application/geo+json",
        "location": {"type": "Point", "coordinates": [lon, lat]},
    }


def datastream(name="Light", **more):
    return {
        "name": name,
        "description": f"{name} there",
        "observationType": "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement",
        "unitOfMeasurement": {"name": "Lumen", "symbol": "lm", "definition": "http://example.org/lm"},
        "ObservedProperty": {"name": "Luminous Flux", "definition": "http://example.org/flux", "description": "Flux"},
        "Sensor": {"name": "Fluxomatic", "description": "1000", "encodingType": "text/plain", "metadata": "light"},
        **more,
    }
