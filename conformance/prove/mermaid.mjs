// Parses every Mermaid block of Markdown files with Mermaid's own parser. Draws nothing.
// usage: node mermaid.mjs NODE_MODULES FILE…
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [modules, ...files] = process.argv.slice(2);
const require = createRequire(`${modules}/`);
const { JSDOM } = require("jsdom");
const { window } = new JSDOM("");
// Mermaid cleans texts through the browser's document even when it only parses.
globalThis.window = window;
globalThis.document = window.document;
const manifest = JSON.parse(readFileSync(`${modules}/mermaid/package.json`, "utf8"));
const entry = manifest.exports["."].import ?? manifest.module;
const { default: mermaid } = await import(pathToFileURL(`${modules}/mermaid/${entry}`));

let diagrams = 0;
let mistakes = 0;
for (const file of files) {
  const lines = readFileSync(file, "utf8").split("\n");
  for (let start = 0; start < lines.length; start++) {
    const fence = /^(\s*)(`{3,}|~{3,})\s*mermaid\b/.exec(lines[start]);
    if (!fence) continue;
    const end = lines.findIndex((line, at) => at > start && line.trim() === fence[2]);
    const text = lines.slice(start + 1, end < 0 ? undefined : end).join("\n");
    diagrams++;
    try {
      await mermaid.parse(text);
    } catch (error) {
      mistakes++;
      console.error(`${file}:${start + 1}: ${error.message}`);
    }
    start = end < 0 ? lines.length : end;
  }
}
console.log(`${diagrams} diagrams`);
process.exit(mistakes ? 1 : 0);
