"""The registers of feeds that are read and of senders that are trusted: declarations, nothing else."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from haitang.accounts.roles import Role
from haitang.alerting import panels
from haitang.alerting.models import FeedSource, TrustedSender
from haitang.alerting.recipient_lists import Exposed, RecipientList
from haitang.frame import Menu
from haitang.registry.declare import Column, Register, register

READERS = frozenset({Role.ADMIN, Role.DUTY_OFFICER, Role.COMMANDER})
KEEPERS = frozenset({Role.ADMIN})

FEEDS = register(
    Register(
        model=FeedSource,
        slug="feed-sources",
        icon="rss",
        menu=Menu.SETTINGS,
        order=42,
        about=_("Whose warnings are read here, how often, and how that goes"),
        columns=(Column("code"), Column("name"), Column("url"), Column("every_s"), Column("now", label=_("Now"), values=panels.feeds_now)),
        filters=("form", "is_active"),
        search=("code", "name_zh", "name_en", "url"),
        searched=False,
        form=("code", "name_zh", "name_en", "url", "form", "every_s", "is_active", "note"),
        readers=READERS,
        editors=KEEPERS,
        removers=KEEPERS,
        panels=(panels.feed,),
        layer=None,
    )
)  # fmt: skip

TRUSTED = register(
    Register(
        model=TrustedSender,
        slug="trusted-senders",
        icon="certificate",
        menu=Menu.SETTINGS,
        order=44,
        about=_("By which certificates messages of others are known to be theirs"),
        columns=(Column("code"), Column("name"), Column("sender"), Column("valid_until"), Column("is_active")),
        filters=("is_active",),
        search=("code", "name_zh", "name_en", "sender", "fingerprint"),
        searched=False,
        form=("code", "name_zh", "name_en", "sender", "certificate", "is_active", "note"),
        readers=READERS,
        editors=KEEPERS,
        removers=KEEPERS,
        panels=(panels.certificate,),
        layer=None,
    )
)

LISTS = register(
    Register(
        model=RecipientList,
        slug="recipient-lists",
        icon="list-check",
        menu=Menu.SETTINGS,
        order=46,
        about=_("Who is told because of where he is or what he does: in basements, at sea, at chemical sites"),
        columns=(
            Column("code"),
            Column("name"),
            Column("hazards"),
            Column("least"),
            Column("wave"),
            Column("is_public"),
        ),
        filters=("is_active", "least", "is_public"),
        search=("code", "name_zh", "name_en"),
        searched=False,
        form=("code", "name_zh", "name_en", "hazards", "least", "is_public", "wave", "is_active", "note"),
        readers=READERS,
        editors=KEEPERS | {Role.DUTY_OFFICER},
        removers=KEEPERS,
        layer=None,
    )
)

EXPOSED = register(
    Register(
        model=Exposed,
        slug="people-at-risk",
        icon="user-exclamation",
        menu=Menu.SETTINGS,
        order=48,
        about=_("The members of the recipient lists, with their place or position"),
        columns=(Column("code"), Column("name"), Column("list"), Column("place"), Column("phone"), Column("email")),
        filters=("list", "place"),
        search=("code", "name_zh", "name_en"),
        searched=False,
        form=("code", "list", "name_zh", "name_en", "place", "owner", "phone", "email", "is_demo", "geometry"),
        personal=("phone", "email"),
        readers=READERS,
        editors=KEEPERS | {Role.DUTY_OFFICER},
        removers=KEEPERS,
        layer=None,
    )
)
