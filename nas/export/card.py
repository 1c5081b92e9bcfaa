"""The model card of an export, its `README.md`: what it is, how to load it, what it costs and scores, and its origin.

Pure: text from the export's report and spec.
"""

from collections.abc import Mapping
from typing import Any

from nas.export.form import ExportForm
from nas.export.report import ExportReport

_DIFFUSERS = """\
```python
{imports}from diffusers import DiffusionPipeline

pipeline = DiffusionPipeline.from_pretrained("PATH/OF/THIS/FOLDER")
picture = pipeline("a prompt").images[0]
```
"""
_SEARCHED = """\
The UNet has blocks removed or copied in ways that no stock config of diffusers states, so `unet/config.json` names the
class `SearchedUNet`, which the import makes known: `pip install snapfusion-nas`. Without the import diffusers says that
`search_spaces.searched_unet` is none of its libraries; `trust_remote_code` does not help, since no code lies here.
`nas export ... --form diffusers-neutral` writes one that plain diffusers loads; it computes the same and saves nothing.
"""
_FILE = """\
`unet{suffix}` is the UNet alone; its inputs and the output have fixed shapes and the names that diffusers gives them
(`sample`, `timestep`, `encoder_hidden_states`). Everything else of the pipeline is the base model's.
"""
_SUFFIXES = {ExportForm.ONNX: ".onnx", ExportForm.EXECUTORCH: ".pte", ExportForm.COREML: ".mlpackage"}


def model_card(report: ExportReport, spec: Mapping[str, Any], /) -> str:
    """The card, in Markdown.

    Args:
        report: What the export found out about itself.
        spec: Its `architecture.json`.
    """
    base = spec["base"]["model"]
    lines = "\n".join(f"| {what} | {of_base} | {found} |" for what, of_base, found in report.rows())
    return f"""\
# {report.name}

A diffusion UNet for text to image that was cut out of `{base}`: {_blocks(spec)}. Found and written by snapfusion-nas,
an architecture search after SnapFusion (NeurIPS 2023). It inherits the licence and the terms of use of `{base}`.

## How to load it

{_loading(report)}
## What it costs and scores

| | {base} | this |
|---|---:|---:|
{lines}

{_target(spec, report)}{_scores(spec)}Predicted milliseconds are of one UNet pass, by the latency table of the
device that it was made for; those measured are of the machine that wrote this folder, and say nothing of others.

## Where it comes from

`architecture.json` holds the architecture, the actions that led to it and digests of all that it was found by;
`export.json` how it was checked. Actions: {_actions(spec)}.
"""


def _blocks(spec: Mapping[str, Any]) -> str:
    """Blocks of it and of its base."""
    parts = []
    for key, name in (("num_cross_attentions", "cross-attentions"), ("num_resnets", "ResNets")):
        base, own = (sum(row[key] for row in counts) for counts in (spec["base"]["counts"], spec["counts"]))
        parts.append(f"{own} of {base} {name}" if own <= base else f"{own} {name} instead of {base}")
    return " and ".join(parts)


def _loading(report: ExportReport) -> str:
    form = ExportForm(report.form)
    if form is ExportForm.SPEC:
        return "`architecture.json` is no model yet: `nas export architecture.json --model BASE` cuts it out.\n"
    if not form.is_folder_of_diffusers:
        return _FILE.format(suffix=_SUFFIXES[form])
    if report.needs_import:
        return (
            _DIFFUSERS.format(imports="import search_spaces.searched_unet  # makes the UNet's class known\n")
            + _SEARCHED
        )
    return _DIFFUSERS.format(imports="")


def _target(spec: Mapping[str, Any], report: ExportReport) -> str:
    if "target_met" not in spec:
        return "No search found it: it was cut out as it stands, without training.\n\n"
    target_ms, found_ms = spec["target_latency_ms"], spec["predicted_latency_ms"]
    verdict = "meets" if spec["target_met"] else "DOES NOT MEET"
    found = f"It {verdict} the search's target of {target_ms:.3f} ms: {found_ms:.3f} ms are predicted.\n\n"
    if not report.neutral:
        return found
    written = "of unknown latency"
    if report.built_predicted_ms is not None:
        more = "no more" if report.built_predicted_ms <= target_ms else "MORE"
        written = f"predicted at {report.built_predicted_ms:.3f} ms, {more} than the target of {target_ms:.3f} ms"
    return (
        f"What lies here is {written}: {len(report.neutral)} blocks that add nothing stand in it, so that plain "
        f"diffusers loads it. What the search found, {found_ms:.3f} ms without them, is "
        f"{'within' if spec['target_met'] else 'NOT within'} it.\n\n"
    )


def _scores(spec: Mapping[str, Any]) -> str:
    if "clip_interval" not in spec:
        return ""
    low, high = spec["clip_interval"]
    num = (spec.get("score") or {}).get("found", {}).get("num_prompts")
    prompts = "the search's own prompts" if num is None else f"{num} prompts, the search's own"
    chosen = f"The score is the mean over {prompts} [{low:.4f}, {high:.4f}], by which it was chosen: "
    if not (truth := spec.get("held_out")):
        return chosen + "on others it may be worse.\n\n"
    found, base, loss = truth["found"], truth["base"], truth["loss"]
    text = f"a selection score. On {found['num_prompts']} captions that no decision saw it is {_interval(found)}"
    if base is not None and loss is not None:
        text += f", and {_interval(base)} for where its search started: {_interval(loss)} lost per prompt, paired"
    return f"{chosen}{text}.\n\n"


def _interval(values: Mapping[str, Any]) -> str:
    return f"{values['mean']:.4f} [{values['low']:.4f}, {values['high']:.4f}]"


def _actions(spec: Mapping[str, Any]) -> str:
    return ", ".join(f"`{action}`" for action in spec["actions"]) or "none"
