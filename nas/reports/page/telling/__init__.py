"""What a run says to a reader, in sentences: the story, answers, and what to do next."""
