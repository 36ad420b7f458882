"""Views with real geometry columns, so that QGIS opens the platform's data where PostGIS is installed.

One view for each model with a geometry or with longitude and latitude, in the schema `gis`. They carry keys, codes, names,
kinds, numbers, dates and flags; free text and telephone numbers stay behind. An index over the same expression serves
QGIS's boxes. They are views: reading them needs a right of the database, which the operator grants (docs/operations.md).
"""

from __future__ import annotations

from django.apps import apps
from django.db import connection, models, transaction

from haitang.geo.fields import GeometryField

SCHEMA = "gis"
_PLAIN = (
    models.BooleanField,
    models.DateField,
    models.DecimalField,
    models.FloatField,
    models.ForeignKey,
    models.IntegerField,
    models.SlugField,
    models.UUIDField,
)
_NAMES = frozenset({"code", "name_zh", "name_en", "kind", "level", "path"})


def has_postgis() -> bool:
    """Whether this database is PostgreSQL with the extension created."""
    if connection.vendor != "postgresql":
        return False
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_extension WHERE extname = 'postgis'")
        return cursor.fetchone() is not None


def create_views() -> list[str]:
    """Make or renew the views; returns their names, none where there is no PostGIS."""
    if not has_postgis():
        return []
    made = []
    quote = connection.ops.quote_name
    # The schema is ours alone: everything in it is made here.
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
        cursor.execute(f"CREATE SCHEMA {SCHEMA}")
        for model in apps.get_models():
            expression, bare = _geometry_of(model, "t."), _geometry_of(model, "")
            if expression is None or not model._meta.managed:
                continue
            table = model._meta.db_table
            view = f"{SCHEMA}.{quote(table)}"
            columns = ", ".join(f"t.{quote(column)}" for column in _columns(model))
            source, more = quote(table) + " t", ""
            if table == "geo_placeshape":
                source += " JOIN geo_place p ON p.id = t.place_id"
                more = ", p.code, p.name_zh, p.name_en, p.kind, p.path, p.population"
            # Names of our own tables and columns, quoted.
            cursor.execute(f"CREATE VIEW {view} AS SELECT {columns}{more}, {expression} AS geom FROM {source}")  # noqa: S608
            index = quote(f"{table}_gis")
            cursor.execute(f"CREATE INDEX IF NOT EXISTS {index} ON {quote(table)} USING gist (({bare}))")
            made.append(f"{SCHEMA}.{table}")
    return made


def drop_views() -> None:
    """Remove the views: PostgreSQL does not alter a table that a view reads, so they go before a migration."""
    if has_postgis():
        with connection.cursor() as cursor:
            cursor.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")


def _geometry_of(model: type[models.Model], prefix: str) -> str | None:
    fields = {field.name: field for field in model._meta.concrete_fields}
    geometry = fields.get("geometry")
    if isinstance(geometry, GeometryField):
        return f"ST_GeomFromWKB({prefix}geometry, 4326)::geometry(Geometry, 4326)"
    if isinstance(fields.get("lon"), models.FloatField) and isinstance(fields.get("lat"), models.FloatField):
        return f"ST_SetSRID(ST_MakePoint({prefix}lon, {prefix}lat), 4326)::geometry(Point, 4326)"
    return None


def _columns(model: type[models.Model]) -> list[str]:
    return [
        str(field.column)
        for field in model._meta.concrete_fields
        if field.primary_key or field.name in _NAMES or field.choices or isinstance(field, _PLAIN)
    ]
