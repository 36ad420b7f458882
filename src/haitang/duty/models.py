"""Who keeps watch, what they noted, what they handed over. Rosters belong to the real district, not to an exercise."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from haitang.accounts.models import Organisation, User
from haitang.accounts.scope import Scope, ScopedManager
from haitang.geo.names import localised


class Roster(models.Model):
    """The duty room of an organisation 值班表: when it changes hands, and which posts are manned."""

    code = models.CharField(_("code"), max_length=40, unique=True)
    organisation = models.ForeignKey(
        Organisation, models.PROTECT, related_name="rosters", verbose_name=_("organisation")
    )
    name_zh = models.CharField(_("name (Chinese)"), max_length=80)
    name_en = models.CharField(_("name (English)"), max_length=120, blank=True)
    # Local times of day, "08:00".
    changes = models.JSONField(_("changes of shift"), default=list)
    first_day = models.DateField(_("first day"))
    is_active = models.BooleanField(_("in use"), default=True)
    source = models.CharField(_("source"), max_length=300, blank=True)
    is_demo = models.BooleanField(_("demonstration data"), default=False)

    scope = Scope(place="organisation__place__path", organisation="organisation__path")
    objects = ScopedManager()

    class Meta:
        verbose_name = _("roster")
        verbose_name_plural = _("rosters")
        ordering = ("organisation__path", "code")

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """The name in the reader's language."""
        return localised(self.name_zh, self.name_en)


class Post(models.Model):
    """A post of a roster; its people take one shift each in turn."""

    roster = models.ForeignKey(Roster, models.CASCADE, related_name="posts")
    rank = models.PositiveSmallIntegerField(_("rank"))
    name_zh = models.CharField(_("name (Chinese)"), max_length=40)
    name_en = models.CharField(_("name (English)"), max_length=60, blank=True)
    leads = models.BooleanField(_("leads the shift"), default=False)
    # Keys of users in the order of their turns.
    people = models.JSONField(_("people"), default=list)

    class Meta:
        ordering = ("roster", "rank")
        constraints = (models.UniqueConstraint(fields=("roster", "rank"), name="duty_one_rank"),)

    def __str__(self) -> str:
        return localised(self.name_zh, self.name_en)


class Shift(models.Model):
    """One shift of a roster. It is planned ahead, so that people can swap and the plan can be seen."""

    roster = models.ForeignKey(Roster, models.CASCADE, related_name="shifts", verbose_name=_("roster"))
    number = models.IntegerField()
    start = models.DateTimeField(_("begins"))
    end = models.DateTimeField(_("ends"))

    scope = Scope(place="roster__organisation__place__path", organisation="roster__organisation__path")
    objects = ScopedManager()

    class Meta:
        verbose_name = _("shift")
        verbose_name_plural = _("shifts")
        ordering = ("start", "roster")
        constraints = (models.UniqueConstraint(fields=("roster", "start"), name="duty_shift_once"),)
        indexes = (models.Index(fields=("roster", "end"), name="duty_shift_now"),)

    def __str__(self) -> str:
        return f"{self.roster} {self.start:%Y-%m-%d %H:%M}"

    def covers(self, moment: datetime) -> bool:
        """Whether it is this shift's time."""
        return self.start <= moment < self.end

    @property
    def leader(self) -> User | None:
        """Who leads it, as the seats are now."""
        return next((seat.person for seat in self.seats.all() if seat.post.leads), None)

    def get_absolute_url(self) -> str:
        """The shift's page."""
        return reverse("duty:shift", args=[self.pk])


class Seat(models.Model):
    """Who takes a post in one shift."""

    shift = models.ForeignKey(Shift, models.CASCADE, related_name="seats")
    post = models.ForeignKey(Post, models.PROTECT, related_name="+")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")
    is_swapped = models.BooleanField(default=False)

    class Meta:
        ordering = ("shift", "post__rank")
        constraints = (models.UniqueConstraint(fields=("shift", "post"), name="duty_one_seat"),)


class Note(models.Model):
    """A line of the duty log 值班日志. It is not changed afterwards; a mistake is noted in a line of its own."""

    shift = models.ForeignKey(Shift, models.PROTECT, related_name="notes")
    at = models.DateTimeField(_("time"))
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("by"))
    text = models.CharField(_("note"), max_length=1000)

    scope = Scope(place="shift__roster__organisation__place__path", organisation="shift__roster__organisation__path")
    objects = ScopedManager()

    class Meta:
        verbose_name = _("line of the duty log")
        verbose_name_plural = _("duty log")
        ordering = ("-at", "-pk")


class HandOver(models.Model):
    """A hand-over 交接班: what was open at that moment, as it was, and who took it over."""

    shift = models.OneToOneField(Shift, models.PROTECT, related_name="hand_over")
    to = models.ForeignKey(Shift, models.PROTECT, related_name="taken_over", verbose_name=_("to the shift"))
    at = models.DateTimeField(_("handed over"))
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", verbose_name=_("by"))
    note = models.CharField(_("what the next shift must know"), max_length=2000, blank=True)
    # As it was: {"kind": ..., "text_zh": ..., "text_en": ..., "colour": ..., "due": ..., "url": ...}
    items = models.JSONField(_("open items"), default=list)
    accepted_at = models.DateTimeField(_("accepted"), null=True, blank=True)
    accepted_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")

    scope = Scope(place="shift__roster__organisation__place__path", organisation="shift__roster__organisation__path")
    objects = ScopedManager()

    class Meta:
        verbose_name = pgettext_lazy("duty", "hand-over")
        verbose_name_plural = pgettext_lazy("duty", "hand-overs")
        ordering = ("-at",)

    def __str__(self) -> str:
        return str(self.shift)

    def get_absolute_url(self) -> str:
        """The page of the shift that handed over."""
        return self.shift.get_absolute_url()


class SpotCheck(models.Model):
    """A spot check 抽查: somebody called the duty room and noted how long it took to answer."""

    shift = models.ForeignKey(Shift, models.PROTECT, related_name="checks")
    at = models.DateTimeField(_("called at"))
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("by"))
    answered_s = models.PositiveIntegerField(_("answered after (s)"), null=True, blank=True)
    score = models.PositiveSmallIntegerField(_("marks"))
    note = models.CharField(_("note"), max_length=300, blank=True)

    scope = Scope(place="shift__roster__organisation__place__path", organisation="shift__roster__organisation__path")
    objects = ScopedManager()

    class Meta:
        verbose_name = _("spot check")
        verbose_name_plural = _("spot checks")
        ordering = ("-at",)
