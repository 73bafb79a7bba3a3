// What comes first: what the sweep is, the best of it, and what must be known before it is believed.

function drawLead() {
  const points = distinct(TRAINED.map(pointOf)).length;
  const names = (values) => (values.length > 8 ? `${values.slice(0, 8).join(", ")}, …` : values.join(", "));
  const benchmarks = distinct(ROWS.map((row) => row.benchmark));
  const models = `${plural(points, "point")} of ${plural(MODELS.length, "model")} (${names(MODELS)})`;
  const trained = `recipe${RECIPES.length > 1 ? "s" : ""} ${names(RECIPES)}, budgets ${names(ARMS)}`;
  const what = "Reasoning models that are trained to think shorter on their own correct responses";
  fill("#lead", `${what}: ${models}, ${trained}; measured on ${names(benchmarks)}.`);
}

function tile(row, name, label) {
  const { format, low, high } = COLUMNS[name];
  const value = `${show(row[name], format)}${format === "points" ? " points" : ""}`;
  const ends = element("small", {}, interval(row[low], row[high], format));
  return element("div", { class: "tile" }, element("b", {}, value), element("span", {}, label), ends);
}

// The base model, and the shortest policy whose accuracy is not shown to be below the base model's. Without one update a policy is
// the base model, and no candidate.
function drawOverview() {
  const base = baseRow();
  const lasts = inChoice(LAST).filter((row) => !isBase(row));
  const updated = lasts.filter((row) => row.updates !== 0);
  const sound = updated.filter((row) => row.accuracy_diff_high !== null && row.accuracy_diff_high >= 0);
  const best = sound.sort((a, b) => a.tokens_mean - b.tokens_mean)[0];
  fill(
    "#tiles",
    base && tile(base, "accuracy", "accuracy of the base model"),
    base && tile(base, "tokens_mean", "mean tokens of the base model"),
    best && tile(best, "tokens_ratio", `tokens, shortest at no loss shown: ${nameOf(best)}`),
    best && tile(best, "accuracy_diff", "its accuracy against the base model"),
    lasts.length > 0 && updated.length === 0 ? nothingTrained() : null,
  );
  drawShown();
  fill("#remarks", gathered(lasts));
}

function nothingTrained() {
  const label = "no response survived the filter in any iteration: every policy shown is the base model";
  return element("div", { class: "tile" }, element("b", {}, "Nothing was trained"), element("span", {}, label));
}

// What the figures show, for a reader of paper, who has no controls.
function drawShown() {
  const groups = distinct(shownPoints().map((rows) => groupOf(rows[0]))).map((group) =>
    TRAINED.find((row) => groupOf(row) === group),
  );
  const names = groups.map((row) => element("span", {}, swatch(looksOf(row).color), groupName(row)));
  fill("#shown", `Model ${chosen.model}, benchmark ${chosen.benchmark}: `, names);
}

// Equal remarks once, with the names of all policies that they hold for.
function gathered(lasts) {
  const kinds = Map.groupBy(
    lasts.sort(byOrder).flatMap((row) => remarksOf(row).map((remark) => ({ remark, name: nameOf(row) }))),
    (one) => one.remark.kind,
  );
  return [...kinds].map(([kind, ones]) => {
    const names = ones.length > 6 ? `${ones.length} policies` : ones.map((one) => one.name).join(", ");
    const same = distinct(ones.map((one) => one.remark.text)).length === 1;
    return element(
      "li",
      {},
      badge({ kind, text: "" }),
      ` ${names}${same ? `: ${ones[0].remark.text}` : ": the table has the particulars."}`,
    );
  });
}
