"""Units as SensorThings writes them: name, symbol, definition (UCUM where it has one). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from haitang.monitoring.quantities import SPELLINGS, UNITS, shown

_UCUM: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "m": ("metre", "m"), "cm": ("centimetre", "cm"), "mm": ("millimetre", "mm"), "km": ("kilometre", "km"),
        "ft": ("foot", "[ft_i]"), "m/s": ("metre per second", "m/s"), "km/h": ("kilometre per hour", "km/h"),
        "kn": ("knot", "[kn_i]"), "m3/s": ("cubic metre per second", "m3/s"), "L/s": ("litre per second", "L/s"),
        "degC": ("degree Celsius", "Cel"), "K": ("kelvin", "K"), "degF": ("degree Fahrenheit", "[degF]"),
        "Pa": ("pascal", "Pa"), "hPa": ("hectopascal", "hPa"), "kPa": ("kilopascal", "kPa"), "MPa": ("megapascal", "MPa"),
        "bar": ("bar", "bar"), "%": ("percent", "%"), "1": ("one", "1"), "deg": ("degree", "deg"), "rad": ("radian", "rad"),
        "mA": ("milliampere", "mA"), "A": ("ampere", "A"), "m/s2": ("metre per second squared", "m/s2"),
        "ug/m3": ("microgram per cubic metre", "ug/m3"), "mg/m3": ("milligram per cubic metre", "mg/m3"),
        "mg/L": ("milligram per litre", "mg/L"),
    }
)  # fmt: skip


def unit_of(symbol: str) -> dict[str, str | None]:
    """The unitOfMeasurement of one of our units."""
    if symbol in _UCUM:
        name, code = _UCUM[symbol]
        return {"name": name, "symbol": shown(symbol) or symbol, "definition": f"http://unitsofmeasure.org/ucum#{code}"}
    return {"name": symbol, "symbol": shown(symbol) or symbol, "definition": f"urn:haitang:unit:{symbol}"}


def known(unit: Mapping[str, object]) -> str | None:
    """Our symbol of a unitOfMeasurement that came, if it is one of ours."""
    for text in (unit.get("symbol"), unit.get("name"), str(unit.get("definition") or "").rpartition("#")[2]):
        if isinstance(text, str) and text:
            symbol = SPELLINGS.get(text, text)
            if symbol in UNITS:
                return symbol
            ours = next((mine for mine, (name, code) in _UCUM.items() if text in (name, code)), None)
            if ours:
                return ours
    return None
