"""The style and the script of the tag page; the script only hides and shows what is there."""

from __future__ import annotations

STYLE = """
:root { color-scheme: light dark; --paper: #f6f5f2; --card: #fff; --ink: #22242a; --quiet: #6b6f7a;
  --line: #e3e1db;
  --accent: #b4412f; --good: #1a7f37; --warn: #9a6700; --bad: #c9252d; --mark: #ffe9a8; --chip: 92%; --chipink: 26%; }
@media (prefers-color-scheme: dark) { :root { --paper: #17181b; --card: #202226; --ink: #e7e6e3;
  --quiet: #9a9ca5;
  --line: #34363c; --accent: #f08a76; --good: #57c26f; --warn: #e0b04a; --bad: #ff7b76; --mark: #5c4a12; --chip: 24%;
  --chipink: 84%; } }
* { box-sizing: border-box } [hidden] { display: none !important }
body { font: 15px/1.55 system-ui, "Noto Sans", "Noto Sans CJK SC", sans-serif; background: var(--paper);
  color: var(--ink);
  margin: 0; padding: 0 1.25rem 4rem }
main, header { max-width: 84rem; margin: 0 auto }
header { padding: 1.6rem 0 .4rem } h1 { font-size: 1.6rem; margin: 0 } h2 { font-size: 1rem; margin: 0 0 .6rem }
h3 { font-size: 1.08rem; line-height: 1.35; margin: 0 } h4 { font-size: .74rem; letter-spacing: .06em;
  margin: 1rem 0 .35rem;
  text-transform: uppercase; color: var(--quiet); font-weight: 600 }
.quiet { color: var(--quiet) } .n { font-variant-numeric: tabular-nums; text-align: right }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: .75rem;
  margin: 1rem 0 }
.figure, .panel, article { background: var(--card); border: 1px solid var(--line); border-radius: .7rem }
.figure { padding: .65rem .9rem } .figure b { display: block; font-size: 1.45rem; font-weight: 650;
  line-height: 1.2 }
.figure span { color: var(--quiet); font-size: .84rem }
.panels { display: grid; grid-template-columns: repeat(auto-fit, minmax(17.5rem, 1fr)); gap: .75rem }
.panel { padding: .9rem 1rem; max-height: 27rem; overflow: auto }
  .panel h2:not(:first-child) { margin-top: 1.1rem }
table { border-collapse: collapse; width: 100% } td, th { text-align: left; vertical-align: top;
  padding: .22rem .5rem .22rem 0 }
th { font-size: .78rem; color: var(--quiet); font-weight: 600 } .panel td { font-size: .9rem }
.values td, .values th { border-top: 1px solid var(--line); padding: .38rem .7rem .38rem 0 }
  .values tr:first-child th { border: 0 }
.bar { display: block; height: .45rem; border-radius: .3rem; background: var(--line); min-width: 3.5rem;
  margin-top: .5rem }
.bar i { display: block; height: 100%; border-radius: .3rem; background: var(--accent); opacity: .75 }
form { position: sticky; top: 0; z-index: 2; display: flex; flex-wrap: wrap; gap: .5rem; align-items: center;
  padding: .7rem 0;
  margin: 1rem 0 .3rem; background: var(--paper); border-bottom: 1px solid var(--line) }
select, input, button { font: inherit; font-size: .9rem; color: inherit; background: var(--card);
  border: 1px solid var(--line);
  border-radius: .5rem; padding: .32rem .55rem; max-width: 15rem }
button { cursor: pointer } #shown { margin-left: auto }
article { margin: .9rem 0; padding: 1rem 1.15rem; display: grid; grid-template-columns: 13.5rem 1fr;
  gap: 1.2rem }
article > * { min-width: 0 } .pictures img { width: 100%; border-radius: .5rem; display: block;
  margin-bottom: .5rem; background: var(--line) }
.blank { border: 1px dashed var(--line); border-radius: .5rem; padding: 2.2rem .6rem; text-align: center;
  font-size: .86rem }
.head { display: flex; gap: .6rem; align-items: baseline; flex-wrap: wrap } .head h3 { flex: 1 1 20rem }
.text { white-space: pre-wrap; overflow-wrap: anywhere; max-height: 12rem; overflow: auto; margin: .45rem 0;
  unicode-bidi: isolate }
h3, td, .chip, .says { unicode-bidi: isolate; overflow-wrap: anywhere }
mark { background: var(--mark); color: inherit; border-radius: .2rem; padding: 0 .1rem }
.badge { font-size: .78rem; font-weight: 600; border: 1px solid; border-radius: 1rem; padding: .05rem .6rem;
  white-space: nowrap }
.ok { color: var(--good) } .empty, .skipped { color: var(--warn) } .bad { color: var(--bad) }
.chip { display: inline-block; border: 0; border-radius: 1rem; padding: .12rem .65rem;
  margin: 0 .3rem .3rem 0; font-size: .88rem;
  max-width: 100%; background: hsl(var(--hue) 60% var(--chip)); color: hsl(var(--hue) 55% var(--chipink)); text-align: left }
.chip small { opacity: .75 } .off { background: none; border: 1px dashed var(--line); color: var(--quiet) }
.gone { text-decoration: line-through } details { margin-top: .7rem } summary { cursor: pointer;
  color: var(--quiet); font-size: .86rem }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font-size: .8rem; max-height: 18rem; overflow: auto;
  margin: .4rem 0 0 }
.scroll { overflow-x: auto }
@media (max-width: 46rem) { article { grid-template-columns: 1fr } .pictures { display: flex; gap: .5rem }
  .pictures img { width: 9rem } }
"""

SCRIPT = """
const form = document.forms[0], notes = [...document.querySelectorAll("article")];
const has = (note, name, wanted) => !wanted || JSON.parse(note.dataset[name]).includes(wanted);
function show() {
  const f = form.elements, words = f.words.value.trim().toLowerCase();
  let shown = 0;
  for (const note of notes) {
    const fits = ["category", "status", "source", "dimension", "tag"].every(name => has(note, name, f[name].value))
      && (!words || note.textContent.toLowerCase().includes(words));
    note.hidden = !fits;
    shown += fits;
  }
  document.getElementById("shown").textContent = shown + " of " + notes.length + " notes shown";
}
form.addEventListener("input", show);
form.addEventListener("submit", event => event.preventDefault());
form.addEventListener("reset", () => setTimeout(show));
document.addEventListener("click", event => {
  const chip = event.target.closest("[data-pick]");
  if (!chip) return;
  const tags = form.elements.tag, pick = chip.dataset.pick;
  if (![...tags.options].some(option => option.value === pick)) tags.add(new Option(pick, pick));
  tags.value = pick;
  show();
  form.scrollIntoView();
});
show();
"""
