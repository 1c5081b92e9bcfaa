"""Continuing a finished run with a larger budget or a tighter target, and refusing every other change of its config."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from nas.algorithms.problem import Problem
from nas.runs.changes import changed_contents, changed_keys, config_diff
from search_spaces.files.user_error import UserError

# A target in milliseconds may be given as a share, and the other way round.
TARGETS: Final = ("target_latency_ms", "target_ratio", "targets")


# Whose content a digest of a run is of.
_SETTING_OF: Final = {
    "model": "model",
    "clip": "clip.model",
    "score": "score.settings",
    "latency_table": "latency_table",
    "latency_source": "latency_source.settings",
    "validation": "validation.captions",
    "final_validation": "validation.captions",
    "held_out": "validation.held_out_captions",
    "training_pictures": "robust_training.pictures",
    "start": "search.start",
}


class ChangedConfigError(UserError):
    """A run was asked to continue with a config that does not extend its own."""


def check_extension(
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    /,
    *,
    extends: Mapping[str, str],
    problem_of: Callable[[Mapping[str, Any]], Problem[Any]],
) -> None:
    """Check that a changed config asks for more of the same search.

    Args:
        old: The run's config, plain values.
        new: The config that it is asked to continue with.
        extends: Settings of `search` that may change, and their direction, as the algorithm declares them.
        problem_of: The problem of a config that differs in what may change.

    Raises:
        ChangedConfigError: It asks for something else; the message shows every change.
    """
    allowed = {f"search.{name}": direction for name, direction in extends.items()}
    if TARGETS[0] in extends:
        allowed |= {f"search.{name}": extends[TARGETS[0]] for name in TARGETS}
    foreign = sorted(key for key in changed_keys(old, new) if key not in allowed)
    wrong = [f"`{key}` may not change" for key in foreign]
    if not foreign:
        wrong = _shrunk(problem_of(old), problem_of(new), extends)
    if wrong:
        directions = ", ".join(f"a {direction} {key}" for key, direction in allowed.items())
        raise ChangedConfigError(
            "the run has another config:\n"
            + config_diff(old, new)
            + "\n"
            + "; ".join(wrong)
            + f".\nA run can be continued with {directions or 'no change'}; for anything else give another --out"
        )


def check_contents(old: Mapping[str, str], new: Mapping[str, str], /) -> None:
    """Check that what a run was made of is what it would go on with, wherever that stands now.

    Args:
        old: Digests of what it was made of; those of which it says nothing are not compared.
        new: Digests of what stands there now.

    Raises:
        ChangedConfigError: Something else stands there; the message names all of it.
    """
    if wrong := changed_contents(old, new, setting_of=_SETTING_OF):
        raise ChangedConfigError(wrong)


def _shrunk(before: Problem[Any], after: Problem[Any], extends: Mapping[str, str]) -> list[str]:
    """What the second problem asks less of than the first one."""
    wrong = []
    if after.target_latency_ms > before.target_latency_ms:
        wrong.append(
            f"the target may become lower, not higher: {before.target_latency_ms:.3f} ms -> "
            f"{after.target_latency_ms:.3f} ms"
        )
    for name, direction in extends.items():
        if name not in TARGETS:
            old, new = getattr(before.settings, name), getattr(after.settings, name)
            if (new < old) if direction == "higher" else (new > old):
                other = "lower" if direction == "higher" else "higher"
                wrong.append(f"`search.{name}` may become {direction}, not {other}")
    return wrong
