"""The model card of a distilled pipeline, its `README.md`. Pure."""

from collections.abc import Mapping
from typing import Any

_CARD = """\
# {title}

{what}. Distilled by snapfusion-nas, after SnapFusion (NeurIPS 2023). It inherits the licence and the terms of use of
the model that it was made from.

```python
{imports}from diffusers import DiffusionPipeline

pipeline = DiffusionPipeline.from_pretrained("PATH/OF/THIS/FOLDER")
picture = pipeline("a prompt", num_inference_steps={num_steps}, guidance_scale={guidance_scale:g}).images[0]
```

{sampling}

| | |
|---|---|
| student | `{student}` |
| teacher | `{teacher}`, {teacher_steps} steps |
| training steps | {iterations:,} |
| loss of the first and of the last tenth of them | {first_loss:.5f}, {last_loss:.5f} |
| UNet | {num_params:,} parameters, {loads_as} |
"""


def card(report: Mapping[str, Any], /, *, guidance_scale: float) -> str:
    """The card, in Markdown.

    Args:
        report: What is said of the stage.
        guidance_scale: Of the sample pictures.
    """
    num_steps = report["num_steps"] or 25
    told = "The UNet is told its guidance, so that a step is one pass of it at any `guidance_scale`."
    guided = (
        "The scheduler is set: v-prediction, and steps spaced from the last timestep down (`trailing`). Steps are "
        "guided as before, two passes of the UNet each unless `guidance_scale` is 1."
    )
    what = f"A UNet for text to image that samples in {num_steps} steps"
    if not report["num_steps"]:
        what = "A UNet for text to image that predicts v"
    is_searched = report["loads_as"] == "SearchedUNet"
    return _CARD.format(
        **{
            **report,
            "title": report["stage"],
            "what": what,
            "imports": "import search_spaces.searched_unet  # makes the UNet's class known\n" if is_searched else "",
            "num_steps": num_steps,
            "guidance_scale": guidance_scale,
            "sampling": told if report["guidance"] else guided,
            "teacher_steps": report["teacher_steps"] or "in no",
        }
    )
