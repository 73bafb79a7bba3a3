"""The workflow's own Python: configuration, points, settings, the results tree, and the frame of a node.

It knows where results live and nothing of torch; the science is in `opsft`. Rules and scripts use it, it uses neither.
"""
