"""A kind of latency source: its settings, and what makes a source of them. Ours and plugins' alike."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, Generic, TypeAlias, TypeVar

from latency.documents.plain_values import strangers, validated
from latency.plugins import missing_members, named
from latency.pricing.source import LatencySource
from search_spaces.files.user_error import PluginError, UserError

S = TypeVar("S")


class SettingsError(UserError):
    """Settings of a source that break its laws; the message holds all that is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceReport:
    """Where a source that takes its time stands.

    Attributes:
        done: Architectures that have their price, of those asked for together.
        total: How many were asked for together.
        what: What is going to be done now.
        seconds_each: What an architecture takes, as far as it is known; None = not yet.
    """

    done: int
    total: int
    what: str
    seconds_each: float | None = None

    def __str__(self) -> str:
        """Such as "measuring whole UNet ab12 (3 of 18): about 12 s each, 3 min left"."""
        text = f"{self.what} ({self.done + 1} of {self.total})"
        if self.seconds_each is None:
            return text
        left = self.seconds_each * (self.total - self.done)
        return f"{text}: about {_duration(self.seconds_each)} each, {_duration(left)} left"


OnReport: TypeAlias = Callable[[SourceReport], None]


def silent(report: SourceReport, /) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceContext:
    """What a source may use besides its settings.

    Attributes:
        folder: Folder that relative paths of the settings start from.
        on_report: Told before anything that takes its time.
    """

    folder: Path
    on_report: OnReport = silent


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceKind(Generic[S]):
    """What stands behind a name of the door `latency.sources`.

    Attributes:
        about: What it is, in a line.
        settings: Frozen dataclass of its settings: plain values and tuples or dicts of them; `__post_init__` may raise
            a `ValueError` with all that is wrong.
        make: The source of checked settings; may raise a `ValueError`, such as for a file that is missing.
        paths: Names of the settings that are paths, or mappings whose keys are; in a config they are relative to its
            file.
    """

    about: str
    settings: type[S]
    make: Callable[[S, SourceContext], LatencySource]
    paths: tuple[str, ...] = ()

    def source(self, settings: Mapping[str, Any], /, *, name: str, context: SourceContext) -> LatencySource:
        """The source of settings as a config holds them.

        Raises:
            SettingsError: They break the laws of `settings`; the message holds all that is wrong.
            UserError: It cannot be made of them, by its own words.
            PluginError: Making it fails, or what was made is no latency source: a mistake in a plugin.
        """
        plain = {key: str(value) if isinstance(value, Path) else value for key, value in settings.items()}
        assert is_dataclass(self.settings), "checked where it entered"
        known = [field.name for field in fields(self.settings)]
        wrong = strangers(plain, known, place="")
        checked = validated(
            self.settings, {key: value for key, value in plain.items() if key in known}, place="", wrong=wrong
        )
        if wrong:
            raise SettingsError(f"settings of the latency source {name!r}: " + "; ".join(wrong))
        with named(f"latency source {name!r}"):
            source = self.make(checked, context)
        if missing := missing_members(source, LatencySource):
            raise PluginError(
                f"latency source {name!r} must make a `latency.LatencySource`, but the {type(source).__qualname__} "
                f"that it makes lacks {', '.join(missing)}"
            )
        return source


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
