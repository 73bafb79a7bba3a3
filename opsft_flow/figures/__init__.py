"""The three figures of a sweep, drawn from its two tables.

Each figure is a pure function from a table to a matplotlib figure; `save` writes it. Colour is the token budget or its
schedule, and the marker (or the dash pattern of a line) is the recipe; where there is one budget alone, colour is the recipe too. So a
point of the sweep looks the same everywhere. In the tables a share or an accuracy is a fraction; on the axes it is in percent.

The points table has one row per policy and benchmark; the base model's rows have recipe "base", iteration 0, and no
budget or seed. `budget` is that of the row's iteration; where it follows a schedule, `schedule` names it. The curves
table has one row per policy, benchmark and cut-off.
"""

from opsft_flow.figures.budget_curves import budget_curves
from opsft_flow.figures.iterations import over_iterations
from opsft_flow.figures.pareto import pareto
from opsft_flow.figures.save import save

__all__ = ["budget_curves", "over_iterations", "pareto", "save"]
