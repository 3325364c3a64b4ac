// What is wrong with the page for a person: a list of texts, empty where nothing is. Run by tests/suite/provider_chromium.rs.
const faults = [];
const say = (what, element) => faults.push(`${what}: ${element ? element.outerHTML.slice(0, 120) : ""}`);
if (!document.documentElement.lang) say("no language");
if (!document.title.trim()) say("no title");
if (document.querySelectorAll("h1").length !== 1) say("not one heading");
if (!document.querySelector("main")) say("no main part");
if (document.documentElement.scrollWidth > document.documentElement.clientWidth) say(`wider than the window: ${document.documentElement.scrollWidth}`);
if (document.querySelector("main > p:not(.told)")?.textContent.trim() === "") say("says nothing");

const parsed = (color) => color.match(/[\d.]+/g).map(Number);
const luminance = ([r, g, b]) => {
  const [x, y, z] = [r, g, b].map((v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * x + 0.7152 * y + 0.0722 * z;
};
const contrast = (a, b) => {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
};
const behind = (element) => {
  for (let e = element; e; e = e.parentElement) {
    const color = parsed(getComputedStyle(e).backgroundColor);
    if (color.length < 4 || color[3] === 1) return color;
  }
  // A browser's own paper.
  return matchMedia("(prefers-color-scheme: dark)").matches ? [18, 18, 18] : [255, 255, 255];
};
const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
let read = 0;
while (texts.nextNode()) {
  const element = texts.currentNode.parentElement;
  if (!texts.currentNode.data.trim() || ["SCRIPT", "STYLE"].includes(element.tagName)) continue;
  read += 1;
  const style = getComputedStyle(element);
  const ratio = contrast(parsed(style.color), behind(element));
  if (ratio < 4.5) say(`text of contrast ${ratio.toFixed(2)}`, element);
  if (parseFloat(style.fontSize) < 13) say(`text of ${style.fontSize}`, element);
}
if (read === 0) say("no text");

for (const input of document.querySelectorAll("input:not([type=hidden])")) {
  if (![...input.labels].some((label) => label.textContent.trim())) say("no label", input);
  if (!input.autocomplete) say("no word for whoever fills forms in", input);
  const ratio = contrast(parsed(getComputedStyle(input).borderTopColor), behind(input));
  if (ratio < 3) say(`an edge of contrast ${ratio.toFixed(2)}`, input);
  if (parseFloat(getComputedStyle(input).fontSize) < 16) say("phones zoom in", input);
}
for (const element of document.querySelectorAll("a, button, input:not([type=hidden])")) {
  const { height, left, right } = element.getBoundingClientRect();
  if (height < 44) say(`too low for a thumb: ${height}`, element);
  if (left < 0 || right > document.documentElement.clientWidth) say("beyond the edge", element);
  element.focus({ focusVisible: true });
  const style = getComputedStyle(element);
  if (style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 2) say("nobody sees where the focus is", element);
  if (contrast(parsed(style.outlineColor), behind(element.parentElement)) < 3) say("the focus is hardly seen", element);
  element.blur();
}
window.scrollTo(0, 0);
return faults;
