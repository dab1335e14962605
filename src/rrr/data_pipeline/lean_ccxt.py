"""Of the exchanges that ccxt knows, the one that is asked for is imported, and no other.

`import ccxt` runs the modules of all exchanges, twice. Bare packages in their place let one module
be imported by itself; they stay, because ccxt imports some parts late. The class that also speaks
by socket stands on the one that does not. It leans on the insides of ccxt: the version is pinned,
tests ask for it, and where it fails the plain import is used.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

_ASYNC = "ccxt.async_support"
_PRO = "ccxt.pro"
_INSIDES_CHANGED = (ImportError, AttributeError, TypeError)


def names() -> list[str]:
    """The ids of all exchanges, by the names of their files: nothing is imported."""
    files = (_root() / "async_support").glob("[a-z]*.py")
    return sorted(file.stem for file in files)


def load(name: str) -> tuple[Any, str]:
    """The asynchronous class of one exchange; and why the lean way failed, if it did."""
    return _loaded(_ASYNC, name, None if "ccxt" in sys.modules else _bare_packages)


def has_pro(name: str) -> bool:
    """Whether ccxt speaks with it by socket: nothing is imported."""
    return (_root() / "pro" / f"{name}.py").is_file()


def load_pro(name: str) -> tuple[Any, str]:
    """As `load`, the class of one exchange that also speaks by socket."""
    _, why = load(name)
    is_lean = "__file__" not in vars(sys.modules["ccxt"])
    kind, otherwise = _loaded(_PRO, name, _bare_pro if is_lean else None)
    return kind, otherwise or why


def _loaded(package: str, name: str, prepare: Callable[[], None] | None) -> tuple[Any, str]:
    """One class of this package, which is prepared first; where that fails, of the whole one."""
    why = ""
    try:
        if prepare is not None:
            with _undone_on_failure():
                prepare()
                return getattr(import_module(f"{package}.{name}"), name), why
    except _INSIDES_CHANGED as error:
        why = f"{type(error).__name__}: {error}"
    return getattr(import_module(f"{package}.{name}"), name), why


def _bare_packages() -> None:
    whole, asynchronous = ModuleType("ccxt"), ModuleType(_ASYNC)
    whole.__path__, asynchronous.__path__ = [str(_root())], [str(_root() / "async_support")]
    sys.modules |= {"ccxt": whole, _ASYNC: asynchronous}

    errors, base = import_module("ccxt.base.errors"), import_module("ccxt.base.exchange")
    kinds = {name: kind for name, kind in vars(errors).items() if isinstance(kind, type)}
    vars(whole).update(kinds, Exchange=base.Exchange, __version__=base.__version__)


def _bare_pro() -> None:
    whole, asynchronous = sys.modules["ccxt"], sys.modules[_ASYNC]
    if _PRO not in sys.modules:
        pro = ModuleType(_PRO)
        pro.__path__ = [str(_root() / "pro")]
        sys.modules[_PRO] = pro
        vars(whole).update(async_support=asynchronous, pro=pro)
    # In the whole package the name of an exchange is its class, not its module.
    for name, found in list(vars(asynchronous).items()):
        if isinstance(found, ModuleType) and hasattr(found, name):
            setattr(asynchronous, name, getattr(found, name))


@contextmanager
def _undone_on_failure() -> Iterator[None]:
    try:
        yield
    except _INSIDES_CHANGED:
        for name in [name for name in sys.modules if name.partition(".")[0] == "ccxt"]:
            del sys.modules[name]
        raise


def _root() -> Path:
    found = find_spec("ccxt") if "ccxt" not in sys.modules else None
    places = found.submodule_search_locations if found else sys.modules["ccxt"].__path__
    assert places, "A dependency of ours is a package."
    return Path(next(iter(places)))
