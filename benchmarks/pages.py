"""Pages, API and tiles under load: requests per second, p50 and p99 with 20 concurrent users, CPU of a register list.

    scripts/bench pages
    benchmarks/pages.py --features 100000 --users 20 --seconds 8

Starts a platform of its own in a temporary folder (the tiny district, and as many invented shelters as asked for), signs in,
asks as people do, who read before they click, and then as fast as answers come. Beside our list stands its peer in the same run: the same 25 rows of the same table by
django-tables2 with its stock template and a django-filter form, as a trial of the stack did.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from tests.product import Product, product_database  # noqa: E402


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", type=int, default=100_000)
    parser.add_argument("--users", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument(
        "--think", type=float, default=1.0, help="seconds a user reads before the next page (default 1)"
    )
    return parser.parse_args()


def fill(number: int) -> None:
    """Invented shelters over the whole district, in a few statements."""
    import numpy as np
    import shapely

    from haitang.accounts.models import Organisation
    from haitang.geo.models import Level, Place
    from haitang.resources.models import Shelter

    generator = np.random.default_rng(7)
    places = list(Place.objects.filter(level=Level.TOWNSHIP).order_by("pk"))
    owner = Organisation.objects.order_by("pk").first()
    template = Shelter.objects.order_by("pk").first()
    assert template is not None and owner is not None
    names = [
        f.attname
        for f in Shelter._meta.concrete_fields
        if not f.primary_key and f.name not in {"geometry", "west", "south", "east", "north"}
    ]
    common = {name: getattr(template, name) for name in names}
    for start in range(0, number, 5000):
        rows = []
        for n in range(start, min(start + 5000, number)):
            place = places[n % len(places)]
            lon = (place.lon or 121.5) + float(generator.normal(0, 0.03))
            lat = (place.lat or 31.6) + float(generator.normal(0, 0.03))
            row = Shelter(
                **{
                    **common,
                    "code": f"BENCH-{n:06d}",
                    "name_zh": f"测试避难场所{n}",
                    "place_id": place.pk,
                    "is_demo": True,
                }
            )
            row.geometry = shapely.Point(lon, lat)
            rows.append(row)
        Shelter.objects.bulk_create(rows)


class Asker:
    """Signed-in sessions that ask one address again and again."""

    def __init__(self, product: Product) -> None:
        import httpx

        self.base = product.url
        client = httpx.Client(base_url=self.base, follow_redirects=True, timeout=30)
        page = client.get("/accounts/login/").text
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        assert token is not None
        answer = client.post(
            "/accounts/login/", data={"login": "duty", "password": _password(), "csrfmiddlewaretoken": token[1]}
        )
        assert answer.status_code == 200 and "/login" not in str(answer.url), "the sign-in failed"
        self.cookies = dict(client.cookies)

    def load(self, path: str, users: int, seconds: float, think: float = 0.0) -> dict[str, float]:
        import httpx

        times: list[float] = []
        failures = 0
        lock = threading.Lock()
        until = time.monotonic() + seconds

        def ask(number: int) -> None:
            nonlocal failures
            mine, bad = [], 0
            time.sleep(think * number / users)  # nobody clicks in step with the others
            with httpx.Client(base_url=self.base, cookies=self.cookies, timeout=30) as client:
                while time.monotonic() < until:
                    began = time.monotonic()
                    bad += client.get(path).status_code != 200
                    mine.append(time.monotonic() - began)
                    time.sleep(think)
            with lock:
                times.extend(mine)
                failures += bad

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(users)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        times.sort()
        return {
            "rps": len(times) / seconds, "p50": statistics.median(times) * 1000,
            "p99": times[min(len(times) - 1, int(len(times) * 0.99))] * 1000, "failures": failures,
        }  # fmt: skip


def _password() -> str:
    from django.conf import settings

    return str(settings.DEMO_PASSWORD)


def cpu_ms(ask: Callable[[], Any], times: int = 150) -> float:
    """CPU milliseconds of one call in this process, without the waiting."""
    for _ in range(10):
        ask()
    began = time.process_time()
    for _ in range(times):
        ask()
    return (time.process_time() - began) / times * 1000


def ours() -> Callable[[], Any]:
    """The whole list page as the platform serves it: middleware, session, scope, filters, rows, frame."""
    from django.conf import settings
    from django.test import Client

    from haitang.accounts.models import User

    settings.ALLOWED_HOSTS = ["*"]
    client = Client()
    client.force_login(User.objects.get(username="duty"))
    assert client.get("/registers/shelters/").status_code == 200
    return lambda: client.get("/registers/shelters/").content


def body_alone() -> Callable[[], Any]:
    """The table's rows alone, to set beside the peer's table."""
    from haitang.accounts.models import User
    from haitang.geo.catalogue import Look
    from haitang.registry.declare import REGISTERS
    from haitang.registry.listing import Listing
    from haitang.spaces.clock import now
    from haitang.spaces.models import Space

    space, user = Space.live(), User.objects.select_related("organisation__place").get(username="duty")

    def ask() -> Any:
        listing = Listing(REGISTERS["shelters"], Look(user=user, space=space, at=now(space)), {})
        page = listing.page(1)
        return listing.choices, listing.head(select=True), listing.body(page.object_list, select=True)

    return ask


def peer() -> Callable[[], Any] | None:
    """The same columns by django-tables2 and django-filter, stock templates."""
    try:
        import django_filters
        import django_tables2
    except ImportError:
        return None
    from django.test import RequestFactory

    from haitang.accounts.models import User
    from haitang.registry.declare import REGISTERS
    from haitang.resources.models import Shelter

    declared = REGISTERS["shelters"]
    fields = [column.name for column in declared.columns if column.values is None and column.name != "name"] + [
        "name_zh"
    ]
    meta = type("Meta", (), {"model": Shelter, "fields": fields, "template_name": "django_tables2/bootstrap5.html"})
    table_class = type("PeerTable", (django_tables2.Table,), {"Meta": meta})
    kinds = [
        name
        for name in declared.filters
        if declared.field(name).get_internal_type() in {"CharField", "BooleanField", "ForeignKey"}
    ]
    filter_meta = type("Meta", (), {"model": Shelter, "fields": kinds})
    filter_class = type("PeerFilter", (django_filters.FilterSet,), {"Meta": filter_meta})
    request = RequestFactory().get("/")
    user = User.objects.select_related("organisation__place").get(username="duty")

    def ask() -> Any:
        rows = filter_class(request.GET, queryset=declared.rows(user).select_related(*declared.joins))
        table = table_class(rows.qs)
        django_tables2.RequestConfig(request, paginate={"per_page": 25}).configure(table)
        return rows.form.as_p(), table.as_html(request)

    ask()
    return ask


def main() -> int:
    given = arguments()
    with tempfile.TemporaryDirectory(prefix="haitang-bench-") as name, product_database("bench") as database_url:
        product = Product(Path(name), pack="sanzhou", database_url=database_url)
        product.init()
        os.environ.update({key: value for key, value in product.env.items() if key.startswith("HAITANG_")})
        os.environ["DJANGO_SETTINGS_MODULE"] = "haitang.config.settings"
        import django
        from django.conf import settings

        # The peer's templates are found where its app is installed.
        settings.INSTALLED_APPS += ["django_tables2"] if find_spec("django_tables2") else []
        django.setup()
        from django.db import connection

        began = time.monotonic()
        fill(given.features)
        print(f"{given.features:,} features on {connection.vendor}, written in {time.monotonic() - began:.1f} s")
        print(
            f"CPU of a list of 25 rows, whole page: {cpu_ms(ours()):.1f} ms; filters, head and rows alone: {cpu_ms(body_alone()):.1f} ms"
        )
        other = peer()
        print(
            "peer (django-tables2, django-filter, stock templates): "
            + (
                "not installed: uv pip install django-tables2 django-filter"
                if other is None
                else f"{cpu_ms(other, 60):.1f} ms"
            )
        )
        connection.close()
        product.start()
        try:
            asker = Asker(product)
            print(
                f"\n{given.users} users, {given.seconds:g} s each, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
            )
            print(f"{'':34}{f'a page every {given.think:g} s':>27}{'as fast as answers come':>28}")
            print(f"{'':34}{'p50 ms':>9}{'p99 ms':>9}{'failed':>9}{'requests/s':>12}{'p50 ms':>8}{'p99 ms':>8}")
            for what, path in {
                "register list, 25 rows": "/registers/shelters/",
                "register list, searched": "/registers/shelters/?q=0042",
                "one row": one_row(),
                "API, 100 rows": "/api/v1/registry/shelters?limit=100",
                "tile, zoom 9 (thinned, cached)": tile_of(9),
                "tile, zoom 12 (cached)": tile_of(12),
                "desk": "/",
            }.items():
                read = asker.load(path, given.users, given.seconds, given.think)
                rush = asker.load(path, given.users, given.seconds)
                print(
                    f"{what:34}{read['p50']:9.0f}{read['p99']:9.0f}{read['failures'] + rush['failures']:9.0f}"
                    f"{rush['rps']:12.0f}{rush['p50']:8.0f}{rush['p99']:8.0f}",
                    flush=True,
                )
        finally:
            product.stop()
    return 0


def one_row() -> str:
    """The page of a shelter."""
    from haitang.registry.declare import REGISTERS
    from haitang.resources.models import Shelter

    register = REGISTERS["shelters"]
    return register.page_of(register.key_of(Shelter.objects.get(code="BENCH-000042")))


def tile_of(zoom: int) -> str:
    """The tile over the first township."""
    import math

    from haitang.geo.models import Level, Place

    place = Place.objects.filter(level=Level.TOWNSHIP, lon__isnull=False).order_by("pk").first()
    assert place is not None and place.lon is not None and place.lat is not None
    n = 2**zoom
    x = int((place.lon + 180) / 360 * n)
    y = int((1 - math.asinh(math.tan(math.radians(place.lat))) / math.pi) / 2 * n)
    return f"/onemap/tiles/resources.shelters/{zoom}/{x}/{y}.mvt"


if __name__ == "__main__":
    sys.exit(main())
