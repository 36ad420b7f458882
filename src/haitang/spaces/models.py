"""A space is a world: the live one, or an exercise 演练 that cannot leak into it. A space owns its clock."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class SpaceKind(models.TextChoices):
    """What a space is for."""

    LIVE = "live", pgettext_lazy("space", "Live")
    EXERCISE = "exercise", pgettext_lazy("space", "Exercise")


class ClockMode(models.TextChoices):
    """How a space's time passes."""

    REAL = "real", _("Real time")
    SCALED = "scaled", _("Faster or slower than life")
    STEPPED = "stepped", _("Moved by hand")


class Space(models.Model):
    """One world. Operational rows (alarms, warnings, incidents, obligations, messages) belong to exactly one."""

    slug = models.SlugField(_("short name"), unique=True)
    name_zh = models.CharField(_("name (Chinese)"), max_length=120)
    name_en = models.CharField(_("name (English)"), max_length=120, blank=True)
    kind = models.CharField(_("kind"), max_length=10, choices=SpaceKind)
    is_open = models.BooleanField(_("open"), default=True)
    scenario = models.CharField(_("scenario"), max_length=60, blank=True)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    clock_mode = models.CharField(_("clock"), max_length=10, choices=ClockMode, default=ClockMode.REAL)
    # Space time = clock_base + (real time - clock_anchor) * clock_speed, when scaled; clock_base alone, when stepped.
    clock_base = models.DateTimeField(_("clock base"), null=True, blank=True)
    clock_anchor = models.DateTimeField(_("clock anchor"), null=True, blank=True)
    clock_speed = models.FloatField(_("clock speed"), default=1.0)

    class Meta:
        verbose_name = _("space")
        verbose_name_plural = _("spaces")
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """The name in the reader's language."""
        from haitang.geo.names import localised

        return localised(self.name_zh, self.name_en)

    @property
    def is_exercise(self) -> bool:
        """True for every world but the live one."""
        return self.kind != SpaceKind.LIVE

    @classmethod
    def live(cls) -> Space:
        """The one live space; made when first asked for."""
        return cls.objects.get_or_create(
            slug="live", defaults={"kind": SpaceKind.LIVE, "name_zh": "实战", "name_en": "Live"}
        )[0]
