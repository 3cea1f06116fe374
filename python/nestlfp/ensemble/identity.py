"""What identifies a function: where it comes from, its text, and all that is bound to it.

Bound are the arguments of a `functools.partial`, the instance of a method, the attributes of an
object that is called, the variables of an enclosing function, and defaults. Global names that the
text uses are not looked at.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import inspect
import sys
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
import xarray as xr

# Which no bound name can be.
NAME = "the name"
TEXT = "the text"
_SIMPLE = (type(None), bool, int, float, complex, str, bytes)
_SHOWN = 60  # letters of a value that is kept as text


def identity(function: Any) -> dict[str, str]:
    """All that identifies a function, in words or digests: by `NAME`, `TEXT` and bound names."""
    return dict(_Identity().facts(function))


class _Identity:
    """Facts of callables, and digests of values, which may contain each other."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Any, str]] = {}  # with the value, so that its id stays its own
        self._open: set[int] = set()

    def facts(self, function: Any) -> Iterator[tuple[str, str]]:
        """Names and what they stand for."""
        if isinstance(function, functools.partial):
            yield from self.facts(function.func)
            for place, value in enumerate(function.args):
                yield f"argument {place}", self.shown(value)
            yield from self._named("{}", function.keywords)
        elif isinstance(function, MethodType):
            yield from self.facts(function.__func__)
            yield from self._instance(function.__self__)
        elif isinstance(function, FunctionType):
            yield NAME, _where(function)
            yield TEXT, _digest(_text_of_function(function))
            yield from self._of_function(function)
        elif isinstance(function, type):
            yield NAME, _where(function)
            yield TEXT, _digest(*_text_of_class(function))
        elif isinstance(function, BuiltinFunctionType):
            yield NAME, _where(function)
            yield "self", self.shown(function.__self__)
        else:
            yield NAME, _where(type(function))
            yield TEXT, _digest(*_text_of_class(type(function)))
            yield from self._instance(function)

    def _of_function(self, function: FunctionType) -> Iterator[tuple[str, str]]:
        given, code = function.__defaults__ or (), function.__code__
        last = code.co_varnames[: code.co_argcount][code.co_argcount - len(given) :]
        defaults = dict(zip(last, given, strict=True)) | (function.__kwdefaults__ or {})
        yield from self._named("{} by default", defaults)
        for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
            try:
                value = cell.cell_contents
            except ValueError:  # it has none yet
                continue
            yield f"{name} of the enclosing function", self.shown(value)
        yield from self._named("attribute {}", vars(function))

    def _instance(self, instance: Any) -> Iterator[tuple[str, str]]:
        if not isinstance(instance, type | ModuleType):
            yield "class", _digest(*_text_of_class(type(instance)))
        if type(instance).__reduce_ex__ is object.__reduce_ex__ and hasattr(instance, "__dict__"):
            yield from self._named("self.{}", vars(instance))
        yield "self", self.digest(instance)

    def _named(self, form: str, values: dict[str, Any]) -> Iterator[tuple[str, str]]:
        for name, value in values.items():
            yield form.format(name), self.shown(value)

    # ------------------------------------------------------------------ values
    def shown(self, value: Any) -> str:
        """The value where it is short, otherwise its type and digest."""
        value = value.item() if isinstance(value, np.generic) else value
        if isinstance(value, _SIMPLE) and len(repr(value)) <= _SHOWN:
            return repr(value)
        return f"{type(value).__name__} {self.digest(value)[:16]}"

    def digest(self, value: Any) -> str:
        """Equal for equal values, also of another process."""
        value = value.item() if isinstance(value, np.generic) else value
        if isinstance(value, _SIMPLE):
            return _digest(type(value).__name__, repr(value))
        key = id(value)
        if key in self._open:
            return "a value that contains itself"
        if key not in self._known:
            self._open.add(key)
            self._known[key] = value, _digest(type(value).__name__, *self._parts(value))
            self._open.discard(key)
        return self._known[key][1]

    def _parts(self, value: Any) -> Iterable[str | bytes]:
        if isinstance(value, np.ndarray) and value.dtype != object:
            return str(value.dtype), str(value.shape), value.tobytes()
        if isinstance(value, xr.Variable):
            return self._each((value.dims, value.values, dict(value.attrs)))
        if isinstance(value, xr.DataArray):
            return self._each((value.name, value.variable, dict(value.coords.variables)))
        if isinstance(value, xr.Dataset):
            return self._each((dict(value.variables), set(value.coords), dict(value.attrs)))
        if isinstance(value, list | tuple):
            return self._each(value)
        if isinstance(value, dict):
            return sorted("".join(self._each(pair)) for pair in value.items())
        if isinstance(value, set | frozenset):
            return sorted(self._each(value))
        if isinstance(value, ModuleType):
            return [value.__name__]
        callables = type, functools.partial, MethodType, FunctionType, BuiltinFunctionType
        if isinstance(value, callables):
            return self._each(self.facts(value))
        return self._reduced(value)

    def _reduced(self, value: Any) -> Iterable[str]:
        """An object as Python's pickle takes it apart; of one that it refuses, its type."""
        where = _where(type(value))
        try:
            reduced: Any = value.__reduce_ex__(4)
        except Exception:  # such as of a lock or a file: it is no parameter
            return [where]
        if isinstance(reduced, str):
            return [where, reduced]
        parts: list[Any] = [*reduced, None, None, None]
        maker, arguments, state, elements, entries = parts[:5]
        # A class that is made is named: texts of packages change with their versions.
        named = [_where(each) if isinstance(each, type) else each for each in arguments]
        text = _text_of_class(type(value)) if callable(value) else []
        contents = self._each([named, state, list(elements or ()), list(entries or ())])
        return [where, *text, _where(maker), *contents]

    def _each(self, values: Iterable[Any]) -> list[str]:
        return [self.digest(value) for value in values]


def _where(thing: Any) -> str:
    module = getattr(thing, "__module__", None) or type(thing).__module__
    if module == "__main__":  # which is another file in each script
        module = Path(getattr(sys.modules[module], "__file__", None) or module).stem
    return f"{module}.{getattr(thing, '__qualname__', type(thing).__qualname__)}"


def _text_of_class(kind: type) -> list[str]:
    """Of a class and those that it has methods from."""
    found = []
    for each in kind.__mro__:
        found.append(_where(each))
        try:
            found.append(_normal(inspect.getsource(each)))
        except (OSError, TypeError):  # of an interpreter, or of C
            methods = {n: f for n, f in vars(each).items() if isinstance(f, FunctionType)}
            found += [f"{name} {_instructions(f.__code__)}" for name, f in methods.items()]
    return found


def _text_of_function(function: FunctionType) -> str:
    code = function.__code__
    if code.co_name != "<lambda>":  # whose text is the whole of the lines that it is in
        try:
            return _normal(inspect.getsource(code))
        except OSError:
            pass
    return _instructions(code)


def _normal(source: str) -> str:
    """Without comments, and however it is indented."""
    try:
        return ast.unparse(ast.parse(textwrap.dedent(source)))
    except SyntaxError:
        return source


def _instructions(code: CodeType) -> str:
    constants = [_instructions(c) if isinstance(c, CodeType) else repr(c) for c in code.co_consts]
    return repr((code.co_code, code.co_names, code.co_varnames, code.co_freevars, constants))


def _digest(*parts: str | bytes) -> str:
    found = hashlib.sha256()
    for part in parts:
        content = part.encode(errors="surrogatepass") if isinstance(part, str) else part
        found.update(f"{len(content)} ".encode() + content)
    return found.hexdigest()
