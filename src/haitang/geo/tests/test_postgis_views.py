"""QGIS gets real geometry columns where PostGIS is installed. Issue 2 section 2."""

from __future__ import annotations

import pytest
import shapely
from django.db import connection

from haitang.geo.models import Feature, Level, Place, PlaceShape
from haitang.geo.postgis import create_views, drop_views, has_postgis

pytestmark = pytest.mark.django_db


def _available() -> bool:
    if connection.vendor != "postgresql":
        return False
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'postgis'")
        return cursor.fetchone() is not None


def test_without_postgis_nothing_is_made() -> None:
    if has_postgis():
        pytest.skip("this database has PostGIS")
    assert create_views() == []
    drop_views()


def test_the_views_carry_shapes_names_and_an_index() -> None:
    if not _available():
        pytest.skip("needs PostgreSQL with PostGIS")
    with connection.cursor() as cursor:
        cursor.execute("CREATE EXTENSION IF NOT EXISTS postgis")
    place = Place.objects.create(code="900001", name_zh="东镇", level=Level.TOWNSHIP, lon=121.5, lat=31.5)
    PlaceShape.objects.create(place=place, level=Level.TOWNSHIP, geometry=shapely.box(121, 31, 122, 32))
    Feature.objects.create(code="road", kind="road", name_zh="路", geometry="LINESTRING (121 31, 122 31)")
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # a test's transaction keeps them for its end
    for _again in range(2):
        assert {"gis.geo_placeshape", "gis.geo_feature", "gis.geo_place"} <= set(create_views())
    with connection.cursor() as cursor:
        cursor.execute("SELECT name_zh, ST_Area(geom), ST_SRID(geom) FROM gis.geo_placeshape")
        assert cursor.fetchall() == [("东镇", 1.0, 4326)]
        cursor.execute("SELECT ST_AsText(geom) FROM gis.geo_place")
        assert cursor.fetchall() == [("POINT(121.5 31.5)",)]
        cursor.execute(
            "SELECT ST_GeometryType(geom) FROM gis.geo_feature WHERE geom && ST_MakeEnvelope(121, 30, 122, 32, 4326)"
        )
        assert cursor.fetchall() == [("ST_LineString",)]
        cursor.execute("SELECT indexname FROM pg_indexes WHERE indexname = 'geo_feature_gis'")
        assert cursor.fetchone()
    drop_views()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM information_schema.schemata WHERE schema_name = 'gis'")
        assert cursor.fetchone() is None
