// Numbers as they are shown, by the format of their column.

const MINUS = "\u2212";
const MISSING = "\u2013";

const proper = (text) => text.replaceAll("-", MINUS);
// What rounds to zero has no sign.
const fixed = (value, digits, signDisplay = "negative") =>
  proper(value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits, signDisplay }));
const signed = (value, digits) => fixed(value, digits, "exceptZero");

function significant(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  const rounded = Number(value.toPrecision(3));
  return proper(size < 1e-3 || size >= 1e6 ? rounded.toExponential() : String(rounded));
}

const FORMATS = {
  share: (value) => `${fixed(100 * value, 1)}%`,
  points: (value) => signed(100 * value, 1),
  ratio: (value) => `${signed(100 * (value - 1), 1)}%`,
  tokens: (value) => fixed(value, 1),
  // In the place of a budget there may be the name of a schedule.
  count: (value) => (typeof value === "number" ? fixed(value, 0) : value),
  number: (value) => significant(value),
  text: (value) => String(value),
  flag: (value) => (value ? "yes" : "no"),
};

function show(value, format) {
  return value === null || value === undefined ? MISSING : FORMATS[format](value);
}

// In brackets, without the unit of the value that it stands beside; nothing where neither end is known.
function interval(low, high, format) {
  const unknown = (low ?? null) === null && (high ?? null) === null;
  return unknown ? "" : `[${show(low, format)}, ${show(high, format)}]`.replaceAll("%", "");
}

function estimate(row, column) {
  const { name, format, low, high } = column;
  return `${show(row[name], format)} ${interval(row[low], row[high], format)}`.trim();
}

// Rounded first, so that no part reaches sixty.
function duration(seconds) {
  const [tenths, whole, minutes] = [Math.round(seconds * 10), Math.round(seconds), Math.round(seconds / 60)];
  if (tenths < 600) return `${fixed(seconds, 1)} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

const plural = (count, noun) => `${fixed(count, 0)} ${noun}${count === 1 ? "" : "s"}`;
