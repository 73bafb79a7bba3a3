"""How a node samples from its engine: all that decides which engine answers which request, and with which limits. It counts in the code of `generate`."""
