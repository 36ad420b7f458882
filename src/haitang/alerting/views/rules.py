"""The district's own rules for warnings: kinds, words, who issues, how silence is escalated. Words can be edited here."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from haitang.accounts.verbs import may
from haitang.alerting import rulebook, signing
from haitang.alerting.forms import TEXTS, TemplateForm
from haitang.alerting.models import ColourChoice, EventKind, Policy, WarningTemplate
from haitang.alerting.wording import FIELDS
from haitang.delivery.channel import channel_of
from haitang.obligations import ladder


@require_safe
@login_required
def index(request: HttpRequest) -> HttpResponse:
    """Kinds with their templates by colour, and the policy."""
    templates = {(row.kind_id, row.colour): row for row in WarningTemplate.objects.visible_to(request.user)}
    kinds = EventKind.objects.visible_to(request.user).filter(is_active=True).prefetch_related("departments")
    policy = Policy.objects.visible_to(request.user).first()
    return render(request, "alerting/rules.html", {
        "kinds": [(kind, [(colour, templates.get((kind.pk, colour.value))) for colour in ColourChoice]) for kind in kinds],
        "signing": signing.standing(), "policy": policy, "colours": ColourChoice,
        "minutes": [(colour, policy.answer_minutes.get(colour.value)) for colour in ColourChoice] if policy else [],
        "ladder": [(step, [channel_of(name).label for name in step.channels]) for step in ladder.parse(policy.ladder)] if policy else [],
    })  # fmt: skip


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def template(request: HttpRequest, pk: int) -> HttpResponse:
    """The words of one kind and colour."""
    found = get_object_or_404(WarningTemplate.objects.visible_to(request.user).select_related("kind"), pk=pk)
    may_edit = may(request.user, "alerting.set_template")
    form = TemplateForm(request.POST if request.method == "POST" else None, instance=found)
    if request.method == "POST" and form.is_valid():
        values = {name: form.cleaned_data[name] for name in (*TEXTS, "valid_hours", "source")}
        try:
            rulebook.set_template(found.kind, found.colour, by=request.user, **values)
        except rulebook.RuleError as error:
            form.add_error(error.field if error.field in form.fields else None, str(error))
        else:
            messages.success(request, _("Saved. New warnings use these words."))
            return redirect("alerting:rules")
    context = {"template": found, "form": form, "may_edit": may_edit, "fields": FIELDS}
    return render(request, "alerting/template.html", context)
