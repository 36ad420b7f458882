"""What is wrong with a request, in the standard's form: a status, a sentence, and the part that is wrong."""

from __future__ import annotations


class StaError(ValueError):
    """A request that cannot be served. `part` names the path segment, query option or property that is wrong."""

    def __init__(self, status: int, message: str, part: str = "") -> None:
        super().__init__(message)
        self.status, self.message, self.part = status, message, part

    def body(self) -> dict[str, object]:
        """The answer's JSON."""
        told: dict[str, object] = {"code": self.status, "type": "error", "message": self.message}
        if self.part:
            told["part"] = self.part
        return told


def bad(message: str, part: str = "") -> StaError:
    """400: the request itself is wrong."""
    return StaError(400, message, part)


def missing(message: str, part: str = "") -> StaError:
    """404: no such entity, or not in reach."""
    return StaError(404, message, part)
