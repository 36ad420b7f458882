"""P4: the network comes from a pack's readable files; loading again journals only what changed; errors name the cell."""

from __future__ import annotations

import pytest

from haitang.accounts.actors import SYSTEM
from haitang.accounts.roles import Role
from haitang.accounts.verbs import Forbidden
from haitang.journal.models import Entry
from haitang.monitoring import pack as packs
from haitang.monitoring import services
from haitang.monitoring.models import Rule, Series, Station
from haitang.monitoring.tests import factories as make
from haitang.packs import Pack, PackError

pytestmark = pytest.mark.django_db
STATIONS = "code,name_zh,name_en,kind,lon,lat,place,operator,public,approximate,confidence,source,note,demo\n"
SERIES = "code,station,quantity,unit,label_zh,label_en,datum,interval_s,low,high,source,demo\n"
RULES = (
    "code,series,name_zh,name_en,direction,aggregate,window_s,blue,yellow,orange,red,hysteresis,hold_s,silence_s,"
    "silence_colour,source,confidence,demo\n"
)
A_STATION = "NM,南门潮位站,Nanmen,tide,121.41,31.62,T1,W1,1,1,high,年鉴,,0\n"
A_SERIES = "NM.level,NM,tide_level,cm,,,吴淞高程,300,,,,0\n"
A_RULE = "NM.warn,NM.level,,,,,,4.3,4.6,4.9,5.2,0.05,0,,,示例,low,1\n"
SILENCE = "NM.silent,NM.level,,,,,,,,,,,,1800,yellow,,,0\n"


@pytest.fixture
def pack(tmp_path):
    place = make.place("T1")
    make.organisation(place, code="W1")
    (tmp_path / "pack.toml").write_text("")

    def write(stations=A_STATION, series=A_SERIES, rules=A_RULE + SILENCE):
        (tmp_path / "stations.csv").write_text(STATIONS + stations)
        (tmp_path / "series.csv").write_text(SERIES + series)
        (tmp_path / "rules.csv").write_text(RULES + rules)
        return Pack(tmp_path)

    return write


def test_stations_series_and_rules(pack):
    assert packs.network(pack(), SYSTEM) == 4
    station = Station.objects.get()
    assert (station.west, station.place.code, station.operator.code, station.is_public) == (121.41, "T1", "W1", True)
    assert (Series.objects.get().unit, Series.objects.get().interval_s) == ("cm", 300)
    assert Rule.objects.get(code="NM.warn").thresholds == (4.3, 4.6, 4.9, 5.2)
    assert Rule.objects.get(code="NM.silent").spec().silence_s == 1800


def test_loading_again_journals_only_what_changed(pack):
    packs.network(pack(), SYSTEM)
    before = Entry.objects.count()
    packs.network(pack(), SYSTEM)
    assert Entry.objects.count() == before
    packs.network(pack(rules=A_RULE.replace("4.3", "4.25") + SILENCE), SYSTEM)
    entry = Entry.objects.order_by("-seq").first()
    assert (Entry.objects.count(), entry.verb) == (before + 1, "monitoring.register_rule")
    assert (entry.before["blue"], entry.after["blue"]) == ("4.3", "4.25")


@pytest.mark.parametrize(
    ("files", "field"),
    [
        ({"stations": A_STATION.replace("T1", "T9")}, "place"),
        ({"stations": A_STATION.replace("121.41", "")}, "lon"),
        ({"stations": A_STATION.replace("121.41", "221")}, "lon"),
        ({"stations": A_STATION.replace("121.41", "x")}, "lon"),
        ({"stations": A_STATION.replace("tide,", "moon,")}, "kind"),
        ({"stations": A_STATION.replace("NM,", "N M,")}, "code"),
        ({"stations": A_STATION.replace("NM,", ",")}, "code"),
        ({"series": A_SERIES.replace("cm", "hPa")}, "unit"),
        ({"series": A_SERIES.replace("tide_level", "mood")}, "quantity"),
        ({"series": A_SERIES.replace(",NM,", ",XX,")}, "station"),
        ({"rules": A_RULE.replace("NM.level", "XX")}, "series"),
        ({"rules": A_RULE.replace("4.9", "1.0")}, ""),
        ({"rules": SILENCE.replace("1800", "")}, ""),
        ({"rules": SILENCE.replace("yellow", "pink")}, "silence_colour"),
    ],
)
def test_a_bad_cell_is_named(pack, files, field):
    with pytest.raises(PackError) as caught:
        packs.network(pack(**files), SYSTEM)
    assert (caught.value.row, caught.value.field) == (2, field)


def test_registering_is_for_keepers():
    with pytest.raises(Forbidden):
        services.register_station(code="X", name_zh="X", kind="tide", by=make.user(Role.TOWNSHIP))
    with pytest.raises(Forbidden):
        services.register_rule(code="X", by=make.user(Role.COMMANDER))


def test_a_pack_without_a_network_is_a_pack(tmp_path):
    (tmp_path / "pack.toml").write_text("")
    assert packs.network(Pack(tmp_path), SYSTEM) == 0
