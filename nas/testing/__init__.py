"""Laws that every plugin keeps, as pytest classes that its author inherits with one fixture."""
