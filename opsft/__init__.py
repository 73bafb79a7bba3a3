"""On-policy supervised fine-tuning (arXiv 2602.13407): the science, free of any workflow.

Importing this package costs no torch; the modules that need it import it themselves.
"""

__version__ = "0.1.0"
