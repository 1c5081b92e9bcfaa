"""Time as data: clocks, estimators and interleaved rounds."""
