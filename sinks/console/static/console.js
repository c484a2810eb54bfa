"use strict";
/* Theme, charts and live panels. All that is shown comes escaped from the server. */

const THEMES = ["auto", "light", "dark"];
let theme = localStorage.getItem("theme");
if (!THEMES.includes(theme)) theme = "auto";
document.documentElement.dataset.theme = theme;

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function tracesOf(chart) {
  return chart.lines.map((line, number) => {
    const tint = colour(`--series-${number % 8}`);
    const trace = { name: line.name, x: line.x, y: line.y, customdata: line.href };
    if (chart.kind === "funnel") {
      return { ...trace, type: "funnel", x: line.y, y: line.x, marker: { color: tint },
        textinfo: "value+percent initial", connector: { fillcolor: colour("--line") } };
    }
    if (chart.kind === "bar") return { ...trace, type: "bar", marker: { color: tint } };
    const drawn = { ...trace, type: "scatter", mode: line.x.length > 60 ? "lines" : "lines+markers",
      line: { color: tint, width: 2 }, marker: { size: 5, color: tint } };
    return chart.kind === "area" ? { ...drawn, stackgroup: "one", fillcolor: tint + "55" } : drawn;
  });
}

function layoutOf(chart) {
  const axis = { gridcolor: colour("--line"), zerolinecolor: colour("--line") };
  const isFunnel = chart.kind === "funnel";
  return {
    font: { family: "system-ui, sans-serif", size: 12, color: colour("--ink-soft") },
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    margin: { l: 56, r: 12, t: 8, b: 40 }, height: 280, hovermode: isFunnel ? "closest" : "x unified",
    hoverlabel: { bgcolor: colour("--panel"), bordercolor: colour("--line"), font: { color: colour("--ink") } },
    xaxis: { ...axis, showgrid: false, title: { text: isFunnel ? chart.y_title : chart.x_title } },
    yaxis: { ...axis, automargin: isFunnel, rangemode: "tozero", title: isFunnel ? undefined : { text: chart.y_title } },
    showlegend: chart.lines.length > 1, legend: { orientation: "h", y: 1.12, x: 0 }, bargap: 0.25,
  };
}

function drawOne(place) {
  const chart = JSON.parse(place.dataset.chart);
  const isNew = !place.dataset.drawn;
  place.dataset.drawn = "yes";
  Plotly.react(place, tracesOf(chart), layoutOf(chart), { displayModeBar: false, responsive: true });
  if (isNew) {
    place.on("plotly_click", (event) => {
      const where = event.points[0].customdata;
      if (where) location.href = where;
    });
  }
}

function draw(root, which = "[data-chart]") {
  if (window.Plotly) root.querySelectorAll(which).forEach(drawOne);
}

/* The page comes piece by piece: what is there is drawn, without waiting for the rest. */
const drawNew = () => draw(document, "[data-chart]:not([data-drawn])");
const arrival = new MutationObserver(drawNew);
arrival.observe(document, { childList: true, subtree: true });
document.addEventListener("load", drawNew, true);

/* A new answer: the chart stays and takes its new values, what people opened stays open. */
function renew(panel, html) {
  const answer = panel.querySelector(".answer");
  const fresh = document.createElement("div");
  fresh.innerHTML = html;
  const [kept, next] = [answer, fresh].map((one) => one.querySelector("[data-chart]"));
  const open = answer.querySelector("details.data")?.open;
  if (kept && next) {
    kept.dataset.chart = next.dataset.chart;
    next.replaceWith(kept);
  }
  answer.replaceChildren(...fresh.childNodes);
  const details = answer.querySelector("details.data");
  if (details && open) details.open = true;
  draw(answer);
}

function follow(main) {
  const pause = document.getElementById("pause");
  let source = null;
  const mark = (isLive) => {
    for (const one of main.querySelectorAll(".live")) one.hidden = !isLive;
  };
  const begin = () => {
    source = new EventSource(main.dataset.stream);
    source.addEventListener("open", () => mark(true));
    source.addEventListener("error", () => mark(false));
    source.addEventListener("panel", (event) => {
      const { id, html } = JSON.parse(event.data);
      renew(document.getElementById(id), html);
    });
  };
  const end = () => {
    source.close();
    mark(false);
  };
  pause.hidden = false;
  pause.addEventListener("click", () => {
    const isPaused = pause.getAttribute("aria-pressed") !== "true";
    pause.setAttribute("aria-pressed", String(isPaused));
    pause.textContent = isPaused ? "Go on" : "Pause";
    if (isPaused) end(); else begin();
  });
  addEventListener("pagehide", end);
  begin();
}

addEventListener("DOMContentLoaded", () => {
  const button = document.getElementById("theme");
  if (button) {
    const say = () => { button.textContent = theme[0].toUpperCase() + theme.slice(1); };
    say();
    button.addEventListener("click", () => {
      theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
      localStorage.setItem("theme", theme);
      document.documentElement.dataset.theme = theme;
      say();
      draw(document);
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw(document));
  }
  arrival.disconnect();
  drawNew();
  const main = document.querySelector("main[data-stream]");
  if (main) follow(main);
});
