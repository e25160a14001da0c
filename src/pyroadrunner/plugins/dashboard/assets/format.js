// Values as people read them.

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

export function bytes(value) {
  if (value == null) return "";
  let unit = 0;
  let left = value;
  while (left >= 1024 && unit < UNITS.length - 1) {
    left /= 1024;
    unit += 1;
  }
  return `${left >= 100 || unit === 0 ? Math.round(left) : left.toFixed(1)} ${UNITS[unit]}`;
}

export function number(value) {
  if (value == null) return "";
  if (typeof value !== "number") return String(value);
  return value.toLocaleString("en", { maximumFractionDigits: Math.abs(value) < 10 ? 2 : Math.abs(value) < 100 ? 1 : 0 });
}

export function seconds(value) {
  if (value == null) return "";
  if (value < 0.001) return `${(value * 1e6).toFixed(0)} µs`;
  if (value < 1) return `${(value * 1000).toFixed(value < 0.1 ? 1 : 0)} ms`;
  if (value < 60) return `${value.toFixed(value < 10 ? 1 : 0)} s`;
  const whole = Math.round(value);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86400)} d ${Math.floor((whole % 86400) / 3600)} h`;
}

const two = (value) => String(value).padStart(2, "0");

export function clock(time, withMs) {
  const date = new Date(time * 1000);
  const text = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return withMs ? `${text}.${String(date.getMilliseconds()).padStart(3, "0")}` : text;
}

// The time of day, and the distance from now.
export function moment(time) {
  const away = time - Date.now() / 1000;
  const date = new Date(time * 1000);
  const day = Math.abs(away) > 72000 ? `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ` : "";
  const distance = Math.abs(away) < 1 ? "now" : away > 0 ? `in ${seconds(away)}` : `${seconds(-away)} ago`;
  return [`${day}${clock(time)}`, distance];
}

const GOOD = new Set(["ready", "running", "ok", "working", "serving", "connected"]);
const BAD = new Set(["failed", "errored", "stopped", "error", "lost"]);

export function stateClass(value) {
  if (GOOD.has(value)) return "state good";
  if (BAD.has(value)) return "state bad";
  return "state";
}
