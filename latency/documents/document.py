"""The JSON document of a latency table, schema version 1: plain dicts out of a `LatencyTable`, and back, strictly.

A row is flat: the fields of its signature beside its values. Reading collects every violation with its place, such as
`rows[3].median_ms`, before it gives up.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any, Final

from latency.documents.plain_values import strangers, validated
from latency.pricing.row import TableRow
from latency.pricing.scenario import Check, Device, EndToEnd, LatencyTableError, Protocol, Runtime, Workload
from latency.pricing.table import SCHEMA_VERSION, LatencyTable, duplicates
from search_spaces import BlockSignature

PARTS: Final[dict[str, type]] = {
    "device": Device,
    "runtime": Runtime,
    "workload": Workload,
    "protocol": Protocol,
    "end_to_end": EndToEnd,
    "check": Check,
}
OPTIONAL: Final = ("end_to_end", "check")  # null where nobody measured the whole model
KEY_FIELDS: Final = tuple(f.name for f in fields(BlockSignature))
VALUE_FIELDS: Final = tuple(f.name for f in fields(TableRow) if f.name != "signature")


def to_document(table: LatencyTable, /) -> dict[str, Any]:
    """Plain lists and dicts, ready for JSON."""
    document: dict[str, Any] = {"schema_version": SCHEMA_VERSION, **json.loads(json.dumps(asdict(table)))}
    document["runtime"]["options"] = dict(document["runtime"]["options"])
    document["rows"] = [row.pop("signature") | row for row in document["rows"]]
    return document


def from_document(document: Any, /) -> LatencyTable:
    """Read what `to_document` wrote.

    Raises:
        LatencyTableError: Not a table of schema version 1; the message names every violation and its place.
    """
    version = document.get("schema_version") if isinstance(document, dict) else type(document).__name__
    if version is True or version != SCHEMA_VERSION:
        raise LatencyTableError(f"a latency table must have `schema_version` {SCHEMA_VERSION}, but got {version!r}")
    wrong = strangers(document, ("schema_version", *PARTS, "rows"), place="")
    parts = {name: _part(document, name, wrong) for name in PARTS}
    rows: list[tuple[int, TableRow]] = []
    listed = document.get("rows")
    if isinstance(listed, list):
        for index, row in enumerate(listed):
            if (read := _row(row, f"rows[{index}]", wrong)) is not None:
                rows.append((index, read))
    else:
        wrong.append(f"rows: must be a list of rows, but got {type(listed).__name__}")
    if wrong:
        raise LatencyTableError("\n".join([*wrong, *duplicates(rows)]))
    return LatencyTable(**parts, rows=tuple(row for _, row in rows))


def _part(document: Mapping[str, Any], name: str, wrong: list[str]) -> Any:
    if name not in document:
        wrong.append(f"{name}: must be there, but it is missing")
        return None
    part = document[name]
    if part is None and name in OPTIONAL:
        return None
    if isinstance(part, dict):
        known = [f.name for f in fields(PARTS[name])]
        wrong += strangers(part, known, place=name)
        part = {key: part[key] for key in known if key in part}
        if name == "runtime" and isinstance(options := part.get("options"), dict):
            wrong += [
                f"runtime.options.{key}: must be a string, but got {value!r}"
                for key, value in options.items()
                if not isinstance(value, str)
            ]
            part["options"] = sorted((key, str(value)) for key, value in options.items())
    return validated(PARTS[name], part, place=name, wrong=wrong)


def _row(row: Any, place: str, wrong: list[str]) -> TableRow | None:
    if not isinstance(row, dict):
        wrong.append(f"{place}: must be an object, but got {type(row).__name__}")
        return None
    wrong += strangers(row, (*KEY_FIELDS, *VALUE_FIELDS), place=place)
    nested = {name: row[name] for name in VALUE_FIELDS if name in row}
    nested["signature"] = {name: row[name] for name in KEY_FIELDS if name in row}
    return validated(TableRow, nested, place=place, wrong=wrong)  # type: ignore[no-any-return]
