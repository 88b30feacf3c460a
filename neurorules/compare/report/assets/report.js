// The page's behaviour: what the reader picks reaches every chart and table, and the address keeps it.
"use strict";
(() => {
  const numbers = JSON.parse(document.getElementById("numbers").textContent);
  const status = document.querySelector(".status");
  const charts = []; // of those drawn: {holder, view, rows, params}
  const state = { rules: new Set(numbers.rules), layers: new Set(numbers.layers), choices: {}, focus: null };

  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const say = (text) => { status.textContent = text; };

  function rowsOf(name) {
    const list = numbers.lists[name] || { columns: [], rows: [] };
    return list.rows.map((row) => Object.fromEntries(list.columns.map((column, index) => [column, row[index]])));
  }

  // ---- the address keeps the reader's choice: only what differs from the page as it came
  function readAddress() {
    const found = new URLSearchParams(location.hash.slice(1));
    const known = (name, legal) => found.getAll(name).filter((value) => legal.includes(value));
    state.rules = new Set(found.has("rule") ? known("rule", numbers.rules) : numbers.rules);
    state.layers = new Set(found.has("layer") ? known("layer", numbers.layers) : numbers.layers);
    for (const [group, measures] of Object.entries(numbers.choices)) {
      const names = measures.map((measure) => measure.name);
      state.choices[group] = names.includes(found.get(group)) ? found.get(group) : names[0];
    }
  }

  function writeAddress() {
    const kept = new URLSearchParams();
    const keep = (name, picked, legal) => {
      if (picked.size === legal.length) return;
      for (const value of picked.size ? picked : [""]) kept.append(name, value);
    };
    keep("rule", state.rules, numbers.rules);
    keep("layer", state.layers, numbers.layers);
    for (const [group, measures] of Object.entries(numbers.choices)) {
      if (state.choices[group] !== measures[0].name) kept.set(group, state.choices[group]);
    }
    const hash = kept.toString();
    history.replaceState(null, "", hash ? `#${hash}` : location.pathname + location.search);
  }

  // ---- charts
  const FONT = getComputedStyle(document.body).fontFamily;
  const config = {
    background: null, font: FONT, view: { stroke: null },
    axis: {
      labelColor: "var(--soft)", titleColor: "var(--soft)", titleFontWeight: 400, titleFontSize: 12, labelFontSize: 11.5,
      gridColor: "var(--grid)", domainColor: "var(--line)", tickColor: "var(--line)", titlePadding: 8,
    },
  };

  function measureOf(group) {
    return (numbers.choices[group] || []).find((measure) => measure.name === state.choices[group]);
  }

  // Bounds shared by all charts of a group, so that small multiples compare.
  function boundsOf(measure, rows) {
    const values = rows.filter((row) => state.rules.has(row.rule)).map((row) => row[measure.name]);
    const known = values.filter((value) => value !== null && value !== undefined);
    if (measure.reference !== null) known.push(measure.reference);
    if (measure.span !== null) known.push(...measure.span);
    if (!known.length) return [0, 1];
    const low = Math.min(...known), high = Math.max(...known);
    const pad = (high - low || Math.abs(high) || 1) * 0.06;
    const most = measure.format.endsWith("%") ? 1 : Infinity; // no share is more than all
    return [low >= 0 ? Math.max(0, low - pad) : low - pad, Math.min(most, high + pad)];
  }

  function paramsOf(chart) {
    const longest = Math.round(Math.max(14, Math.min(44, chart.holder.clientWidth * 0.06)));
    const params = { picked: [...state.rules], layers: [...state.layers], focus: state.focus, longest };
    const measure = measureOf(chart.holder.closest("figure").dataset.group);
    if (measure) {
      const [low, high] = boundsOf(measure, chart.everything);
      const { name, title, format, exact, reference } = measure;
      Object.assign(params, { measure: name, title, format, exact, reference, low, high, epoch: chart.lastEpoch });
    }
    if (chart.name === "accuracy") {
      const shown = chart.rows.filter((row) => state.rules.has(row.rule));
      params.most = Math.min(1, Math.max(0.02, ...shown.map((row) => Math.max(row.high ?? 0, ...row.values))));
    }
    return params;
  }

  function refresh(chart) {
    const params = paramsOf(chart);
    for (const name of chart.params) if (name in params) chart.view.signal(name, params[name]);
    const value = params.measure;
    const field = value || chart.field;
    const drawn = chart.rows.filter((row) => state.rules.has(row.rule) && (!field || (row[field] ?? null) !== null));
    chart.holder.classList.toggle("empty", !drawn.length);
    if (chart.step) chart.view.height(chart.step * Math.max(1, drawn.length));
    // A layer of which nobody measured this, such as the read-out's spikes, has no place among the small charts.
    const absent = value && chart.layer !== undefined && chart.rows.every((row) => (row[value] ?? null) === null);
    chart.holder.closest("figure").classList.toggle("absent", Boolean(absent));
    return chart.view.runAsync();
  }

  async function draw(holder) {
    const name = holder.dataset.chart, layer = holder.closest("figure").dataset.layer;
    const spec = structuredClone(numbers.charts[name]);
    const everything = rowsOf(spec.usermeta.rows);
    const rows = layer === undefined ? everything : everything.filter((row) => row.layer === layer);
    const lastEpoch = Math.max(0, ...everything.map((row) => row.epoch ?? 0));
    const { step, field } = spec.usermeta;
    const chart = { holder, name, layer, step, field, rows, everything, lastEpoch, params: spec.params.map((param) => param.name) };
    const params = paramsOf(chart);
    spec.params = spec.params.map((param) => (param.name in params ? { ...param, value: params[param.name] } : param));
    spec.data = { values: rows };
    spec.config = config;
    const options = { renderer: "svg", actions: false, defaultStyle: false, logLevel: 1, tooltip: { disableDefaultStyle: true } };
    chart.view = (await window.vegaEmbed(holder, spec, options)).view;
    charts.push(chart);
    await refresh(chart);
  }

  // ---- what is picked reaches everything
  function apply() {
    for (const box of all("input[data-pick]")) {
      box.checked = (box.dataset.pick === "rule" ? state.rules : state.layers).has(box.value);
    }
    for (const element of all("[data-rule], [data-layer]")) {
      const { rule, layer } = element.dataset;
      const hidden = (rule !== undefined && numbers.rules.includes(rule) && !state.rules.has(rule))
        || (layer !== undefined && numbers.layers.includes(layer) && !state.layers.has(layer));
      element.hidden = hidden;
    }
    for (const select of all("select[data-choice]")) select.value = state.choices[select.dataset.choice];
    for (const about of all("[data-about]")) about.textContent = measureOf(about.dataset.about)?.about ?? "";
    return Promise.all(charts.map(refresh)).then(() => window.dispatchEvent(new Event("resize")));
  }

  function changed(text) {
    writeAddress();
    say(text);
    return apply();
  }

  function pick(box) {
    const picked = box.dataset.pick === "rule" ? state.rules : state.layers;
    if (box.checked) picked.add(box.value); else picked.delete(box.value);
    changed(`${state.rules.size} of ${numbers.rules.length} rules shown`);
  }

  function pickSet(which) {
    const controls = new Set(numbers.controls);
    const wanted = { all: numbers.rules, none: [], rules: numbers.rules.filter((name) => !controls.has(name)) };
    state.rules = new Set(wanted[which]);
    if (which === "all") state.layers = new Set(numbers.layers);
    changed(`${state.rules.size} of ${numbers.rules.length} rules shown`);
  }

  function focusOn(rule) {
    if (state.focus === rule) return;
    state.focus = rule;
    for (const chart of charts) chart.view.signal("focus", rule).runAsync();
  }

  // ---- tables
  const textOf = (cell) => {
    if (cell.dataset.value !== undefined) return cell.dataset.value;
    return [...cell.childNodes].map((node) => node.textContent.trim()).filter(Boolean).join("; ");
  };

  function sort(head) {
    const table = head.closest("table"), body = table.tBodies[0], column = head.cellIndex;
    const direction = head.getAttribute("aria-sort") === "descending" ? "ascending"
      : head.getAttribute("aria-sort") === "ascending" ? "descending"
        : head.classList.contains("number") ? "descending" : "ascending";
    for (const other of all("thead th", table)) other.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", direction);
    const sign = direction === "ascending" ? 1 : -1;
    const key = (row) => {
      const cell = row.cells[column], text = textOf(cell);
      return { number: cell.dataset.value === undefined ? NaN : Number(text), text, none: cell.textContent.trim() === "–" };
    };
    const rows = [...body.rows].map((row) => [key(row), row]);
    rows.sort(([a], [b]) => {
      if (a.none !== b.none) return a.none ? 1 : -1;
      const numeric = !Number.isNaN(a.number) && !Number.isNaN(b.number);
      return sign * (numeric ? a.number - b.number : a.text.localeCompare(b.text, "en", { numeric: true }));
    });
    body.append(...rows.map(([, row]) => row));
    say(`sorted by ${head.textContent}, ${direction}`);
  }

  function shownCells(table) {
    const rows = [...table.tHead.rows, ...table.tBodies[0].rows].filter((row) => !row.hidden);
    return rows.map((row) => [...row.cells].map((cell) => (cell.closest("thead") ? cell.textContent.trim() : textOf(cell))));
  }

  const quoted = (value) => {
    const text = value === null || value === undefined ? "" : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const csv = (rows) => rows.map((row) => row.map(quoted).join(",")).join("\r\n") + "\r\n";

  async function copy(text, button) {
    let done = true;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = document.createElement("textarea");
      area.value = text;
      area.className = "unseen";
      document.body.append(area);
      area.select();
      done = document.execCommand("copy");
      area.remove();
      button.focus();
    }
    const before = button.dataset.label ??= button.textContent;
    button.textContent = done ? "Copied" : "Not allowed";
    say(done ? "copied" : "the browser does not allow copying");
    setTimeout(() => { button.textContent = before; }, 1400);
  }

  function save(name, text, type) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    say(`${name} saved`);
  }

  // A picture that stands alone has no style sheet: its variables become colours.
  async function saveSvg(figure) {
    const chart = charts.find(({ holder }) => figure.contains(holder));
    if (!chart) return;
    const style = getComputedStyle(document.documentElement);
    const text = (await chart.view.toSVG()).replace(/var\((--[\w-]+)\)/g, (_, name) => style.getPropertyValue(name).trim());
    save(`${chart.name}${figure.dataset.layer ? `-${figure.dataset.layer}` : ""}.svg`, text, "image/svg+xml");
  }

  // ---- events
  document.addEventListener("change", ({ target }) => {
    if (target.matches("input[data-pick]")) pick(target);
    if (target.matches("select[data-choice]")) {
      state.choices[target.dataset.choice] = target.value;
      changed(`showing ${target.selectedOptions[0].textContent}`);
    }
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button, a[data-jump]");
    if (!button) return;
    const box = button.closest(".table-box"), { set, file } = button.dataset;
    if (button.matches("a[data-jump]")) {
      event.preventDefault(); // the address belongs to the reader's choice
      document.querySelector(button.getAttribute("href")).scrollIntoView();
    } else if (set) pickSet(set);
    else if (button.closest("thead")) sort(button.closest("th"));
    else if (button.matches("[data-copy]")) copy(shownCells(box.querySelector("table")).map((row) => row.join("\t")).join("\n"), button);
    else if (button.matches("[data-save]")) save(`${box.dataset.table}-table.csv`, csv(shownCells(box.querySelector("table"))), "text/csv");
    else if (button.matches("[data-copy-command]")) copy(button.parentElement.querySelector("code").textContent, button);
    else if (button.matches("[data-svg]")) saveSvg(button.closest("figure"));
    else if (file) {
      const { columns = [], rows = [] } = numbers.lists[file] || {};
      save(`${file}.csv`, csv([columns, ...rows]), "text/csv");
    }
  });
  for (const chip of all(".chip:has([data-pick='rule'])")) {
    const rule = chip.querySelector("input").value;
    chip.addEventListener("pointerenter", ({ pointerType }) => { if (pointerType === "mouse") focusOn(state.rules.has(rule) ? rule : null); });
    chip.addEventListener("pointerleave", () => focusOn(null));
  }
  window.addEventListener("hashchange", () => { readAddress(); apply(); });
  // Paper is as wide as it is: charts are drawn for it, so that their letters keep their size.
  let opened = [];
  const PAPER = { wide: 640, narrow: 290 }; // pixels inside a card, A4 upright
  window.addEventListener("beforeprint", () => {
    opened = all("details:not([open])");
    for (const details of opened) details.open = true;
    for (const { holder, view } of charts) {
      view.width(holder.closest("figure").matches(".wide") ? PAPER.wide : PAPER.narrow).run();
    }
  });
  window.addEventListener("afterprint", () => {
    for (const details of opened) details.open = false;
    window.dispatchEvent(new Event("resize"));
  });

  async function start() {
    readAddress();
    await apply();
    for (const holder of all(".canvas")) {
      try {
        await draw(holder);
      } catch (error) {
        console.error(`chart ${holder.dataset.chart}:`, error);
        holder.textContent = "This chart could not be drawn; the table holds its numbers.";
      }
    }
    await apply();
    document.documentElement.dataset.ready = "true";
  }
  start();
})();
