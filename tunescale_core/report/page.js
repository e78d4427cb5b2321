// Sorting, filters, plots and the browser of examples. What models said is only ever set as text.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const filters = document.getElementById("filters");
  const chosen = () => Object.fromEntries(new FormData(filters));

  // Tables: a click or Enter on a head sorts by it, again the other way round; missing values stay last.
  const keyOf = (cell) => {
    const raw = cell.dataset.value === undefined ? cell.textContent.trim() : cell.dataset.value;
    if (raw === "") return null;
    const value = Number(raw);
    return Number.isNaN(value) ? raw : value;
  };
  const compare = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b)));
  const sortBy = (head) => {
    const table = head.closest("table");
    const place = [...head.parentNode.children].indexOf(head);
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of head.parentNode.children) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => [keyOf(row.cells[place]), row]);
    rows.sort(([a], [b]) => (a === null ? (b === null ? 0 : 1) : b === null ? -1 : (down ? -1 : 1) * compare(a, b)));
    body.append(...rows.map(([, row]) => row));
  };
  for (const head of document.querySelectorAll("table.sortable th")) {
    head.querySelector("button").addEventListener("click", () => sortBy(head));
  }

  // Plots: drawn once they are near the view; a filter leaves out points whose customdata does not match.
  const perPoint = ["x", "y", "customdata", "text"];
  const keeps = (point, wanted) =>
    !Array.isArray(point) || ((!wanted.model || point[1] === wanted.model) && (!wanted.method || point[2] === wanted.method));
  const narrowed = (trace, wanted) => {
    if (!Array.isArray(trace.customdata) || trace.type === "heatmap") return trace;
    const places = trace.customdata.map((point, place) => (keeps(point, wanted) ? place : -1)).filter((place) => place >= 0);
    const copy = { ...trace };
    for (const name of perPoint) if (Array.isArray(trace[name])) copy[name] = places.map((place) => trace[name][place]);
    for (const name of ["error_x", "error_y"]) {
      if (!trace[name]) continue;
      copy[name] = { ...trace[name] };
      for (const side of ["array", "arrayminus"]) {
        if (Array.isArray(trace[name][side])) copy[name][side] = places.map((place) => trace[name][side][place]);
      }
    }
    return copy;
  };
  const draw = (element) => {
    const figure = data.plots[data.names.indexOf(element.dataset.plot)];
    const wanted = chosen();
    const traces = figure.data.map((trace) => narrowed(trace, wanted));
    element.dataset.drawn = "true";
    return Plotly.react(element, traces, figure.layout, { responsive: true, displaylogo: false });
  };
  const watcher = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) {
        if (entry.isIntersecting) {
          watcher.unobserve(entry.target);
          draw(entry.target);
        }
      }
    },
    { rootMargin: "400px" },
  );
  const plots = [...document.querySelectorAll(".plot")];
  plots.forEach((element) => watcher.observe(element));

  const applyFilters = () => {
    const wanted = chosen();
    for (const row of document.querySelectorAll("#tables tbody tr")) {
      const { model, method } = row.dataset;
      row.hidden = Boolean((wanted.model && model && model !== wanted.model) || (wanted.method && method && method !== wanted.method));
    }
    for (const cell of document.querySelectorAll("#tables [data-task]")) {
      cell.hidden = Boolean(wanted.task && cell.dataset.task && cell.dataset.task !== wanted.task);
    }
    plots.filter((element) => element.dataset.drawn).forEach(draw);
    const place = data.samples.findIndex((sample) => sample.task === wanted.task);
    if (place >= 0) show(place, 0);
    else if (data.samples.length) show(current.sample, current.example);
  };
  filters.addEventListener("change", applyFilters);
  filters.addEventListener("reset", () => setTimeout(applyFilters));

  // Examples: a list to choose from, one example at a time, its answers side by side.
  const current = { sample: 0, example: 0 };
  const make = (name, text, attributes = {}) => {
    const element = document.createElement(name);
    if (text !== undefined && text !== null) element.textContent = text;
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  };
  const told = (value) => (value === null ? "unreadable" : value === "" ? "(abstains)" : value);
  const answerCard = (answer) => {
    const card = make("section", null, { class: "answer" });
    card.append(make("h4", answer.candidate));
    const seconds = answer.seconds === null ? "not timed" : `${answer.seconds.toFixed(4)} s`;
    const score = answer.score === null || Number.isNaN(answer.score) ? "–" : Number(answer.score).toPrecision(3);
    card.append(make("p", `${answer.judge} ${score} · ${answer.tokens} tokens · ${seconds} · ${answer.finish}`, { class: "note" }));
    card.append(make("p", `Answer: ${told(answer.answer)}`));
    if (answer.thought) {
      const folded = make("details");
      folded.append(make("summary", "Reasoning"), make("pre", answer.thought));
      card.append(folded);
    }
    const whole = make("details");
    whole.append(make("summary", "Whole text"), make("pre", answer.text));
    card.append(whole);
    return card;
  };
  const show = (samplePlace, examplePlace) => {
    const sample = data.samples[samplePlace];
    const wanted = chosen();
    current.sample = samplePlace;
    current.example = Math.max(0, Math.min(examplePlace, sample.examples.length - 1));
    document.getElementById("example-task").value = String(samplePlace);
    const list = document.getElementById("example-list");
    list.replaceChildren(
      ...sample.examples.map((example, place) => {
        const button = make("button", example.prompt.replaceAll("\n", " ").slice(0, 160), { type: "button" });
        if (place === current.example) button.setAttribute("aria-current", "true");
        button.addEventListener("click", () => {
          show(samplePlace, place);
          list.children[place].firstChild.focus();
        });
        const item = make("li");
        item.append(button);
        return item;
      }),
    );
    document.getElementById("place").textContent = `${current.example + 1} of ${sample.examples.length}`;
    document.getElementById("sampled").textContent =
      `${sample.examples.length} of ${sample.total} examples are on this page, answered by ${sample.candidates.length} of ${sample.measured} candidates.`;
    const example = sample.examples[current.example];
    const article = document.getElementById("example");
    const answers = make("div", null, { class: "answers" });
    const kept = example.answers.filter(
      (answer) => (!wanted.model || answer.model === wanted.model) && (!wanted.method || answer.method === wanted.method),
    );
    answers.append(...kept.map(answerCard));
    article.replaceChildren(
      make("h3", `Example ${example.id}`),
      make("pre", example.prompt),
      make("p", `Right: ${example.gold.length ? example.gold.join(" | ") : "no answer"}`),
      answers,
    );
  };
  if (data.samples.length) {
    document.getElementById("example-task").addEventListener("change", (event) => show(Number(event.target.value), 0));
    document.getElementById("previous").addEventListener("click", () => show(current.sample, current.example - 1));
    document.getElementById("next").addEventListener("click", () => show(current.sample, current.example + 1));
    show(0, 0);
  }
})();
