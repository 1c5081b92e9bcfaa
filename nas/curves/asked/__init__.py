"""What is asked of an evaluation: settings from a file or a command line, the models, the captions."""
