"""The map's page and what the page asks for: catalogue, features, tiles, search."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.utils.http import parse_etags
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from haitang.geo.catalogue import Layer
from haitang.geo.mvt import Tile, TileError
from haitang.onemap import features as feature_rows
from haitang.onemap import services, tiles
from haitang.onemap.looks import BadParameter, look_of

# More would take the browser seconds to draw; it is asked to look at a part, or to take tiles.
GEOJSON_MOST = 20_000
_QUERY_MOST = 100

View = Callable[..., HttpResponse]


def _asked(view: View) -> View:
    """Answer a bad parameter with 400 and its reason; never let a shared cache keep somebody's rows."""

    @wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            response = view(request, *args, **kwargs)
        except (BadParameter, TileError) as error:
            return JsonResponse({"error": "invalid", "detail": str(error)}, status=400)
        response.headers.setdefault("Cache-Control", "private, no-cache")
        patch_vary_headers(response, ("Cookie", "Accept-Encoding"))
        return response

    return require_safe(wrapped)


@require_safe
@login_required
def page(request: HttpRequest) -> HttpResponse:
    """The map on a page of its own."""
    return render(request, "onemap/map.html")


@_asked
def layers(request: HttpRequest) -> HttpResponse:
    """The catalogue of layers that this visitor may see."""
    return JsonResponse(services.catalogue(look_of(request)), json_dumps_params={"ensure_ascii": False})


@_asked
def features(request: HttpRequest, id: str) -> HttpResponse:
    """A layer's features as GeoJSON, within the visitor's scope, at `at`, within `bbox`."""
    layer, look = _layer(request, id), look_of(request)
    rows = layer.at(look)
    if layer.kind == "mvt" and rows.count() > GEOJSON_MOST:
        detail = _("The layer has more than %(most)s features here: give a smaller bbox, or read its tiles.")
        return JsonResponse({"error": "too_many", "detail": detail % {"most": GEOJSON_MOST}}, status=413)
    found = feature_rows.read(layer, look, rows)
    return HttpResponse("".join(feature_rows.geojson(found)), content_type="application/geo+json")


@_asked
def tile(request: HttpRequest, id: str, z: int, x: int, y: int) -> HttpResponse:
    """One vector tile of a layer, within the visitor's scope."""
    wanted = Tile(z, x, y)
    layer, look = _layer(request, id), look_of(request)
    etag = f'"{tiles.etag_of(layer, look, wanted)}"'
    # A proxy that packs the answer marks the tag as weak.
    if etag in {tag.removeprefix("W/") for tag in parse_etags(request.headers.get("If-None-Match", ""))}:
        return HttpResponse(status=304, headers={"ETag": etag})
    packed = tiles.tile_of(layer, look, wanted, etag.strip('"'))
    headers = {"ETag": etag}
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        headers["Content-Encoding"] = "gzip"
    else:
        packed = gzip.decompress(packed)
    return HttpResponse(packed, content_type="application/vnd.mapbox-vector-tile", headers=headers)


@_asked
def search(request: HttpRequest) -> HttpResponse:
    """Whatever bears the words of `q`, within the visitor's scope."""
    text = request.GET.get("q", "")
    if len(text) > _QUERY_MOST:
        raise BadParameter(
            _("The search has %(count)s characters, at most %(most)s are taken: search for fewer words.")
            % {"count": len(text), "most": _QUERY_MOST}
        )
    return JsonResponse({"hits": services.search(look_of(request), text)}, json_dumps_params={"ensure_ascii": False})


def _layer(request: HttpRequest, id: str) -> Layer:
    layer = services.layer_for(request.user, id)
    if layer is None:
        raise Http404(_("There is no layer %(id)s, or it is not open to you.") % {"id": id})
    return layer
