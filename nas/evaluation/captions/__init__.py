"""What UNets are told of captions: embedded once by whoever comes first, and read chunk by chunk."""
