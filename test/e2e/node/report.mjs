// A person who reads a report: opens the file in every scheme and width, looks at
// every plot and table, and says what is wrong with it. The argument is JSON:
//
//   {file, screenshot, executable}
//
// Prints JSON: what the browser complained about, what it asked for, and what does
// not fit into its place.
import { chromium } from 'playwright-core';
import { pathToFileURL } from 'node:url';

const limit = 60_000;
setTimeout(() => { console.error('the browser took too long'); process.exit(3); }, limit).unref();

const task = JSON.parse(process.argv[2]);
const browser = await chromium.launch({
  executablePath: task.executable,
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  timeout: limit,
});
const url = pathToFileURL(task.file).href;
const seen = { faults: [], requests: [], misfits: [], views: [], title: '', scripts: 0 };

// What sticks out of its place: of the window, of the box that it stands in (if
// that does not scroll), or into a text beside it.
function misfits() {
  const wrong = [];
  const name = (e) => `${e.tagName.toLowerCase()}.${e.className.baseVal ?? e.className} "${e.textContent.trim().slice(0, 40)}"`;
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > width) wrong.push(`the page is ${document.documentElement.scrollWidth} wide`);
  for (const e of document.querySelectorAll('body *')) {
    if (e.closest('svg') || e.closest('details:not([open]) > :not(summary)')) continue;
    const scrolls = e.closest('.scroll');
    const box = e.getBoundingClientRect();
    if (!scrolls && (box.right > width + 1 || box.left < -1)) wrong.push(`${name(e)} ends at ${box.right}`);
    if (e.clientWidth > 0 && e.scrollWidth > e.clientWidth + 1 && e !== scrolls && getComputedStyle(e).display !== 'inline') wrong.push(`${name(e)} is ${e.scrollWidth} in ${e.clientWidth}`);
  }
  for (const list of document.querySelectorAll('.ticks, .times, .legend, .tiles, tr, .pair')) {
    const boxes = [...list.children].map((e) => [e, e.getBoundingClientRect()]);
    for (const [i, [e, a]] of boxes.entries()) {
      for (const [f, b] of boxes.slice(i + 1)) {
        if (Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1) wrong.push(`${name(e)} lies over ${name(f)}`);
      }
    }
  }
  return wrong;
}

for (const colorScheme of ['light', 'dark']) {
  for (const width of [360, 1280]) {
    const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme });
    const page = await context.newPage();
    const view = `${colorScheme} ${width}`;
    page.on('request', (request) => { if (request.url() !== url) seen.requests.push(`${view}: ${request.url()}`); });
    page.on('pageerror', (fault) => seen.faults.push(`${view}: ${fault}`));
    page.on('console', (message) => seen.faults.push(`${view}: ${message.text()}`));
    page.on('dialog', (dialog) => { seen.faults.push(`${view}: ${dialog.message()}`); dialog.dismiss(); });
    await page.goto(url);
    seen.title = await page.title();
    seen.scripts += await page.evaluate(() => document.scripts.length);
    for (const what of await page.evaluate(misfits)) seen.misfits.push(`${view}: ${what}`);
    if (width === 1280 && colorScheme === 'light' && task.screenshot) {
      await page.setViewportSize({ width, height: 1390 });
      await page.screenshot({ path: task.screenshot });
    }
    // Every table behind a plot opens, and still fits.
    for (const summary of await page.locator('summary').all()) await summary.click();
    for (const what of await page.evaluate(misfits)) seen.misfits.push(`${view}, with tables: ${what}`);
    seen.views.push(await page.evaluate(() => ({
      background: getComputedStyle(document.body).backgroundColor,
      bars: [...document.querySelectorAll('svg .bar rect:not(.hit)')].filter((r) => r.getBoundingClientRect().width > 0).length,
      rows: [...document.querySelectorAll('details tr')].filter((r) => r.getBoundingClientRect().height > 0).length,
      unnamed: [...document.querySelectorAll('svg[role=img]')].filter((s) => !s.getAttribute('aria-labelledby').split(' ').every((id) => document.getElementById(id)?.textContent)).length,
      plots: document.querySelectorAll('svg[role=img]').length,
      // A style that came from elsewhere would have no effect.
      foreign: (() => { const s = document.createElement('style'); s.textContent = 'body { opacity: .5 }'; document.body.append(s); return getComputedStyle(document.body).opacity; })(),
    })));
    await context.close();
  }
}
console.log(JSON.stringify(seen));
await browser.close();
process.exit(0);
