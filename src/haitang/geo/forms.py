"""The form field of a shape."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import shapely
from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from shapely.geometry.base import BaseGeometry

from haitang.geo.shapes import GeometryError, parse


class GeometryFormField(forms.CharField):
    """Takes GeoJSON, WKT or 'longitude,latitude'; shows GeoJSON. The page's map edits the same text."""

    widget = forms.Textarea(attrs={"rows": 2, "data-geometry": ""})

    def __init__(self, *, kinds: Iterable[str] = (), **kwargs: Any) -> None:
        self.kinds = tuple(kinds)
        super().__init__(**kwargs)
        self.widget.attrs.setdefault("data-geometry", ",".join(self.kinds))

    def prepare_value(self, value: Any) -> Any:
        """GeoJSON text of a shape; text as it was typed."""
        if isinstance(value, BaseGeometry):
            return json.dumps(json.loads(shapely.to_geojson(value)), separators=(",", ":"))
        return value

    def to_python(self, value: Any) -> Any:
        """A checked shape, None for nothing, or ValidationError."""
        if value in self.empty_values:
            return None
        try:
            return parse(value, self.kinds)
        except GeometryError as error:
            raise ValidationError(gettext(error.template), code="invalid_geometry", params=error.params) from error

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Whether the shape differs, not whether its text does."""
        try:
            old, new = self.to_python(initial), self.to_python(data)
        except ValidationError:
            return True
        if old is None or new is None:
            return old is not new
        return not shapely.equals_exact(old, new, tolerance=1e-9)
