"""Figures: how many were moved, hurt, lost. A series per kind and place, appended, never overwritten."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from haitang.accounts.models import Organisation
from haitang.accounts.roles import STAFF, Role
from haitang.accounts.scope import Scope, ScopedManager
from haitang.geo.models import Place
from haitang.geo.names import localised
from haitang.incidents import figure_kinds
from haitang.incidents.models.incident import Incident


class Figure(models.Model):
    """One number as it was known at a time: what, where, how many, who says so, and why it jumped if it did."""

    incident = models.ForeignKey(Incident, models.PROTECT, related_name="figures")
    kind = models.CharField(_("what"), max_length=20)
    place = models.ForeignKey(Place, models.PROTECT, related_name="+", verbose_name=_("place"))
    value = models.FloatField(pgettext_lazy("figure", "number"))
    unit = models.CharField(_("unit"), max_length=12)
    # When it was so; and when it was written down (both of the space).
    at = models.DateTimeField(_("as of"))
    reported_at = models.DateTimeField(_("reported"))
    reporter = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("reporter")
    )
    organisation = models.ForeignKey(Organisation, models.PROTECT, null=True, blank=True, related_name="+")
    source = models.CharField(_("source"), max_length=200, blank=True)
    note = models.CharField(_("note"), max_length=300, blank=True)
    explanation = models.CharField(_("explanation of the jump"), max_length=500, blank=True)

    scope = Scope(place="place__path", organisation="organisation__path", roles=STAFF | {Role.MACHINE})
    objects = ScopedManager()

    class Meta:
        verbose_name = _("figure")
        verbose_name_plural = _("figures")
        ordering = ("-at", "-pk")
        indexes = [models.Index(fields=["incident", "kind", "at"], name="incidents_figure_series")]

    def __str__(self) -> str:
        return f"{self.label} {self.shown} {self.unit}"

    def save(self, *args: object, **kwargs: object) -> None:
        """Written once: a new number is a new row."""
        if self.pk:
            raise ValueError("a figure is never overwritten: report a new one")
        super().save(*args, **kwargs)  # type: ignore[arg-type]

    def delete(self, *args: object, **kwargs: object) -> tuple[int, dict[str, int]]:
        """Refused."""
        raise ValueError("a figure cannot be removed: report the right one")

    @property
    def info(self) -> figure_kinds.FigureKind:
        """What it counts."""
        return figure_kinds.kind(self.kind)

    @property
    def label(self) -> str:
        """What it counts, in the reader's language."""
        return localised(self.info.name_zh, self.info.name_en)

    @property
    def shown(self) -> str:
        """The number without needless digits."""
        return figure_kinds.shown(self.value)


class History(models.Model):
    """What really happened in the event that an exercise replays: set beside the exercise's times in the evaluation.

    `rows` is a list of {"step", "label_zh", "label_en", "at" (ISO 8601), "value"}; `step` is a name of
    `timetable.STEPS` or `timetable.MARKS`, or empty.
    """

    space = models.OneToOneField("spaces.Space", models.CASCADE, related_name="history")
    rows = models.JSONField(default=list)
    source = models.CharField(_("source"), max_length=500, blank=True)

    class Meta:
        verbose_name = _("historical course")
        verbose_name_plural = _("historical courses")
