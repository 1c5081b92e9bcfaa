"""Files and what stands in them: whole or not at all, named by content, read strictly."""
