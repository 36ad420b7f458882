"""Evidence, served to whoever may see the obligation it belongs to."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import FileResponse, Http404, HttpRequest
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe

from haitang.obligations.models import Evidence


@require_safe
@login_required
def evidence(request: HttpRequest, pk: int) -> FileResponse:
    """One file. Pictures show in the page, everything else is downloaded; nothing in it runs."""
    found = get_object_or_404(Evidence.objects.visible_to(request.user), pk=pk)
    path = Path(settings.MEDIA_ROOT) / found.path
    if not path.is_file():
        raise Http404
    shown = found.is_image and found.content_type != "image/heic"
    answer = FileResponse(
        path.open("rb"), as_attachment=not shown, filename=found.name, content_type=found.content_type
    )
    answer["Content-Security-Policy"] = "sandbox; default-src 'none'"
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Cache-Control"] = "private, max-age=86400, immutable"
    return answer
