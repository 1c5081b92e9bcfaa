"""A run as tidy pandas frames, one module per family; `nas.runs.run` is their front."""
