"""What may be evaluated: a pipeline folder, an export, a run of a search, a directory of a training, a hub's model."""

from pathlib import Path
from typing import Final

from nas.pipelines.index import INDEX
from nas.pipelines.model_folder import ModelFolder
from nas.pipelines.source import find_model
from nas.runs.directory import is_run
from search_spaces.files.user_error import UserError

_TRAINED: Final = "pipeline"
_EXPORTED: Final = "export"


def find_subject(reference: str, /) -> ModelFolder:
    """The model that is meant; a run's is its export.

    Raises:
        UserError: There is none; the message says which command makes it.
    """
    path = Path(reference)
    if path.is_dir() and not (path / INDEX).is_file():
        if (path / _TRAINED / INDEX).is_file():
            return ModelFolder(path / _TRAINED, name=path.name)
        if is_run(path):
            if not (path / _EXPORTED / INDEX).is_file():
                raise UserError(
                    f"{path} is a run without an export; `nas export {path}` writes the model that it found"
                )
            return ModelFolder(path / _EXPORTED, name=path.name)
    return find_model(reference)


def named_apart(models: list[ModelFolder], /) -> list[str]:
    """A name for each model, such that no two are the same: its own, with the folder above where needed, or a number.

    Args:
        models: At least one.
    """
    names = [model.name for model in models]
    if len(set(names)) < len(names):
        names = [f"{model.path.parent.name}/{model.name}" for model in models]
    return [name if names.count(name) == 1 else f"{name} ({index + 1})" for index, name in enumerate(names)]
