"""What a score store is made of: keys, the journal of scores, sealed tables of pictures, and the files of 0.1.0."""
