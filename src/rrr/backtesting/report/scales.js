// Axes tick where people count: 1, 2, 5 and their tens; hours, days, months and years in UTC.

const MINUTE = 60e3,
  HOUR = 3600e3,
  DAY = 24 * HOUR;
const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

function ticks(low, high, count) {
  const wished = (high - low) / count || 1,
    power = 10 ** Math.floor(Math.log10(wished));
  const step = power * [1, 2, 5, 10].find((digit) => digit * power >= wished * 0.999);
  const found = [];
  for (let n = Math.ceil(low / step - 1e-9); n * step <= high + step * 1e-9; n++)
    found.push(n * step + 0);
  return { step, at: found };
}

// On a log axis over more than a decade equal steps would crowd its top.
function logTicks(low, high, count) {
  if (high / low < 8) return ticks(low, high, count);
  const found = [];
  for (let power = 10 ** Math.floor(Math.log10(low)); power <= high; power *= 10)
    for (const digit of high / low > 100 ? [1] : [1, 2, 5])
      if (digit * power >= low && digit * power <= high) found.push(digit * power);
  return { step: found[0] || 1, at: found };
}

function timeTicks(from, to, count) {
  const wished = (to - from) / count;
  const even = [1, 5, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 7200].map((m) => m * MINUTE);
  const step = even.find((each) => each >= wished);
  const found = [];
  if (step) {
    for (let at = Math.ceil(from / step) * step; at <= to; at += step) found.push(at);
  } else {
    const months = [0.5, 1, 2, 3, 6, 12, 24, 60, 120].find((m) => m * 30.4 * DAY >= wished) || 240;
    const first = new Date(from),
      whole = Math.max(months, 1);
    let month = Math.floor((first.getUTCFullYear() * 12 + first.getUTCMonth()) / whole) * whole;
    for (; ; month += whole) {
      const at = Date.UTC(Math.floor(month / 12), month % 12, 1);
      if (at > to) break;
      if (at >= from) found.push(at);
      const middle = at + 14 * DAY;
      if (months < 1 && middle >= from && middle <= to) found.push(middle);
    }
  }
  return found.map((at) => [at, timeWords(at)]);
}

function timeWords(at) {
  const date = new Date(at),
    day = date.getUTCDate(),
    month = date.getUTCMonth();
  if (at % DAY) return date.toISOString().slice(11, 16);
  if (day > 1) return `${day} ${MONTHS[month]}`;
  return month ? MONTHS[month] : String(date.getUTCFullYear());
}

function stamp(at) {
  const text = new Date(at).toISOString();
  return text.slice(0, 10) + " " + text.slice(11, at % MINUTE ? 19 : 16);
}

function plain(value, step) {
  const decimals = Math.min(Math.max(0, Math.ceil(-Math.log10(step) - 1e-9)), 10);
  return value
    .toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals })
    .replace("-", "−");
}

const percent = (bps) => exact(bps, 2) + " %";
const signed = (bps) => (bps > 0 ? "+" : "") + percent(bps);

// How many stand before the first that is not below `value`.
function below(sorted, value) {
  let low = 0,
    high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
