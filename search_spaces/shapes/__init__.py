"""The bundled small text-to-image model: captioned pictures of shapes, a pipeline folder and an OpenCLIP folder.

`PIPELINE_DIR` is a standard `StableDiffusionPipeline` folder and `OPEN_CLIP_DIR` a standard OpenCLIP local folder;
they are loaded by the same code as any other checkpoint, and `nas` knows nothing of them but their name, `shapes`.
"""

from pathlib import Path

from search_spaces.shapes.scenes import Group, Scene, caption_of, is_held_out, sample_scene

PIPELINE_DIR = Path(__file__).parent / "pipeline"
OPEN_CLIP_DIR = Path(__file__).parent / "open_clip"
CAPTIONS_FILE = Path(__file__).parent / "validation_captions.txt"  # of scenes that no training picture shows

__all__ = [
    "CAPTIONS_FILE",
    "OPEN_CLIP_DIR",
    "PIPELINE_DIR",
    "Group",
    "Scene",
    "caption_of",
    "is_held_out",
    "sample_scene",
]
