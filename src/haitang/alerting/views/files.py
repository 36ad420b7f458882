"""Files that go with warnings: attached to a draft, taken away again, and fetched."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from haitang.accounts.verbs import Refused
from haitang.alerting import attachments, services
from haitang.alerting.forms import FileForm
from haitang.alerting.models import Warning, WarningResource
from haitang.alerting.views.common import mine


@require_POST
@login_required
def attach(request: HttpRequest, pk: int) -> HttpResponse:
    """Add a file to a draft."""
    found = get_object_or_404(mine(request), pk=pk)
    form = FileForm(request.POST, request.FILES)
    if not form.is_valid():
        messages.error(request, "; ".join(error for errors in form.errors.values() for error in errors))
        return redirect(found.get_absolute_url())
    file = form.cleaned_data["file"]
    if file.size > attachments.MOST_BYTES:
        messages.error(request, _("The file has more than 2 MB: make it smaller"))
        return redirect(found.get_absolute_url())
    try:
        services.attach(
            found, by=request.user, content=file.read(), description_zh=form.cleaned_data["description_zh"],
            description_en=form.cleaned_data["description_en"],
        )  # fmt: skip
    except Refused as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("Attached."))
    return redirect(found.get_absolute_url())


@require_POST
@login_required
def detach(request: HttpRequest, pk: int, number: int) -> HttpResponse:
    """Take a file away from a draft."""
    found = get_object_or_404(mine(request), pk=pk)
    try:
        services.detach(found, number, by=request.user)
    except Refused as error:
        messages.error(request, str(error))
    return redirect(found.get_absolute_url())


@require_safe
@login_required
def file(request: HttpRequest, pk: int, number: int) -> HttpResponse:
    """A file of a warning that the reader may see."""
    return _served(mine(request), pk, number)


@require_safe
def public_file(request: HttpRequest, pk: int, number: int) -> HttpResponse:
    """A file of a public warning."""
    return _served(Warning.objects.public(), pk, number)


def _served(warnings: QuerySet[Warning], pk: int, number: int) -> HttpResponse:
    row = get_object_or_404(WarningResource, warning__in=warnings.filter(pk=pk).order_by().values("pk"), number=number)
    headers = {
        # Its kind was read from its first bytes; the browser is not to guess another, nor to run anything in it.
        "X-Content-Type-Options": "nosniff", "Content-Disposition": f'inline; filename="{row.name}"',
        "Content-Security-Policy": "default-src 'none'; sandbox", "ETag": f'"{row.sha1}"',
    }  # fmt: skip
    return HttpResponse(bytes(row.content), content_type=row.mime_type, headers=headers)
