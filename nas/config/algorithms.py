"""Names of search algorithms become algorithms here: ours, and those of plugins (entry points of `nas.algorithms`)."""

from collections.abc import Mapping
from typing import Any, Final

from latency.exporters.extras import MissingExtraError
from latency.plugins import Door, instance_of, missing_members
from nas.algorithms import evolving, reranking
from nas.algorithms.algorithm import Algorithm, AlgorithmKind, Declaration
from nas.algorithms.checking import AlgorithmError
from nas.algorithms.one_shot import knapsack, local_search, optuna_search, random_search, regularized_evolution
from nas.algorithms.one_shot.layouts import handpicked, uniform
from nas.algorithms.settings import EVOLVING
from nas.config.sections import SearchConfig
from nas.settings import read
from search_spaces.files.user_error import PluginError

GROUP: Final = "nas.algorithms"
OURS: Final[Mapping[str, AlgorithmKind[Any]]] = {
    kind.declaration.name: kind
    for kind in (
        evolving.KIND,
        knapsack.KIND,
        local_search.KIND,
        regularized_evolution.KIND,
        optuna_search.KIND,
        random_search.KIND,
        uniform.KIND,
        handpicked.KIND,
        reranking.KIND,
    )
}


def algorithm_door() -> Door[AlgorithmKind[Any]]:
    """Ours and the plugins' algorithms."""
    return Door(GROUP, noun="search algorithm", option="`search.algorithm`", ours=OURS, check=_flaw)


def make_algorithm(search: SearchConfig, /) -> Algorithm[Any]:
    """The algorithm that a config names, with its settings: those of Algorithm 1 are the section itself.

    Raises:
        PluginError: There is none of that name, or its plugin is broken.
        SettingsError: Settings that it cannot have; the message holds all that is wrong.
    """
    kind = algorithm_door().find(search.algorithm)
    is_ours = search.algorithm == EVOLVING
    settings = search if is_ours else read(kind.settings, search.settings, name="search.settings")
    try:
        algorithm = kind.make(settings)
    except MissingExtraError:
        raise
    except Exception as error:  # whatever a stranger's code raises
        raise AlgorithmError(
            f"the search algorithm {search.algorithm!r} cannot be made ({type(error).__name__}: {error}); this is its "
            "own fault, or that of `search.settings`"
        ) from error
    if missing := missing_members(algorithm, Algorithm):
        raise PluginError(
            f"search algorithm {search.algorithm!r} must make a `nas.algorithms.algorithm.Algorithm`, but the "
            f"{type(algorithm).__qualname__} that it makes lacks {', '.join(missing)}"
        )
    return algorithm


def _flaw(value: object, name: str) -> str:
    if flaw := instance_of(AlgorithmKind, wanted="a `nas.algorithms.algorithm.AlgorithmKind`")(value, name):
        return flaw
    assert isinstance(value, AlgorithmKind)
    declaration: object = value.declaration
    if not isinstance(declaration, Declaration):
        return f"must have a `nas.algorithms.algorithm.Declaration`, but has {declaration!r}"
    settings: object = value.settings
    if not isinstance(settings, type) or not hasattr(settings, "__pydantic_fields__"):
        return f"must have settings of a class made with `nas.settings.settings`, but has {value.settings!r}"
    if value.declaration.name != name:
        return f"must have the name of its entry point, but calls itself {value.declaration.name!r}"
    return ""
