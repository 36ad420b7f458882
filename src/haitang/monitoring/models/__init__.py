"""What monitoring stores: the network (stations, series, rules), what it said (readings), what that meant (alarms)."""

from haitang.monitoring.models.alarms import Alarm, AlarmKind, AlarmState
from haitang.monitoring.models.network import Colour, Rule, Series, Station, StationKind
from haitang.monitoring.models.readings import (
    Chunk,
    Edition,
    Evaluator,
    IngestCount,
    Intake,
    Reading,
    SealedNewest,
    Sealing,
    Tail,
)
from haitang.monitoring.models.sensorthings import StaAmendment, StaKind, StaRecord

__all__ = [
    "Alarm",
    "AlarmKind",
    "AlarmState",
    "Chunk",
    "Colour",
    "Edition",
    "Evaluator",
    "IngestCount",
    "Intake",
    "Reading",
    "Rule",
    "SealedNewest",
    "Sealing",
    "Series",
    "StaAmendment",
    "StaKind",
    "StaRecord",
    "Station",
    "StationKind",
    "Tail",
]
