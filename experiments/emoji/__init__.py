"""Pictures that nobody here drew: the colour emoji of a font, with the names that Unicode gives them."""
