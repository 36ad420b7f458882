"""The registers of shelters, rescue teams and supplies: declarations, nothing else."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from haitang.frame import Menu
from haitang.geo.catalogue import circle
from haitang.registry.declare import Column, Register, RegisterLayer, register
from haitang.resources import panels, present
from haitang.resources.models import Shelter, Supply, Team

SHELTERS = register(
    Register(
        model=Shelter,
        slug="shelters",
        icon="home-shield",
        menu=Menu.RESOURCES,
        order=20,
        about=_("Where people are taken in"),
        columns=(
            Column("code"),
            Column("name"),
            Column("kind"),
            Column("place"),
            Column("setting"),
            Column("capacity"),
            Column("now", label=pgettext_lazy("resource", "Now"), values=present.occupancy),
        ),
        filters=("place", "kind", "setting", "term", "capacity"),
        search=("code", "name_zh", "name_en", "address"),
        form=("code", "name_zh", "name_en", "kind", "setting", "term", "place", "owner", "address", "address_en", "area_m2",
              "capacity", "manager", "phone", "note", "source", "is_demo", "geometry"),
        personal=("manager", "phone"),
        panels=(panels.shelter,),
        layer=RegisterLayer(
            style=circle("#868e96", radius=6, by="level", colours=present.LEVEL_COLOURS),
            legend=present.LEVELS,
            properties={"capacity": "capacity", "address": "address"},
            extra=present.shelters_on_map,
            timed=True,
            live=("resources.count_heads", "resources.open_shelter", "resources.close_shelter"),
            order=10,
        ),
    )
)  # fmt: skip

TEAMS = register(
    Register(
        model=Team,
        slug="teams",
        icon="users-group",
        menu=Menu.RESOURCES,
        order=30,
        about=_("Who can be sent, and with what"),
        columns=(
            Column("code"),
            Column("name"),
            Column("kind"),
            Column("place"),
            Column("members"),
            Column("vehicles"),
            Column("boats"),
            Column("now", label=pgettext_lazy("resource", "Now"), values=present.status),
        ),
        filters=("place", "kind", "skills", "owner"),
        search=("code", "name_zh", "name_en", "address"),
        form=("code", "name_zh", "name_en", "kind", "skills", "place", "owner", "address", "members", "vehicles", "boats",
              "pumps", "commander", "phone", "note", "source", "is_demo", "geometry"),
        personal=("commander", "phone"),
        panels=(panels.team,),
        layer=RegisterLayer(
            style=circle("#868e96", radius=6, by="status", colours=present.STATUS_COLOURS),
            legend=present.STATUSES,
            properties={"members": "members", "vehicles": "vehicles"},
            extra=present.teams_on_map,
            timed=True,
            live=("resources.set_team_status",),
            order=20,
        ),
    )
)  # fmt: skip

SUPPLIES = register(
    Register(
        model=Supply,
        slug="supplies",
        icon="package",
        menu=Menu.RESOURCES,
        order=40,
        about=_("What lies in which store"),
        columns=(
            Column("code"),
            Column("name"),
            Column("kind"),
            Column("store"),
            Column("place"),
            Column("now", label=_("Stock now"), align="right", values=present.stock),
            Column("minimum"),
            Column("expires_on"),
        ),
        filters=("place", "kind", "expires_on", "owner"),
        search=("code", "name_zh", "name_en", "store", "gb_code"),
        form=("code", "name_zh", "name_en", "kind", "gb_code", "place", "owner", "store", "address", "unit", "stock",
              "minimum", "expires_on", "manager", "phone", "note", "source", "is_demo", "geometry"),
        personal=("manager", "phone"),
        panels=(panels.supply,),
        layer=RegisterLayer(
            style=circle("#1971c2", radius=5, by="level", colours=present.STOCK_COLOURS),
            legend=present.STOCK_LEVELS,
            properties={"store": "store", "unit": "unit"},
            extra=present.supplies_on_map,
            live=("resources.take_stock", "resources.return_stock"),
            order=30,
        ),
    )
)  # fmt: skip
