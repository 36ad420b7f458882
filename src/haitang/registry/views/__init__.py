"""The pages of every register."""

from haitang.registry.views.files import bring, export, report, run, template
from haitang.registry.views.lists import bulk, drop_view, index, listing, save_view
from haitang.registry.views.rows import archive, delete, detail, edit, new

__all__ = [
    "archive",
    "bring",
    "bulk",
    "delete",
    "detail",
    "drop_view",
    "edit",
    "export",
    "index",
    "listing",
    "new",
    "report",
    "run",
    "save_view",
    "template",
]
