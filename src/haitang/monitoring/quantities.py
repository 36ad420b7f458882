"""What is measured: quantity kinds, the unit they are kept in, the units they may arrive in, and what is plausible.

Units: SI brochure, 9th edition (2019), tables 2, 4, 5, 8; knot 1852 m/h (same, table 8 of the 8th edition).
Plausible ranges: WMO-No. 8 (2018), volume I, annex 1.A for weather; elsewhere the physical or instrument range. A value
outside is *absurd* (rejected and counted), which is not the same as wrong: quality control is another matter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit: canonical value of its dimension = value * scale + offset."""

    symbol: str
    dimension: str
    scale: float = 1.0
    offset: float = 0.0


def _table(*units: Unit) -> Mapping[str, Unit]:
    return MappingProxyType({unit.symbol: unit for unit in units})


UNITS: Mapping[str, Unit] = _table(
    Unit("m", "length"),
    Unit("cm", "length", 0.01),
    Unit("mm", "length", 0.001),
    Unit("km", "length", 1000.0),
    Unit("ft", "length", 0.3048),
    Unit("m/s", "speed"),
    Unit("km/h", "speed", 1 / 3.6),
    Unit("kn", "speed", 1852 / 3600),
    Unit("cm/s", "speed", 0.01),
    Unit("mm/s", "speed", 0.001),
    Unit("mm/a", "rate of settlement"),
    Unit("mm/d", "rate of settlement", 365.25),
    Unit("m3/h", "flow", 1 / 3600),
    Unit("m3/s", "flow"),
    Unit("L/s", "flow", 0.001),
    Unit("degC", "temperature"),
    Unit("K", "temperature", 1.0, -273.15),
    Unit("degF", "temperature", 5 / 9, -160 / 9),
    Unit("Pa", "pressure"),
    Unit("hPa", "pressure", 100.0),
    Unit("kPa", "pressure", 1000.0),
    Unit("MPa", "pressure", 1e6),
    Unit("bar", "pressure", 1e5),
    Unit("%", "ratio"),
    Unit("1", "ratio", 100.0),
    Unit("%LEL", "lel"),
    Unit("%OEL", "oel"),
    Unit("%/m", "obscuration"),
    Unit("deg", "angle"),
    Unit("rad", "angle", 57.29577951308232),
    Unit("mrad", "angle", 0.05729577951308232),
    Unit("arcsec", "angle", 1 / 3600),
    Unit("ue", "strain"),
    Unit("V", "voltage"),
    Unit("kV", "voltage", 1000.0),
    Unit("kW", "power"),
    Unit("W", "power", 0.001),
    Unit("rpm", "rotation"),
    Unit("degree day", "degree days"),
    Unit("per 100", "density"),
    Unit("NTU", "turbidity"),
    Unit("mS/cm", "conductivity"),
    Unit("uS/cm", "conductivity", 0.001),
    Unit("mA", "current"),
    Unit("A", "current", 1000.0),
    Unit("m/s2", "acceleration"),
    Unit("gal", "acceleration", 0.01),
    Unit("g", "acceleration", 9.80665),
    Unit("ug/m3", "mass concentration"),
    Unit("mg/m3", "mass concentration", 1000.0),
    Unit("mg/L", "mass concentration", 1e6),
    Unit("count", "count"),
    Unit("grade", "grade"),
    Unit("M", "magnitude"),
    Unit("unstated", "unstated"),
)
# Spellings that devices send. Left: as received; right: our symbol.
SPELLINGS: Mapping[str, str] = MappingProxyType(
    {
        "°C": "degC", "℃": "degC", "C": "degC", "°F": "degF", "℉": "degF", "mbar": "hPa", "百帕": "hPa", "千帕": "kPa",
        "兆帕": "MPa", "m³/s": "m3/s", "m^3/s": "m3/s", "米": "m", "厘米": "cm", "毫米": "mm", "千米": "km", "公里": "km",
        "米/秒": "m/s", "m s-1": "m/s", "kt": "kn", "kts": "kn", "knot": "kn", "°": "deg", "度": "deg", "µg/m³": "ug/m3",
        "μg/m³": "ug/m3", "µg/m3": "ug/m3", "mg/m³": "mg/m3", "mg/l": "mg/L", "m/s²": "m/s2", "m/s^2": "m/s2", "Gal": "gal",
        "个": "count", "头": "count", "只": "count", "级": "grade", "％": "%", "": "", "με": "ue", "µε": "ue", "μɛ": "ue",
        "m³/h": "m3/h", "头/百株": "per 100", "头/百丛": "per 100", "mm/年": "mm/a", "毫米/年": "mm/a", "伏": "V", "千瓦": "kW",
        "日度": "degree day", "°C·d": "degree day", "℃·d": "degree day", "µS/cm": "uS/cm", "μS/cm": "uS/cm", "角秒": "arcsec", "″": "arcsec",
        "毫米/秒": "mm/s", "r/min": "rpm", "转/分": "rpm",
    }
)  # fmt: skip


# How a unit is written for people, where that is not our symbol.
_SHOWN: Mapping[str, str] = MappingProxyType(
    {
        "degC": "℃",
        "degF": "℉",
        "deg": "°",
        "m3/s": "m³/s",
        "ug/m3": "µg/m³",
        "mg/m3": "mg/m³",
        "m/s2": "m/s²",
        "count": "",
        "grade": "",
        "1": "",
        "ue": "µε",
        "m3/h": "m³/h",
        "degree day": "℃·d",
        "per 100": "/100",
        "uS/cm": "µS/cm",
        "arcsec": "″",
        "unstated": "",
    }
)


def shown(unit: str) -> str:
    """The unit as people write it."""
    return _SHOWN.get(unit, unit)


def figure(value: float | None, digits: int = 2) -> str:
    """A value with as many digits as mean something, at most so many after the point; nothing for None."""
    if value is None:
        return ""
    text = f"{value:.{digits}f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


@dataclass(frozen=True, slots=True)
class Quantity:
    """A kind of thing measured. `low` and `high` bound what is plausible, in `unit`."""

    code: str
    unit: str
    low: float
    high: float
    name_en: str
    name_zh: str
    accumulates: bool = False
    """True where a reading is an amount since the reading before (rain): sums over a window mean something."""

    @property
    def dimension(self) -> str:
        """The dimension its unit belongs to."""
        return UNITS[self.unit].dimension

    @property
    def symbol(self) -> str:
        """Its unit as people write it."""
        return shown(self.unit)

    @property
    def accepted(self) -> tuple[str, ...]:
        """Every unit a reading of this quantity may arrive in, the canonical one first."""
        return (
            self.unit,
            *(u.symbol for u in UNITS.values() if u.dimension == self.dimension and u.symbol != self.unit),
        )

    def factor(self, unit: str) -> tuple[float, float]:
        """(a, b) with canonical = a * value + b; KeyError when `unit` does not fit this quantity."""
        symbol = SPELLINGS.get(unit, unit) or self.unit
        if symbol == self.unit:
            return 1.0, 0.0
        source, own = UNITS[symbol], UNITS[self.unit]
        if source.dimension != own.dimension:
            raise KeyError(unit)
        return source.scale / own.scale, (source.offset - own.offset) / own.scale


def _quantities(*given: Quantity) -> Mapping[str, Quantity]:
    return MappingProxyType({quantity.code: quantity for quantity in given})


QUANTITIES: Mapping[str, Quantity] = _quantities(
    Quantity("rain", "mm", 0, 500, "Rainfall", "降雨量", accumulates=True),
    Quantity("air_temperature", "degC", -80, 60, "Air temperature", "气温"),
    Quantity("humidity", "%", 0, 100, "Relative humidity", "相对湿度"),
    Quantity("pressure", "hPa", 500, 1080, "Air pressure", "气压"),
    Quantity("wind_speed", "m/s", 0, 150, "Wind speed", "风速"),
    Quantity("wind_gust", "m/s", 0, 150, "Wind gust", "阵风"),
    Quantity("wind_direction", "deg", 0, 360, "Wind direction", "风向"),
    Quantity("visibility", "m", 0, 100_000, "Visibility", "能见度"),
    Quantity("snow_depth", "cm", 0, 2500, "Snow depth", "积雪深度"),
    Quantity("tide_level", "m", -10, 20, "Tide level", "潮位"),
    Quantity("surge", "m", -5, 15, "Storm surge", "增水"),
    Quantity("wave_height", "m", 0, 50, "Wave height", "浪高"),
    Quantity("water_level", "m", -50, 200, "Water level", "水位"),
    Quantity("water_depth", "m", 0, 20, "Water depth on the ground", "积水深度"),
    Quantity("flow", "m3/s", -200_000, 200_000, "Flow", "流量"),
    Quantity("gate_opening", "m", 0, 50, "Gate opening", "闸门开度"),
    Quantity("chloride", "mg/L", 0, 25_000, "Chloride", "氯化物"),
    Quantity("water_temperature", "degC", -2, 60, "Water temperature", "水温"),
    Quantity("soil_moisture", "%", 0, 100, "Soil moisture", "土壤含水率"),
    Quantity("groundwater_level", "m", -500, 200, "Groundwater level", "地下水位"),
    Quantity("subsidence", "mm", -5000, 5000, "Ground displacement", "地面沉降"),
    Quantity("displacement", "mm", -5000, 5000, "Displacement of a structure", "结构位移"),
    Quantity("acceleration", "m/s2", -50, 50, "Ground acceleration", "地面加速度"),
    Quantity("pm25", "ug/m3", 0, 5000, "PM2.5", "PM2.5"),
    Quantity("gas_lel", "%LEL", 0, 100, "Combustible gas", "可燃气体浓度"),
    Quantity("gas_oel", "%OEL", 0, 1000, "Toxic gas", "有毒气体浓度"),
    Quantity("oxygen", "%", 0, 100, "Oxygen", "氧气浓度"),
    Quantity("tank_level", "m", 0, 60, "Tank level", "储罐液位"),
    Quantity("tank_pressure", "MPa", -0.1, 40, "Tank pressure", "储罐压力"),
    Quantity("tank_temperature", "degC", -200, 1000, "Tank temperature", "储罐温度"),
    Quantity("smoke", "%/m", 0, 100, "Smoke obscuration", "烟雾浓度"),
    Quantity("residual_current", "mA", 0, 100_000, "Residual current", "剩余电流"),
    Quantity("cable_temperature", "degC", -50, 1000, "Cable temperature", "线缆温度"),
    Quantity("hydrant_pressure", "MPa", 0, 4, "Fire-water pressure", "消防水压"),
    Quantity("fire_danger", "grade", 1, 5, "Forest fire danger grade", "森林火险等级"),
    Quantity("pest_count", "count", 0, 1_000_000, "Trapped pests", "诱虫数", accumulates=True),
    Quantity("pest_density", "per 100", 0, 1_000_000, "Pests per 100 plants or hills", "百株（丛）虫量"),
    Quantity("infested", "%", 0, 100, "Plants infested or diseased", "病虫株率"),
    Quantity("degree_days", "degree day", 0, 10_000, "Effective accumulated temperature", "有效积温"),
    Quantity("soil_temperature", "degC", -50, 80, "Soil temperature", "土壤温度"),
    Quantity("pore_pressure", "kPa", -200, 10_000, "Pore water pressure", "孔隙水压力"),
    Quantity("settlement_rate", "mm/a", -500, 500, "Rate of subsidence", "地面沉降速率"),
    Quantity("intensity", "grade", 1, 12, "Seismic intensity", "地震烈度"),
    Quantity("ground_velocity", "cm/s", -500, 500, "Ground velocity", "地面速度"),
    Quantity("magnitude", "M", -2, 10, "Magnitude", "震级"),
    Quantity("strain", "ue", -20_000, 20_000, "Strain", "应变"),
    Quantity("tilt", "deg", -90, 90, "Tilt", "倾斜"),
    Quantity("crack_width", "mm", 0, 500, "Crack width", "裂缝宽度"),
    Quantity("vibration_velocity", "mm/s", -1000, 1000, "Vibration velocity", "振动速度"),
    Quantity("seepage_pressure", "kPa", -100, 5000, "Seepage pressure", "渗流压力"),
    Quantity("scour_depth", "m", 0, 100, "Scour depth", "冲刷深度"),
    Quantity("pump_power", "kW", 0, 100_000, "Pump power", "水泵功率"),
    Quantity("pump_speed", "rpm", 0, 10_000, "Pump speed", "水泵转速"),
    Quantity("pumps_running", "count", 0, 1000, "Pumps running", "开机台数"),
    Quantity("supply_voltage", "kV", 0, 1200, "Supply voltage", "供电电压"),
    Quantity("conductivity", "mS/cm", 0, 100, "Conductivity", "电导率"),
    Quantity("turbidity", "NTU", 0, 10_000, "Turbidity", "浊度"),
    Quantity("tank_flow", "m3/h", -100_000, 100_000, "Tank flow", "储罐流量"),
    # What came by SensorThings and is none of the above: its unit is what the sender says, and nothing is converted.
    Quantity("other", "unstated", -1e15, 1e15, "Other quantity", "其他要素"),
)


class UnitError(ValueError):
    """A unit does not fit the quantity it came with."""


def convert(value: float, unit: str, quantity: str) -> float:
    """`value` in `unit` as a value in the canonical unit of `quantity`; UnitError names what is accepted."""
    kind = QUANTITIES[quantity]
    try:
        scale, offset = kind.factor(unit)
    except KeyError:
        accepted = ", ".join(kind.accepted)
        raise UnitError(f"{quantity}: unit {unit!r} does not fit; send one of {accepted}") from None
    return value * scale + offset
