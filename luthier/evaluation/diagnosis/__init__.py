"""What is wrong with a model and its data, with the evidence and a remedy: one file for each kind of evidence."""
