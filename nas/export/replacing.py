"""What an export may replace: an earlier one of the same architecture, all by itself and as it was written."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from nas.export.source import ExportError
from nas.runs.frames.exports import REPORT
from nas.runs.spec import SPEC_NAME, SpecError, read_spec
from search_spaces.architecture import Architecture
from search_spaces.files.digests import sha256_of
from search_spaces.files.strict_json import JsonError, read_json_object


def check_place(out: Path, architecture: Architecture, /, *, files: Collection[str] | None = None) -> None:
    """Check that an export may be written to a place: nothing stands there but an earlier export, all by itself.

    Args:
        out: The place.
        architecture: What is exported.
        files: Names in the new export, which exports that do not list their own files may have too; None = not known
            yet, and such exports pass.

    Raises:
        ExportError: Something else stands there, something else stands in the export, or a file of the export is not
            as it was written.
    """
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    try:
        report = read_json_object(out / REPORT)
        exported = read_spec(out / SPEC_NAME)[0]
    except (JsonError, SpecError, OSError):
        raise ExportError(
            f"{out} exists and is not an export of this architecture; give another --out, or remove it"
        ) from None
    if exported != architecture:
        free = out.with_name(f"{out.name}-{architecture.arch_id}")
        raise ExportError(
            f"{out} exists and is not an export of this architecture, {architecture.arch_id}, but of "
            f"{exported.arch_id}: an earlier result, where a run was extended since. To keep both, say "
            f"`--out {free}`; or remove the earlier one"
        )
    own = report.get("files", files)
    if "files" in report and not _is_listing(own):
        raise ExportError(
            f"`files` in {out / REPORT} must give each file of the export its digest, but it was edited or is damaged; "
            "give another --out, or remove the folder"
        )
    if own is not None and (foreign := sorted(files_in(out) - {*own, REPORT})):
        raise ExportError(
            f"{out} is an export, but {len(foreign)} of its files are not the export's own, such as {foreign[0]}; move "
            "them elsewhere, or give another --out"
        )
    if isinstance(own, Mapping) and (changed := _changed(out, own)):
        raise ExportError(
            f"{out} is an export, but {len(changed)} of its files changed since it was written, such as {changed[0]}; "
            "give another --out, or delete what may be replaced"
        )


def _is_listing(files: Any) -> bool:
    """Whether it is names with digests; version 0.1 wrote names alone."""
    texts = (*files, *files.values()) if isinstance(files, dict) else files
    return isinstance(files, (dict, list)) and all(isinstance(text, str) for text in texts)


def _changed(folder: Path, digests: Mapping[str, str]) -> list[str]:
    """Names of the files that are not what was written; those that are gone are none of them."""
    return [
        name
        for name in sorted(files_in(folder) & digests.keys())
        if not (folder / name).is_file() or sha256_of(folder / name) != digests[name]
    ]


def files_in(folder: Path, /) -> set[str]:
    """Names of all that lies in a folder and is no folder itself."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()}
