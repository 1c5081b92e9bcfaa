"""Who computes: one worker in this process, or Ray actors; the same results either way."""
