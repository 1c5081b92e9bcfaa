"""`nas distill` as a person sees it: its commands and their live bars."""
