"""What makes two configs the same search: neither where things stand, nor what changes no result."""
