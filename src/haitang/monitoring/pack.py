"""The network in a data pack: stations, what they measure, and when that is an alarm. Section `monitoring.network`.

`stations.csv`, one row for each place where something is measured:

    code,name_zh,name_en,kind,lon,lat,place,operator,public,approximate,confidence,source,note,demo
    NM-TIDE,南门潮位站,Nanmen tide gauge,tide,121.4123,31.6167,310151102,CM-WATER,1,0,high,"district yearbook 2023",,0

- `kind`: tide river rain weather waterlogging sluice salinity ground seismic forest fire gas structure air other
- `lon`, `lat`: degrees WGS-84; both empty where the position is not known
- `place`, `operator`: codes of places.csv and of the organisations; empty where there is none
- `public`: residents see the station and its readings; `approximate`: the position is; `demo`: made up (each 1 or 0)

`series.csv`, one row for each quantity at a station; readings name its code:

    code,station,quantity,unit,label_zh,label_en,datum,interval_s,low,high,source,demo
    NM-TIDE.level,NM-TIDE,tide_level,m,,,吴淞高程,300,,,,0

- `quantity`: one of `quantities.QUANTITIES` (rain, wind_speed, wind_gust, wind_direction, pressure, air_temperature,
  tide_level, surge, water_level, water_depth, flow, chloride, visibility ...)
- `unit`: in which the readings come when they name none; empty for the quantity's own (rain mm, wind m/s, pressure hPa, levels m)
- `label_zh`, `label_en`: only where the quantity's own name does not suffice ("内河水位"); `datum`: what heights count from
- `interval_s`: how often it reports; three intervals without a reading make it overdue
- `low`, `high`: what is plausible here, in the quantity's own unit; empty for the quantity's own bounds

`rules.csv`, one row for each rule; thresholds are in the quantity's own unit:

    code,series,name_zh,name_en,direction,aggregate,window_s,blue,yellow,orange,red,hysteresis,hold_s,silence_s,silence_colour,source,confidence,demo
    NM-TIDE.warn,NM-TIDE.level,,,rising,last,0,4.30,4.60,4.90,5.20,0.05,0,0,,"demonstration value",low,1
    CQ-RAIN.1h,CQ-RAIN.rain,,,rising,sum,3600,35,50,80,100,2,0,0,,"沪气象预警信号 2019",high,0
    NM-TIDE.silent,NM-TIDE.level,,,,,,,,,,,,1800,blue,,,0

- `direction`: rising (danger above, the default) or falling (visibility, pressure)
- `aggregate`: last (the reading itself, the default), sum max min mean over the last `window_s` seconds
- `blue` ... `red`: thresholds, from mild to grave; empty for a colour the rule has not
- `hysteresis`: a colour is left only when the value is back by more than this; `hold_s`: how long the threshold must be met
- `silence_s`: in place of thresholds: an alarm of `silence_colour` when nothing was heard for so long
- `name_zh`, `name_en`: may be left empty; `source`, `confidence`: where the thresholds come from and how sure that is
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.exceptions import ValidationError
from shapely import Point

from haitang.accounts.actors import Actor
from haitang.accounts.models import Organisation
from haitang.geo.models import Place
from haitang.monitoring import chains, rule_pack, services  # noqa: F401 - rule_pack declares a section of its own
from haitang.monitoring import quality_pack as _quality_pack  # noqa: F401 - declares a section of its own
from haitang.monitoring.impact import REACH_KM
from haitang.monitoring.models import Colour, Series, Station
from haitang.monitoring.quantities import QUANTITIES
from haitang.monitoring.registers import EQUIPMENT, VIDEO
from haitang.packs import Pack, PackError, Row, section
from haitang.registry import services as registry
from haitang.registry.declare import Register

STATIONS, SERIES, RULES = "stations.csv", "series.csv", "rules.csv"
CHAINS = "chains.toml"


@section("monitoring.network", after=("geo.places", "accounts.organisations"))
def network(pack: Pack, by: Actor) -> int:
    """Stations, series and rules."""
    taken = 0
    places = {place.code: place for place in Place.objects.all()} if pack.has(STATIONS) else {}
    bodies = {body.code: body for body in Organisation.objects.all()} if pack.has(STATIONS) else {}
    for row in pack.rows(STATIONS):
        fields = {
            **_texts(row, "name_zh", "name_en", "kind", "confidence", "source", "note"),
            "geometry": _position(row),
            "place": _known(row, "place", places),
            "operator": _known(row, "operator", bodies),
            "is_public": row.flag("public"),
            "is_approximate": row.flag("approximate"),
            "is_demo": row.flag("demo"),
        }
        _put(row, services.register_station, fields, by)
        taken += 1
    stations = {station.code: station for station in Station.objects.all()} if pack.has(SERIES) else {}
    for row in pack.rows(SERIES):
        fields = {
            **_texts(row, "quantity", "unit", "label_zh", "label_en", "datum", "source"),
            "subject": row.get("subject", ""),
            "station": _known(row, "station", stations, needed=True),
            "interval_s": row.integer("interval_s") or 300,
            "low": row.number("low"),
            "high": row.number("high"),
            "is_demo": row.flag("demo"),
        }
        _put(row, services.register_series, fields, by)
        taken += 1
    series = {each.code: each for each in Series.objects.select_related("station")} if pack.has(RULES) else {}
    for row in pack.rows(RULES):
        fields = {
            **_texts(row, "name_zh", "name_en", "source", "confidence"),
            "series": _known(row, "series", series, needed=True),
            "direction": row["direction"] or "rising",
            "aggregate": row["aggregate"] or "last",
            **{colour.value: row.number(colour.value) for colour in Colour},
            "hysteresis": row.number("hysteresis") or 0.0,
            **{name: row.integer(name) or 0 for name in ("window_s", "hold_s", "silence_s")},
            "silence_colour": row["silence_colour"] or Colour.BLUE,
            "is_demo": row.flag("demo"),
        }
        _put(row, services.register_rule, fields, by)
        taken += 1
    return taken


def _texts(row: Row, *names: str) -> dict[str, str]:
    return {name: row[name] for name in names}


def _known(row: Row, name: str, among: dict[str, Any], *, needed: bool = False) -> Any:
    code = row.needed(name) if needed else row[name]
    if not code:
        return None
    if code not in among:
        raise row.error(name, "no such code is known", "Write the code of a row that the pack brings before")
    return among[code]


def _position(row: Row) -> Point | None:
    lon, lat = row.number("lon"), row.number("lat")
    if lon is None or lat is None:
        if lon is not lat:
            raise row.error("lat" if lat is None else "lon", "a position has both lon and lat", "Give both or neither")
        return None
    if not (-180 <= lon <= 180 and -90 <= lat <= 90):
        raise row.error("lon", "is no place on Earth", "Write degrees WGS-84: lon 121.4, lat 31.6")
    return Point(lon, lat)


def _put(row: Row, register: Callable[..., Any], fields: dict[str, Any], by: Actor) -> None:
    try:
        register(code=row.needed("code"), by=by, **fields)
    except ValidationError as error:
        name, faults = next(iter(error.message_dict.items()))
        if name in list(row):
            raise row.error(name, " ".join(faults)) from error
        raise PackError(row.file, " ".join(faults), row=row.line) from error


@section("monitoring.chains", after=("monitoring.network",))
def hazard_chains(pack: Pack, by: Actor) -> int:
    """Disaster chains: [[chain]] tables with [[chain.node]] and [[chain.edge]]; [reach] gives a hazard's km for the impact."""
    given = pack.toml(CHAINS)
    rows, reach = given.get("chain", []), given.get("reach", {})
    if not isinstance(rows, list) or not isinstance(reach, dict) or set(given) - {"chain", "reach"}:
        raise PackError(CHAINS, "holds something other than [[chain]] tables and [reach]", "See docs/chains.md")
    for hazard, km in reach.items():
        if hazard not in REACH_KM or isinstance(km, bool) or not isinstance(km, int | float) or not 0 < km <= 200:
            raise PackError(
                CHAINS,
                "reach names a hazard and its kilometres, above 0 and at most 200",
                f"Known: {', '.join(REACH_KM)}",
                field=hazard,
                value=km,
            )
    for row in rows:
        try:
            graph = chains.parse(row)
        except chains.ChainError as error:
            raise PackError(CHAINS, str(error), "Mend the chain; docs/chains.md explains every field") from error
        unknown = sorted({sign.quantity for node in graph.nodes.values() for sign in node.signs} - set(QUANTITIES))
        if unknown:
            raise PackError(
                CHAINS, f"chain {graph.code}: no quantity {unknown[0]!r} is known", "Write one of quantities.py"
            )
        services.register_chain(
            code=graph.code, name_zh=graph.name_zh, name_en=graph.name_en, source=graph.source, body=row, reach_km=reach, by=by
        )  # fmt: skip
    return len(rows)


_CARE = ("installed_on", "calibrated_on", "calibration_due", "serviced_on", "service_due")


@section("monitoring.equipment", after=("monitoring.network",))
def equipment(pack: Pack, by: Actor) -> int:
    """Instruments from equipment.csv."""
    needed = {"code", "name_zh", "kind", "station", "place", "owner"}
    optional = {"name_en", "maker", "serial", "certificate", "note", "source", "is_demo", *_CARE}

    def fields(row: Row) -> dict[str, Any]:
        return {**_texts(row, "kind", "maker", "serial", "certificate"), **{name: row.date(name) for name in _CARE}}

    return _records(EQUIPMENT, pack, "equipment.csv", needed, optional, fields, by)


@section("monitoring.video", after=("monitoring.network",))
def video(pack: Pack, by: Actor) -> int:
    """Cameras from video.csv."""
    needed = {"code", "name_zh", "place", "owner"}
    optional = {
        "name_en",
        "station",
        "looks_at",
        "bearing_deg",
        "stream_url",
        "snapshot_url",
        "lon",
        "lat",
        "note",
        "source",
        "is_demo",
    }

    def fields(row: Row) -> dict[str, Any]:
        texts = _texts(row, "looks_at", "stream_url", "snapshot_url")
        return {**texts, "bearing_deg": row.integer("bearing_deg"), "geometry": _position(row)}

    return _records(VIDEO, pack, "video.csv", needed, optional, fields, by)


def _records(register: Register, pack: Pack, file: str, needed: set[str], optional: set[str], fields: Callable[[Row], dict[str, Any]], by: Actor) -> int:  # fmt: skip
    """Put the rows of one file of records on record."""
    if not pack.has(file):
        return 0
    model: Any = register.model
    known = {row.code: row for row in model.objects.all()}
    places = {place.code: place for place in Place.objects.all()}
    bodies = {body.code: body for body in Organisation.objects.all()}
    stations = {station.code: station for station in Station.objects.all()}
    rows = []
    for line in pack.table(file, needed=needed, optional=optional):
        row = known.get(line.needed("code")) or model(code=line["code"])
        given = {
            **_texts(line, "name_zh", "name_en", "note", "source"), **fields(line), "is_demo": line.flag("is_demo"),
            "station": _known(line, "station", stations, needed="station" in needed), "place": _known(line, "place", places, needed=True),
            "owner": _known(line, "owner", bodies, needed=True),
        }  # fmt: skip
        for name, value in given.items():
            setattr(row, name, value)
        if register.derive:
            register.derive(row)
        try:
            row.full_clean()
        except ValidationError as error:
            name, messages = next(iter(error.message_dict.items()))
            raise line.error(name, " ".join(messages), "See docs/data-packs.md") from error
        rows.append(row)
    registry.put(register, rows, by=by, checked=True)
    return len(rows)
