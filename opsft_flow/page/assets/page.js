// The controls, and drawing all of it.

function button(label, attributes, onclick) {
  return element("button", { type: "button", ...attributes, onclick }, label);
}

function drawLegend() {
  const rows = TRAINED.filter((row) => row.model === chosen.model).sort(byOrder);
  const groups = [...Map.groupBy(rows, groupOf)];
  const chip = ([group, [row]]) => {
    const shown = !chosen.hidden.has(group);
    const attributes = { class: "chip", "aria-pressed": shown, "data-group": group };
    return button([swatch(looksOf(row).color), groupName(row)], attributes, () => setHidden(toggled(group)));
  };
  const small = { class: "small" };
  const names = groups.map(([group]) => group);
  const both = [button("all", small, () => setHidden([])), button("none", small, () => setHidden(names))];
  fill("#legend", element("p", {}, "Policies ", groups.length > 3 ? both : null), groups.map(chip));
}

function toggled(group) {
  const hidden = new Set(chosen.hidden);
  return hidden.delete(group) ? hidden : hidden.add(group);
}

function setHidden(groups) {
  const focused = document.activeElement?.dataset?.group;
  chosen.hidden = new Set(groups);
  drawLegend();
  if (focused) find(`#legend [data-group="${CSS.escape(focused)}"]`)?.focus();
  drawShown();
  drawFigures();
}

function fillChoice() {
  const options = (values) => values.map((value) => element("option", { value }, value));
  fill("#model", options(MODELS));
  fill("#benchmark", options(benchmarksOf(chosen.model)));
  find("#model").value = chosen.model;
  find("#benchmark").value = chosen.benchmark;
}

function choose(model, benchmark) {
  const known = benchmarksOf(model);
  chosen.model = model;
  chosen.benchmark = known.includes(benchmark) ? benchmark : known[0];
  fillChoice();
  drawChoice();
}

// All that depends on the chosen model and benchmark.
function drawChoice() {
  drawLegend();
  drawOverview();
  drawFigures();
  drawComparisons();
  drawResponses();
}

// Prints with every section open and with figures of the width of paper; afterwards it is as it was.
function prepareForPrint() {
  const closed = [...document.querySelectorAll("main details:not([open])")];
  const set = (print) => {
    closed.forEach((one) => one.toggleAttribute("open", print));
    printing = print;
    drawSized();
    drawEachTwo();
  };
  set(true);
  addEventListener("afterprint", () => set(false), { once: true });
}

// All that is drawn for the width that there is.
function drawSized() {
  drawFigures();
  drawRuns();
}

function start() {
  drawLead();
  fillChoice();
  drawGroups();
  drawTable();
  drawSettings();
  drawChoice();
  drawRuns();
  find("#model").addEventListener("change", (event) => choose(event.target.value, chosen.benchmark));
  find("#benchmark").addEventListener("change", (event) => choose(chosen.model, event.target.value));
  find("#choice").addEventListener("submit", (event) => event.preventDefault());
  find("#each-two").addEventListener("toggle", drawEachTwo);
  find("#filter").addEventListener("input", drawTable);
  find("#policy").addEventListener("change", drawPairs);
  find("#details").addEventListener(
    "click",
    (event) => event.target === event.currentTarget && event.currentTarget.close(),
  );
  addEventListener("beforeprint", prepareForPrint);
  let waiting = 0;
  addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = setTimeout(drawSized, 150);
  });
}

start();
