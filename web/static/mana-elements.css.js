/** The look of the custom elements, which a page's own styles do not reach. @module */

export const sheet = new CSSStyleSheet();
sheet.replaceSync(`
:host {
  display: block; color: var(--mana-text, inherit);
  --accent: var(--mana-accent, light-dark(#4a3fce, #aaa4ff)); --on-accent: var(--mana-on-accent, light-dark(#fff, #16133a));
  --surface: var(--mana-surface, light-dark(#fff, #1a1c26)); --raised: var(--mana-raised, light-dark(#f0eff9, #242736));
  --line: var(--mana-line, light-dark(#dddeea, #343848)); --quiet: var(--mana-quiet, light-dark(#585b70, #a9adc2));
  --warn: var(--mana-warn, light-dark(#8a4b00, #ffc46b)); --warn-ground: var(--mana-warn-ground, light-dark(#fff4e0, #33270f));
  --bad: var(--mana-bad, light-dark(#b3202c, #ff9a9f)); --good: var(--mana-good, light-dark(#1d6b3c, #7fd8a0));
  accent-color: var(--accent);
}
:host([hidden]), [hidden] { display: none !important; }
:host(mana-balance) { display: inline-block; }
*, ::before, ::after { box-sizing: border-box; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
h2 { font-size: 1.2rem; line-height: 1.2; margin: 0 0 .5rem; }
p, ul { margin: 0 0 .75rem; }
ul { padding-left: 1.2rem; }
.card { background: var(--surface); border: 1px solid var(--line); border-radius: .75rem; padding: 1.25rem; margin: 0 0 1.25rem; }
.card > :last-child { margin-bottom: 0; }
.row { display: flex; flex-wrap: wrap; gap: .6rem; align-items: center; }
.end { justify-content: flex-end; margin-top: 1.25rem; }
.small, .facts, .purse { color: var(--quiet); }
.bad { color: var(--bad); }
button, .button { display: inline-block; font: inherit; font-weight: 600; line-height: 1.3; padding: .55rem 1.1rem; border: 1px solid transparent; border-radius: .6rem; background: var(--accent); color: var(--on-accent); text-decoration: none; cursor: pointer; }
button:hover, .button:hover { filter: brightness(1.08); }
button.quiet, .button.quiet { background: none; color: inherit; border-color: var(--quiet); }
button.plain { background: none; color: inherit; font-size: 1.4rem; line-height: 1; padding: .3rem .6rem; }
button.grave { background: var(--bad); color: var(--surface); }
button[aria-disabled="true"] { opacity: .6; cursor: progress; filter: none; }
.pill { display: inline-block; padding: .35rem .8rem; border-radius: 2rem; background: var(--raised); color: inherit; font-weight: 600; text-decoration: none; white-space: nowrap; font-variant-numeric: tabular-nums; }
.state { display: flex; align-items: center; gap: .6rem; font-size: 1.35rem; }
.state::before { content: ""; flex: none; width: .75rem; height: .75rem; border-radius: 50%; background: var(--quiet); }
.state[data-status="active"]::before, .state[data-status="gifted"]::before { background: var(--good); }
.state[data-status="paused"]::before { background: var(--warn); }
.notice { background: var(--warn-ground); border-left: 4px solid var(--warn); border-radius: .4rem; padding: .75rem 1rem; }
.purse { margin-bottom: 0; }
.notice { margin-top: 1rem; }
.notice p { margin: 0; }
.grow { flex: 1 1 14rem; }
.actions:not(:has(> :not([hidden]))) { display: none; }
.notice.bad { border-color: var(--bad); }
fieldset { border: 0; padding: 0; margin: 0 0 1rem; min-width: 0; }
legend { font-weight: 700; font-size: 1.2rem; padding: 0; margin: 0 0 .75rem; }
.choices { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 10rem), 1fr)); gap: .75rem; }
.choice { display: grid; grid-template-columns: auto 1fr; gap: 0 .6rem; align-items: baseline; padding: .9rem 1rem; border: 2px solid var(--line); border-radius: .75rem; cursor: pointer; }
.choice:has(:checked) { border-color: var(--accent); background: var(--raised); }
.choice:has(:focus-visible) { outline: 3px solid var(--accent); outline-offset: 2px; }
.choice :focus-visible { outline: none; }
.choice .name { font-weight: 600; }
.choice .price { grid-column: 2; font-size: 1.15rem; font-weight: 700; }
.choice .small { grid-column: 2; font-size: .9rem; }
fieldset:disabled { opacity: .6; }
.check { display: flex; gap: .6rem; align-items: baseline; margin-top: 1rem; }
.banner { display: flex; flex-wrap: wrap; justify-content: space-between; align-items: center; gap: .6rem 1.5rem; padding: .75rem max(1rem, calc(50vw - 30rem)); background: var(--warn-ground); border-bottom: 1px solid var(--warn); }
.banner .words { flex: 1 1 20rem; }
.banner p { margin: 0; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
dialog { max-width: min(32rem, calc(100vw - 2rem)); padding: 1.5rem; color: inherit; background: var(--surface); border: 1px solid var(--line); border-radius: .75rem; }
dialog::backdrop { background: rgb(0 0 0 / .5); }
.skeleton { color: transparent; border-radius: .4rem; background: var(--raised); user-select: none; animation: breathe 1.4s ease-in-out infinite alternate; }
@keyframes breathe { to { opacity: .45; } }
@media (prefers-reduced-motion: reduce) { .skeleton { animation: none; } }
`);
