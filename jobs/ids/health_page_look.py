"""The style of the health page: that of the tag page, and what plots and groups of notes need beside it."""

from __future__ import annotations

from jobs.tags.tag_page_look import STYLE as TAG_STYLE

STYLE = (
    TAG_STYLE
    + """
:root { --control: #4c78a8; --faint: #b9b6ad } @media (prefers-color-scheme: dark) { :root { --control: #7aa6d6;
  --faint: #5d6068 } }
main > h2 { font-size: 1.2rem; margin: 2rem 0 .2rem } main > p { margin: .1rem 0 .8rem; max-width: 62rem }
.panels.wide { grid-template-columns: repeat(auto-fit, minmax(min(21rem, 100%), 1fr)) } .panel { max-height: none }
.curves .plot text { font-size: 13px }
.panels.curves { grid-template-columns: repeat(auto-fit, minmax(min(15rem, 100%), 1fr)) }
.plot { width: 100%; max-width: 34rem; height: auto; display: block; overflow: visible } .plot text { font-size: 10px;
  fill: var(--quiet); font-variant-numeric: tabular-nums }
.ours { fill: var(--accent) } .control { fill: var(--control) } .faint { fill: var(--faint) } .line { fill: var(--line) }
.axis { stroke: var(--faint); stroke-width: 1; fill: none } .even { stroke: var(--ink); stroke-width: 1;
  stroke-dasharray: 4 3; fill: none; opacity: .7 }
.meter { width: 100%; min-width: 8rem; height: .8rem; display: block; background: var(--line); border-radius: .2rem;
  margin-top: .3rem }
.key { display: inline-flex; gap: .35rem; align-items: center; margin-right: 1rem; font-size: .84rem; color: var(--quiet) }
.key i { width: .8rem; height: .8rem; border-radius: .2rem; display: inline-block }
.key .ours { background: var(--accent) } .key .control { background: var(--control) }
.key .faint { background: var(--faint) }
.key .line { background: var(--line) } .levels td { vertical-align: middle; border-top: 1px solid var(--line);
  padding: .35rem .7rem .35rem 0; white-space: nowrap } .levels td.wide { width: 34%; white-space: normal }
.levels th { padding: .2rem .7rem .2rem 0 } .counts { width: auto } .counts td, .counts th { padding: .2rem 1.6rem .2rem 0 }
.remarks { border-left: .25rem solid var(--warn); background: var(--card); border-radius: .4rem; padding: .7rem 1rem;
  margin: 1rem 0 } .remarks ul { margin: .2rem 0 0; padding-left: 1.1rem } .remarks.good { border-color: var(--good) }
.groups { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(26rem, 100%), 1fr)); gap: .75rem }
.group { background: var(--card); border: 1px solid var(--line); border-radius: .7rem; padding: .8rem 1rem; min-width: 0 }
.group h3 { display: flex; justify-content: space-between; gap: .6rem; font-size: 1rem } .group h3 code { font-size: .95em }
.group .why { font-size: .86rem; margin: .15rem 0 .35rem; overflow-wrap: anywhere }
.card { display: flex; gap: .6rem; align-items: flex-start; border-top: 1px solid var(--line); padding: .35rem 0 }
.card img { width: 2.9rem; height: 2.9rem; object-fit: cover; border-radius: .35rem; background: var(--line); flex: none }
.card div { min-width: 0; font-size: .9rem; line-height: 1.35; overflow-wrap: anywhere; unicode-bidi: isolate }
.card small { color: var(--quiet) } .more { color: var(--quiet); font-size: .84rem }
"""
)
