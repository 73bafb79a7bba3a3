"""Tasks that come with the project, each in a module with a function `make_problems`."""
