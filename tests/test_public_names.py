"""Each public name can be imported, is documented, and has types."""

import inspect
import re
from operator import attrgetter
from pathlib import Path

import nestlfp

API = (Path(__file__).parents[1] / "docs" / "api.md").read_text(encoding="utf-8")
LISTED = re.findall(r"^   nestlfp\.(\S+)", API, re.M)
SELF = {"self", "cls"}


def members(value):
    """Public names in a module, or those that a class of nestlfp defines or inherits."""
    if inspect.ismodule(value):
        own = [
            name
            for name, each in vars(value).items()
            if getattr(each, "__module__", None) == value.__name__
        ]
        return {name: getattr(value, name) for name in getattr(value, "__all__", own)}
    classes = value.__mro__ if inspect.isclass(value) else []
    return {
        name: each
        for one in reversed(classes)
        if one.__module__.startswith("nestlfp")
        for name, each in vars(one).items()
    }


def reached():
    """Functions, classes and modules by the names that lead to them."""
    found = {}
    waiting = [(name, attrgetter(name)(nestlfp)) for name in {*LISTED, *nestlfp.__all__}]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, property):
            value = value.fget
        if isinstance(value, classmethod | staticmethod):
            value = value.__func__
        known = any(value is each for each in found.values())
        if known or not (inspect.isroutine(value) or inspect.isclass(value) or members(value)):
            continue
        found[path] = value
        waiting += [
            (f"{path}.{name}", each)
            for name, each in members(value).items()
            if not name.startswith("_")
        ]
    return found


def test_public_names_are_documented_and_typed():
    found = reached()
    assert len(found) > 200
    assert [path for path, value in found.items() if not inspect.getdoc(value)] == []
    untyped = []
    for path, value in found.items():
        if inspect.isfunction(value):
            signature = inspect.signature(value)
            arguments = [each for each in signature.parameters.values() if each.name not in SELF]
            types = [signature.return_annotation, *(each.annotation for each in arguments)]
            untyped += [path] * (inspect.Signature.empty in types)
    assert untyped == []
