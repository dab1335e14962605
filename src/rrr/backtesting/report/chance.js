// What does not run in time: how often something happened, and what might have.

function histogramChart(one, names) {
  return (svg) => {
    const { width, first, counts } = one;
    const edge = (n) => (first + n) * width;
    const marks = names
      .map(([key, name, kind]) => [key(one), name, kind])
      .filter(([at]) => at !== undefined);
    const from = Math.min(edge(0), ...marks.map(([at]) => at - width));
    const to = Math.max(edge(counts.length), ...marks.map(([at]) => at + width));
    const area = frame(svg, from, to, 0, Math.max(...counts), false, { ...PAD, top: 20 });
    const share = (value) => plain(value * 100, Math.min(width, 1e-4) * 100) + " %";
    const columns = counts
      .map((count, n) => {
        const x = area.x(edge(n));
        const wide = Math.max(area.x(edge(n + 1)) - x - 1, 0.6);
        const place = `x="${px(x)}" y="${px(area.y(count))}"`;
        const size = `width="${px(wide)}" height="${px(area.foot - area.y(count))}"`;
        return `<rect class="${first + n < 0 ? "lost" : "won"}" ${place} ${size}/>`;
      })
      .join("");
    const bottom = ticks(from, to, Math.max(3, area.inner / 80));
    svg.innerHTML =
      grid(area, plain) +
      foot(
        area,
        bottom.at.map((at) => [at, plain(at * 100, bottom.step * 100) + " %"]),
      ) +
      columns +
      marks
        .map(
          ([at, name, kind]) =>
            `<path class="${kind}" d="M${px(area.x(at))} 4V${area.foot}"/>` + label(area, at, name),
        )
        .join("");
    const still = [...marks, [one.mean, "mean"]]
      .map(([at, name]) => `${name} ${share(at)}`)
      .join(" · ");
    const read = (at) => {
      const n = at === null ? -1 : Math.floor(at / width + 1e-9) - first;
      if (n < 0 || n >= counts.length) return { words: still };
      const beyond =
        (!n && one.below && `, ${one.below} of them below`) ||
        (n === counts.length - 1 && one.above && `, ${one.above} of them above`) ||
        "";
      return {
        words: `${share(edge(n))} to ${share(edge(n + 1))}: ${plain(counts[n], 1)}${beyond}`,
        x: area.x(edge(n + 0.5)),
      };
    };
    return { area, read };
  };
}

function label(area, at, name) {
  const left = area.x(at) > area.inner * 0.8;
  const place = `text-anchor="${left ? "end" : "start"}" x="${px(area.x(at) + (left ? -5 : 5))}"`;
  return `<text class="tick" ${place} y="12">${name}</text>`;
}

function fanChart(fan) {
  const bands = fan.bands.map(risen);
  const mine = fan.mine && risen(fan.mine);
  const steps = risen(fan.steps);
  const last = steps.length;
  const middle = (bands.length - 1) / 2;
  return (svg) => {
    const [low, high] = span(mine ? [...bands, mine] : bands, 0, last);
    const area = frame(svg, steps[0], steps[last - 1] || 1, low, high);
    const path = (values) => line(area, steps, values, 0, last);
    const back = (values) =>
      Array.from(steps, (_, n) => last - 1 - n)
        .map((n) => `L${px(area.x(steps[n]))} ${px(area.y(values[n]))}`)
        .join("");
    let drawn = "";
    for (let n = 0; n < middle; n++)
      drawn += `<path class="band" d="${path(bands[n])}${back(bands[bands.length - 1 - n])}Z"/>`;
    drawn +=
      `<path class="line hold" d="${path(bands[middle])}"/>` +
      (mine ? `<path class="line equity" d="${path(mine)}"/>` : "");
    const bottom = ticks(steps[0], steps[last - 1], Math.max(2, area.inner / 80));
    svg.innerHTML =
      grid(area, (value, size) => plain(value / 1e4, size / 1e4) + "×") +
      foot(
        area,
        bottom.at.map((at) => [at, plain(at, bottom.step)]),
      ) +
      drawn;
    const read = (at) => {
      const n = at === null ? last - 1 : nearest(steps, at);
      const said = fan.shares.map(
        (share, q) => `${plain(share * 100, 1)} % ${exact(bands[q][n], 4)}×`,
      );
      return {
        words:
          `${fan.step} ${plain(steps[n], 1)}: ` +
          said.join(" · ") +
          (mine ? ` · this run ${exact(mine[n], 4)}×` : ""),
        x: area.x(steps[n]),
      };
    };
    return { area, read };
  };
}
