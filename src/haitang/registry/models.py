"""What the kit itself keeps: saved views of lists, and files on their way in."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from haitang.accounts.scope import Scope, ScopedManager


class SavedView(models.Model):
    """Filters and order of a list that a person wants back: the query string of its address, under a name."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="register_views")
    register = models.CharField(max_length=40)
    name = models.CharField(_("name"), max_length=40)
    query = models.CharField(max_length=1000, blank=True)

    scope = Scope(person="user")
    objects = ScopedManager()

    class Meta:
        verbose_name = _("saved view")
        verbose_name_plural = _("saved views")
        ordering = ("name",)
        constraints = (models.UniqueConstraint(fields=("user", "register", "name"), name="registry_view_once"),)

    def __str__(self) -> str:
        return self.name


class RunState(models.TextChoices):
    """How far a file has come."""

    CHECKED = "checked", pgettext_lazy("import", "Checked")
    DONE = "done", pgettext_lazy("import", "Taken in")


class ImportRun(models.Model):
    """A file that somebody brought: its rows as they stood in it, what the check said, what became of them."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="imports", verbose_name=_("by"))
    register = models.CharField(max_length=40)
    file_name = models.CharField(_("file"), max_length=120)
    state = models.CharField(_("state"), max_length=8, choices=RunState, default=RunState.CHECKED)
    created_at = models.DateTimeField(_("brought at"))
    done_at = models.DateTimeField(_("taken in at"), null=True, blank=True)
    # The file's columns in its own words, and which field each of them fills ("" for none).
    heads = models.JSONField(default=list)
    mapping = models.JSONField(default=dict)
    # [[line in the file, {head: cell}], ...]
    rows = models.JSONField(default=list)
    # What is wrong: [{row, column, value, rule, remedy}, ...]
    problems = models.JSONField(default=list)
    counts = models.JSONField(default=dict)

    scope = Scope(person="user")
    objects = ScopedManager()

    class Meta:
        verbose_name = pgettext_lazy("registry", "import")
        verbose_name_plural = pgettext_lazy("registry", "imports")
        ordering = ("-id",)

    def __str__(self) -> str:
        return self.file_name
