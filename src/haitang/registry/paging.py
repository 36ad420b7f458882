"""Pages of lists in the API: `@paginate(Pages)`. A limit or offset that no store can count to is a clear error."""

from __future__ import annotations

from ninja import Field, Schema
from ninja.pagination import LimitOffsetPagination

MOST_ROWS = 1000
MOST_OFFSET = 2**31


class Pages(LimitOffsetPagination):
    """Limit and offset, both within what every store takes."""

    class Input(Schema):
        """How many rows, after how many."""

        limit: int = Field(100, ge=1, le=MOST_ROWS)
        offset: int = Field(0, ge=0, le=MOST_OFFSET)
