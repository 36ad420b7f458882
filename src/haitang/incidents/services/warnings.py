"""The warnings an incident answers: every published message of their chains."""

from __future__ import annotations

from django.db.models import Q

from haitang.alerting.models import Warning
from haitang.incidents.models import Incident


def published_for(incident: Incident) -> list[Warning]:
    """All published messages of the warnings an incident answers, oldest first. Two queries."""
    roots = list(incident.warnings.values_list("pk", flat=True))
    rows = Warning.objects.filter(Q(pk__in=roots) | Q(root__in=roots), published_at__isnull=False)
    return list(rows.defer("cap_xml").select_related("kind").order_by("published_at", "pk"))
