// A person at a browser: opens the address that gimme printed, signs in,
// consents, and looks at what comes in the end. The argument is JSON:
//
//   {url, login, password, screenshot, executable}
//
// Prints JSON: the address and text of the last page, its headers, and every
// host that the browser asked for anything.
import { chromium } from 'playwright-core';

const limit = 60_000;
setTimeout(() => { console.error('the browser took too long'); process.exit(3); }, limit).unref();

const task = JSON.parse(process.argv[2]);
const browser = await chromium.launch({
  executablePath: task.executable,
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  timeout: limit,
});
const page = await browser.newPage({ viewport: { width: 900, height: 600 } });
page.setDefaultTimeout(limit / 2);
const hosts = new Set();
const addresses = [];
page.on('request', (request) => hosts.add(new URL(request.url()).hostname));
page.on('framenavigated', (frame) => addresses.push(frame.url()));
const faults = [];
page.on('pageerror', (fault) => faults.push(String(fault)));
page.on('console', (message) => { if (message.type() === 'error') faults.push(message.text()); });

await page.goto(task.url);
await page.getByLabel('Name').fill(task.login);
await page.getByLabel('Password').fill('not this one');
await page.getByRole('button', { name: 'Sign in' }).click();
await page.getByText('Wrong name or password.').waitFor();
await page.getByLabel('Name').fill(task.login);
await page.getByLabel('Password').fill(task.password);
await page.getByRole('button', { name: 'Sign in' }).click();
await page.getByRole('button', { name: 'Allow' }).click();

const done = /^http:\/\/127\.0\.0\.1:\d+\/(?!interaction)/;
await page.waitForURL((url) => done.test(url.href) && !url.href.startsWith(new URL(task.url).origin));
await page.waitForLoadState('load');
// What a person can still see of the last page, and what it came with.
const response = await page.evaluate(() => ({
  referrer: document.referrer,
  history: history.length,
  scripts: document.scripts.length,
  links: [...document.querySelectorAll('[src],link[href]')].length,
}));
await page.screenshot({ path: task.screenshot });
console.log(JSON.stringify({
  url: page.url(), title: await page.title(), text: await page.innerText('body'),
  ...response, addresses, hosts: [...hosts], faults,
}));
await browser.close();
process.exit(0);
