"""Template: style and script of the page of an explanation, which loads no other file."""

#: The style of the terms, also in other pages.
STYLE = """\
section { border-left: 4px solid #8884; padding: .1rem .8rem; margin: .8rem 0; }
section h4, .surrogate h4 { font-size: 1rem; margin: .2rem 0; }
section.biased h4 { color: #c00000; }
dl { display: grid; grid-template-columns: 5.5rem 1fr; gap: .1rem .5rem; margin: .3rem 0; }
dt { opacity: .75; }
dd { margin: 0; min-width: 0; overflow-wrap: anywhere; }
"""

PAGE_STYLE = """\
:root { color-scheme: light dark; --ink: #1a1a1a; --paper: #fff; --line: #d0d0d0;
  --node: #1766a8; --node-light: #e3eefa; --cost: #b84a00; --cost-light: #fde8d7; }
@media (prefers-color-scheme: dark) { :root { --ink: #ececec; --paper: #16181d; --line: #4a4f58;
  --node: #6fb7f2; --node-light: #1d3148; --cost: #ff9d5c; --cost-light: #47301a; } }
body { margin: 1rem; font: 15px/1.45 system-ui, sans-serif; color: var(--ink);
  background: var(--paper); overflow-wrap: anywhere; }
main { display: flex; gap: 1.5rem; align-items: flex-start; }
main.wide { display: block; }
figure { margin: 0; flex: 1 1 50%; overflow: auto; max-height: 95vh; position: sticky; top: 0; }
.wide figure { position: static; max-height: none; }
figure svg { max-width: max(100%, 36rem); height: auto; }
figure .bar { position: sticky; left: 0; }
article { flex: 1 1 50%; min-width: 0; }
h2 { font-size: 1.15rem; margin: 1.2rem 0 .3rem; }
button { font: inherit; font-weight: 600; color: inherit; background: none; cursor: pointer;
  border: 1px solid var(--line); border-radius: 4px; padding: 0 .4rem; }
:is(button, g.node):focus-visible { outline: 3px solid var(--node); outline-offset: 2px; }
ol { list-style: none; padding: 0; }
ol > li { display: grid; grid-template-columns: minmax(2.7rem, auto) 1fr; gap: 0 .6rem;
  align-items: start;
  cursor: pointer; border-left: 4px solid var(--line); padding: .15rem .6rem; margin: .4rem 0; }
li div { min-width: 0; overflow-x: auto; overflow-y: hidden; }
li p { margin: .1rem 0; }
.scroll { overflow-x: auto; overflow-wrap: normal; }
details > summary { cursor: pointer; margin: .4rem 0; }
math { font-size: 1.06em; }
table { border-collapse: collapse; }
caption { text-align: left; white-space: nowrap; }
th, td { border: 1px solid var(--line); padding: .15rem .5rem; text-align: left; }
.lit { border-color: var(--node); background: var(--node-light); }
.name { color: var(--node); }
.name.cost { color: var(--cost); }
.name.lit { font-weight: 700; background: none; text-decoration: underline; }
[aria-pressed="true"] { border-color: var(--node); background: var(--node-light); }
g.node { cursor: pointer; }
g.chosen > :is(ellipse, polygon, path) { stroke: var(--node); stroke-width: 3;
  fill: var(--node-light); }
g.credited > :is(ellipse, polygon, path) { stroke: var(--cost); stroke-width: 3;
  fill: var(--cost-light); }
@media (max-width: 800px) {
  main { display: block; }
  figure { position: static; max-height: none; }
}
"""

SCRIPT = """\
const credit = JSON.parse(document.getElementById("credit").textContent);
const all = selector => [...document.querySelectorAll(selector)];
const said = document.getElementById("said");
function clear() {
  for (const e of all(".lit, .chosen, .credited")) e.classList.remove("lit", "chosen", "credited");
  for (const e of all("[aria-pressed=true]")) e.setAttribute("aria-pressed", "false");
  said.textContent = "";
}
const boxes = all("figure g.node");
function light(nodes, costs, pressed) {
  clear();
  const both = new Set([...nodes, ...costs]);
  for (const box of boxes) {
    if (nodes.includes(box.dataset.box)) box.classList.add("chosen");
    if (costs.includes(box.dataset.box)) box.classList.add("credited");
  }
  for (const e of all(".name")) e.classList.toggle("lit", both.has(e.dataset.box));
  for (const e of all("[data-press]"))
    if (pressed.includes(e.dataset.press)) e.setAttribute("aria-pressed", "true");
  const names = ids => ids.map(id => credit.names[id]).join(", ");
  said.textContent = (names(nodes) || "no node") + ": credited by " + (names(costs) || "no cost");
}
function steps(ids, key) {
  const found = all("li").filter(e => (e.dataset[key] ?? "").split(" ").some(x => ids.includes(x)));
  for (const e of found) e.classList.add("lit");
  return found;
}
function press(kind, id) {
  if (kind == "node") {
    light([id], credit.nodes[id] ?? [], ["node " + id]);
    steps([id], "nodes");
    for (const e of all("section." + CSS.escape("about-" + id))) e.classList.add("lit");
  } else if (kind == "cost") {
    const nodes = Object.keys(credit.nodes).filter(n => credit.nodes[n].includes(id));
    light(nodes, [id], ["cost " + id]);
    steps([id], "costs");
  } else {
    const line = document.getElementById(id);
    const of = key => (line.dataset[key] ?? "").split(" ").filter(Boolean);
    light(of("nodes"), of("costs"), ["line " + id]);
    line.classList.add("lit");
  }
}
for (const svg of all("figure svg")) svg.setAttribute("role", "group");
for (const box of boxes) {  // also those of pictures in which other boxes are open
  const own = box.dataset.node.split("\\n");
  const id = own.map(name => credit.members[name]).find(Boolean);
  if (!id) continue;
  const name = own.length < 4 ? own.join(", ") : credit.names[id];
  box.dataset.box = id;
  box.setAttribute("role", "button");
  box.setAttribute("tabindex", "0");
  box.setAttribute("aria-pressed", "false");
  box.removeAttribute("aria-expanded");  // the button above the picture opens it
  box.setAttribute("aria-label", name + (id in credit.nodes ? ": light its steps and costs"
    : ": light the nodes that it credits"));
  box.dataset.press = (id in credit.nodes ? "node " : "cost ") + id;
}
function toggle(element) {
  const [kind, id] = element.dataset.press.split(" ");
  element.getAttribute("aria-pressed") == "true" ? clear() : press(kind, id);
}
document.addEventListener("click", event => {
  const own = event.target.closest("[data-press]");
  const line = event.target.closest("li, section");
  const inner = own ?? line?.querySelector("[data-press]");
  if (inner) toggle(inner);
});
document.addEventListener("keydown", event => {
  if (event.key == "Escape") return clear();
  const box = event.target.closest?.("g[data-press]");
  if (box && (event.key == "Enter" || event.key == " ")) {
    event.preventDefault();
    toggle(box);
  }
});
"""

PAGE = """{head}<style>
{style}</style>
</head>
<body>
<h1>{title}</h1>
<p>{numbers}. Press a node to light its steps and, in orange, the costs that credit it; press a \
step to light its nodes. Tab, Enter and Escape do the same.</p>
<p id="said" role="status" aria-live="polite"></p>
<main class="{layout}">
<figure>{picture}</figure>
<article>
<h2 id="derivation">Derivation</h2>
{derivation}
<h2>Credit</h2>
<div class="scroll" tabindex="0" role="region" aria-label="credit">{matrix}</div>
<h2>Estimators</h2>
{terms}
</article>
</main>
<script type="application/json" id="credit">{credit}</script>
<script>
{script}</script>
</body>
</html>
"""
