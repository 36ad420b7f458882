"""The registers of instruments and video points: declarations, nothing else."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from haitang.frame import Menu
from haitang.geo.catalogue import Group, circle
from haitang.monitoring.models import Equipment, VideoPoint
from haitang.registry.declare import Column, Register, RegisterLayer, register


def _at_station(row: Any) -> None:
    """An instrument without a position stands where its station does."""
    if row.geometry is None and row.station_id is not None:
        row.geometry = row.station.geometry


EQUIPMENT = register(
    Register(
        model=Equipment,
        slug="equipment",
        icon="tool",
        menu=Menu.SETTINGS,
        order=60,
        about=_("Instruments at the stations, their calibration and maintenance; what is due becomes a task of the owner"),
        columns=(
            Column("code"),
            Column("name"),
            Column("kind"),
            Column("station"),
            Column("place"),
            Column("serial"),
            Column("calibration_due"),
            Column("service_due"),
        ),
        filters=("place", "kind", "calibration_due", "service_due", "owner"),
        search=("code", "name_zh", "name_en", "serial", "maker", "certificate", "station__code", "station__name_zh"),
        form=("code", "name_zh", "name_en", "kind", "station", "place", "owner", "maker", "serial", "installed_on", "calibrated_on",
              "calibration_due", "certificate", "serviced_on", "service_due", "note", "source", "is_demo", "geometry"),
        derive=_at_station,
        layer=RegisterLayer(style=circle("#5c7cfa", radius=4), properties={"station": "station__name_zh"}, group=Group.SENSING, order=30),
    )
)  # fmt: skip

VIDEO = register(
    Register(
        model=VideoPoint,
        slug="video",
        icon="camera",
        menu=Menu.SETTINGS,
        order=62,
        about=_("Where cameras stand and where their picture is to be had; pictures and credentials are not stored here"),
        columns=(Column("code"), Column("name"), Column("place"), Column("looks_at"), Column("station"), Column("owner")),
        filters=("place", "owner"),
        search=("code", "name_zh", "name_en", "looks_at"),
        form=("code", "name_zh", "name_en", "station", "place", "owner", "looks_at", "bearing_deg", "stream_url", "snapshot_url", "note",
              "source", "is_demo", "geometry"),
        layer=RegisterLayer(style=circle("#0b7285", radius=5), properties={"subtitle": "looks_at"}, group=Group.SENSING, order=35),
    )
)  # fmt: skip
