"""How nodes share a machine: its GPUs, what is kept in memory between them, how they are started.

Nothing here changes a result, so `opsft_flow.graph.code_hash` leaves it out: an edit is no reason to run anything again.
"""
