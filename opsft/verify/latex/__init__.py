r"""What a final answer in LaTeX says, and whether two say the same.

Each step is a module, in this order; the later ones know nothing of what the earlier ones took off:

1. `spelling`: one way to write each sign; styles, dollars and sizes of brackets are taken off.
2. `numerals`: numbers as people write them (`1\,234`, `4.5e33`, `0.\overline{3}`, `2 1/2`), and the fast way to their value.
3. `units`: what follows a number and is not compared; percent signs; `million`.
4. `parser`: an expression as a tree. It evaluates nothing.
5. `reading`: the shape of an answer: lists, tuples, sets, intervals, relations, words.
6. `values`: whether two expressions are equal, exactly where they are rational.
7. `regions`: intervals, inequalities and unions as sets of real numbers.
8. `undone`: what an answer leaves to be computed.
9. `comparison`: whether the reading of an answer is that of the gold.

Nothing here runs text, and nothing that a text asks for is computed before its size is known.
"""
