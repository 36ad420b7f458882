"""A lookup for long lists of keys: `pk__among=[...]` sends one parameter, where `pk__in` sends one each.

SQLite refuses a statement with more than 32,766 parameters; a district's hydrants are more than that.
"""

from __future__ import annotations

import json
from typing import Any

from django.db.models import Lookup


class Among(Lookup):
    """True where the column equals one of the listed values."""

    lookup_name = "among"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        """One JSON array on SQLite, one native array on PostgreSQL."""
        left, params = self.process_lhs(compiler, connection)
        field = self.lhs.output_field
        values = [field.get_db_prep_value(value, connection) for value in self.rhs]
        if not values:
            return "1 = 0", ()
        if connection.vendor == "postgresql":
            return f"{left} = ANY(%s)", (*params, values)
        return f"{left} IN (SELECT value FROM json_each(%s))", (*params, json.dumps(values))  # noqa: S608 - the column's own name
