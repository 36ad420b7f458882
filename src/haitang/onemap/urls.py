"""Addresses of the one map."""

from django.urls import path, register_converter

from haitang.onemap import views


class _LayerName:
    """A layer's name: the slice, a dot, the thing."""

    regex = r"[a-z0-9_]+(?:\.[a-z0-9_-]+)+"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(_LayerName, "layer")

app_name = "onemap"
urlpatterns = [
    path("", views.page, name="map"),
    path("layers.json", views.layers, name="layers"),
    path("layers/<layer:id>.geojson", views.features, name="features"),
    path("tiles/<layer:id>/<int:z>/<int:x>/<int:y>.mvt", views.tile, name="tile"),
    path("search", views.search, name="search"),
]
