"""What a data pack says about responses: by when reports go up, to whom, by which rule.

`incidents.toml` may be left out: then the rules that come with the platform hold (`incidents/rules.toml`, in the same form).

    [[report]]
    code = "grave-first"                # unique; a rule of the same code replaces the platform's
    stage = "first"                     # first (初报), follow (续报) or final (终报)
    category = "natural"                # natural accident health social; left out: every kind of event
    hazard = "typhoon"                  # left out: every hazard; the most particular rule that fits counts
    level = "II"                        # the mildest level it is for: II means II and I
    written_minutes = 60                # from the start (first), the report before (follow), the end (final)
    phone_minutes = 30                  # by telephone before that; left out: not asked for
    addressee_zh = "市人民政府总值班室"
    addressee_en = "Municipal government duty office"
    law = "..."                         # the rule's name
    clause = "..."
    since = 2024-11-01                  # in force since; a TOML date, may be left out
"""

from __future__ import annotations

from haitang.accounts.actors import Actor
from haitang.incidents.services import rules
from haitang.packs import Pack, PackError, section

FILE = "incidents.toml"


@section("incidents.reports", after=("accounts.organisations",))
def reports(pack: Pack, by: Actor) -> int:
    """The rules for reports: the platform's own, and over them the pack's."""
    told = pack.toml(FILE)
    for name in told:
        if name != "report":
            raise PackError(FILE, "is not known here", "Known is [[report]]", field=name)
    try:
        given = rules.read(told.get("report", ()))
    except ValueError as error:
        raise PackError(FILE, str(error), "See the docstring of haitang/incidents/pack.py") from error
    kept = {rule.code: rule for rule in rules.own()} | {rule.code: rule for rule in given}
    return rules.keep(kept.values(), by=by)
