"""Disaster chains as data, and what they tell somebody to watch for before it happens."""

from __future__ import annotations

from functools import cached_property

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from haitang.accounts.roles import OFFICIALS, Role
from haitang.accounts.scope import Scope, ScopedManager
from haitang.geo.names import localised
from haitang.monitoring import chains
from haitang.monitoring.models.alarms import Alarm
from haitang.monitoring.models.network import Colour
from haitang.spaces.models import Space


class Chain(models.Model):
    """A typed graph of what may bring about what, as the pack gives it. Master data; it belongs to no space."""

    code = models.CharField(_("code"), max_length=40, unique=True)
    name_zh = models.CharField(_("name (Chinese)"), max_length=80)
    name_en = models.CharField(_("name (English)"), max_length=120, blank=True)
    source = models.CharField(_("source"), max_length=500, blank=True)
    # What `chains.parse` reads.
    body = models.JSONField(_("graph"))
    # Hazard to km, in place of `impact.REACH_KM`.
    reach_km = models.JSONField(default=dict, blank=True)
    is_active = models.BooleanField(_("in use"), default=True)

    scope = Scope(roles=OFFICIALS | {Role.ENTERPRISE})
    objects = ScopedManager()

    class Meta:
        verbose_name = _("hazard chain")
        verbose_name_plural = _("hazard chains")
        ordering = ("code",)

    def __str__(self) -> str:
        return localised(self.name_zh, self.name_en)

    @cached_property
    def graph(self) -> chains.Graph:
        """The graph, read once."""
        return chains.parse(self.body)

    def clean(self) -> None:
        """The graph must not contradict itself."""
        try:
            chains.parse(self.body)
        except chains.ChainError as error:
            raise ValidationError({"body": str(error)}) from error


class WatchState(models.TextChoices):
    """What became of an expectation."""

    OPEN = "open", pgettext_lazy("watch item", "Expected")
    CONFIRMED = "confirmed", pgettext_lazy("watch item", "Has come")
    EXPIRED = "expired", pgettext_lazy("watch item", "Did not come")
    CLOSED = "closed", pgettext_lazy("watch item", "Put away")

    @property
    def colour(self) -> str:
        """What the badge wears."""
        return {"open": "yellow", "confirmed": "orange"}.get(str(self.value), "grey")


class WatchItem(models.Model):
    """Something that may follow from what was observed, before it happens: what, where, when, how likely, by which way."""

    space = models.ForeignKey(Space, models.PROTECT, related_name="+")
    chain = models.ForeignKey(Chain, models.PROTECT, related_name="items", verbose_name=_("hazard chain"))
    node = models.CharField(max_length=40)
    name_zh = models.CharField(max_length=80)
    name_en = models.CharField(max_length=120)
    do_zh = models.CharField(max_length=300, blank=True)
    do_en = models.CharField(max_length=400, blank=True)
    state = models.CharField(_("state"), max_length=10, choices=WatchState, default=WatchState.OPEN)
    colour = models.CharField(_("colour"), max_length=6, choices=Colour)
    probability = models.FloatField(_("probability within 6 h"))
    from_at = models.DateTimeField(_("earliest"))
    until_at = models.DateTimeField(_("latest"))
    place = models.ForeignKey(
        "geo.Place", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("place")
    )
    # Ids of nodes and edges from what was observed to what is expected.
    path = models.JSONField(default=list)
    edges = models.JSONField(default=list)
    cause = models.ForeignKey(Alarm, models.PROTECT, related_name="watch_items", verbose_name=_("cause"))
    confirmed_by = models.ForeignKey(Alarm, models.PROTECT, null=True, blank=True, related_name="+")
    opened_at = models.DateTimeField(_("opened"))
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")
    note = models.CharField(max_length=200, blank=True)

    scope = Scope(place="place__path")
    objects = ScopedManager()

    class Meta:
        verbose_name = _("watch item")
        verbose_name_plural = _("watch items")
        ordering = ("from_at", "-probability", "id")
        constraints = (
            # One expectation of a thing at a time, whoever looks ahead.
            models.UniqueConstraint(
                fields=("space", "chain", "node"), condition=Q(state="open"), name="monitoring_one_watch_item"
            ),
        )
        indexes = (
            # What is to be expired.
            models.Index(fields=("space", "until_at"), condition=Q(state="open"), name="monitoring_watch_due"),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """What may come, in the reader's language."""
        return localised(self.name_zh, self.name_en)

    @property
    def advice(self) -> str:
        """What to do meanwhile, in the reader's language."""
        return localised(self.do_zh, self.do_en)

    @property
    def percent(self) -> int:
        """The probability in whole percent."""
        return round(self.probability * 100)

    @property
    def way(self) -> str:
        """The names along the path, "Typhoon → Surge"."""
        nodes = self.chain.graph.nodes
        return " → ".join(localised(nodes[name].name_zh, nodes[name].name_en) for name in self.path if name in nodes)

    def get_absolute_url(self) -> str:
        """The page of its chain."""
        return f"{reverse('monitoring:chains')}?chain={self.chain.code}"
