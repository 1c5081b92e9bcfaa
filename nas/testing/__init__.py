"""Law kits: pytest classes that the author of a plugin inherits, with one fixture; docs/plugins.md."""
