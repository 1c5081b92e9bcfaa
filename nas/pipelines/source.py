"""Where models come from: a local folder, or a repository of the Hugging Face hub, by one door.

Of a repository only configs, tokenizer files and the safetensors of the chosen variant are fetched: no pickles, no
Python, no safety checker. Importing this module imports no framework.
"""

import re
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import Final

from nas.pipelines.model_folder import ModelFolder
from search_spaces.folders.weight_files import STEMS, ModelFolderError, weight_files
from search_spaces.known.bundled import BUNDLED_MODELS, folder_name, named_folder

HUB: Final = "hub:"
_REFERENCE: Final = re.compile(r"hub:(?P<name>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+))?")
_MODELS: Final = ("unet", "vae", "text_encoder", "text_encoder_2")
_OTHERS: Final = ("scheduler", "tokenizer", "tokenizer_2")


def is_hub_reference(reference: str | PathLike[str], /) -> bool:
    """Whether a reference names a repository rather than a local folder."""
    return str(reference).startswith(HUB)


def model_name(reference: str | PathLike[str], /) -> str:
    """What a model is called: the repository's or the folder's name."""
    if is_hub_reference(reference):
        return str(reference).removeprefix(HUB).partition("@")[0].rpartition("/")[2]
    return folder_name(named_folder(reference))


def find_model(reference: str | PathLike[str], /, *, variant: str | None = None) -> ModelFolder:
    """The model that a reference means, fetched if need be, and checked.

    Args:
        reference: A pipeline folder, or "hub:ORG/NAME" as in `local_folder`.
        variant: Of the weights' files, such as "fp16"; None = the files without one.

    Raises:
        ModelFolderError: As `local_folder`, or no complete pipeline folder.
    """
    return ModelFolder(local_folder(reference, variant=variant), variant=variant, name=model_name(reference))


def local_folder(reference: str | PathLike[str], /, *, variant: str | None = None, weights: bool = True) -> Path:
    """The folder of a model on this machine, whatever it holds.

    Args:
        reference: An existing folder, the name of the bundled model, or "hub:ORG/NAME" with "@REVISION" where another
            than the newest is meant; what was fetched before is not fetched again.
        variant: Of the weights' files to fetch, such as "fp16"; None = the files without one.
        weights: Fetch weights; False = configs and tokenizers only.

    Raises:
        ModelFolderError: Neither a folder nor such a reference; a repository that cannot be reached and is not in the
            cache; or one without such weights.
    """
    if is_hub_reference(reference):
        return _snapshot(str(reference), variant=variant, weights=weights)
    path = named_folder(reference)
    if path.is_file():
        raise ModelFolderError(
            f"a model must be a folder, but {path} is a file; make a folder of a single-file checkpoint with "
            f"`nas convert {path} FOLDER --config CONFIG`"
        )
    if not path.is_dir():
        raise ModelFolderError(
            f"there is no model folder {path}; give a diffusers pipeline folder, {HUB}ORG/NAME for one of the hub, or "
            f"{' or '.join(BUNDLED_MODELS)}, which is bundled"
        )
    return path


def pinned_reference(reference: str, /, *, variant: str | None = None, weights: bool = True) -> str:
    """A reference to a repository with the commit that it means now: "hub:ORG/NAME@COMMIT".

    Args:
        reference: "hub:ORG/NAME", with "@REVISION" where another than the newest is meant.
        variant: As in `local_folder`.
        weights: As in `local_folder`.

    Raises:
        ModelFolderError: As `local_folder`.
    """
    commit = local_folder(reference, variant=variant, weights=weights).name  # as the hub's cache names snapshots
    return f"{reference.partition('@')[0]}@{commit}"


def file_patterns(*, variant: str | None, weights: bool) -> list[str]:
    """The files of a repository that are fetched, as patterns."""
    patterns = ["model_index.json", *(f"{part}/*.json" for part in (*_MODELS, *_OTHERS))]
    patterns += [f"{part}/*.txt" for part in _OTHERS if part.startswith("tokenizer")]
    if weights:
        tag = f".{variant}" if variant else ""
        for part in _MODELS:
            for stem in STEMS:
                patterns += [f"{part}/{stem}{tag}.safetensors", f"{part}/{stem}{tag}-?????-of-?????.safetensors"]
    return patterns


def check_reference(reference: str, /) -> re.Match[str]:
    """Check how a reference to a repository is spelled; name and revision of the match are its parts.

    Raises:
        ModelFolderError: It is spelled in another way.
    """
    found = _REFERENCE.fullmatch(reference)
    if found is None:
        raise ModelFolderError(
            f"a model of the hub is named {HUB}ORG/NAME or {HUB}ORG/NAME@REVISION, got {reference!r}"
        )
    return found


def _snapshot(reference: str, *, variant: str | None, weights: bool) -> Path:
    found = check_reference(reference)
    from huggingface_hub import snapshot_download

    try:
        folder = Path(
            snapshot_download(
                found["name"],
                revision=found["revision"],
                allow_patterns=file_patterns(variant=variant, weights=weights),
            )
        )
    except (OSError, ValueError) as error:  # the hub's own errors are of these kinds
        raise ModelFolderError(_unreachable(reference, error)) from error
    if weights and (lacking := list(_lacking(folder, variant))):
        raise ModelFolderError(
            f"{reference} must hold weights for all its parts; the names of its files show their variants: "
            + "; ".join(lacking)
        )
    return folder


def _lacking(folder: Path, variant: str | None) -> Iterator[str]:
    """What is wrong with the weights that were fetched."""
    for part in _MODELS:
        if (folder / part / "config.json").is_file():
            try:
                weight_files(folder / part, variant=variant)
            except ModelFolderError as error:
                yield str(error)


def _unreachable(reference: str, error: Exception) -> str:
    """What keeps a repository from being fetched, and what helps."""
    from huggingface_hub import errors

    first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    if isinstance(error, errors.GatedRepoError):
        return f"{reference} is for those who accepted its terms; accept them on its page and log in (`hf auth login`)"
    if isinstance(error, (errors.RepositoryNotFoundError, errors.RevisionNotFoundError)):
        return f"there is no {reference} that you may read; check its name and revision, or log in (`hf auth login`)"
    return (
        f"{reference} is not in the local cache and cannot be fetched ({first}); connect to the network, or copy its "
        "folder here and give the folder"
    )
