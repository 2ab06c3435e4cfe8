# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which handler serves a path: found by what the handlers declare (operations.py).

No patterns are searched: the first segment says which few templates there are, and names may hold slashes. The path of a
compare-and-patch is hot.
"""
from __future__ import annotations

from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple, Union

from ...ground.problem import Problem
from .operations import Operation, operations_of

Handler = Callable[..., Any]
Names = Dict[str, str]
Segment = Union[str, Tuple[str, bool]]
METHODS = ("GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS")  # in the order in which Allow has them


class Route(NamedTuple):
    operation: Operation
    handler: Handler


class Template:
    """A path with names. ``segments`` after the first one: a text, or (name, whether it may hold slashes)."""

    def __init__(self, segments: Tuple[Segment, ...], kind: Optional[str]) -> None:
        self.segments, self.kind = segments, kind
        self.routes: Dict[str, Route] = {}  # by method
        self.needs_token = False
        self.is_exact = all(isinstance(segment, str) for segment in segments)
        self._stretches = any(isinstance(segment, tuple) and segment[1] for segment in segments)

    def match(self, parts: Sequence[str]) -> Optional[Names]:
        """Return the names that a path, without its first segment, has where this has names; None for another path."""
        spare = len(parts) - len(self.segments)
        if spare < 0 or spare and not self._stretches:
            return None
        names, at = {"kind": self.kind} if self.kind is not None else {}, 0
        for segment in self.segments:
            if isinstance(segment, str):
                if parts[at] != segment:
                    return None
                at += 1
                continue
            name, stretches = segment
            end = at + 1 + (spare if stretches else 0)
            names[name] = parts[at] if end == at + 1 else "/".join(parts[at:end])
            at = end
        return names


class Found:
    """What serves one path."""

    def __init__(self, templates: Sequence[Tuple[Template, Names]]) -> None:
        self._templates = templates

    def route(self, method: str) -> Optional[Tuple[Route, Names]]:
        for template, names in self._templates:
            if method in template.routes:
                return template.routes[method], names
        return None

    def needs_token(self) -> bool:
        """Return whether the path does; one that there is not needs one, too."""
        return not self._templates or any(template.needs_token for template, _names in self._templates)

    def refused(self, request: Any) -> Problem:
        """Return why there is no route: 404 where there is no such path, 405 for another method."""
        if not self._templates:
            return Problem(404, "no_such_path", f"there is nothing at {request.path}; see /api/v3/openapi.json")
        allowed = [method for method in METHODS if self.route(method) is not None]
        return Problem(405, "method_not_allowed", f"{request.method} is not for {request.path}", allow=allowed)


class Routes:
    """All that resources declare, below /api/v3 or ``outside`` of it."""

    def __init__(self, resources: Iterable[object], outside: bool = False) -> None:
        self._by_first: Dict[str, List[Template]] = {}
        for resource in resources:
            for operation, method in operations_of(resource):
                if operation.outside == outside:
                    self._add(operation, getattr(resource, method))

    def _add(self, operation: Operation, handler: Handler) -> None:
        first, *others = operation.path.split("/")[1:]
        for kind in operation.kinds or (None,):
            segments = tuple(_segment(text, kind is not None and kind.slashes) for text in others)
            templates = self._by_first.setdefault(kind.name if kind is not None else first, [])
            template = next((it for it in templates if it.segments == segments), None)
            if template is None:
                template = Template(segments, kind.name if kind is not None else None)
                templates.append(template)
            template.needs_token = template.needs_token or operation.needs_token
            for method in (operation.method, *operation.also):
                template.routes[method] = Route(operation, handler)

    def served(self) -> List[Tuple[str, Operation, Optional[str]]]:
        """Return each method that is answered, with its operation, and the kind if that is for several."""
        templates = [template for templates in self._by_first.values() for template in templates]
        return [(method, route.operation, it.kind) for it in templates for method, route in it.routes.items()]

    def find(self, parts: Sequence[str]) -> Found:
        """Return what serves a path, given as its decoded segments. One without names stands alone, whatever its methods are."""
        found: List[Tuple[Template, Names]] = []
        rest = parts[1:]
        for template in self._by_first.get(parts[0] if parts else "", ()):
            names = template.match(rest)
            if names is not None:
                found.append((template, names))
        exact = [item for item in found if item[0].is_exact] if len(found) > 1 else []
        return Found(exact or found)


def _segment(text: str, slashes: bool) -> Segment:
    if not text.startswith("{"):
        return text
    name = text[1:-1]
    return (name[:-3], True) if name.endswith("...") else (name, slashes and name == "key")
