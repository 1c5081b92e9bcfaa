"""Export: a found or named architecture as something that loads, checked by reloading it in a clean process.

A folder is written beside its place and renamed only when the check has passed, so that there is never half an
export. Weights are exactly the supernet's of the blocks that were kept.
"""

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import save_file

from nas.export.card import model_card
from nas.export.form import ExportForm
from nas.export.forms import Written, write_form
from nas.export.replacing import check_place, files_in
from nas.export.report import ExportReport
from nas.export.source import ExportError, ExportSource, context_tokens_of
from nas.export.verify import PROBE, VerificationRequest
from nas.runs.frames.exports import REPORT
from nas.runs.spec import SPEC_NAME
from search_spaces.files.digests import sha256_of
from search_spaces.files.durable.places import settled, sweep_beside
from search_spaces.files.durable.writing import whole, write_text
from search_spaces.folders.weight_files import stored_dtype

CARD: Final = "README.md"
# Largest difference of outputs, which are of the size of 1. Other runtimes sum in another order.
TOLERANCES: Final = {ExportForm.ONNX: 1e-3, ExportForm.EXECUTORCH: 1e-3}
TOLERANCE: Final = 1e-5
HALF_TOLERANCE: Final = 5e-2  # of other runtimes in half precision; diffusers' forms are compared in float32


def export(
    source: ExportSource,
    /,
    *,
    out: Path,
    form: ExportForm = ExportForm.DIFFUSERS,
    dtype: str | None = None,
    batch: int = 1,
    measure: bool = True,
) -> ExportReport:
    """Export an architecture.

    Args:
        source: What to export.
        out: Folder to write; must not exist, or be an earlier export of the same architecture.
        form: In which form.
        dtype: Of the weights, such as "float16"; None = the narrowest that loses nothing, and float32 in other forms
            than diffusers' own.
        batch: Samples per forward pass, in forms whose shapes are fixed.
        measure: Whether to measure latencies here.

    Raises:
        ExportError: The place is taken, or the check failed; nothing was written.
        PlaceError: What stands there is nothing that could be replaced; nothing was written.
        StorageError: The disk refuses; what stood there before stands still.
        ArchitectureError: Neutral blocks were asked for and no stock config holds the architecture.
        MissingExtraError: The converter is not installed.
    """
    out = settled(out)
    sweep_beside(out)
    check_place(out, source.architecture)
    dtype = dtype or (exact_dtype(source) if form.is_folder_of_diffusers else "float32")
    files: list[str] = []
    with whole(out, check=lambda old: check_place(old, source.architecture, files=files)) as part:
        part.mkdir()
        written = write_form(part, source, form=form, dtype=getattr(torch, dtype), batch=batch)
        answer = _verified(part, source, written, form=form, dtype=dtype, measure=measure)
        report = _report(source, written, answer, form=form, dtype=dtype)
        write_text(part / SPEC_NAME, json.dumps(source.spec, indent=2) + "\n")
        write_text(part / CARD, model_card(report, source.spec))
        digests = {name: sha256_of(part / name) for name in sorted(files_in(part))}
        files += [*digests, REPORT]
        write_text(part / REPORT, json.dumps(report.to_dict() | {"files": digests}, indent=2) + "\n")
    return report


def exact_dtype(source: ExportSource, /) -> str:
    """The narrowest type that holds an architecture's weights: the base model's files', unless they were trained."""
    if source.config is not None:
        return "float32"
    return stored_dtype(source.model.part("unet"), variant=source.model.variant)


def _verified(
    part: Path, source: ExportSource, written: Written, *, form: ExportForm, dtype: str, measure: bool
) -> dict[str, Any]:
    """What a clean process says of a folder that was written.

    Raises:
        ExportError: It does not load, computes something else, or holds something else.
    """
    if written.probe is None or form is ExportForm.COREML:  # which runs on Apple's machines alone
        return {}
    save_file(dict(written.probe), part / PROBE)
    request = VerificationRequest(
        folder=str(part),
        form=form,
        base=str(source.model.path),
        variant=source.model.variant,
        measure=measure,
        inputs=[name for name in written.probe if name != "output"],
    )
    answer = run_verification(request)
    (part / PROBE).unlink()
    if not answer["max_difference"] <= (tolerance := tolerance_of(form, dtype)):
        raise ExportError(
            f"the reloaded UNet differs from the supernet by {answer['max_difference']:.2e}, more than "
            f"{tolerance:.0e}; nothing was written"
        )
    space = source.supernet.space
    macs = space.num_macs(written.built, context_tokens=context_tokens_of(source))
    own = {"num_params": space.num_params(written.built), "num_macs": macs}
    if wrong := [
        f"`{key}` {answer[key]:,} instead of {value:,}" for key, value in own.items() if answer.get(key, value) != value
    ]:
        raise ExportError(f"the reloaded UNet is another one: {', '.join(wrong)}; nothing was written")
    return answer


def tolerance_of(form: ExportForm, dtype: str, /) -> float:
    """Largest difference of outputs that passes."""
    if form.is_folder_of_diffusers:
        return TOLERANCE
    return TOLERANCES.get(form, TOLERANCE) if dtype == "float32" else HALF_TOLERANCE


def run_verification(request: VerificationRequest, /) -> dict[str, Any]:
    """Reload and measure in a process that knows nothing of this one.

    Raises:
        ExportError: The process failed; the message holds its last words.
    """
    # -P: modules of the working directory, which may be a stranger's, stay where they are.
    command = [sys.executable, "-P", "-m", "nas.export.verify", json.dumps(asdict(request))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ExportError(f"the exported folder does not load in a clean process:\n{done.stderr.strip()[-2000:]}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def _report(
    source: ExportSource, written: Written, answer: dict[str, Any], *, form: ExportForm, dtype: str
) -> ExportReport:
    space, spec, price_ms = source.supernet.space, source.spec, source.price_ms
    tokens = context_tokens_of(source)
    return ExportReport(
        name=spec["name"],
        form=form,
        loads_as=written.loads_as,
        dtype=dtype,
        neutral=written.neutral,
        tolerance=tolerance_of(form, dtype),
        max_difference=answer.get("max_difference"),
        num_params=space.num_params(written.built),
        num_macs=space.num_macs(written.built, context_tokens=tokens),
        base_num_params=space.num_params(space.base),
        base_num_macs=space.num_macs(space.base, context_tokens=tokens),
        context_tokens=tokens,
        predicted_ms=spec.get("predicted_latency_ms") if price_ms is None else price_ms(source.architecture),
        base_predicted_ms=spec.get("base_latency_ms") if price_ms is None else price_ms(space.base),
        built_predicted_ms=None if price_ms is None else price_ms(written.built),
        latency_ms=answer.get("latency_ms"),
        base_latency_ms=answer.get("base_latency_ms"),
        clip=spec.get("clip"),
        scored_by=spec.get("scored_by"),
        base_clip=None if "start" in spec else spec.get("base_clip"),  # then it is the start's
    )
