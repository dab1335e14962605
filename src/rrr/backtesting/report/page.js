// One view in time for all charts that have time; the tables sort; a round trip leads to its candles.

const data = JSON.parse(document.getElementById("data").textContent);
const find = (what, within = document) => within.querySelector(what);
const all = (what, within = document) => [...within.querySelectorAll(what)];

const curve = { ...data.curve, at: onGrid(data.curve.at, data.curve.begins, data.curve.step) };
for (const name of ["equity", "hold", "drawdown", "exposure"])
  if (curve[name]) curve[name] = risen(curve[name]);

const whole = timeSpan();
const view = { ...whole };
let log = false;
let chosen = 0;
let due = 0;

const trips = tripList();
const decoded = new Map();
const shown = () => {
  if (!decoded.has(chosen)) {
    const packed = data.traded[chosen];
    decoded.set(chosen, {
      packed,
      rows: candles(packed),
      trips: trips.filter((trip) => trip.instrument === chosen),
    });
  }
  return decoded.get(chosen);
};

const cash = (each, n) => `${each.label} ${exact(each.values[n], curve.decimals)} ${data.quote}`;
const part = 10 ** curve.decimals;
const equity = [{ name: "equity", label: "equity", values: curve.equity }];
if (curve.hold) equity.push({ name: "hold", label: "matched hold", values: curve.hold });

const overTime = {
  equity: lines({
    at: curve.at,
    series: equity,
    words: cash,
    tick: (value, step) => plain(value / part, step / part),
    marks: curve.flows,
  }),
  drawdown: lines({
    at: curve.at,
    series: [{ name: "drawdown", values: curve.drawdown }],
    zero: true,
    filled: true,
    flip: true,
    words: (each, n) => `${percent(each.values[n])} below the peak`,
    tick: (value, step) => plain(value / 100, step / 100) + " %",
  }),
  exposure: lines({
    at: curve.at,
    series: [{ name: "exposure", values: curve.exposure }],
    zero: true,
    filled: true,
    words: (each, n) => `${percent(each.values[n])} of the equity`,
    tick: (value, step) => plain(value / 100, step / 100) + " %",
  }),
  candles: data.traded.length ? candleChart(shown) : null,
  rolling: data.rolling && rollingChart(data.rolling),
};
const still = {
  returns: histogramOf("returns", [[(one) => one.quantiles[1], "median", "middle"]]),
  days: histogramOf("days", [[(one) => one.quantiles[1], "median", "middle"]]),
  null: histogramOf("null", [
    [(one) => one.quantiles[0], "5 % below", "edge"],
    [(one) => one.quantiles[2], "95 % below", "edge"],
    [(one) => one.mine, "this run", "mine"],
  ]),
  ...Object.fromEntries(data.fans.map((fan, n) => [`fan-${n}`, fan && fanChart(fan)])),
};

const charts = all("figure[data-chart]").map((figure) => {
  const name = figure.dataset.chart;
  const [svg, out, caption] = ["svg", "output", ".caption"].map((what) => find(what, figure));
  const timed = name in overTime;
  return { name, svg, out, caption, timed, draws: timed ? overTime[name] : still[name] };
});
const timed = charts.filter((chart) => chart.timed);
const overview = find("#overview");

charts.forEach((chart) => {
  draw(chart);
  chart.svg.addEventListener("pointermove", (event) => hover(chart, event));
  chart.svg.addEventListener("pointerleave", () => rest(chart));
});
const resized = new ResizeObserver(() => {
  charts.forEach(draw);
  drawOverview();
});
resized.observe(find("main"));
drawOverview();
timed.forEach((chart) => gestures(chart.svg, () => chart.drawn.area, view));
if (overview.area) gestures(overview, () => overview.area, whole);
controls();
all("table.sortable").forEach(sortable);
document.documentElement.classList.add("drawn");

function timeSpan() {
  if (!curve.at.length) return { from: 0, to: DAY };
  return { from: curve.at[0] - curve.step, to: curve.at[curve.at.length - 1] };
}

function tripList() {
  const { tick, reasons } = data.trips;
  const read = (names, how) => names.map((name) => how(data.trips[name]));
  const [instruments, side, lasted, ratio, open, reason] = read(
    ["instrument", "side", "lasted", "ratio", "open", "reason"],
    unpack,
  );
  const [opened, entry, exit] = read(["opened", "entry", "exit"], risen);
  return Array.from(instruments, (instrument, n) => {
    const { points, decimals } = data.traded[instrument];
    const [from, to] = [opened[n] * tick, (opened[n] + lasted[n]) * tick];
    const met = [
      [from, entry[n]],
      [to, exit[n]],
    ].map(([at, number]) => `${stamp(at)} at ${price(number, points, decimals)}`);
    const ends = open[n] ? "still open" : reasons[reason[n]];
    return {
      instrument,
      side: side[n],
      ratio: ratio[n],
      open: open[n],
      entry: entry[n],
      exit: exit[n],
      opened: from,
      closed: to,
      words: `${side[n] > 0 ? "long" : "short"} ${met.join(" to ")}: ${signed(ratio[n])}, ${ends}`,
    };
  });
}

// All decimals that say something, and no fewer than the instrument's prices have.
function price(number, decimals, least) {
  const text = exact(number, decimals);
  const spare = decimals - least;
  const zeros = spare > 0 ? text.slice(-spare).match(/0*$/)[0].length : 0;
  return zeros ? text.slice(0, text.length - zeros).replace(/\.$/, "") : text;
}

function rollingChart({ at, value, window: over }) {
  const times = risen(at).map((second) => second * 1000);
  return lines({
    at: times,
    series: [{ name: "equity", values: risen(value) }],
    zero: true,
    words: (each, n) => `Sharpe of the last ${over} ${exact(each.values[n], 3)}`,
    tick: (v, step) => plain(v / 1000, step / 1000),
  });
}

function histogramOf(name, marks) {
  return data.histograms[name] && histogramChart(data.histograms[name], marks);
}

function draw(chart) {
  chart.drawn = chart.draws(chart.svg, view, log && ["equity", "candles"].includes(chart.name));
  rest(chart, true);
}

function rest(chart, alone = false) {
  (chart.timed && !alone ? timed : [chart]).forEach((each) => tell(each, null));
}

function hover(chart, event) {
  const at = chart.drawn.area.at(event.clientX - chart.svg.getBoundingClientRect().left);
  (chart.timed ? timed : [chart]).forEach((each) => tell(each, at));
}

function tell(chart, at) {
  const { words, x, caption } = chart.drawn.read(at);
  chart.out.textContent = words;
  if (caption && chart.caption) chart.caption.textContent = caption;
  find(".cross", chart.svg)?.remove();
  if (at !== null && x !== undefined)
    chart.svg.insertAdjacentHTML(
      "beforeend",
      `<path class="cross" d="M${px(x)} ${PAD.top}V${chart.drawn.area.foot}"/>`,
    );
}

function look(from, to) {
  const wide = Math.min(Math.max(to - from, 6 * curve.step), whole.to - whole.from);
  const middle = (from + to) / 2;
  view.from = Math.min(Math.max(middle - wide / 2, whole.from), whole.to - wide);
  view.to = view.from + wide;
  due ||= requestAnimationFrame(() => {
    due = 0;
    timed.forEach(draw);
    drawOverview();
  });
}

const zoom = (factor, around = (view.from + view.to) / 2) =>
  look(around - (around - view.from) * factor, around + (view.to - around) * factor);
const pan = (share) =>
  look(view.from + (view.to - view.from) * share, view.to + (view.to - view.from) * share);

function drawOverview() {
  if (!curve.at.length) return;
  const [low, high] = span([curve.equity], 0, curve.at.length);
  const pad = { left: 0, right: 0, top: 5, bottom: 5 };
  const area = frame(overview, whole.from, whole.to, low, high, false, pad);
  const [left, right] = [view.from, view.to].map(area.x);
  const place = `x="${px(left)}" y="1" width="${px(right - left)}" height="${area.height - 2}"`;
  overview.innerHTML =
    `<path class="line hold" d="${line(area, curve.at, curve.equity, 0, curve.at.length)}"/>` +
    `<rect class="window" ${place}/>`;
  overview.area = area;
  const text = `${stamp(view.from)} to ${stamp(view.to)} UTC`;
  all(".span").forEach((each) => (each.textContent = text));
}
