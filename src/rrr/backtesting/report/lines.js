// A chart draws itself into its figure at any width, and says in words what is under the pointer.

const PAD = { left: 2, right: innerWidth < 640 ? 46 : 60, top: 10, bottom: 20 };

function frame(svg, from, to, low, high, log = false, pad = PAD) {
  const width = svg.clientWidth || 800,
    height = svg.clientHeight || 200;
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const inner = width - pad.left - pad.right,
    foot = height - pad.bottom;
  const f = log ? Math.log : (value) => value;
  if (low === high)
    [low, high] = [low - (Math.abs(low) * 0.01 || 1), high + (Math.abs(high) * 0.01 || 1)];
  const rise = (foot - pad.top) / (f(high) - f(low));
  return {
    width,
    height,
    inner,
    foot,
    from,
    to,
    low,
    high,
    log,
    x: (at) => pad.left + ((at - from) / (to - from)) * inner,
    y: (value) => foot - (f(value) - f(low)) * rise,
    at: (x) => from + ((x - pad.left) / inner) * (to - from),
  };
}

const px = (number) => number.toFixed(1);

function grid(area, words, counted = Math.max(2, Math.round(area.height / 60))) {
  const { step, at } = (area.log ? logTicks : ticks)(area.low, area.high, counted);
  return at
    .map((value) => {
      const y = px(area.y(value));
      return (
        `<path class="grid" d="M${PAD.left} ${y}H${PAD.left + area.inner}"/>` +
        `<text class="tick" x="${PAD.left + area.inner + 6}" y="${y}" dy=".35em">${words(value, step)}</text>`
      );
    })
    .join("");
}

function foot(area, marks) {
  return marks
    .map(([at, words]) => {
      const x = Math.min(Math.max(area.x(at), 14), PAD.left + area.inner - 8);
      return `<text class="tick" text-anchor="middle" x="${px(x)}" y="${area.height - 5}">${words}</text>`;
    })
    .join("");
}

const timeFoot = (area) => foot(area, timeTicks(area.from, area.to, Math.max(2, area.inner / 90)));

// Where several points share a pixel, its first, lowest, highest and last: no peak is lost.
function line(area, at, values, first, last) {
  let path = "";
  const put = (n) => (path += `${path ? "L" : "M"}${px(area.x(at[n]))} ${px(area.y(values[n]))}`);
  if (last - first <= 4 * area.inner) {
    for (let n = first; n < last; n++) put(n);
    return path;
  }
  for (let begin = first, n; begin < last; begin = n) {
    const pixel = Math.floor(area.x(at[begin]));
    let low = begin,
      high = begin;
    for (n = begin; n < last && Math.floor(area.x(at[n])) === pixel; n++) {
      if (values[n] < values[low]) low = n;
      if (values[n] > values[high]) high = n;
    }
    for (const place of [...new Set([begin, low, high, n - 1])].sort((a, b) => a - b)) put(place);
  }
  return path;
}

function visible(at, view) {
  return [Math.max(0, below(at, view.from) - 1), Math.min(at.length, below(at, view.to) + 1)];
}

function span(columns, first, last) {
  let low = Infinity,
    high = -Infinity;
  for (const column of columns)
    for (let n = first; n < last; n++) {
      if (column[n] < low) low = column[n];
      if (column[n] > high) high = column[n];
    }
  return low <= high ? [low, high] : [0, 1];
}

const nearest = (at, time) => {
  const n = Math.min(below(at, time), at.length - 1);
  return n > 0 && time - at[n - 1] < at[n] - time ? n - 1 : n;
};

// Lines over time. `zero`: it is always in sight; `filled`: down to it; `flip`: it is on top.
function lines(chart) {
  const { at, series, words, tick, zero, flip, marks = [] } = chart;
  return (svg, view, log) => {
    const [first, last] = visible(at, view);
    const area = lineArea(svg, view, chart, first, last, log);
    const drawn = series.map((each) => outline(area, at, each, first, last, chart.filled));
    const ground = `<path class="zero" d="M${PAD.left} ${px(area.y(0))}h${area.inner}"/>`;
    const moved = marks.filter(([time]) => time >= view.from && time <= view.to);
    svg.innerHTML =
      grid(flip ? { ...area, low: area.high, high: area.low } : area, tick) +
      timeFoot(area) +
      clipped(
        area,
        (zero && !flip ? ground : "") + drawn.reverse().join("") + flowMarks(area, moved),
      );
    const read = (time) => {
      if (!at.length || view.to < at[0] || view.from > at[at.length - 1])
        return { words: "nothing is known of this time" };
      const n = nearest(at, time === null ? Math.min(view.to, at[at.length - 1]) : time);
      const said = series.map((each) => words(each, n));
      return { words: [stamp(at[n]), ...said].join(" · "), x: area.x(at[n]) };
    };
    return { area, read };
  };
}

function lineArea(svg, view, { series, zero, filled, flip }, first, last, log) {
  const columns = series.map((each) => each.values);
  let [low, high] = span(columns, first, last);
  if (zero) [low, high] = [Math.min(low, 0), Math.max(high, 0)];
  if (flip) return frame(svg, view.from, view.to, high || 1, 0);
  if (log && low > 0) return frame(svg, view.from, view.to, low, high, true);
  const air = filled ? 0 : (high - low) * 0.04;
  return frame(svg, view.from, view.to, low - air, high + air);
}

function outline(area, at, { name, values }, first, last, filled) {
  const path = line(area, at, values, first, last);
  const drawn = `<path class="line ${name}" d="${path}"/>`;
  if (!filled || last <= first) return drawn;
  const down = `L${px(area.x(at[last - 1]))} ${px(area.y(0))}H${px(area.x(at[first]))}Z`;
  return `<path class="fill ${name}" d="${path}${down}"/>${drawn}`;
}

function flowMarks(area, flows) {
  const said = (x, words) =>
    `<text class="tick" x="${px(x + 4)}" y="${PAD.top + 8}">${words}</text>`;
  return flows
    .map(([time, words]) => {
      const x = area.x(time);
      const mark = `<path class="flow" d="M${px(x)} ${PAD.top}V${area.foot}"/>`;
      return mark + (flows.length <= 12 ? said(x, words) : "");
    })
    .join("");
}

// What lies before or after the span in sight reaches to its edge and no further.
function clipped(area, drawn) {
  const box = `${PAD.left} 0 ${area.inner} ${area.height}`;
  const place = `x="${PAD.left}" width="${area.inner}" height="${area.height}"`;
  return `<svg ${place} viewBox="${box}">${drawn}</svg>`;
}
