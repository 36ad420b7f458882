"""What monitoring stores: the network (stations, series, rules), what it said (readings), what that meant (alarms)."""

from haitang.monitoring.models.alarms import Alarm, AlarmKind, AlarmState
from haitang.monitoring.models.network import Colour, Rule, Series, Station, StationKind
from haitang.monitoring.models.readings import Edition, Evaluator, IngestCount, Intake, Reading

__all__ = [
    "Alarm",
    "AlarmKind",
    "AlarmState",
    "Colour",
    "Edition",
    "Evaluator",
    "IngestCount",
    "Intake",
    "Reading",
    "Rule",
    "Series",
    "Station",
    "StationKind",
]
