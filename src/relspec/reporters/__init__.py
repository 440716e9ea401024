"""How diagnostics look to a person or a program. A reporter only turns data into text."""
