"""Group robots and webhooks of organisations: where they are, and who sets them."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from haitang.accounts.verbs import require
from haitang.delivery import services
from haitang.delivery.channel import CHANNELS
from haitang.delivery.forms import HookForm
from haitang.delivery.masks import masked
from haitang.delivery.models import Hook, Tally


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def hooks(request: HttpRequest) -> HttpResponse:
    """The list, and a form to set one."""
    require("delivery.set_hook", request.user)
    form = HookForm(request.POST or None, user=request.user)
    if request.method == "POST" and form.is_valid():
        services.set_hook(by=request.user, **form.cleaned_data)
        messages.success(request, _("Saved."))
        return redirect("delivery:hooks")
    rows = [
        (hook, CHANNELS.get(hook.channel), masked(hook.url))
        for hook in Hook.objects.visible_to(request.user).select_related("organisation")
    ]
    tallies = [(row, CHANNELS.get(row.channel)) for row in Tally.objects.visible_to(request.user)]
    return render(request, "delivery/hooks.html", {"rows": rows, "form": form, "tallies": tallies})


@require_POST
@login_required
def remove(request: HttpRequest, pk: int) -> HttpResponse:
    """Take one away."""
    require("delivery.remove_hook", request.user)
    services.remove_hook(get_object_or_404(Hook.objects.visible_to(request.user), pk=pk), by=request.user)
    return redirect("delivery:hooks")
