// Numbers arrive exactly as packing.py sent them; what is not whole is never computed with here.

function unpack(text) {
  const bytes = atob(text),
    numbers = [];
  for (let at = 0, value = 0, scale = 1; at < bytes.length; at++) {
    const byte = bytes.charCodeAt(at);
    value += (byte & 127) * scale;
    scale *= 128;
    if (byte < 128) {
      numbers.push(value % 2 ? -(value + 1) / 2 : value / 2);
      value = 0;
      scale = 1;
    }
  }
  return Float64Array.from(numbers);
}

function risen(text) {
  const numbers = unpack(text);
  for (let at = 1; at < numbers.length; at++) numbers[at] += numbers[at - 1];
  return numbers;
}

function onGrid(text, begins, step) {
  const runs = unpack(text),
    at = [];
  for (let run = 0, place = 0; run < runs.length; run += 2) {
    place += runs[run];
    for (let each = 0; each < runs[run + 1]; each++) at.push(begins + (place + each) * step);
  }
  return Float64Array.from(at);
}

function candles(packed) {
  const at = onGrid(packed.at, packed.begins, packed.step),
    parts = unpack(packed.columns);
  const [open, high, low, close] = [0, 1, 2, 3].map(() => new Float64Array(at.length));
  for (let n = 0, before = 0; n < at.length; n++) {
    open[n] = before + parts[4 * n];
    close[n] = before = open[n] + parts[4 * n + 1];
    high[n] = Math.max(open[n], close[n]) + parts[4 * n + 2];
    low[n] = Math.min(open[n], close[n]) - parts[4 * n + 3];
  }
  return { at, open, high, low, close };
}

// A whole number × unit / 10 ^ decimals in words: no division, so every figure is the true one.
function exact(number, decimals, unit = 1) {
  const digits = Math.abs(number * unit)
    .toFixed(0)
    .padStart(decimals + 1, "0");
  const whole = digits.slice(0, digits.length - decimals).replace(/\B(?=(\d{3})+$)/g, ",");
  const part = decimals ? "." + digits.slice(-decimals) : "";
  return (number < 0 ? "−" : "") + whole + part;
}
