"""Digests of folders: by name and content of every file, in the order of paths, without holding all their names."""

from pathlib import Path

from search_spaces.files.digests import files_digest, folder_digest


def test_a_folder_is_the_files_in_it_in_the_order_of_their_paths(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    for name in ("a", "a.b/c", "a-b/d", "b/x/y", "B", "b/x.y", ".hidden/z", "b/.q"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name, encoding="utf-8")
    (folder / "linked_folder").symlink_to(folder / "b")
    (folder / "linked_file").symlink_to(folder / "a")
    (folder / "lost").symlink_to(folder / "nothing")
    files = [path for path in folder.rglob("*") if path.is_file()]
    before = folder_digest(folder)
    assert before == files_digest(files, folder=folder)
    (folder / "b" / "x" / "y").write_text("other", encoding="utf-8")
    assert folder_digest(folder) != before
