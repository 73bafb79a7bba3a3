// The tables that compare: each recipe over its seeds, and each two points, on the chosen model and benchmark.

// Not shown: the choice and the caption say them for all rows.
const SAID = /^(model|benchmark)$|(^|_)iteration$/;

function drawComparisons() {
  drawCompared("recipes", inChoice(rowsOf(PAGE.comparisons.recipes.rows)));
  drawEachTwo();
}

// Drawn only where it is open: its rows are many.
function drawEachTwo() {
  if (!find("#each-two").open) return;
  const { rows, counts } = PAGE.comparisons.pairs;
  const [shown, counted] = [rows, counts].map((table) => inChoice(rowsOf(table)));
  const all = counted[0]?.pairs ?? 0;
  const cut = `The first ${fixed(shown.length, 0)} of ${fixed(all, 0)}; all are in pairs.csv.`;
  fill("#each-two-count", shown.length < all ? cut : null);
  drawCompared("pairs", shown);
}

function drawCompared(name, rows) {
  const shown = PAGE.comparisons[name].columns.filter((column) => !SAID.test(column.name));
  const body = rows.map((row) => element("tr", {}, comparedCells(row, shown)));
  fill(`#compared-${name}`, comparedHead(shown), element("tbody", {}, body));
}

function comparedHead(columns) {
  const labels = columns.map((column) =>
    element("th", { scope: "col", class: alignment(column), title: column.description }, column.label),
  );
  return element("thead", {}, element("tr", { class: "groups" }, groupHeadings(columns)), element("tr", {}, labels));
}

function comparedCells(row, columns) {
  return columns.map((column) => {
    const ends = interval(row[column.low], row[column.high], column.format);
    const value = show(row[column.name], column.format);
    return element(
      "td",
      { class: alignment(column), "data-column": column.name },
      value,
      ends ? element("span", { class: "interval" }, ends) : null,
    );
  });
}
