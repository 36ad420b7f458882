"""What monitoring stores: the network (stations, series, rules), what it said (readings), what that meant (alarms)."""

from haitang.monitoring.models.alarms import Alarm, AlarmKind, AlarmState
from haitang.monitoring.models.equipment import Equipment, EquipmentKind, VideoPoint
from haitang.monitoring.models.events import Episode, Hazard
from haitang.monitoring.models.network import Colour, Series, Station, StationKind
from haitang.monitoring.models.quality import (
    Correction,
    CorrectionKind,
    Outlook,
    QualityFlag,
    QualityLimits,
    ReadingFlag,
)
from haitang.monitoring.models.readings import (
    Chunk,
    Edition,
    Evaluator,
    IngestCount,
    Intake,
    LongCopy,
    SealedNewest,
    Sealing,
    Tail,
)
from haitang.monitoring.models.rules import Rule
from haitang.monitoring.models.sensorthings import StaAmendment, StaKind, StaRecord
from haitang.monitoring.models.watching import Chain, WatchItem, WatchState
from haitang.monitoring.models.ways import Backfill, Connector

__all__ = [
    "Alarm",
    "AlarmKind",
    "AlarmState",
    "Backfill",
    "Chain",
    "Chunk",
    "Colour",
    "Connector",
    "Correction",
    "CorrectionKind",
    "Edition",
    "Episode",
    "Equipment",
    "EquipmentKind",
    "Evaluator",
    "Hazard",
    "IngestCount",
    "Intake",
    "LongCopy",
    "Outlook",
    "QualityFlag",
    "QualityLimits",
    "ReadingFlag",
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
    "VideoPoint",
    "WatchItem",
    "WatchState",
]
