// Candles of one instrument, joined where they are too many for the width, with its round trips.

function candleChart(shown) {
  return (svg, view, log) => {
    const { packed, rows, trips } = shown();
    const room = Math.max(20, (svg.clientWidth || 800) / 4);
    const together = nice((view.to - view.from) / packed.step / room);
    const long = together * packed.step;
    const drawn = gathered(rows, view, packed.step, long);
    const area = candleArea(svg, view, drawn, log);
    const held = trips.filter((trip) => trip.opened <= view.to && trip.closed >= view.from);
    const unit = 10 ** packed.decimals / packed.unit;
    svg.innerHTML =
      grid(area, (value, size) => plain(value / unit, size / unit)) +
      timeFoot(area) +
      clipped(
        area,
        bodies(area, drawn, long) +
          tripMarks(area, held, (points) => area.y((points / packed.scale) * unit)),
      );
    const caption = candleCaption(together * packed.joined, packed.every, area, held);
    const middles = drawn.map((one) => one.at + long / 2);
    const read = (time) => {
      if (!drawn.length) return { words: "no candle is in view", caption };
      const n = nearest(middles, time === null ? view.to : time);
      const one = drawn[n];
      const words = ["open", "high", "low", "close"].map(
        (name) => `${name} ${exact(one[name], packed.decimals, packed.unit)}`,
      );
      const within = (trip) => trip.opened < one.at + long && trip.closed >= one.at;
      const about = time === null ? "" : tripWords(held.filter(within));
      return {
        words: [stamp(one.at), ...words].join(" · ") + about,
        x: area.x(middles[n]),
        caption,
      };
    };
    return { area, read };
  };
}

// First open, highest high, lowest low, last close, on the grid of the longer candle.
function gathered({ at, open, high, low, close }, view, step, long) {
  const found = [];
  const end = below(at, view.to);
  for (let n = below(at, view.from - step + 1); n < end; n++) {
    const opens = Math.floor(at[n] / long) * long;
    const one = found[found.length - 1];
    if (one && one.at === opens) {
      one.high = Math.max(one.high, high[n]);
      one.low = Math.min(one.low, low[n]);
      one.close = close[n];
    } else found.push({ at: opens, open: open[n], high: high[n], low: low[n], close: close[n] });
  }
  return found;
}

function candleArea(svg, view, drawn, log) {
  if (!drawn.length) return frame(svg, view.from, view.to, 0, 1);
  const low = Math.min(...drawn.map((one) => one.low));
  const high = Math.max(...drawn.map((one) => one.high));
  if (log && low > 0) return frame(svg, view.from, view.to, low, high, true);
  const air = (high - low) * 0.04;
  return frame(svg, view.from, view.to, low - air, high + air);
}

function bodies(area, drawn, long) {
  const slot = (long / (area.to - area.from)) * area.inner;
  const half = Math.max(0.5, Math.min(7, slot * 0.32));
  const paths = { wick: "", rise: "", fall: "" };
  for (const { at, open, high, low, close } of drawn) {
    const x = area.x(at + long / 2);
    const top = area.y(Math.max(open, close));
    const foot = area.y(Math.min(open, close));
    paths.wick += `M${px(x)} ${px(area.y(high))}V${px(top)}M${px(x)} ${px(foot)}V${px(area.y(low))}`;
    paths[close >= open ? "rise" : "fall"] +=
      `M${px(x - half)} ${px(top)}h${px(2 * half)}V${px(Math.max(foot, top + 0.8))}h${px(-2 * half)}Z`;
  }
  return Object.entries(paths)
    .map(([name, path]) => `<path class="${name}" d="${path}"/>`)
    .join("");
}

// Each from its entry to its exit; where they would cover each other, one mark for seven pixels.
function tripMarks(area, trips, price) {
  const merged = crowded(area, trips);
  const size = merged ? 3 : 4.5;
  const seen = new Set();
  const mark = (time, points, way, name) => {
    const x = area.x(time);
    const place = `${way}${Math.round(x / 7)}`;
    if (merged && seen.has(place)) return "";
    seen.add(place);
    const shape = `l${-size} ${1.6 * size * way}h${2 * size}Z`;
    return `<path class="mark ${name}" d="M${px(x)} ${px(price(points))}${shape}"/>`;
  };
  return trips
    .map(({ opened, closed, entry, exit, side, ratio, open }) => {
      const name = ratio > 0 ? "won" : "lost";
      const [from, to] = [
        [opened, entry],
        [closed, exit],
      ].map(([time, points]) => `${px(area.x(time))} ${px(price(points))}`);
      return (
        (merged ? "" : `<path class="held ${name}" d="M${from}L${to}"/>`) +
        mark(opened, entry, side, "entry") +
        (open ? "" : mark(closed, exit, -side, name))
      );
    })
    .join("");
}

function candleCaption(joined, every, area, trips) {
  const what = joined > 1 ? `each candle is ${joined} × ${every}` : `candles of ${every}`;
  const count = `${trips.length.toLocaleString("en-US")} round trips in view`;
  return `${what} · ${count}${crowded(area, trips) ? ", marks merged: zoom in to see each" : ""}`;
}

const tripWords = ([first, ...more]) =>
  first ? ` — ${first.words}${more.length ? ` · and ${more.length} more` : ""}` : "";

const crowded = (area, trips) => trips.length > area.inner / 8;

const nice = (wished) =>
  [1, 2, 3, 4, 6, 8, 12, 24, 48, 72, 96, 168].find((n) => n >= wished) ||
  Math.ceil(wished / 168) * 168;
