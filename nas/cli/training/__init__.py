"""`nas train` as a person sees it: the command and its live bar."""
