"""What a word means: a run, a spec, a folder, a hub name, a known name."""
