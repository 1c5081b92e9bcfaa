"""Plugins: what other distributions put behind our doors, by entry point, so that nobody needs a fork.

A door is one group of entry points together with what stands behind it from us. A plugin is imported when it is asked
for by name, or when all are listed, and never otherwise. One that is broken is named with its distribution, and the
rest goes on. Pure Python; `nas` has doors of its own.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar

from search_spaces.files.user_error import PluginError, UserError

K = TypeVar("K")


class PluginWarning(UserWarning):
    """A plugin that is broken or may not have its name; everything else goes on without it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed(Generic[K]):
    """One thing behind a door.

    Attributes:
        name: What it is called in configs and on the command line.
        origin: Distribution and version that it comes from; "" = ours.
        value: The thing itself; None where it is broken.
        problem: What is wrong with it, with its entry point and distribution; "" = nothing.
    """

    name: str
    origin: str
    value: K | None
    problem: str = ""

    @property
    def about(self) -> str:
        """What it says of itself: its `about`, else the first line of its docstring."""
        text = getattr(self.value, "about", None) or getattr(self.value, "__doc__", None)
        return text.strip().partition("\n")[0] if isinstance(text, str) else ""


class Door(Generic[K]):
    """Ours and the plugins of one group, by name.

    Args:
        group: Group of entry points, such as "latency.sources".
        noun: What stands behind it, for messages: "latency source".
        option: Where its names are written, for messages: "`--backend`".
        ours: What needs no plugin; no plugin may take one of these names.
        check: What is wrong with a loaded object, given with its name: a sentence that begins with "must"; "" = it is
            a thing of this kind.
        besides: Names that mean something else there, such as "auto".
    """

    def __init__(
        self,
        group: str,
        /,
        *,
        noun: str,
        option: str,
        ours: Mapping[str, K],
        check: Callable[[object, str], str],
        besides: tuple[str, ...] = (),
    ) -> None:
        self.group, self.noun, self.ours = group, noun, ours
        self._option, self._check, self._besides = option, check, besides

    def find(self, name: str, /) -> K:
        """The thing of a name; of all plugins only its own is imported.

        Raises:
            PluginError: Nothing has this name, two plugins have it, or the plugin that has it is broken.
        """
        rivals = [point for point in self._points() if point.name == name]
        if name in self.ours:
            for point in rivals:
                _warn(self._taken(point))
            return self.ours[name]
        if not rivals:
            raise PluginError(self._unknown(name))
        listed = self._listed(rivals)
        for one in listed:
            if one.value is not None:
                return one.value
        raise PluginError("; ".join(dict.fromkeys(one.problem for one in listed)))

    def names(self) -> tuple[str, ...]:
        """Every name, ours first; nothing is imported."""
        return tuple(dict.fromkeys((*self.ours, *sorted(point.name for point in self._points()))))

    def working(self) -> dict[str, K]:
        """Everything by name, ours first; a warning names every broken plugin."""
        found: dict[str, K] = {}
        for one in self.listed():
            if one.value is None:
                _warn(one.problem)
            else:
                found[one.name] = one.value
        return found

    def listed(self) -> tuple[Listed[K], ...]:
        """Everything, ours first, then the plugins by name; what is broken says why."""
        ours = tuple(Listed(name=name, origin="", value=value) for name, value in self.ours.items())
        return (*ours, *self._listed(sorted(self._points(), key=lambda point: (point.name, _origin(point)))))

    def _points(self) -> list[EntryPoint]:
        return list(entry_points(group=self.group))

    def _listed(self, points: list[EntryPoint]) -> list[Listed[K]]:
        found: list[Listed[K]] = []
        for point in points:
            rivals = [other for other in points if other.name == point.name]
            if point.name in (*self.ours, *self._besides):
                found.append(Listed(name=point.name, origin=_origin(point), value=None, problem=self._taken(point)))
            elif len(rivals) > 1:
                problem = (
                    f"a name must stand for one {self.noun}, but {point.name!r} is one of each of "
                    f"{' and '.join(_origin(each) for each in rivals)}; uninstall all but one"
                )
                found.append(Listed(name=point.name, origin=_origin(point), value=None, problem=problem))
            else:
                found.append(self._loaded(point))
        return found

    def _loaded(self, point: EntryPoint) -> Listed[K]:
        value, problem = None, ""
        try:
            value = point.load()
        except (Exception, SystemExit) as error:  # whatever a stranger's module does when it is imported
            problem = f"must be importable, but it raises {type(error).__name__}: {error}"
        else:
            problem = self._checked(value, point.name)
        if problem:
            where = f"{self.noun} {point.name!r} (entry point {point.value} of {_origin(point)})"
            problem = f"{where} {problem}; ask its authors, or uninstall it"
        return Listed(name=point.name, origin=_origin(point), value=None if problem else value, problem=problem)

    def _checked(self, value: object, name: str) -> str:
        """What is wrong with a loaded object; a check that stumbles over it is something wrong too."""
        try:
            return self._check(value, name)
        except Exception as error:  # whatever a stranger's object does when it is looked at
            return f"must be a {self.noun}, but looking at it raises {type(error).__name__}: {error}"

    def _taken(self, point: EntryPoint) -> str:
        return (
            f"no plugin may take a name of ours, but {_origin(point)} has a {self.noun} {point.name!r} "
            f"(entry point {point.value}); ours is used"
        )

    def _unknown(self, name: str) -> str:
        plugins = sorted({point.name for point in self._points()} - {*self.ours, *self._besides})
        ours = ", ".join(self.ours)
        first = f"{' or '.join(self._besides)} or one of {ours}" if self._besides else f"one of {ours}"
        of_plugins = f", or of the plugins' {', '.join(plugins)}" if plugins else ""
        return (
            f"{self._option} must be {first}{of_plugins}, but got {name!r}; "
            f"a plugin must be installed beside us, with an entry point in the group `{self.group}`"
        )


def instance_of(kind: type, /, *, wanted: str) -> Callable[[object, str], str]:
    """A door's check: whether an object is an instance of a class or of a runtime-checkable Protocol.

    Args:
        kind: The class.
        wanted: How a plugin's author calls it: "a `latency.sources.SourceKind`".
    """

    def check(value: object, name: str, /) -> str:
        return "" if isinstance(value, kind) else f"must be {wanted}, but it is {_described(value)}"

    return check


def missing_members(value: object, protocol: type, /) -> tuple[str, ...]:
    """Public members of a Protocol that an object lacks, sorted; none of them is evaluated."""
    members = {name for kind in protocol.__mro__ for name in vars(kind) if not name.startswith("_")}
    annotated = {name for kind in protocol.__mro__ for name in vars(kind).get("__annotations__", {}) if name[0] != "_"}
    callable_itself = {"__call__"} if "__call__" in vars(protocol) else set()
    return tuple(sorted((members | annotated | callable_itself) - set(dir(value))))


@contextmanager
def named(what: str, /) -> Iterator[None]:
    """Name what stands behind a door in whatever it raises.

    A `ValueError` is its way of telling its user something, as the doors say; anything else but a full disk or a
    missing file is a fault of its own, whose traceback is kept.

    Args:
        what: Such as "latency source 'by-parameters'".

    Raises:
        UserError: It raised a `ValueError`; one that is a `UserError` already passes as it is.
        PluginError: It raised something else.
    """
    try:
        yield
    except (UserError, OSError):
        raise
    except ValueError as error:
        raise UserError(f"{what}: {error}") from error
    except Exception as error:
        raise PluginError(f"{what} fails, which is its own fault: {type(error).__name__}: {error}") from error


def _described(value: object) -> str:
    return f"the class {value.__qualname__}" if isinstance(value, type) else f"a {type(value).__qualname__}"


def _origin(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist is not None else "an unknown distribution"


def _warn(problem: str) -> None:
    warnings.warn(problem, PluginWarning, stacklevel=3)
