"""Files and folders that stand whole or not at all: writing, parts, locks, and what a disk refuses."""
