"""CLIP as a judge: its folder, its weights, what it reads of captions and pictures."""
