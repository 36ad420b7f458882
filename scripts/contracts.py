"""A contract for import-linter that it does not bring: slices meet at their services, not at their screens."""

from __future__ import annotations

from collections.abc import Iterator

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class SliceFaces(Contract):
    """No module of one slice imports a private room (views, forms, tables ...) of another.

    Options: `package`, the package whose children are the slices; `private`, the names of the private rooms; `shared`,
    modules or packages made to be used by others all the same; `wiring`, slices that may import anything (config).
    """

    package = fields.StringField()
    private = fields.ListField(subfield=fields.StringField())
    shared = fields.ListField(subfield=fields.StringField(), default=[])
    wiring = fields.ListField(subfield=fields.StringField(), default=[])

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Look at every direct import between two slices."""
        broken = sorted(self._broken(graph))
        return ContractCheck(kept=not broken, metadata={"broken": broken})

    def _broken(self, graph: ImportGraph) -> Iterator[tuple[str, str, int]]:
        wiring = {f"{self.package}.{name}" for name in self.wiring}  # type: ignore[attr-defined]
        for imported in graph.modules:
            place = imported.split(".")
            if place[0] != self.package or len(place) < 3 or place[2] not in self.private:  # type: ignore[operator]
                continue
            if any(imported == name or imported.startswith(f"{name}.") for name in self.shared):  # type: ignore[attr-defined]
                continue
            home = ".".join(place[:2])
            for importer in graph.find_modules_that_directly_import(imported):
                other = ".".join(importer.split(".")[:2])
                # A test may look at its neighbour's screens: it plays the user.
                if other == home or other in wiring or "tests" in importer.split("."):
                    continue
                details = graph.get_import_details(importer=importer, imported=imported)
                yield importer, imported, details[0]["line_number"] if details else 0

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Name each import and the remedy."""
        for importer, imported, line in check.metadata["broken"]:
            output.print_error(f"- {importer} (line {line}) imports {imported}: call its services.py instead")
